"""Reports of commands and of the ladder: repeated until confirmed, by a clock that nobody can set."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest
from cpu_gpu_sentry.commands import store as command_store
from cpu_gpu_sentry.connection import Session
from cpu_gpu_sentry.enrolment import SCHEMA
from cpu_gpu_sentry.ladder import store as ladder_store
from cpu_gpu_sentry.ladder.sources import Boot
from cpu_gpu_sentry.operations_sync import OperationsSync
from protocol.command_messages import (
    CommandsStatus,
    CommandState,
    CommandStatus,
    FetchedLog,
    LadderAct,
    LadderEvent,
    LadderEvents,
)
from protocol.messages import Problem
from protocol.tokens import TokenKind, new_token
from sentry_kit import store
from sentry_kit.client import CommanderClient, CommanderError
from sentry_kit.store import Enrolment, State

TOKEN = new_token(TokenKind.RIG, pin=None)
STATUS = CommandStatus(id="c1", action="diagnose", state=CommandState.DONE, text="Done.", boot_id="boot-1")
EVENT = LadderEvent(id="e1", act=LadderAct.GAVE_UP, reason="gave up: reason")
T = TypeVar("T")


async def at_once(function: Callable[[], T], /) -> T:
    return function()


class Commander:
    """Answers with `status`, and keeps what it was sent."""

    def __init__(self, status: int = 204, *, unknown: str = "nothing", takes_bytes: int = 10**6) -> None:
        self.status, self.unknown, self.bodies = status, unknown, list[tuple[str, bytes]]()
        self.takes_bytes = takes_bytes
        self.received = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append((request.url.path, await request.aread()))
        self.received.set()
        status = 404 if request.url.path.endswith(self.unknown) else self.status
        status = 413 if len(self.bodies[-1][1]) > self.takes_bytes else status
        problem = Problem(title="No", status=status, detail="Not so.", code="no")
        return httpx.Response(status, content=b"" if status == 204 else msgspec.json.encode(problem))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.bodies) < count:
                self.received.clear()
                await self.received.wait()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = store.open_store(tmp_path / "sentry.db", SCHEMA)
    store.save_enrolment(connection, Enrolment("https://a.lan", TOKEN, None, 1, "rig", State.ONLINE))
    assert command_store.add(connection, TOKEN, STATUS, 5.0)
    ladder_store.add_event(connection, 100.0, EVENT)
    yield connection
    connection.close()


def sync_of(db: sqlite3.Connection) -> OperationsSync:
    return OperationsSync(db, at_once, boot=lambda: Boot("boot-2", 50.0), now_s=lambda: 160.5)


@asynccontextmanager
async def sending(sync: OperationsSync, commander: Commander) -> AsyncIterator["asyncio.Task[None]"]:
    http = httpx.AsyncClient(transport=httpx.MockTransport(commander), base_url="https://commander.lan")
    async with http:
        session = Session(CommanderClient(http, TOKEN), TOKEN, lambda: None)
        task = asyncio.create_task(sync.send_for_ever(session))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, CommanderError):
                await task


async def test_states_and_events_are_sent_once_with_this_boot_and_their_age(db: sqlite3.Connection) -> None:
    commander, sync = Commander(), sync_of(db)
    async with sending(sync, commander):
        await commander.until(2)
        other = msgspec.structs.replace(STATUS, id="c2")
        assert command_store.add(db, TOKEN, other, 6.0)
        sync.changed()
        await commander.until(3)
    paths = [path for path, _ in commander.bodies]
    assert paths == ["/api/v1/sentry/commands/status", "/api/v1/sentry/events", "/api/v1/sentry/commands/status"]
    first = msgspec.json.decode(commander.bodies[0][1], type=CommandsStatus)
    assert first == CommandsStatus(boot_id="boot-2", commands=[STATUS])
    (event,) = msgspec.json.decode(commander.bodies[1][1], type=LadderEvents).events
    assert (event.id, event.age_s) == ("e1", 60.5)
    assert [each.id for each in msgspec.json.decode(commander.bodies[2][1], type=CommandsStatus).commands] == ["c2"]


async def test_a_commander_that_is_too_old_is_asked_once_and_nothing_is_lost(db: sqlite3.Connection) -> None:
    commander = Commander(404)
    async with sending(sync_of(db), commander):
        await commander.until(2)
    assert command_store.unsent(db) == [STATUS]
    assert [each.event for each in ladder_store.unsent_events(db)] == [EVENT]


async def test_a_commander_that_knows_commands_alone_gets_those(db: sqlite3.Connection) -> None:
    commander, sync = Commander(unknown="/events"), sync_of(db)
    async with sending(sync, commander):
        await commander.until(2)
        assert command_store.add(db, TOKEN, msgspec.structs.replace(STATUS, id="c2"), 6.0)
        sync.changed()
        await commander.until(3)
    assert commander.bodies[2][0] == "/api/v1/sentry/commands/status"
    assert [each.event for each in ladder_store.unsent_events(db)] == [EVENT]


async def test_a_commander_that_is_away_gets_it_later(db: sqlite3.Connection) -> None:
    async with sending(sync_of(db), Commander(503)) as task:
        with pytest.raises(CommanderError):
            await asyncio.wait_for(task, 10)
    assert command_store.unsent(db) == [STATUS]
    commander = Commander()
    async with sending(sync_of(db), commander):
        await commander.until(2)


async def test_results_that_are_too_large_cost_neither_the_state_nor_the_other_commands(db: sqlite3.Connection) -> None:
    logs = [FetchedLog(source="sentry", lines=["a line"] * 100)]
    for number in range(2, 6):
        added = msgspec.structs.replace(STATUS, id=f"c{number}", logs=logs if number == 3 else [])
        assert command_store.add(db, TOKEN, added, 5.0)
    commander = Commander(takes_bytes=800)
    async with sending(sync_of(db), commander), asyncio.timeout(10):
        while command_store.unsent(db):  # noqa: ASYNC110 - it is confirmed just after the answer
            await asyncio.sleep(0.01)
    taken = [body for path, body in commander.bodies if path.endswith("status") and len(body) <= 800]
    statuses = [each for body in taken for each in msgspec.json.decode(body, type=CommandsStatus).commands]
    assert [(each.id, each.state) for each in statuses] == [(f"c{number}", CommandState.DONE) for number in range(1, 6)]
    assert [each.text for each in statuses if each.id == "c3"] == ["Done. The commander did not take the details."]


async def test_what_the_commander_refuses_is_not_sent_for_ever(db: sqlite3.Connection) -> None:
    commander = Commander(422)
    async with sending(sync_of(db), commander):
        await commander.until(2)
        async with asyncio.timeout(10):
            while ladder_store.unsent_events(db):  # noqa: ASYNC110 - it is confirmed just after the answer
                await asyncio.sleep(0.01)
    assert command_store.unsent(db) == []
    assert len(commander.bodies) == 2
