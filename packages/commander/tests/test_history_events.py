"""Events of a rig beside its figures, and its wrong clock."""

from datetime import UTC, datetime, timedelta

import pytest
from commander.db import Database
from commander.history import events
from commander.history.events import RigEvent
from commander.history.watch import RigWatch
from commander.live.operational_index import OperationalIndex
from commander.readings.summary import RigSummary
from commander.registry.kinds import RigKind
from commander.settings import Settings
from commander_farm import RIGS, Farm, a_log, running
from history_farm import START, a_place

KIND = RigKind.CPU_GPU
SECOND = timedelta(seconds=1)


async def events_of(farm: Farm, rig_id: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await farm.get(f"{RIGS}/{rig_id}/history?figures=power_w")).json()["events"]
    return found


async def test_a_new_name_is_an_event(farm: Farm) -> None:
    rig = await farm.add("rig-01")
    for name in ("rig-02", "rig-02"):
        await farm.client.patch(f"{RIGS}/{rig.id}", json={"name": name}, headers=farm.auth)
    [event] = await events_of(farm, rig.id)
    assert (event["kind"], event["text"]) == ("renamed", "Renamed from rig-01 to rig-02")


async def test_a_restart_is_an_event_when_the_commander_stops_too(settings: Settings) -> None:
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        rig = await farm.add()
        await farm.report(rig, a_log(30) | {"uptime_s": 100_000})
        await farm.report(rig, a_log(20) | {"uptime_s": 100_010})
    async with running(settings) as client:
        farm.client = client
        await farm.report(rig, a_log(10) | {"uptime_s": 5})
    async with running(settings) as client:
        farm.client = client
        [event] = await events_of(farm, rig.id)
    assert (event["kind"], event["text"]) == ("restarted", "Restarted after 1 d 3 h")


class Watched:
    """A rig, its index and who watches it, in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.restart()

    def restart(self) -> None:
        self.index = OperationalIndex(stale_after_s=45, offline_after_s=60)
        self.index.add(1, "rig-01")
        self.watch = RigWatch(KIND, self.index)

    def report(self, at_s: float) -> None:
        at = START + at_s * SECOND
        self.watch.logged(1, RigSummary(), taken_at=at, now=at)
        self.index.report(1, b"{}", RigSummary(), taken_at=at, reported_at=at, now_s=at_s)

    def silence(self, until_s: float) -> None:
        self.index.check_health(until_s)
        self.watch.went_offline(self.index.check_health(until_s + 60) or list(self.index.rigs.values()))

    async def written(self) -> list[tuple[RigEvent, datetime]]:
        await self.watch.write(self.database)
        async with self.database.reading() as db:
            found = await events.read_events(db, KIND, 1, since=START, until=START + timedelta(days=1))
        return [(event.kind, event.at) for event in found]


async def test_silence_and_its_end_are_events_also_over_a_restart(database_url: str) -> None:
    async with a_place(database_url, rig_count=1) as place:
        rig = Watched(place.database)
        rig.report(0)
        rig.silence(200)
        offline = [(RigEvent.OFFLINE, START)]
        assert await rig.written() == offline
        rig.restart()
        rig.index.restore_silent(1, reported_at=START)
        await rig.watch.remember(place.database)
        rig.report(300)
        rig.report(310)
        assert await rig.written() == [*offline, (RigEvent.ONLINE, START + 300 * SECOND)]


async def test_what_cant_be_written_now_is_written_later(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_place(database_url, rig_count=1) as place:
        rig = Watched(place.database)
        rig.report(0)
        rig.silence(200)
        with monkeypatch.context() as broken:
            broken.setattr(events, "note", None)
            with pytest.raises(TypeError):
                await rig.watch.write(place.database)
        assert [event for event, _ in await rig.written()] == [RigEvent.OFFLINE]


@pytest.mark.parametrize("ahead_s", [3_600, -40 * 86_400, -50 * 365 * 86_400])
async def test_a_rig_with_a_wrong_clock_is_said_to_have_one_until_it_is_right(farm: Farm, ahead_s: int) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log(20, power_w=123.0))
    answer = (await farm.report(rig, a_log(-ahead_s, power_w=999.0))).json()
    assert (answer["stored"], len(answer["rejected"])) == (0, 1)
    shown = (await farm.get(f"{RIGS}/{rig.id}")).json()
    assert (shown["wrong_clock"], shown["latest"]["gpus"][0]["power_w"]) == (True, 123.0)
    await farm.log_in()
    assert "clock is wrong" in (await farm.client.get(f"/cpu-gpu/{rig.id}")).text
    assert "Wrong clock" in (await farm.client.get("/cpu-gpu")).text
    now = datetime.now(UTC)
    history = (await farm.get(f"{RIGS}/{rig.id}/history?to=2100-01-01T00:00:00Z&from=2026-01-01T00:00:00Z")).json()
    assert max(datetime.fromisoformat(time) for time in history["times"]) <= now
    assert all(value != 999.0 for line in history["series"] for value in line["max"])
    await farm.report(rig, a_log(-ahead_s), a_log(1))
    assert (await farm.get(f"{RIGS}/{rig.id}")).json()["wrong_clock"] is False
