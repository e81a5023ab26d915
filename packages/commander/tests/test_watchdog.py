"""The watchdog of rigs, as the commander sees it: rules by selection, and what rigs did by themselves."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from commander.audit.store import EntryFilter, read_entries
from commander.db import open_database
from commander.settings import Settings
from commander.watchdog.jobs import KEPT, delete_old_events
from commander_farm import RIGS, Farm, Rig
from protocol.command_messages import LadderAct, LadderEvent, LadderEvents, LadderSettings
from protocol.tokens import parse_token
from sentry_kit.client import CommanderClient

RULES = "/api/v1/watchdog-rules"
EVENTS = "/api/v1/sentry/events"
INBOX = "/api/v1/sentry/inbox"
REASON = "rebooted: GPU 03:00.0 fell off the bus, Xid 79"


async def limits_of(farm: Farm, rig: Rig) -> dict[str, object] | None:
    """Returns the limits that the rig's sentry gets; None if it gets no such item."""
    items = (await farm.client.get(INBOX, headers=rig.auth)).json()["items"]
    return next((item["body"] for item in items if item["kind"] == "ladder"), None)


async def may_reboot(farm: Farm, rig: Rig) -> object:
    limits = await limits_of(farm, rig)
    return limits and limits["reboots"]


async def add_rule(farm: Farm, select: str, **limits: object) -> int:
    answer = await farm.client.post(RULES, json={"select": select, "limits": limits}, headers=farm.auth)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def tag(farm: Farm, rig: Rig, *tags: str) -> None:
    answer = await farm.client.patch(f"{RIGS}/{rig.id}", json={"tags": tags}, headers=farm.auth)
    assert answer.status_code == 200


def event(name: str = "e1", **more: object) -> dict[str, object]:
    return {"id": name, "act": "rebooted", "reason": REASON, "device": "0000:03:00.0", "xid": 79} | more


async def report(farm: Farm, rig: Rig, *events: dict[str, object]) -> int:
    return (await farm.client.post(EVENTS, json={"events": events}, headers=rig.auth)).status_code


async def audited(settings: Settings) -> list[tuple[str, str, str, str]]:
    async with open_database(settings.database_url) as database, database.reading() as db:
        entries = await read_entries(db, EntryFilter(what="watchdog"), before_id=None, limit=50)
    return [(each.who, each.what, each.subject, each.detail) for each in entries]


async def test_before_there_is_a_rule_no_sentry_is_told_anything(farm: Farm) -> None:
    rig = await farm.add()
    assert await limits_of(farm, rig) is None
    assert (await farm.client.get(RULES, headers=farm.auth)).json() == {"rules": []}


async def test_the_newest_rule_that_matches_a_rig_holds_for_it(farm: Farm) -> None:
    first, second, third = [await farm.add(name) for name in ("rig-01", "rig-02", "rig-03")]
    await tag(farm, first, "hall:1")
    await tag(farm, second, "hall:1", "test")
    await add_rule(farm, "tag:hall:1", reboots=True)
    await add_rule(farm, "tag:test", reboots=False, restarts=False)
    assert await may_reboot(farm, first) is True
    assert await may_reboot(farm, second) is False
    assert await may_reboot(farm, third) is False, "the usual limits"
    await tag(farm, second, "hall:1")
    assert await may_reboot(farm, second) is True


async def test_a_rule_without_a_selection_is_for_all_and_says_how_many(farm: Farm) -> None:
    for name in ("rig-01", "rig-02"):
        await farm.add(name)
    await add_rule(farm, "", reboots=True, critical_gpu_c=85)
    (rule,) = (await farm.client.get(RULES, headers=farm.auth)).json()["rules"]
    assert (rule["select"], rule["rigs"], rule["limits"]["critical_gpu_c"]) == ("", 2, 85.0)


async def test_a_rule_is_changed_and_removed_and_its_rigs_get_the_usual_limits_again(farm: Farm) -> None:
    rig = await farm.add()
    rule_id = await add_rule(farm, "name:*", reboots=True)
    assert await may_reboot(farm, rig) is True
    body = {"select": "name:*", "limits": {"reboots": True, "low_percent": 70}}
    changed = await farm.client.put(f"{RULES}/{rule_id}", json=body, headers=farm.auth)
    assert changed.status_code == 200
    assert (await limits_of(farm, rig) or {})["low_percent"] == 70.0
    removed = await farm.client.delete(f"{RULES}/{rule_id}", headers=farm.auth)
    assert removed.status_code == 204
    assert await may_reboot(farm, rig) is False
    for call in (farm.client.delete(f"{RULES}/{rule_id}", headers=farm.auth),
                 farm.client.put(f"{RULES}/{rule_id}", json=body, headers=farm.auth)):  # fmt: skip
        assert (await call).status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"select": "colour:red", "limits": {}}, "bad_selection"),
        ({"select": 'tag:"a', "limits": {}}, "bad_selection"),
        ({"select": "x" * 2001, "limits": {}}, None),
        ({"select": "", "limits": {"critical_gpu_c": 150}}, None),
        ({"select": "", "limits": {"low_percent": 0}}, None),
        ({"select": ""}, None),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(farm: Farm, body: dict[str, object], code: str | None) -> None:
    answer = await farm.client.post(RULES, json=body, headers=farm.auth)
    assert answer.status_code == 422
    assert code is None or answer.json()["code"] == code
    assert (await farm.client.get(RULES, headers=farm.auth)).json() == {"rules": []}


