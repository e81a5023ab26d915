"""Frames of a rig's page."""

import pytest
from commander.live.source import LiveViews
from commander.rig_pages.live_views import RigView, live_views
from live_farm import START, LiveFarm, Screen, ids_in


@pytest.fixture
def farm() -> LiveFarm:
    farm = LiveFarm()
    farm.add("rig-01", "rig & 02")
    return farm


def test_the_first_log_takes_the_enrolment_panel_away(farm: LiveFarm) -> None:
    screen = Screen(farm, RigView(farm.views, 1))
    farm.report(1)
    html = screen.step()
    assert "17.0 kH/s" in html
    assert '<section id="enrol-first" data-gone></section>' in html


def test_only_what_differs_is_sent(farm: LiveFarm) -> None:
    farm.report(1)
    screen = Screen(farm, RigView(farm.views, 1), 0)
    screen.seen = 0
    assert "rig-specs" in ids_in(screen.step())
    farm.report(1, hashrate_hs=18_000.0)
    assert [name for name in ids_in(screen.step()) if name.startswith("rig-")] == ["rig-head", "rig-now"]


def test_other_rigs_are_none_of_its_business(farm: LiveFarm) -> None:
    screen = Screen(farm, RigView(farm.views, 1))
    farm.report(2)
    farm.index.rename(2, "other")
    assert screen.step() == ""


def test_a_rename_changes_heading_and_title(farm: LiveFarm) -> None:
    screen = Screen(farm, RigView(farm.views, 1))
    farm.index.rename(1, "rig-99")
    html = screen.step()
    assert 'data-title="rig-99 · Minewarden"' in html
    assert '<h1 tabindex="-1">rig-99</h1>' in html
    assert "enrol-first" not in html


def test_a_page_whose_socket_opens_after_the_removal_knows_the_name(farm: LiveFarm) -> None:
    farm.index.remove(2)
    assert RigView(farm.views, 2).catch_up(0) == '<a id="leave" data-go="/cpu-gpu?removed=rig%20%26%2002"></a>'


def test_when_the_rig_is_removed_the_page_goes_to_the_index(farm: LiveFarm) -> None:
    screen = Screen(farm, RigView(farm.views, 2))
    farm.index.remove(2)
    assert screen.step() == '<a id="leave" data-go="/cpu-gpu?removed=rig%20%26%2002"></a>'
    assert screen.view.catch_up(0) == '<a id="leave" data-go="/cpu-gpu?removed=rig%20%26%2002"></a>'


def test_two_sentries_are_told_about(farm: LiveFarm) -> None:
    farm.report(1)
    screen = Screen(farm, RigView(farm.views, 1))
    farm.index.set_two_sentries(1, True, at=START)
    assert "Two sentries report" in screen.step()


def test_a_miner_of_a_silent_rig_is_not_said_to_mine(farm: LiveFarm) -> None:
    farm.report(1)
    screen = Screen(farm, RigView(farm.views, 1))
    farm.silence(70)
    html = screen.step()
    assert "Mining at the last report" in html
    assert "Offline" in html


NONSENSE = [
    {},
    {"view": "farm"},
    {"view": "rig"},
    {"view": "rig", "rig": "x"},
    {"view": "rigs", "page": "0"},
    {"view": "rigs", "sort": "'"},
]


@pytest.mark.parametrize("query", NONSENSE)
def test_a_view_that_no_page_has_is_refused(farm: LiveFarm, query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        LiveViews(live_views(farm.views)).find(query)
