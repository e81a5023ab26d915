"""Frames of the ASICs' index and of an ASIC's page."""

import pytest
from commander.live.frames import RESYNC
from commander.live.rig_state import Health
from commander.live.source import LiveViews
from commander.registry.kinds import RigKind
from commander.rig_pages.asic import ASICS
from commander.rig_pages.listing import IndexQuery
from commander.rig_pages.live_views import IndexView, RigView, live_views
from commander_farm import an_asic_log
from live_farm import LiveFarm, Screen, ids_in, rows_in


@pytest.fixture
def farm() -> LiveFarm:
    farm = LiveFarm(ASICS)
    farm.add("asic-01", "asic-02", "asic-03")
    return farm


def looking(farm: LiveFarm, **query: object) -> Screen:
    """A viewer who has had the first frame, with the totals."""
    screen = Screen(farm, IndexView(farm.views, IndexQuery(kind=RigKind.ASIC).but(**query)))
    screen.step()
    farm.now_s += 2
    return screen


def test_the_first_log_moves_a_row_from_those_who_wait_to_the_others(farm: LiveFarm) -> None:
    screen = looking(farm)
    farm.tell(2, an_asic_log())
    html = screen.step()
    assert '<div data-in="rows" data-before="" id="rig-2" class="row online"' in html
    assert "data-gone" not in html, "it is moved, not taken away"
    assert "2 ASICs wait for their sentry" in html
    assert '<div class="empty" id="empty">\n</div>' in html
    farm.tell(1, an_asic_log())
    assert '<div data-in="rows" data-before="rig-2" id="rig-1"' in screen.step()


def test_an_adopted_asic_is_put_among_those_who_wait(farm: LiveFarm) -> None:
    screen = looking(farm)
    farm.add("asic-02b")
    html = screen.step()
    assert '<div data-in="waiting-rows" data-before="rig-3" id="rig-4" class="row waiting"' in html
    assert "4 ASICs wait" in html
    assert 'data-total="alive">0 of 4' in html


def test_a_removed_asic_goes_from_where_it_stood(farm: LiveFarm) -> None:
    farm.tell(2, an_asic_log())
    screen = looking(farm)
    for rig_id in (1, 2):
        farm.index.remove(rig_id)
        assert f'<div id="rig-{rig_id}" data-gone></div>' in screen.step()
    assert 'data-total="alive">0 of 1' in screen.step(2.0)


def test_new_figures_bring_their_row_alone(farm: LiveFarm) -> None:
    farm.tell(1, an_asic_log())
    screen = looking(farm)
    farm.tell(1, an_asic_log(hashrate_hs=100e12))
    html = screen.step()
    assert (rows_in(html), "waiting-head" in ids_in(html)) == ([1], False)
    assert "100 TH/s" in html


def test_a_fault_brings_a_row_into_the_filter_and_its_end_takes_it_out(farm: LiveFarm) -> None:
    farm.tell(1, an_asic_log())
    screen = looking(farm, faulty=True)
    farm.tell(1, an_asic_log(faults=["fan"]))
    html = screen.step()
    assert '<div data-in="rows" data-before="" id="rig-1"' in html
    assert "With faults <b>1</b>" in html
    farm.tell(1, an_asic_log())
    assert '<div id="rig-1" data-gone></div>' in screen.step()


def test_who_looks_at_the_waiting_alone_sees_them_leave(farm: LiveFarm) -> None:
    screen = looking(farm, health=Health.WAITING)
    farm.tell(1, an_asic_log())
    html = screen.step()
    assert '<div id="rig-1" data-gone></div>' in html
    assert "2 ASICs wait" in html


def test_who_missed_that_one_began_to_report_starts_again(farm: LiveFarm) -> None:
    view = IndexView(farm.views, IndexQuery(kind=RigKind.ASIC))
    seen = farm.index.now_at
    farm.tell(1, an_asic_log())
    assert view.catch_up(seen) == RESYNC


def test_a_silent_asic_leaves_the_totals_and_its_faults_are_of_the_past(farm: LiveFarm) -> None:
    farm.tell(1, an_asic_log(faults=["fan"]))
    began_at = farm.index.rigs[1].taken_at
    screen, page = looking(farm), Screen(farm, RigView(farm.views, 1))
    farm.silence(70)
    html = screen.step()
    assert 'class="row offline old faulty"' in html
    assert '<span class="state idle">Fan fault</span>' in html
    assert 'data-total="efficiency-Bitcoin"' not in html
    about = page.step()
    assert "In the last report:" in about
    assert began_at is not None
    assert f'<h2>Fan fault <small>(since <time datetime="{began_at.isoformat()}" data-clock>' in about
    assert "Connected at the last report" in about


def test_the_first_log_takes_the_panel_with_the_token_away(farm: LiveFarm) -> None:
    screen = Screen(farm, RigView(farm.views, 1))
    farm.tell(1, an_asic_log())
    html = screen.step()
    assert '<section id="enrol-first" data-gone></section>' in html
    assert "Board 3" in html
    assert screen.step() == ""


def test_when_the_asic_is_removed_its_page_goes_to_the_index(farm: LiveFarm) -> None:
    screen = Screen(farm, RigView(farm.views, 1))
    farm.index.remove(1)
    assert screen.step() == '<a id="leave" data-go="/asics?removed=asic-01"></a>'


def test_each_kind_has_its_own_views(farm: LiveFarm) -> None:
    rigs = LiveFarm()
    views = LiveViews([*live_views(rigs.views), *live_views(farm.views)])
    for query, live in (
        ({"view": "asics"}, farm.views.live),
        ({"view": "asic", "rig": "1"}, farm.views.live),
        ({"view": "asic-log", "rig": "1"}, farm.views.live),
        ({"view": "rig-log", "rig": "1"}, rigs.views.live),
        ({"view": "rigs"}, rigs.views.live),
        ({"view": "rig", "rig": "1"}, rigs.views.live),
    ):
        assert views.find(query)[0] is live.frames
    for nonsense in ({}, {"view": "farm"}, {"view": "asic"}, {"view": "asics", "sort": "'"}, {"view": "log"}):
        with pytest.raises(ValueError, match=r".+"):
            views.find(nonsense)
