"""The introduction of a sentry: a copy that is noticed, and the enrolment of an image by itself."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest
from cpu_gpu_sentry import introduction
from cpu_gpu_sentry.agent import Agent
from cpu_gpu_sentry.connection import Connection, Session
from cpu_gpu_sentry.enrolment import SCHEMA, STORE, save
from cpu_gpu_sentry.identity import FarmToken, save_farm_token
from cpu_gpu_sentry.introduction import Introduction
from cpu_gpu_sentry.machine.fingerprint import Fingerprint
from cpu_gpu_sentry.settings import Settings
from protocol.messages import LogReceipt, Problem, RigName, SentryWelcome
from protocol.tokens import Token, TokenKind, new_token
from sentry_kit import rig_uploader, store
from sentry_kit.agent import change_store
from sentry_kit.client import CommanderClient
from sentry_kit.rig_uploader import RigUploader
from sentry_kit.spool import Limits, Spool
from sentry_kit.store import Enrolment, State
from sentry_kit.worker import Worker

T = TypeVar("T")
FARM = FarmToken("https://127.0.0.1:1", new_token(TokenKind.FARM, pin=None), None)
RIG = Enrolment("https://a.lan", new_token(TokenKind.RIG, pin=None), None, 7, "rig-07", State.ONLINE)
WELCOME = SentryWelcome(
    kind="rig", rig=RigName(id=7, name="rig-07"), report_every_s=10, playbooks_every_s=60, commander_version="1"
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(store.open_store(tmp_path / STORE, SCHEMA)) as db:
        yield db


@pytest.fixture
def disk() -> Iterator[Worker]:
    disk = Worker("test")
    yield disk
    disk.end(within_s=10)


@asynccontextmanager
async def meanwhile(*loops: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop()) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


class Rig:
    """A sentry whose commander says of its second introduction that it is a copy, and then has no time for it."""

    user_agent = "tests"
    sentry_key: str | None = None

    def __init__(self, db: sqlite3.Connection, disk: Worker) -> None:
        self.db, self.news = db, asyncio.Event()
        self.is_copy = False
        self.asked: list[str] = []
        self.held: list[Token] = []
        self.spool = Spool(db, Limits())
        self.uploader = RigUploader(
            db, self.spool, disk, self._client,
            report_every_s=0.01, changed=self._changed, rig_removed=self.reload,
            introduce=Introduction(self, Fingerprint).introduce, pause_s=0,
        )  # fmt: skip
        self.connection = Connection(self.uploader, self._client, [self._hold])

    async def change(self, write: Callable[[sqlite3.Connection], T]) -> T:
        return await change_store(self.uploader, self.db, write)

    async def reload(self) -> None:
        await self.uploader.reload()

    def _changed(self) -> None:
        self.connection.enrolment_changed()
        self.news.set()

    async def _hold(self, session: Session) -> None:
        """Stands for the held request that brings commands and playbooks."""
        self.held.append(session.token)
        self.news.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.held.clear()
            self.news.set()

    @asynccontextmanager
    async def _client(self, enrolment: Enrolment) -> AsyncIterator[CommanderClient]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url=enrolment.url) as http:
            yield CommanderClient(http, enrolment.token)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rpartition("/")[2]
        self.asked.append(path)
        self.news.set()
        match path:
            case "sentry":
                return httpx.Response(200, content=msgspec.json.encode(WELCOME))
            case "identity" if self.is_copy:
                return _problem(409, "clone")
            case "identity":
                return httpx.Response(204)
            case "enrol":
                return _problem(503, "machine_unclear")
        return httpx.Response(200, content=msgspec.json.encode(LogReceipt(stored=1, duplicates=0, two_sentries=True)))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await self.news.wait()
                self.news.clear()

    def keep(self, body: bytes) -> None:
        self.spool.append(1, body)
        self.uploader.wake()


def _problem(status: int, code: str) -> httpx.Response:
    body = msgspec.json.encode(Problem(title="No", status=status, detail="Not so.", code=code))
    return httpx.Response(status, content=body)


async def test_a_noticed_copy_gets_nothing_more_for_the_original(
    db: sqlite3.Connection, disk: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig_uploader, "_DOUBT_EVERY_S", 0.0)
    save(db, RIG)
    rig = Rig(db, disk)
    await rig.reload()
    async with meanwhile(rig.uploader.run, rig.connection.run):
        rig.keep(b"1")
        await rig.until(lambda: rig.held == [RIG.token] and rig.uploader.two_sentries)
        rig.is_copy = True
        rig.keep(b"2")
        await rig.until(lambda: rig.asked.count("enrol") >= 2)
        await rig.until(lambda: rig.held == [])
        assert rig.uploader.enrolment is not None
        assert rig.uploader.enrolment.token == RIG.token, "it has no rig of its own yet"


class Logged(logging.Handler):
    """Sets an event when something is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.event = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.event.set()


async def troubled(agent: Agent) -> None:
    """Waits until the agent has noted why it is not enrolled."""
    news = asyncio.Event()
    agent.changed = news.set
    async with asyncio.timeout(20):
        while agent.uploader.error is None:
            await news.wait()
            news.clear()


async def test_a_disk_that_fails_at_first_delays_the_enrolment_only(
    tmp_path: Path, db: sqlite3.Connection, disk: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introduction, "_AGAIN_S", 0.01)
    save_farm_token(db, FARM)
    agent = Agent(Settings(data_dir=tmp_path), db, disk, read_machine=Fingerprint)
    await agent.reload()
    db.execute("PRAGMA busy_timeout = 0")
    log, handler = logging.getLogger(introduction.__name__), Logged()
    log.addHandler(handler)
    try:
        with closing(sqlite3.connect(tmp_path / STORE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with meanwhile(agent.introduction.enrol_for_ever):
                await asyncio.wait_for(handler.event.wait(), 20)
                other.execute("ROLLBACK")
                await troubled(agent)
    finally:
        log.removeHandler(handler)
    assert agent.uploader.error is not None
    assert "127.0.0.1" in agent.uploader.error


async def test_a_failed_enrolment_is_tried_again_after_the_pause_and_not_at_once(
    tmp_path: Path, db: sqlite3.Connection, disk: Worker
) -> None:
    save_farm_token(db, FARM)
    agent = Agent(Settings(data_dir=tmp_path), db, disk, read_machine=Fingerprint)
    await agent.reload()
    asked: list[str] = []
    db.set_trace_callback(lambda statement: asked.append(statement) if "FROM farm_token" in statement else None)
    async with meanwhile(agent.introduction.enrol_for_ever):
        await troubled(agent)
        for _ in range(50):
            await agent.uploader.on_disk(lambda: None)
        assert len(asked) == 1
