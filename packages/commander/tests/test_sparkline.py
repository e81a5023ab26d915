"""The small lines beside the farm's totals."""

import re
from datetime import UTC, datetime

import pytest
from commander.db import open_database
from commander.history.query import History, HistorySeries
from commander.history.roll_up import roll_up
from commander.registry.kinds import RigKind
from commander.rig_pages.listing import IndexQuery
from commander.rig_pages.live_views import IndexView
from commander.rig_pages.sparkline_data import day_of, known_for_s, trend_lines
from commander.web.sparkline import HEIGHT, spark_path, sparkline
from commander_farm import Farm, a_log
from live_farm import LiveFarm, Screen

Values = list[float | None]


def series(figure: str, mean: Values, *, coin: str | None = None, algorithm: str | None = None) -> HistorySeries:
    return HistorySeries(figure=figure, device=None, algorithm=algorithm, coin=coin, mean=mean, min=mean, max=mean)


def test_high_is_up_and_low_is_down() -> None:
    assert spark_path([0.0, 10.0, 5.0]) == f"M0 {HEIGHT}L1 0L2 {HEIGHT // 2}"


def test_what_is_unknown_interrupts_the_line() -> None:
    assert spark_path([1.0, 2.0, None, 1.0, 2.0]) == f"M0 {HEIGHT}L1 0M3 {HEIGHT}L4 0"


@pytest.mark.parametrize("value", [0.0, 5.0, 1e15])
def test_a_level_line_runs_in_the_middle(value: float) -> None:
    assert spark_path([value, value]) == f"M0 {HEIGHT // 2}L1 {HEIGHT // 2}"


@pytest.mark.parametrize("values", [[], [None, None], [1.0], [1.0, None, 2.0]], ids=["none", "unknown", "one", "apart"])
def test_without_two_neighbours_there_is_no_line(values: Values) -> None:
    assert sparkline(values, "Power") == ""


def test_its_words_are_text_not_markup() -> None:
    html = sparkline([1.0, 2.0], '<b>"')
    assert 'aria-label="&lt;b&gt;&#34;"' in html
    assert "style=" not in html


def test_hashrates_of_one_coin_are_one_line() -> None:
    told = [
        series("hashrate_hs", [1.0, None], coin="Monero", algorithm="rx/0"),
        series("hashrate_hs", [2.0, 2.0], coin="Monero", algorithm="rx/monero"),
        series("hashrate_hs", [5.0, 5.0], algorithm="etchash"),
        series("power_w", [100.0, None]),
        series("rigs_alive", [1.0, 2.0]),
        series("fan_percent", [50.0, 50.0]),
    ]
    history = History(step_s=60, times=[datetime(2026, 1, 1, tzinfo=UTC)] * 2, series=told)
    assert trend_lines(history) == {
        "hashrate-Monero": [3.0, 2.0],
        "hashrate-etchash": [5.0, 5.0],
        "power": [100.0, None],
        "alive": [1.0, 2.0],
    }


def test_viewers_get_the_lines_with_their_totals_and_when_they_change() -> None:
    farm = LiveFarm()
    views, trends = farm.views, farm.views.live.trends
    farm.add("rig-01")
    farm.report(1)
    screen = Screen(farm, IndexView(views, IndexQuery()))
    assert "<svg" not in views.totals()
    trends.take({"power": [100.0, 200.0]})
    html = screen.step(2.0)
    assert re.search(r'data-total="power"[^>]*>200 W</dd><dd class="trend"><svg class="spark"', html)
    trends.take({"power": [100.0, 200.0]})
    assert screen.step(2.0) == ""


@pytest.mark.parametrize(
    ("line", "known_s"),
    [([], 0), ([None], 0), ([1.0, None], 0), ([1.0, 1.0], 0), ([None, 1.0, None, None, 1.0], 40 * 60)],
)
def test_a_value_may_be_from_any_moment_of_its_step(line: Values, known_s: int) -> None:
    assert known_for_s(line, 20 * 60) == known_s


async def test_a_farm_of_less_than_an_hour_has_no_line(farm: Farm) -> None:
    rig = await farm.add("rig-01")
    await farm.report(rig, *(a_log(60 * ago, power_w=200.0) for ago in range(55, 0, -1)))
    now = datetime.now(UTC)
    async with open_database(farm.settings.database_url) as database:
        await roll_up(database, now=now)
        assert await day_of(database, RigKind.CPU_GPU, now=now) == {}


async def test_the_farm_s_day_is_what_its_rigs_reported(farm: Farm) -> None:
    for name in ("rig-01", "rig-02"):
        rig = await farm.add(name)
        await farm.report(rig, *(a_log(60 * ago, power_w=200.0) for ago in range(4 * 60, 2 * 60, -1)))
    now = datetime.now(UTC)
    async with open_database(farm.settings.database_url) as database:
        await roll_up(database, now=now)
        lines = await day_of(database, RigKind.CPU_GPU, now=now)
    assert set(lines) == {"alive", "power", "hashrate-Monero"}
    assert len(lines["power"]) in (12, 13), "from the first value on, four hours ago"
    assert max(value for value in lines["power"] if value is not None) == 400.0
    assert max(value for value in lines["hashrate-Monero"] if value is not None) == 34_000.0
    assert max(value for value in lines["alive"] if value is not None) == 2.0
    assert lines["alive"][0] is not None