async def test_the_critical_temperature_has_bounds_and_no_switch(farm: Farm) -> None:
    rig = await farm.add()
    await add_rule(farm, "", restarts=False, reboots=False, critical_gpu_c=105, critical_memory_c=120)
    limits = await limits_of(farm, rig)
    assert limits is not None
    assert (limits["critical_gpu_c"], limits["critical_memory_c"], limits["critical_cpu_c"]) == (105.0, 120.0, 98.0)


async def test_rules_stand_in_the_audit_log(farm: Farm, settings: Settings) -> None:
    rule_id = await add_rule(farm, "tag:hall:1", reboots=True)
    await farm.client.delete(f"{RULES}/{rule_id}", headers=farm.auth)
    entries = [(what, subject, detail) for _, what, subject, detail in await audited(settings)]
    assert entries == [
        ("watchdog rule removed", "tag:hall:1", ""),
        ("watchdog rule added", "tag:hall:1", "The watchdog restarts playbooks and may reboot."),
    ]


async def test_what_a_rig_did_is_stored_once_and_stands_in_the_audit_log(farm: Farm, settings: Settings) -> None:
    rig = await farm.add("rig-07")
    assert await report(farm, rig, event(age_s=90), event("e2", act="gave_up", reason="gave up: it stays slow")) == 204
    assert await report(farm, rig, event(age_s=95)) == 204
    answer = await farm.client.get(f"{RIGS}/{rig.id}/watchdog-events", headers=farm.auth)
    newest, oldest = answer.json()["events"]
    assert (newest["act"], oldest["act"], oldest["reason"], oldest["device"]) == (
        "gave_up", "rebooted", REASON, "0000:03:00.0"
    )  # fmt: skip
    age = datetime.now(UTC) - datetime.fromisoformat(oldest["at"])
    assert timedelta(seconds=89) < age < timedelta(seconds=300)
    assert sorted(await audited(settings)) == [
        ("watchdog", "watchdog gave up", "rig-07", "gave up: it stays slow"),
        ("watchdog", "watchdog rebooted the rig", "rig-07", REASON),
    ]


@pytest.mark.parametrize("age_s", [1e9, 1e24])
async def test_an_event_of_a_rig_with_a_wrong_clock_and_one_of_a_later_version_are_taken(
    farm: Farm, age_s: float
) -> None:
    rig = await farm.add()
    assert await report(farm, rig, event(at="1970-01-01T00:00:00Z", age_s=age_s), event("e2", act="danced")) == 204
    events = (await farm.client.get(f"{RIGS}/{rig.id}/watchdog-events", headers=farm.auth)).json()["events"]
    assert [each["act"] for each in events] == ["unknown", "rebooted"]
    assert datetime.fromisoformat(events[1]["at"]) > datetime.now(UTC) - timedelta(days=31)


async def test_two_rigs_may_use_the_same_ids_and_see_only_their_own_events(farm: Farm) -> None:
    first, second = await farm.add("rig-01"), await farm.add("rig-02")
    assert await report(farm, first, event()) == await report(farm, second, event()) == 204
    for rig in (first, second):
        events = (await farm.client.get(f"{RIGS}/{rig.id}/watchdog-events", headers=farm.auth)).json()["events"]
        assert len(events) == 1


async def test_events_need_the_rigs_token_and_rules_a_key(farm: Farm) -> None:
    rig = await farm.add()
    assert (await farm.client.post(EVENTS, json={"events": []})).status_code == 401
    assert (await farm.client.post(EVENTS, json={"events": []}, headers=farm.auth)).status_code == 401
    assert (await farm.client.get(RULES, headers=rig.auth)).status_code == 401
    assert await report(farm, rig, {"id": "e1"}) == 422
    assert (await farm.client.get(f"{RIGS}/99/watchdog-events", headers=farm.auth)).status_code == 404


async def test_old_events_are_forgotten(farm: Farm, settings: Settings) -> None:
    rig = await farm.add()
    assert await report(farm, rig, event()) == 204
    path = f"{RIGS}/{rig.id}/watchdog-events"
    async with open_database(settings.database_url) as database:
        await delete_old_events(database, datetime.now(UTC) + KEPT - timedelta(hours=1))
        assert len((await farm.client.get(path, headers=farm.auth)).json()["events"]) == 1
        await delete_old_events(database, datetime.now(UTC) + KEPT + timedelta(hours=1))
    assert (await farm.client.get(path, headers=farm.auth)).json()["events"] == []


async def test_a_sentrys_own_client_gets_the_limits_and_reports_what_was_done(farm: Farm) -> None:
    rig = await farm.add()
    await add_rule(farm, "", reboots=True)
    client = CommanderClient(farm.client, parse_token(rig.token))
    items = {item.kind: item for item in await client.inbox({}, 1)}
    assert msgspec.json.decode(items["ladder"].body, type=LadderSettings) == LadderSettings(reboots=True)
    versions = {kind: item.version for kind, item in items.items()}
    assert [item.kind for item in await client.inbox(versions, 1)] == []
    done = LadderEvents(events=[LadderEvent(id="e1", act=LadderAct.CARD_LOST, reason="lost: GPU 03:00.0")])
    await client.send_ladder_events(msgspec.json.encode(done))
    answer = await farm.client.get(f"{RIGS}/{rig.id}/watchdog-events", headers=farm.auth)
    assert [each["act"] for each in answer.json()["events"]] == ["card_lost"]
