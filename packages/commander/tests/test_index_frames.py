"""Frames of the index page: its view, driven by a real operational index."""

import pytest
from commander.live.frames import RESYNC
from commander.live.rig_state import Health
from commander.rig_pages.listing import IndexQuery, Sort
from commander.rig_pages.live_views import IndexView
from live_farm import START, LiveFarm, Screen, ids_in, rows_in


@pytest.fixture
def farm() -> LiveFarm:
    farm = LiveFarm()
    farm.add("rig-01", "rig-02", "rig-10")
    return farm


def looking(farm: LiveFarm, query: IndexQuery | None = None) -> Screen:
    """A viewer who has had the first frame, with the totals."""
    screen = Screen(farm, IndexView(farm.views, query or IndexQuery()))
    screen.step()
    screen.farm.now_s += 2
    return screen


def test_nothing_new_is_no_frame(farm: LiveFarm) -> None:
    assert looking(farm).step() == ""


def test_a_report_brings_its_row_and_the_totals_alone(farm: LiveFarm) -> None:
    for rig_id in farm.index.rigs:
        farm.report(rig_id)
    screen = looking(farm)
    farm.report(2, hashrate_hs=21_500.0)
    html = screen.step()
    assert ids_in(html) == ["rig-2", "totals"]
    assert "21.5 kH/s" in html
    assert 'data-total="hashrate-Monero" title="55,500 H/s">55.5 kH/s' in html


def test_totals_come_once_a_second_and_only_when_they_differ(farm: LiveFarm) -> None:
    for rig_id in farm.index.rigs:
        farm.report(rig_id)
    screen = looking(farm)
    frames = []
    for tick in range(12):
        farm.report(1, hashrate_hs=17_000.0 + 100 * tick)
        frames.append("totals" in ids_in(screen.step()))
    assert frames.count(True) == 3
    screen.step(2.0)
    farm.report(1, hashrate_hs=18_100.0)
    assert ids_in(screen.step(2.0)) == ["rig-1"]


def test_a_new_rig_is_put_where_its_name_belongs(farm: LiveFarm) -> None:
    screen = looking(farm)
    farm.add("rig-03")
    html = screen.step()
    assert '<div data-in="rows" data-before="rig-3" id="rig-4"' in html
    assert rows_in(html) == [4]
    assert "4 rigs" in html
    assert 'data-total="alive">0 of 4' in html


def test_a_rename_moves_one_row(farm: LiveFarm) -> None:
    farm.add(*(f"rig-{number}" for number in range(11, 30)))
    screen = looking(farm)
    farm.index.rename(1, "rig-20b")
    html = screen.step()
    assert rows_in(html) == [1]
    assert 'data-before="rig-14" id="rig-1"' in html
    assert "rig-20b" in html


def test_a_removed_rig_goes_and_the_next_page_s_first_comes_up() -> None:
    farm = LiveFarm()
    farm.add(*(f"rig-{number:03}" for number in range(1, 121)))
    first, second = looking(farm), looking(farm, IndexQuery(page=2))
    farm.index.remove(50)
    html = first.step()
    assert '<div id="rig-50" data-gone></div>' in html
    assert '<div data-in="rows" data-before="" id="rig-101"' in html
    assert "1–100 of 119 rigs" in html
    assert '<div id="rig-101" data-gone></div>' in second.step()


def test_a_row_that_only_moves_travels_without_its_content(farm: LiveFarm) -> None:
    for rig_id, hashrate_hs in ((1, 3.0), (2, 2.0), (3, 1.0)):
        farm.report(rig_id, hashrate_hs=hashrate_hs)
    query = IndexQuery(sort=Sort.HASHRATE)
    farm.views.orders.fresh(query)
    screen = looking(farm, query)
    farm.report(3, hashrate_hs=9.0)
    assert "data-in" not in screen.step(), "rows must not jump while figures change"
    farm.views.orders.fresh(query)  # somebody loads the page
    assert screen.step() == '<div data-in="rows" data-before="" data-same id="rig-3"></div>'


def test_another_page_s_rigs_are_not_sent() -> None:
    farm = LiveFarm()
    farm.add(*(f"rig-{number:03}" for number in range(1, 121)))
    screen = looking(farm, IndexQuery(page=2))
    screen.farm.index.set_specs(5, b"{}")
    assert screen.step() == ""
    screen.farm.index.set_specs(105, b"{}")
    assert rows_in(screen.step()) == [105]


def test_a_filter_lets_rows_come_and_go_with_their_health(farm: LiveFarm) -> None:
    screen = looking(farm, IndexQuery(health=Health.ONLINE))
    farm.report(1)
    assert '<div data-in="rows" data-before="" id="rig-1"' in screen.step()
    farm.silence(50)
    html = screen.step()
    assert '<div id="rig-1" data-gone></div>' in html
    assert "No rig is online." in html


