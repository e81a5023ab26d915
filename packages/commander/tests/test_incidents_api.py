"""Incidents at `/api/v1/incidents`, and what people do with them."""

from datetime import UTC, datetime, timedelta

import pytest
from commander.db import open_database
from commander.incidents import store
from commander.incidents.domain import ConditionKey, InCommon, Phase
from commander_farm import Farm
from incident_rows import a_condition, an_incident, insert

pytestmark = pytest.mark.usefixtures("no_rounds")
NOW = datetime.now(UTC).replace(microsecond=0)
SWITCH = InCommon(group="tag switch:sw-3", failing=38, members=40, others_failing=0, others=210)


async def post(farm: Farm, path: str, body: object = None) -> tuple[int, str]:
    answer = await farm.client.post(path, json=body, headers=farm.auth)
    return answer.status_code, answer.json()["code"] if answer.content else ""


async def test_an_open_incident_has_its_rigs_and_what_they_have_in_common(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        incident_id = await insert(database, an_incident(NOW, in_common=SWITCH), a_condition(7, NOW))
        await insert(database, an_incident(NOW, closed_at=NOW))
    (incident,) = (await farm.get("/api/v1/incidents?state=open")).json()["incidents"]
    assert incident["id"] == incident_id
    assert incident["in_common"]["others"] == 210
    (rig,) = incident["rigs"]
    began_at = (NOW - timedelta(minutes=2)).isoformat().replace("+00:00", "Z")
    assert rig == {
        **{"kind": "cpu-gpu", "rig_id": 7, "name": "rig-07", "device": "0000:03:00.0"},
        **{"from": began_at, "until": None, "value": "97 °C"},
    }
    assert (await farm.get(f"/api/v1/incidents/{incident_id}")).json() == incident


async def test_closed_incidents_come_in_pages(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        ids = [await insert(database, an_incident(NOW, closed_at=NOW)) for _ in range(5)]
    found, cursor, pages = [], "", 0
    while cursor is not None:
        query = f"&cursor={cursor}" if cursor else ""
        page = (await farm.get(f"/api/v1/incidents?state=closed&limit=2{query}")).json()
        found += [each["id"] for each in page["incidents"]]
        cursor, pages = page["cursor"], pages + 1
    assert (found, pages) == (ids[::-1], 3)


async def test_a_wrong_state_is_named_as_in_the_query(farm: Farm) -> None:
    answer = await farm.get("/api/v1/incidents?state=half-open")
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["state"]


async def test_an_incident_is_acknowledged_muted_and_unmuted(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        path = f"/api/v1/incidents/{await insert(database, an_incident(NOW, remind_at=NOW))}"
        assert await post(farm, f"{path}/acknowledge") == (204, "")
        assert await post(farm, f"{path}/mute", {"minutes": 120}) == (204, "")
        shown = (await farm.get(path)).json()
        assert shown["acknowledged_by"] == "API key tests"
        assert shown["acknowledged_at"]
        muted_for = datetime.fromisoformat(shown["muted_until"]) - datetime.fromisoformat(shown["acknowledged_at"])
        assert timedelta(minutes=119) < muted_for < timedelta(minutes=121)
        assert await post(farm, f"{path}/unmute") == (204, "")
        assert (await farm.get(path)).json()["muted_until"] is None
        async with database.reading() as db:
            (stored,) = await store.open_incidents(db)
        assert stored.remind_at is None


async def test_a_mute_always_ends(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        path = f"/api/v1/incidents/{await insert(database, an_incident(NOW))}"
    for minutes in (0, -1, 10_081):
        assert (await post(farm, f"{path}/mute", {"minutes": minutes}))[0] == 422


async def test_what_is_not_there_or_closed_can_not_be_acknowledged(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        closed = await insert(database, an_incident(NOW, closed_at=NOW))
    assert await post(farm, "/api/v1/incidents/999/acknowledge") == (404, "incident_not_found")
    for deed, body in (("acknowledge", None), ("mute", {"minutes": 5}), ("unmute", None)):
        assert await post(farm, f"/api/v1/incidents/{closed}/{deed}", body) == (409, "incident_closed")


async def test_a_rigs_conditions_are_found_by_the_time_in_which_they_held(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        over = a_condition(7, NOW - timedelta(hours=2), phase=Phase.GONE, ended_at=NOW - timedelta(hours=1))
        await insert(database, an_incident(NOW), over, a_condition(7, NOW), a_condition(8, NOW))
        await insert(database, an_incident(NOW), a_condition(9, NOW, phase=Phase.PENDING))

        async def began(rig_id: int, since: datetime, until: datetime) -> list[str]:
            async with database.reading() as db:
                rows = await store.conditions_of_rig(db, "cpu-gpu", rig_id, since=since, until=until)
            return [each.phase for each in rows]

        assert await began(7, NOW - timedelta(hours=3), NOW) == ["firing", "gone"]
        assert await began(7, NOW - timedelta(minutes=30), NOW) == ["firing"]
        assert await began(7, NOW - timedelta(hours=3), NOW - timedelta(minutes=30)) == ["gone"]
        assert await began(9, NOW - timedelta(hours=3), NOW) == []


async def test_conditions_of_a_rig_are_there_for_its_charts(farm: Farm) -> None:
    rig = await farm.add()
    ended = a_condition(rig.id, NOW, ended_at=NOW, phase=Phase.GONE)
    old = a_condition(rig.id, NOW - timedelta(days=2), ended_at=NOW - timedelta(days=2), phase=Phase.GONE)
    pending = a_condition(rig.id, NOW, key=ConditionKey("cpu-gpu", rig.id, "power<100", ""), phase=Phase.PENDING)
    other = a_condition(rig.id + 1, NOW)
    async with open_database(farm.settings.database_url) as database:
        incident = await insert(database, an_incident(NOW), ended, other)
        await insert(database, an_incident(NOW), old, pending)
    (found,) = (await farm.get(f"/api/v1/cpu-gpu-rigs/{rig.id}/conditions")).json()["conditions"]
    assert found["text"] == "Too hot: GPU 03:00 97 °C"
    assert (found["severity"], found["incident_id"]) == ("critical", incident)
    assert datetime.fromisoformat(found["until"]) - datetime.fromisoformat(found["from"]) == timedelta(minutes=2)
    assert (await farm.get("/api/v1/asic-rigs/9/conditions")).status_code == 404
    wrong = "from=2026-11-20T12:00:00Z&to=2026-11-20T11:00:00Z"
    assert (await farm.get(f"/api/v1/cpu-gpu-rigs/{rig.id}/conditions?{wrong}")).status_code == 422
