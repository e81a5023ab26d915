"""Usual values are learnt from the ten-minute tier, and anew after a change of a playbook."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from commander.alert_rules.learning import learn, read_usual
from commander.alert_rules.tables import usual_values
from commander.alert_rules.usual import begin_of, usual_of, with_parts
from commander.alert_rules.view import Usual
from commander.db import Database
from commander.history.roll_up import roll_up
from commander.history.ten_minutes import TenMinutes
from commander.incidents.given_up import RigsGivenUp
from commander.incidents.running import USUAL_EVERY_S, Rounds
from commander.jobs.leadership import Leadership
from commander.live.channels import Channels
from commander.live.operational_index import OperationalIndex
from commander.live.playbooks import PlaybookNow
from commander.live.rigs import LiveRigs
from commander.registry.kinds import RigKind
from commander.rigs.cpu_gpu_responses import log_json, rig_json
from commander_farm import on_sqlite
from engine_farm import EngineFarm
from history_farm import START, Place, a_place, steady
from protocol.asic_messages import AsicBoard, AsicLog
from protocol.playbook_messages import Playbook

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
HASHRATE = ("hashrate_hs", None, "rx/0", "Monero")
POWER = ("power_w", None, None, None)
HOUR_S = 3_600


def values(hashrates: list[float | None], power: list[float | None]) -> TenMinutes:
    return TenMinutes(0, len(hashrates), {HASHRATE: hashrates, POWER: power})


def test_the_median_while_mining_is_usual() -> None:
    hashrates = [0.0, None, *[100.0] * 40, *[90.0] * 20]
    usual = usual_of(values(hashrates, [50.0, 50.0, *[200.0] * 60]), since=NOW, learnt_at=NOW)
    assert (usual.hashrates_hs, usual.power_w, usual.learning_until) == ({"rx/0": 100.0}, 200.0, None)


def test_before_six_hours_are_known_it_is_learning() -> None:
    usual = usual_of(values([100.0] * 35, [200.0] * 35), since=NOW, learnt_at=NOW)
    assert (dict(usual.hashrates_hs), usual.power_w) == ({}, None)
    assert usual.learning_until == NOW + timedelta(hours=6)


@pytest.mark.parametrize(("hours_ago", "begin_h"), [(None, 24), (30, 24), (5, 5)])
def test_a_change_of_a_playbook_begins_anew(hours_ago: float | None, begin_h: float) -> None:
    changed_at = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
    assert begin_of([changed_at], None, NOW) == NOW - timedelta(hours=begin_h)


def asic_log(boards: int, fans: int, *, unknown_fans: int = 0) -> AsicLog:
    rpm = [4_000.0] * fans + [None] * unknown_fans
    return AsicLog(taken_at=NOW, boards=[AsicBoard(slot=slot) for slot in range(boards)], fans_rpm=rpm)


@pytest.mark.parametrize(
    ("log", "day", "boards", "fans", "is_fewer"),
    [
        pytest.param(asic_log(3, 4), 0, 3, 4, False, id="as before"),
        pytest.param(asic_log(3, 6), 0, 3, 6, False, id="more fans at once"),
        pytest.param(asic_log(2, 4), 0, 3, 4, True, id="a board fewer"),
        pytest.param(asic_log(2, 4), 2, 2, 4, False, id="a board fewer for a day"),
        pytest.param(asic_log(0, 0), 0, 3, 4, False, id="nothing known"),
        pytest.param(asic_log(0, 0), 2, 3, 4, True, id="nothing known after a day of fewer"),
        pytest.param(asic_log(0, 4), 2, 3, 4, True, id="boards unknown after a day of fewer"),
        pytest.param(asic_log(3, 0, unknown_fans=4), 0, 3, 4, False, id="no speed of a fan known"),
        pytest.param(asic_log(2, 0, unknown_fans=4), 2, 2, 4, False, id="a board fewer for a day and fans unknown"),
    ],
)
def test_what_is_unknown_of_an_asic_is_neither_fewer_nor_forgotten(
    log: AsicLog, day: int, boards: int, fans: int, is_fewer: bool
) -> None:
    since = NOW - timedelta(days=day) if day else None
    before = Usual(boards=(0, 1, 2), fans=4, fewer_since=since)
    found = with_parts(Usual(), before, log, NOW)
    assert (found.boards, found.fans) == (tuple(range(boards)), fans)
    assert found.fewer_since == ((since or NOW) if is_fewer else None)


def test_parts_that_were_never_known_stay_unknown() -> None:
    assert with_parts(Usual(), Usual(), asic_log(0, 0), NOW) == Usual()


def lives_of(*rig_ids: int) -> dict[RigKind, LiveRigs]:
    found = {}
    for kind in RigKind:
        index = OperationalIndex(stale_after_s=45, offline_after_s=60)
        found[kind] = LiveRigs(kind, index, Channels(), describe=rig_json, describe_log=log_json)
    for rig_id in rig_ids:
        state = found[RigKind.CPU_GPU].index.add(rig_id, f"rig-{rig_id}")
        state.reported_at = START
    return found


async def rolled_up(place: Place, hours: int) -> datetime:
    await place.send(steady(1, 0, hours * HOUR_S, every_s=60))
    now = START + timedelta(hours=hours, minutes=30)
    await roll_up(place.database, now=now)
    return now


@on_sqlite
async def test_a_job_learns_from_the_ten_minute_tier_and_reads_no_log(database: Database) -> None:
    async with a_place(database.url, rig_count=2) as place:
        now = await rolled_up(place, 8)
        async with place.database.transaction() as db:
            await db.execute(sa.text("DELETE FROM cpu_gpu_logs"))
        lives = lives_of(1, 2)
        await learn(place.database, lives, now)
        async with place.database.reading() as db:
            known = await read_usual(db)
        usual = known["cpu-gpu", 1]
        assert usual.hashrates_hs["rx/0"] == pytest.approx(17_040, abs=60)
        assert usual.power_w == pytest.approx(103, abs=3)
        assert known["cpu-gpu", 2].learning_until is not None
        state = lives[RigKind.CPU_GPU].index.rigs[1]
        wire = msgspec.convert(
            {
                "id": "1",
                "name": "Main",
                "revision": 2,
                "package": {"software": "xmrig", "version": "6", "url": "", "archive": "none", "executable": "x"},
                "platform": "linux",
                "script": "",
            },
            Playbook,
        )
        state.playbooks = [PlaybookNow(1, wire, changed_at=now + timedelta(minutes=1))]
        await learn(place.database, lives, now + timedelta(minutes=5))
        async with place.database.reading() as db:
            again = (await read_usual(db, since=now))["cpu-gpu", 1]
        assert (dict(again.hashrates_hs), again.learning_until) == ({}, now + timedelta(hours=6, minutes=1))


@on_sqlite
async def test_usual_values_of_a_removed_rig_are_forgotten(database: Database) -> None:
    await learn(database, lives_of(1), NOW)
    await learn(database, lives_of(), NOW)
    async with database.reading() as db:
        assert await read_usual(db) == {}


@on_sqlite
async def test_rounds_read_rigs_that_were_learnt_in_one_go_but_committed_later(database: Database) -> None:
    farm = EngineFarm(database)
    await farm.begin()
    given_up = RigsGivenUp(database, farm.lives[RigKind.CPU_GPU])
    rounds = Rounds(database, farm.engine, Leadership(database, holder="here", is_alone=True), given_up)
    learnt_at = await database.now()
    for rig_id in (1, 2):
        body = msgspec.json.encode(Usual(power_w=200.0, learnt_at=learnt_at))
        row = {"kind": "cpu-gpu", "rig_id": rig_id, "learnt_at": learnt_at, "body": body}
        async with database.transaction() as db:
            await db.execute(sa.insert(usual_values).values(row))
        await rounds.turn(farm.now_s + rig_id * USUAL_EVERY_S)
    assert sorted(farm.engine.evaluation.usual) == [("cpu-gpu", 1), ("cpu-gpu", 2)]
