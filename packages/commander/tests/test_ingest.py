"""Workers on a real NATS and a real PostgreSQL: each log is stored once, whichever process dies; none blocks others."""

import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from commander.db import Database, open_database
from commander.intake.postgresql_writer import PostgresqlWriter
from commander.intake.writers import Written
from commander.migrations import migrate, revision_at
from commander.migrations.revisions import HEAD
from commander.raw_logs.store import NewLog
from commander.raw_logs.tables import dead_letters
from commander.registry.kinds import RigKind
from commander.scaled import ingest_command
from commander.scaled.ingest_command import migrated
from commander.scaled.metrics_server import metrics_server
from commander.scaled.stream import WORKERS, encode_log, settle_consumer, settle_stream
from commander.scaled.worker import Ingest
from commander.web.exposition import gauge
from free_ports import free_port
from nats_server import NatsServer, running_nats
from postgresql_server import PostgresqlServer, running_server
from queue_farm import Queue, a_log, add_rigs, eventually, new_queue, stored_logs

pytestmark = pytest.mark.servers


@pytest.fixture
def kind() -> str:
    """Workers write into PostgreSQL only."""
    return "postgresql"


@pytest.fixture
def queue(nats_server: NatsServer) -> Queue:
    return new_queue(nats_server.url)


async def is_empty(queue: Queue) -> bool:
    return await queue.messages() == 0


async def test_what_is_in_the_queue_goes_into_the_database_and_leaves_the_queue(
    queue: Queue, database: Database
) -> None:
    await add_rigs(database)
    async with queue.intake() as intake:
        await intake.write([a_log(1, 0), a_log(2, 0), a_log(1, 1)])
        async with queue.worker(database) as worker:
            await eventually(lambda: is_empty(queue))
    assert await stored_logs(database) == [(1, 0), (1, 1), (2, 0)]
    assert (worker.counts.stored, worker.counts.duplicates) == (3, 0)


async def test_two_workers_share_the_work_and_store_nothing_twice(queue: Queue, database: Database) -> None:
    await add_rigs(database)
    async with queue.worker(database) as one, queue.worker(database) as other, queue.intake() as intake:
        for second in range(0, 400, 10):
            await intake.write([a_log(1, second + n) for n in range(10)])
        await eventually(lambda: is_empty(queue))
    assert await stored_logs(database) == [(1, second) for second in range(400)]
    assert one.counts.stored + other.counts.stored == 400
    assert one.counts.duplicates == other.counts.duplicates == 0


async def test_what_the_database_has_already_is_a_duplicate_and_leaves_the_queue(
    queue: Queue, database: Database
) -> None:
    await add_rigs(database)
    async with queue.intake() as intake, queue.worker(database) as worker, queue.client() as client:
        await intake.write([a_log(1, 0)])
        await eventually(lambda: is_empty(queue))
        await client.publish(
            queue.names.logs(RigKind.CPU_GPU), encode_log(a_log(1, 0))
        )  # without an id, as after the window
        await client.flush()
        await eventually(lambda: counted(worker, duplicates=1))
    assert await stored_logs(database) == [(1, 0)]


async def test_a_removed_rigs_logs_leave_the_queue(queue: Queue, database: Database) -> None:
    await add_rigs(database, 1)
    async with queue.intake() as intake, queue.worker(database) as worker:
        await intake.write([a_log(1, 0), a_log(99, 0)])
        await eventually(lambda: is_empty(queue))
    assert worker.counts.of_removed_rigs == 1
    assert await stored_logs(database) == [(1, 0)]


