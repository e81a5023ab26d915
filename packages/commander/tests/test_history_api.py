"""History for scripts: figures over time, errors of wrong ranges, and answers without figures."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from commander_farm import RIGS, Farm, a_log

FARM = "/api/v1/cpu-gpu-stats/history"


def at(moment: datetime) -> str:
    return quote(moment.isoformat())


def series_of(history: dict[str, list[dict[str, object]]], figure: str, device: str | None = None) -> dict[str, object]:
    [found] = [each for each in history["series"] if (each["figure"], each["device"]) == (figure, device)]
    return found


async def test_a_rigs_figures_come_evenly_spaced_and_a_gap_is_null(farm: Farm) -> None:
    rig = await farm.add()
    now = datetime.now(UTC)
    await farm.report(rig, a_log(1800, power_w=100.0), a_log(5, power_w=300.0), a_log(1, power_w=200.0))
    asked = f"{RIGS}/{rig.id}/history?from={at(now - timedelta(hours=1))}&points=360"
    history = (await farm.get(asked)).json()
    power = series_of(history, "power_w")
    assert history["step_s"] in (10, 20)
    assert len(history["times"]) == len(power["mean"]) <= 360  # type: ignore[arg-type]
    known = [value for value in power["mean"] if value is not None]  # type: ignore[attr-defined]
    assert known[0] == 100.0
    assert max(value for value in power["max"] if value is not None) == 300.0  # type: ignore[attr-defined]
    assert series_of(history, "temperature_c", "0000:03:00.0")["min"] != []
    steps = {
        datetime.fromisoformat(after) - datetime.fromisoformat(before)
        for before, after in zip(history["times"], history["times"][1:], strict=False)
    }
    assert steps == {timedelta(seconds=history["step_s"])}


async def test_only_the_figures_that_are_asked_for_come(farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log(5))
    history = (await farm.get(f"{RIGS}/{rig.id}/history?figures=hashrate_hs,accepted")).json()
    assert {(each["figure"], each["device"]) for each in history["series"]} == {
        ("hashrate_hs", None),
        ("hashrate_hs", "cpu"),
        ("accepted", None),
    }


async def test_of_a_time_of_which_nothing_is_known_the_answer_is_empty(farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log(5))
    for query in (
        "from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z",
        "from=2100-01-01T00:00:00Z&to=2101-01-01T00:00:00Z",
    ):
        for path in (f"{RIGS}/{rig.id}/history", FARM, "/api/v1/asic-stats/history"):
            answer = await farm.get(f"{path}?{query}")
            assert answer.status_code == 200, answer.text
            assert (answer.json()["times"], answer.json()["series"]) == ([], [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("to=0001-01-01T00:00:00Z", "to"),
        ("from=yesterday", "from"),
        ("points=0", "points"),
        ("points=2001", "points"),
        ("figures=Hashrate!", "figures"),
    ],
)
async def test_a_wrong_range_is_told_what_is_wrong(farm: Farm, query: str, field: str) -> None:
    rig = await farm.add()
    for path in (f"{RIGS}/{rig.id}/history", FARM):
        answer = await farm.get(f"{path}?{query}")
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field
        assert answer.json()["detail"]


async def test_a_rig_that_is_not_there_has_no_history(farm: Farm) -> None:
    for path in (f"{RIGS}/7/history", "/api/v1/asic-rigs/7/history", f"{RIGS}/{2**70}/history"):
        answer = await farm.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "rig_not_found")


async def test_the_range_may_be_as_long_as_the_calendar(farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log(5))
    asked = f"{RIGS}/{rig.id}/history?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z&points=2000"
    assert len((await farm.get(asked)).json()["times"]) <= 2000
