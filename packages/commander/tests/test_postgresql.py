"""PostgreSQL alone: it goes away and comes back, refuses a user, and has several commanders at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from commander.db import Database, open_database
from commander.history.retention import Kept, drop_old
from commander.intake.writers import log_writer
from commander.migrations import migrate
from commander.partitions import existing_parts, make_partitions_ahead
from commander.problems import DatabaseProblem
from commander.raw_logs.codec import Packer
from commander.raw_logs.tables import LOGS, due_hours
from commander.registry import store as rigs
from commander.registry.kinds import RigKind
from commander.settings import Settings
from commander_farm import Farm, a_log, on_postgresql, running
from msgspec.structs import replace
from postgresql_server import PostgresqlServer, running_server
from test_group_commit import a_log as a_new_log
from test_group_commit import a_place

pytestmark = pytest.mark.servers
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def own_server() -> Iterator[PostgresqlServer]:
    """A server of this test's own, to be stopped and started."""
    with running_server() as server:
        server.run("createdb", "farm")
        yield server


@asynccontextmanager
async def farm_on(server: PostgresqlServer, settings: Settings) -> AsyncIterator[Farm]:
    settings = replace(settings, database_url=server.url("farm"))
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        yield farm


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
async def test_while_the_server_is_away_all_is_refused_and_afterwards_it_goes_on_by_itself(
    own_server: PostgresqlServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with farm_on(own_server, settings) as farm:
        rig = await farm.add()
        assert (await farm.report(rig, a_log(30))).status_code == 200
        await asyncio.to_thread(own_server.stop)
        for _ in range(3):
            answer = await farm.report(rig, a_log(20))
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_away")
            assert int(answer.headers["Retry-After"]) > 0
        assert (await farm.client.get("/healthz")).status_code == 503
        assert (await farm.get("/api/v1/cpu-gpu-rigs")).status_code == 503
        await asyncio.to_thread(own_server.start)
        assert (await farm.client.get("/healthz")).status_code == 200
        assert (await farm.report(rig, a_log(20), a_log(10))).json()["stored"] == 2
        logs = (await farm.get(f"/api/v1/cpu-gpu-rigs/{rig.id}/logs")).json()["logs"]
    assert len(logs) == 3
    said = [record.message for record in caplog.records if record.name.endswith("group_commit")]
    assert len(said) == 2, "once that it is away, and once that it is back"
    assert "secret" not in caplog.text


def test_what_is_wrong_with_the_server_is_a_sentence_without_the_password(own_server: PostgresqlServer) -> None:
    own_server.run("psql", "-d", "farm", "-qc", "CREATE ROLE guest LOGIN PASSWORD 'secret'")
    own_server.run("createdb", "--encoding=LATIN1", "--template=template0", "latin")
    own_server.run("createdb", "nobodys")
    there = f"127.0.0.1:{own_server.port}"
    wrong = {
        own_server.url("nowhere"): "has no database nowhere",
        own_server.url("farm").replace(":secret", ":not-secret"): "COMMANDER_DATABASE_URL",
        own_server.url("latin"): "encoded in LATIN1",
        f"postgresql://guest:secret@{there}/nobodys": "make it the database's owner",
        "postgresql://minewarden:secret@127.0.0.1:1/farm": "is it running",
        "postgresql://minewarden:secret@nowhere.invalid/farm": "nowhere.invalid",
    }
    for url, words in wrong.items():
        with pytest.raises(DatabaseProblem) as raised:
            migrate(url)
        assert words in str(raised.value)
        assert "secret" not in str(raised.value)


async def test_too_old_a_server_is_refused(own_server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commander.postgresql.OLDEST", 99)
    with pytest.raises(DatabaseProblem, match="99 or newer is needed"):
        await asyncio.to_thread(migrate, own_server.url("farm"))


@on_postgresql
async def test_two_commanders_store_the_same_logs_once(database: Database) -> None:
    async with a_place(database) as place, open_database(database.url) as other, log_writer(other, Packer()) as writer:
        logs = [a_new_log(rig_id, n) for n in range(200) for rig_id in (1, 2, 3)]
        for _ in range(3):
            mine, theirs = await asyncio.gather(place.commit.write(logs), writer.write(logs[::-1]))
            told = [bool(one) + bool(two) for one, two in zip(mine, theirs[::-1], strict=True)]
            logs = [log._replace(taken_at_us=log.taken_at_us + 1) for log in logs]
            assert set(told) == {1}
        assert len(await place.rows()) == 1800


@on_postgresql
async def test_a_rig_that_is_removed_while_its_logs_arrive_leaves_none_behind(database: Database) -> None:
    async with a_place(database) as place:
        assert await place.commit.write([a_new_log(1, 0)]) == [True]
        async with database.transaction() as db:
            await rigs.delete_rig(db, RigKind.CPU_GPU, 1)
            writing = asyncio.create_task(place.commit.write([a_new_log(1, 1), a_new_log(2, 1)]))
            await until_somebody_waits_for_a_lock(database)
        assert await writing == [None, True]
        assert [rig_id for rig_id, _ in await place.rows()] == [1, 2], "the old one goes with the removal, not here"


async def until_somebody_waits_for_a_lock(database: Database) -> None:
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with asyncio.timeout(60):
        while True:
            async with database.reading() as db:
                if (await db.execute(query)).scalar_one():
                    return


@on_postgresql
async def test_parts_are_made_ahead_and_only_once(database: Database) -> None:
    for _ in range(2):
        async with database.transaction() as db:
            await make_partitions_ahead(db, now=NOON)
    async with database.reading() as db:
        days = await existing_parts(db, LOGS[RigKind.CPU_GPU])
    first = (NOON - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert days == [first, first + 1]


@on_postgresql
async def test_a_commit_is_on_disk_whatever_the_server_was_told(database: Database) -> None:
    async with database.transaction() as db:
        await db.execute(sa.text("ALTER ROLE CURRENT_USER SET synchronous_commit = off"))
    try:
        async with open_database(database.url) as anew, anew.reading() as db:
            assert (await db.execute(sa.text("SHOW synchronous_commit"))).scalar_one() == "on"
    finally:
        async with database.transaction() as db:
            await db.execute(sa.text("ALTER ROLE CURRENT_USER RESET synchronous_commit"))


@on_postgresql
async def test_reading_sees_one_state_and_can_not_write(database: Database) -> None:
    count = sa.select(sa.func.count()).select_from(LOGS[RigKind.CPU_GPU])
    async with a_place(database) as place, database.reading() as db:
        assert (await db.execute(count)).scalar_one() == 0
        await place.commit.write([a_new_log(1, 0)])
        assert (await db.execute(count)).scalar_one() == 0
        with pytest.raises(DatabaseProblem, match="read-only"):
            await db.execute(sa.delete(LOGS[RigKind.CPU_GPU]))


@on_postgresql
async def test_old_logs_are_dropped_while_others_arrive_and_neither_waits_for_the_other(database: Database) -> None:
    """Intake locks logs before what is due; retention has to lock both in the same order."""
    days, stopped = 12, asyncio.Event()
    async with a_place(database) as place:
        await place.commit.write([a_new_log(1, -n * 7_200) for n in range(12 * days)])
        async with database.transaction() as db:
            await db.execute(sa.delete(due_hours))

        async def report_late() -> None:
            second = 0
            while not stopped.is_set():
                second += 1
                assert await place.commit.write([a_new_log(rig_id, second - 18_000) for rig_id in (1, 2)])

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(report_late())
            for day in range(days, 0, -1):
                await drop_old(database, Kept(raw=timedelta(days=day)), now=NOON + timedelta(seconds=1))
            stopped.set()
        async with database.reading() as db:
            assert len(await existing_parts(db, LOGS[RigKind.CPU_GPU])) <= 2