async def test_what_a_dead_worker_held_is_given_to_another(
    queue: Queue, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commander.scaled.stream.ACK_WAIT_S", 0.5)
    await add_rigs(database)
    async with queue.intake() as intake, queue.client() as client:
        await settle_stream(client, queue.names, queue.limits)
        await settle_consumer(client, queue.names)
        await intake.write([a_log(1, second) for second in range(20)])
        dead = await client.jetstream().pull_subscribe_bind(WORKERS, stream=queue.names.stream)
        assert len(await dead.fetch(20, timeout=30)) == 20  # and it never answers
        async with queue.worker(database) as worker:
            await eventually(lambda: is_empty(queue))
    assert worker.counts.stored == 20


async def test_what_nats_delivers_to_no_worker_is_asked_for_again(
    queue: Queue, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NATS 2.9 can do after it was killed: some logs wait and are not delivered, while newer ones are stored."""
    monkeypatch.setattr("commander.scaled.worker.ACK_WAIT_S", 0.2)
    monkeypatch.setattr("commander.scaled.stream.STUCK_AFTER_S", 1.0)
    await add_rigs(database)
    async with queue.intake() as intake, queue.client() as client:
        await settle_stream(client, queue.names, queue.limits)
        await settle_consumer(client, queue.names)
        await intake.write([a_log(1, second) for second in range(20)])
        dead = await client.jetstream().pull_subscribe_bind(WORKERS, stream=queue.names.stream)
        kept = await dead.fetch(20, timeout=30)
        assert len(kept) == 20
        newer = count(20)

        async def is_stored() -> bool:
            for message in kept:
                await message.in_progress()
            await intake.write([a_log(2, next(newer))])
            return {(1, second) for second in range(20)} <= {*await stored_logs(database)}

        async with queue.worker(database):
            await eventually(is_stored)
            await eventually(lambda: is_empty(queue))


async def test_new_logs_are_stored_though_nats_lost_the_end_of_its_stream(database: Database, tmp_path: Path) -> None:
    """As after a power failure: NATS writes what its consumers know and the messages to its disk at different times."""
    await add_rigs(database)
    with running_nats() as server:
        queue = new_queue(server.url)
        await store_through(queue, database, [a_log(1, second) for second in range(3)])
        server.stop()
        (messages,) = server.folder.rglob("msgs")
        shutil.copytree(messages, tmp_path / "msgs")
        server.start()
        await store_through(queue, database, [a_log(1, second) for second in range(3, 9)])
        server.stop()
        shutil.rmtree(messages)
        shutil.copytree(tmp_path / "msgs", messages)
        server.start()
        await store_through(queue, database, [a_log(1, second) for second in range(9, 17)])
    assert await stored_logs(database) == [(1, second) for second in range(17)]


async def store_through(queue: Queue, database: Database, logs: Sequence[NewLog]) -> None:
    async with queue.intake() as intake:
        assert await intake.write(logs) == [True] * len(logs)
    async with queue.worker(database):
        await eventually(lambda: is_empty(queue))


async def test_a_message_that_is_no_log_is_put_aside_with_its_reason(queue: Queue, database: Database) -> None:
    await add_rigs(database)
    async with queue.intake() as intake, queue.client() as client, queue.worker(database) as worker:
        for strange in (b"", b"\xff\x00", encode_log(a_log(1, 0))[:-5]):
            await client.publish(queue.names.logs(RigKind.CPU_GPU), strange)
        await client.flush()
        await intake.write([a_log(1, 1)])
        await eventually(lambda: is_empty(queue))
    assert worker.counts.put_aside == 3
    letters = await letters_in(database)
    assert sorted(body for _, body in letters) == sorted([b"", b"\xff\x00", encode_log(a_log(1, 0))[:-5]])
    assert all(reason for reason, _ in letters)
    assert await stored_logs(database) == [(1, 1)]


async def test_what_the_database_will_never_take_is_put_aside_and_the_rest_is_stored(
    queue: Queue, database: Database
) -> None:
    await add_rigs(database)
    async with database.transaction() as db:
        await db.execute(sa.text("ALTER TABLE cpu_gpu_logs ADD CONSTRAINT no_two CHECK (rig_id <> 2)"))
    async with queue.intake() as intake:
        await intake.write([a_log(1, 0), a_log(2, 0), a_log(3, 0)])
        async with queue.worker(database) as worker:
            await eventually(lambda: is_empty(queue))
    assert await stored_logs(database) == [(1, 0), (3, 0)]
    assert worker.counts.put_aside == 1
    assert "no_two" in (await letters_in(database))[0][0]


async def test_while_the_database_is_away_the_queue_keeps_and_afterwards_all_is_stored(queue: Queue) -> None:
    with running_server() as server:
        async with own_database(server) as database:
            await add_rigs(database)
            async with queue.intake() as intake, queue.worker(database) as worker:
                await intake.write([a_log(1, 0)])
                await eventually(lambda: is_empty(queue))
                server.stop()
                await intake.write([a_log(1, 1)])
                await eventually(lambda: counted(worker, given_back=1))
                await intake.write([a_log(1, second) for second in range(2, 50)])
                assert await queue.messages() == 49
                server.start()
                await eventually(lambda: is_empty(queue))
            assert await stored_logs(database) == [(1, second) for second in range(50)]


async def test_what_could_not_be_worked_on_comes_again_though_nothing_else_comes(
    queue: Queue, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker must not go on holding what it has given up."""
    await add_rigs(database)
    failed = asyncio.Event()

    class FailingOnce(PostgresqlWriter):
        async def write(self, logs: Sequence[NewLog]) -> Written:
            if not failed.is_set():
                failed.set()
                raise ArithmeticError("never seen before")
            return await super().write(logs)

    monkeypatch.setattr("commander.intake.postgresql_writer.PostgresqlWriter", FailingOnce)
    async with queue.intake() as intake, queue.worker(database):
        await intake.write([a_log(1, 0)])
        await failed.wait()
        await eventually(lambda: is_empty(queue))
    assert await stored_logs(database) == [(1, 0)]


async def test_sigterm_ends_the_command_cleanly(queue: Queue, database: Database, tmp_path: Path) -> None:
    await add_rigs(database)
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "COMMANDER_DATA_DIR": str(tmp_path / "worker"),
        "COMMANDER_DATABASE_URL": database.url,
        "COMMANDER_NATS_URL": queue.url,
        "COMMANDER_NATS_PREFIX": queue.names.prefix,
    }
    command = [sys.executable, "-m", "commander", "ingest"]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    try:
        async with queue.intake() as intake:
            await intake.write([a_log(1, 0)])
            await eventually(lambda: is_empty(queue))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()
    assert b"Traceback" not in said
    assert await stored_logs(database) == [(1, 0)]


async def test_a_workers_figures_are_read_at_a_door_of_its_own() -> None:
    port = free_port()
    async with metrics_server(f"127.0.0.1:{port}", lambda: [gauge("answer", "The answer.", 42)]):
        assert b"answer 42\n" in await asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")
        assert (await asked(port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")


async def asked(port: int, request: bytes) -> bytes:
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer


async def counted(worker: Ingest, **counts: int) -> bool:
    return all(getattr(worker.counts, name) >= count for name, count in counts.items())


async def letters_in(database: Database) -> list[tuple[str, bytes]]:
    async with database.reading() as db:
        rows = await db.execute(sa.select(dead_letters.c.reason, dead_letters.c.body))
        return [(reason, bytes(body)) for reason, body in rows]


@asynccontextmanager
async def own_database(server: PostgresqlServer) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrate, server.url())
    async with open_database(server.url()) as database:
        yield database


async def test_a_worker_leaves_the_tables_of_an_earlier_version_to_a_web_node(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[str] = []

    async def look(url: str) -> str | None:
        looks.append(url)
        return await revision_at(url)

    async def has_looked_twice() -> bool:
        return len(looks) > 2  # the second look has ended

    async def set_revision(revision: str) -> None:
        async with database.transaction() as db:
            await db.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": revision})

    monkeypatch.setattr(ingest_command, "revision_at", look)
    monkeypatch.setattr(ingest_command, "DATABASE_AGAIN_AFTER_S", 0.05)
    await set_revision("0005")
    stop = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        waiting = group.create_task(migrated(database.url, stop))
        await eventually(has_looked_twice)
        assert not waiting.done()
        assert await revision_at(database.url) == "0005"
        assert "waiting until a web node of this version has changed the tables" in caplog.text
        assert "waiting for the database" not in caplog.text, "it has tried to change them"
        await set_revision(HEAD)
        assert await waiting