def test_the_first_rig_takes_the_place_of_the_invitation() -> None:
    farm = LiveFarm()
    screen = looking(farm)
    farm.add("rig-01")
    html = screen.step()
    assert '<div class="empty" id="empty">\n</div>' in html
    assert rows_in(html) == [1]


def test_who_missed_a_change_of_shape_starts_again(farm: LiveFarm) -> None:
    view = IndexView(farm.views, IndexQuery())
    seen = farm.index.now_at
    farm.index.set_specs(2, b"{}")
    assert rows_in(view.catch_up(seen) or "") == [2]
    assert view.catch_up(farm.index.now_at) is None
    farm.add("rig-04")
    assert view.catch_up(seen) == RESYNC


def test_who_saw_another_order_starts_again(farm: LiveFarm) -> None:
    for rig_id in farm.index.rigs:
        farm.report(rig_id, hashrate_hs=float(rig_id))
    query = IndexQuery(sort=Sort.HASHRATE)
    view = IndexView(farm.views, query)
    seen = farm.index.now_at
    farm.report(1, hashrate_hs=9.0)
    assert view.catch_up(seen) != RESYNC
    farm.views.orders.fresh(query)
    assert view.catch_up(seen) == RESYNC


def test_very_many_moves_are_a_new_page() -> None:
    farm = LiveFarm()
    screen = looking(farm, IndexQuery(whole=True))
    farm.add(*(f"rig-{number}" for number in range(1_001)))
    assert screen.step() == "resync"


def test_a_row_is_rendered_once_for_all_who_look(farm: LiveFarm) -> None:
    farm.report(1)
    assert farm.views.rows_of(IndexQuery()).of(1).html is farm.views.rows_of(IndexQuery()).of(1).html
    before = farm.views.rows_of(IndexQuery()).of(1).html
    farm.report(1)
    assert farm.views.rows_of(IndexQuery()).of(1).html is not before


def test_a_silent_rig_is_grey_with_its_age_and_leaves_the_totals(farm: LiveFarm) -> None:
    farm.report(1)
    screen = looking(farm)
    farm.silence(50)
    assert 'class="row stale old"' in screen.step()
    farm.silence(20)
    html = screen.step()
    assert 'class="row offline old"' in html
    assert "data-relative" in html
    assert 'data-total="alive">0 of 3' in html
    assert 'data-total="power" title="not known" class="unknown">–' in html


def test_unknown_figures_are_never_zero(farm: LiveFarm) -> None:
    html = farm.views.rows_of(IndexQuery()).of(1).html
    assert "Waiting" in html
    assert html.count(">–<") == 12
    assert ">0" not in html


def test_a_rig_that_begins_to_match_comes_and_one_that_ends_goes() -> None:
    farm = LiveFarm()
    farm.add("a", "b", "c")
    for rig_id in (1, 2):
        farm.report(rig_id, power_w=100.0)
    screen = looking(farm, IndexQuery(select="power>150"))
    assert screen.step() == ""
    farm.report(2, power_w=200.0)
    frame = screen.step()
    assert rows_in(frame) == [2]
    assert "1 of 3 rigs matches" in frame
    farm.report(1, power_w=200.0)
    assert 'data-before="rig-2"' in screen.step()
    farm.report(2, power_w=100.0)
    assert '<div id="rig-2" data-gone></div>' in screen.step()


def test_a_new_tag_is_in_the_row_and_in_the_selection() -> None:
    farm = LiveFarm()
    farm.add("a", "b")
    everything, hall = looking(farm), looking(farm, IndexQuery(select="tag:hall:2"))
    farm.index.set_tags(2, ("hall:2",))
    assert 'class="tag"' in everything.step()
    assert rows_in(hall.step()) == [2]
    farm.index.set_tags(2, ())
    assert 'class="tag"' not in everything.step()
    assert '<div id="rig-2" data-gone></div>' in hall.step()


def test_the_troubles_are_counted_worst_first_and_lead_to_their_rigs(farm: LiveFarm) -> None:
    assert "<li>" not in farm.views.troubles()
    for rig_id in farm.index.rigs:
        farm.report(rig_id)
    screen = looking(farm)
    assert '<span class="state good">3 rigs, nothing known to be wrong</span>' in farm.views.troubles()
    farm.report(1, hashrate_hs=0.0)
    farm.index.set_wrong_clock(2, True, at=START)
    frame = screen.step(2.0)
    assert '<li><a class="state bad" href="/cpu-gpu?select=incident%3Ano_hashrate+health' in frame
    assert ">1 not mining</a>" in frame
    assert frame.index("1 not mining") < frame.index("1 with a wrong clock")
    query = IndexQuery(select="incident:no_hashrate health:online,stale", sort=Sort.HEALTH)
    assert farm.views.orders.standing(query).ids == [1]
    farm.silence(70)
    frame = screen.step(2.0)
    assert ">3 offline</a>" in frame
    assert "not mining</a>" not in frame
