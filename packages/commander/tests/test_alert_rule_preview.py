"""A preview says how often a rule would have fired, from the ten-minute tier."""

from datetime import UTC, datetime, timedelta

import pytest
from commander.alert_rules.domain import RuleLimits, Sensor
from commander.alert_rules.preview import firings
from commander.db import open_database
from commander.history.roll_up import roll_up
from commander.history.ten_minutes import TenMinutes, Values
from commander.readings.series import Series
from commander_farm import Farm, a_log, on_sqlite

GPU = "0000:03:00.0"
CALM: Values = [64.0] * 40


def limits(rule: str, **values: object) -> RuleLimits:
    return RuleLimits(rule=rule, **values)  # type: ignore[arg-type]  # as in each row


def with_line(key: Series, line: Values) -> TenMinutes:
    return TenMinutes(0, len(line), {key: line})


def hashrates(line: Values) -> TenMinutes:
    return with_line(("hashrate_hs", None, "rx/0", "Monero"), line)


TEMPERATURE = ("temperature_c", GPU, None, None)
POWER = ("power_w", None, None, None)
HOT = limits("temperature", sensor=Sensor.GPU, warning=80.0, critical=85.0, for_s=120.0)
LOW = limits("hashrate_low", warning=90.0, critical=70.0, for_s=600.0)


@pytest.mark.parametrize(
    ("values", "rule", "count"),
    [
        pytest.param(with_line(TEMPERATURE, [*CALM, 81.0, 82.0, 64.0, 83.0]), HOT, 2, id="hot twice"),
        pytest.param(with_line(TEMPERATURE, [*CALM, 79.9]), HOT, 0, id="nearly hot"),
        pytest.param(with_line(TEMPERATURE, [81.0, None, 82.0]), HOT, 1, id="unknown ends nothing"),
        pytest.param(with_line(("temperature_c", "cpu", None, None), [99.0]), HOT, 0, id="another sensor"),
        pytest.param(hashrates([100.0, 0.0, 0.0, 100.0]), limits("no_hashrate", for_s=300.0), 1, id="0 H/s"),
        pytest.param(hashrates([100.0, None, 100.0]), limits("no_hashrate", for_s=300.0), 0, id="unknown is not 0"),
        pytest.param(hashrates([*[100.0] * 40, 85.0, 100.0, 60.0]), LOW, 2, id="less than usual"),
        pytest.param(hashrates([*[100.0] * 20, 50.0]), LOW, 0, id="too short to know what is usual"),
        pytest.param(hashrates([100.0, None, None, 90.0, None]), limits("offline", critical=180.0), 1, id="silent"),
        pytest.param(
            with_line(POWER, [*[200.0] * 40, 260.0]), limits("power", warning=125.0, for_s=300.0), 1, id="power"
        ),
        pytest.param(with_line(POWER, [200.0, 90.0, 95.0, 200.0]), limits("power<100W", for_s=1200.0), 1, id="own"),
        pytest.param(with_line(POWER, [200.0, 90.0, 200.0]), limits("power<100W", for_s=1200.0), 0, id="own, shorter"),
        pytest.param(
            TenMinutes(
                0,
                2,
                {
                    ("accepted", None, "rx/0", "Monero"): [100.0, 100.0],
                    ("rejected", None, "rx/0", "Monero"): [0.0, 40.0],
                },
            ),
            limits("rejected", warning=3.0, critical=8.0),
            1,
            id="rejected",
        ),
        pytest.param(
            TenMinutes(
                0,
                3,
                {("fan_percent", GPU, None, None): [0.0, 0.0, 50.0], TEMPERATURE: [50.0, 70.0, 70.0]},
            ),
            limits("fan", critical=60.0, for_s=120.0),
            1,
            id="fan",
        ),
    ],
)
def test_how_often_a_rule_would_have_fired(values: TenMinutes, rule: RuleLimits, count: int) -> None:
    assert firings(values, rule) == count


@on_sqlite
async def test_the_api_shows_a_preview_before_a_rule_is_saved(farm: Farm) -> None:
    hot, cool = await farm.add("rig-07"), await farm.add("rig-08")
    begin_s = (datetime.now(UTC) - timedelta(hours=3)).replace(minute=0, second=0).timestamp()
    ago_s = datetime.now(UTC).timestamp() - begin_s
    for step in range(60):
        log = a_log(ago_s - 60 * step)
        card = {"pci_address": GPU, "temperature_c": 90.0 if 20 <= step < 40 else 60.0}
        await farm.report(hot, log | {"gpus": [card]})
        await farm.report(cool, log)
    async with open_database(farm.settings.database_url) as database:
        await roll_up(database, now=datetime.now(UTC))
    body = {"rule": "temperature", "sensor": "gpu", "warning": 80, "critical": 85, "for_s": 120}
    answer = await farm.client.post("/api/v1/alert-rules/preview", json=body, headers=farm.auth)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "firings": 1,
        "rigs": [{"name": "rig-07", "firings": 1}],
        "rigs_matching": 2,
        "rigs_looked_at": 2,
    }
    rules = (await farm.get("/api/v1/alert-rules")).json()["rules"]
    assert not any(rule["critical"] == 85 and not rule["shipped"] for rule in rules)


@on_sqlite
@pytest.mark.parametrize("rule", ["clock", "wallet", "uptime<60s"])
async def test_a_rule_whose_subject_is_not_in_the_history_has_no_preview(farm: Farm, rule: str) -> None:
    answer = await farm.client.post("/api/v1/alert-rules/preview", json={"rule": rule}, headers=farm.auth)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_alert_rule")
