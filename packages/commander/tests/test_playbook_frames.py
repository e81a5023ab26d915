"""Frames of open pages about playbooks."""

import pytest
from commander.live.frames import RESYNC
from commander.live.playbooks import PlaybookNow
from commander.playbooks.views import PlaybooksPage
from commander.rig_pages.listing import IndexQuery
from commander.rig_pages.live_views import IndexView, RigView
from live_farm import LiveFarm, Screen, ids_in
from protocol.playbook_messages import (
    Archive,
    Platform,
    Playbook,
    PlaybookState,
    PlaybookStatus,
    SoftwarePackage,
)

PACKAGE = SoftwarePackage(software="xmrig", version="6", url="https://x.example/a", archive=Archive.ZIP, executable="x")


def a_playbook(number: int = 1, name: str = "Main", revision: int = 1) -> PlaybookNow:
    wire = Playbook(id=str(number), name=name, revision=revision, package=PACKAGE, platform=Platform.LINUX, script="x")
    return PlaybookNow(number, wire, tail="")


@pytest.fixture
def farm() -> LiveFarm:
    farm = LiveFarm()
    farm.add("rig-01", "rig-02")
    farm.index.set_playbooks(1, [a_playbook()])
    return farm


def tell(farm: LiveFarm, state: PlaybookState) -> None:
    farm.index.rigs[1].playbooks[0].status = PlaybookStatus(playbook_id="1", revision=1, state=state)
    farm.index.touch(1)


def looking_at(farm: LiveFarm, view: RigView | PlaybooksPage) -> Screen:
    """Somebody who has had the first frame."""
    farm.index.touch_page(1)
    screen = Screen(farm, view)  # type: ignore[arg-type]  # a view as good as the others
    screen.seen -= 1
    screen.step()
    return screen


def test_a_status_changes_its_row_and_its_pages_alone(farm: LiveFarm) -> None:
    rig = looking_at(farm, RigView(farm.views, 1))
    listing = looking_at(farm, PlaybooksPage(farm.index, 1, None))
    one = looking_at(farm, PlaybooksPage(farm.index, 1, 1))
    other = looking_at(farm, PlaybooksPage(farm.index, 2, None))
    index = Screen(farm, IndexView(farm.views, IndexQuery()))
    index.step()
    tell(farm, PlaybookState.FAILED)
    changed = [name for name in ids_in(rig.step()) if not name.startswith("playbook")]
    assert changed == ["rig-notices", "rig-playbooks"]  # a failed playbook is a fault of its rig
    assert ids_in(listing.step())[0] == "playbook-list"
    assert ids_in(one.step()) == ["playbook-state"]
    assert other.step() == ""
    assert "Playbook failed" in index.step()


def test_output_goes_to_the_rig_s_pages_and_not_to_the_index(farm: LiveFarm) -> None:
    rig, one = looking_at(farm, RigView(farm.views, 1)), looking_at(farm, PlaybooksPage(farm.index, 1, 1))
    index = Screen(farm, IndexView(farm.views, IndexQuery()))
    index.step(2)
    farm.index.rigs[1].playbooks[0].printed(["hello"])
    farm.index.touch_page(1)
    for screen in (rig, one):
        html = screen.step()
        assert ids_in(html)[0] == "rig-output"
        assert "hello</code>" in html
    assert index.step(2) == ""


def test_a_changed_playbook_s_own_page_is_fetched_anew(farm: LiveFarm) -> None:
    one = looking_at(farm, PlaybooksPage(farm.index, 1, 1))
    listing = looking_at(farm, PlaybooksPage(farm.index, 1, None))
    seen = farm.index.now_at
    farm.index.set_playbooks(1, [a_playbook(name="Renamed", revision=2)])
    assert one.step() == "resync"
    assert one.view.catch_up(seen) == RESYNC
    assert "Renamed" in listing.step()
    tell(farm, PlaybookState.MINING)
    assert ids_in(one.step())[-1] == "rig-output"


def test_when_it_is_removed_its_page_goes_to_the_list_and_with_the_rig_to_the_index(farm: LiveFarm) -> None:
    one, listing = PlaybooksPage(farm.index, 1, 1), PlaybooksPage(farm.index, 1, None)
    farm.index.set_playbooks(1, [])
    assert one.step(0, 0) == '<a id="leave" data-go="/cpu-gpu/1/playbooks"></a>'
    assert "No playbooks yet" in (listing.catch_up(0) or "")
    farm.index.remove(1)
    for view in (one, listing):
        assert view.catch_up(0) == '<a id="leave" data-go="/cpu-gpu?removed=rig-01"></a>'


def test_a_playbook_of_a_silent_rig_is_not_said_to_mine(farm: LiveFarm) -> None:
    farm.report(1)
    tell(farm, PlaybookState.MINING)
    listing = PlaybooksPage(farm.index, 1, None)
    farm.silence(70)
    assert "Mining at the last report" in (listing.catch_up(0) or "")
