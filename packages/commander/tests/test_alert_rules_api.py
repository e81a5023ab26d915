"""Alert rules at `/api/v1/alert-rules`, and maintenance at `/api/v1/maintenance`."""

from datetime import UTC, datetime, timedelta

import pytest
from commander.alert_rules.domain import SHIPPED
from commander_farm import Farm, running

RULES = "/api/v1/alert-rules"
MAINTENANCE = "/api/v1/maintenance"


async def send(farm: Farm, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
    answer = await farm.client.request(method, path, json=body, headers=farm.auth)
    return answer.status_code, answer.json() if answer.content else {}


async def rules_of(farm: Farm) -> list[dict[str, object]]:
    return list((await farm.get(RULES)).json()["rules"])


async def test_all_shipped_rules_are_on_from_the_start(farm: Farm) -> None:
    rules = await rules_of(farm)
    assert len(rules) == len(SHIPPED)
    assert all(rule["enabled"] and rule["shipped"] and not rule["select"] for rule in rules)
    (offline,) = [rule for rule in rules if rule["rule"] == "offline"]
    assert (offline["critical"], offline["for_s"], offline["clear_for_s"]) == (180, 0, 60)
    limits = {rule["sensor"]: (rule["warning"], rule["critical"]) for rule in rules if rule["rule"] == "temperature"}
    assert limits == {"gpu": (80, 85), "memory": (100, 108), "cpu": (90, 95), "board": (85, 95)}


async def test_a_shipped_rule_is_changed_and_switched_off_but_not_removed(farm: Farm) -> None:
    (fan,) = [rule for rule in await rules_of(farm) if rule["rule"] == "fan"]
    path = f"{RULES}/{fan['id']}"
    status, changed = await send(farm, "PUT", path, {"rule": "fan", "critical": 50, "enabled": False})
    assert (status, changed["critical"], changed["enabled"]) == (200, 50, False)
    status, problem = await send(farm, "DELETE", path)
    assert (status, problem["code"]) == (409, "shipped_rule")
    status, problem = await send(farm, "PUT", path, {"rule": "offline", "critical": 50})
    assert (status, problem["code"]) == (422, "bad_alert_rule")
    async with running(farm.settings) as restarted:
        rules = (await restarted.get(RULES, headers=farm.auth)).json()["rules"]
    assert [rule["critical"] for rule in rules if rule["rule"] == "fan"] == [50]


async def test_a_change_keeps_what_it_leaves_out(farm: Farm) -> None:
    """The eight fields of the contract suffice: they change neither severity, sensor nor allowed pools."""
    rules = await rules_of(farm)
    fields = ("id", "rule", "enabled", "select", "warning", "critical", "for_s", "clear_for_s")
    for rule in rules:
        body = {name: rule[name] for name in fields} | {"enabled": False}
        assert await send(farm, "PUT", f"{RULES}/{rule['id']}", body) == (200, rule | {"enabled": False})
    (wallet,) = [rule for rule in rules if rule["rule"] == "wallet"]
    path = f"{RULES}/{wallet['id']}"
    body = {"rule": "wallet", "allowed": "pool.example:3333", "severity": "warning"}
    assert (await send(farm, "PUT", path, body))[0] == 200
    _, changed = await send(farm, "PUT", path, {"rule": "wallet", "for_s": 30})
    assert (changed["allowed"], changed["severity"]) == ("pool.example:3333", "warning")


async def test_a_new_rule_is_as_severe_as_the_shipped_one(farm: Farm) -> None:
    _, lost = await send(farm, "POST", RULES, {"rule": "device_lost", "select": "tag:lab"})
    _, own = await send(farm, "POST", RULES, {"rule": "power<100"})
    assert (lost["severity"], own["severity"]) == ("critical", "warning")
    path = f"{RULES}/{lost['id']}"
    _, changed = await send(farm, "PUT", path, {"rule": "power<90"})
    assert (changed["rule"], changed["severity"]) == ("power<90", "critical")


async def test_own_rules_are_added_and_removed(farm: Farm) -> None:
    body = {"rule": " power < 100W ", "select": "tag:hall:2", "severity": "critical", "for_s": 60}
    status, rule = await send(farm, "POST", RULES, body)
    assert (status, rule["rule"], rule["shipped"], rule["severity"]) == (201, "power<100W", False, "critical")
    assert (await send(farm, "DELETE", f"{RULES}/{rule['id']}"))[0] == 204
    assert (await send(farm, "DELETE", f"{RULES}/{rule['id']}"))[0] == 404
    assert len(await rules_of(farm)) == len(SHIPPED)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"rule": "too_loud"}, "bad_alert_rule", "rule"),
        ({"rule": "power<"}, "bad_alert_rule", "rule"),
        ({"rule": "power<many"}, "bad_alert_rule", "rule"),
        ({"rule": "loudness<5"}, "bad_alert_rule", "rule"),
        ({"rule": "temperature"}, "bad_alert_rule", "critical"),
        ({"rule": "temperature", "warning": 90, "critical": 80}, "bad_alert_rule", "critical"),
        ({"rule": "hashrate_low", "warning": 70, "critical": 90}, "bad_alert_rule", "critical"),
        ({"rule": "fan", "sensor": "gpu", "critical": 60}, "bad_alert_rule", "sensor"),
        ({"rule": "fan", "critical": 60, "select": "halll:2"}, "bad_selection", "select"),
    ],
)
async def test_a_wrong_rule_is_refused_with_its_reason(
    farm: Farm, body: dict[str, object], code: str, field: str
) -> None:
    status, problem = await send(farm, "POST", RULES, body)
    assert (status, problem["code"]) == (422, code)
    assert [each["field"] for each in problem["errors"]] == [field]  # type: ignore[attr-defined]
    assert len(await rules_of(farm)) == len(SHIPPED)


async def test_maintenance_is_added_listed_and_removed(farm: Farm) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    body = {"select": "tag:hall:2", "until": until.isoformat(), "reason": "new fans"}
    status, added = await send(farm, "POST", MAINTENANCE, body)
    assert (status, added["select"], added["reason"], added["by"]) == (201, "tag:hall:2", "new fans", "API key tests")
    assert datetime.fromisoformat(str(added["until"])) == until
    assert datetime.fromisoformat(str(added["from"])) <= datetime.now(UTC)
    assert (await farm.get(MAINTENANCE)).json() == {"maintenance": [added]}
    assert (await send(farm, "DELETE", f"{MAINTENANCE}/{added['id']}"))[0] == 204
    assert (await send(farm, "DELETE", f"{MAINTENANCE}/{added['id']}"))[0] == 404
    assert (await farm.get(MAINTENANCE)).json() == {"maintenance": []}


@pytest.mark.parametrize(
    ("begins_h", "ends_h", "select", "code"),
    [
        (0, -1, "", "bad_maintenance"),
        (-3, -2, "", "bad_maintenance"),
        (2, 1, "", "bad_maintenance"),
        (0, 91 * 24, "", "bad_maintenance"),
        (0, 1, "halll:2", "bad_selection"),
    ],
)
async def test_a_wrong_maintenance_is_refused(
    farm: Farm, begins_h: float, ends_h: float, select: str, code: str
) -> None:
    now = datetime.now(UTC)
    body = {"from": (now + timedelta(hours=begins_h)).isoformat(), "select": select}
    body["until"] = (now + timedelta(hours=ends_h)).isoformat()
    status, problem = await send(farm, "POST", MAINTENANCE, body)
    assert (status, problem["code"]) == (422, code)
