"""The uploader, with a commander whose answers a test chooses. The CPU/GPU sentry's tests have the real one."""

import asyncio
import gzip
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from protocol.messages import LogReceipt, LogReport, Problem, RigName, SentryWelcome
from protocol.tokens import TokenKind, new_token
from sentry_kit import rig_uploader, store, uploader
from sentry_kit.client import CommanderClient
from sentry_kit.rig_uploader import RigUploader
from sentry_kit.spool import Limits, Spool
from sentry_kit.store import Enrolment, State
from sentry_kit.worker import Worker

WELCOME = SentryWelcome(
    kind="rig",
    rig=RigName(id=7, name="rig-07"),
    report_every_s=10,
    playbooks_every_s=60,
    commander_version="1",
)
Reply = Callable[[list[bytes]], httpx.Response | None]


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    body = msgspec.json.encode(Problem(title="No", status=status, detail="Not so.", code=code))
    return httpx.Response(status, content=body, headers=headers)


class Farm:
    """A sentry with its spool, and a commander that stores what it gets unless `refuses` says otherwise."""

    def __init__(self, db: sqlite3.Connection, disk: Worker) -> None:
        self.db = db
        self.stored: list[bytes] = []
        self.requests: list[str] = []
        self.refuses: Reply = lambda _logs: None
        self.two_sentries = False
        self.rig: RigName | None = None
        self.removals = 0
        self.introductions = 0
        self.is_rig = True
        self.changed = asyncio.Event()
        self.spool = Spool(db, Limits())
        self.uploader = RigUploader(
            db, self.spool, disk, self._client,
            report_every_s=0.01, changed=self.changed.set, rig_removed=self._remove,
            introduce=self._introduce, pause_s=0,
        )  # fmt: skip

    async def _remove(self) -> None:
        self.removals += 1

    async def _introduce(self, client: CommanderClient) -> bool:
        self.introductions += 1
        self.requests.append("introduction")
        self.changed.set()
        return self.is_rig

    @asynccontextmanager
    async def _client(self, enrolment: Enrolment) -> AsyncIterator[CommanderClient]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url=enrolment.url) as http:
            yield CommanderClient(http, enrolment.token)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        logs = _logs(request)
        refusal = self.refuses(logs)
        if refusal is not None:
            return refusal
        if request.url.path.endswith("/logs"):
            self.stored += logs
            receipt = LogReceipt(stored=len(logs), duplicates=0, two_sentries=self.two_sentries, rig=self.rig)
            return httpx.Response(200, content=msgspec.json.encode(receipt))
        if request.url.path.endswith("/specs"):
            return httpx.Response(204)
        return httpx.Response(200, content=msgspec.json.encode(WELCOME))

    def enrol(self, rig_id: int = 7) -> None:
        token = new_token(TokenKind.RIG, pin=None)
        store.save_enrolment(self.db, Enrolment("https://a.lan", token, None, rig_id, "rig", State.ONLINE))

    def keep(self, *bodies: bytes) -> None:
        for number, body in enumerate(bodies):
            self.spool.append(number, body)
        self.uploader.wake()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await self.changed.wait()
                self.changed.clear()


def _logs(request: httpx.Request) -> list[bytes]:
    if not request.url.path.endswith("/logs"):
        return []
    packed = request.headers.get("Content-Encoding") == "gzip"
    body = gzip.decompress(request.content) if packed else request.content
    return [bytes(log) for log in msgspec.json.decode(body, type=LogReport).logs]


@pytest.fixture
async def farm(db: sqlite3.Connection) -> AsyncIterator[Farm]:
    disk = Worker("test")
    farm = Farm(db, disk)
    farm.enrol()
    await farm.uploader.reload()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(farm.uploader.run())
        yield farm
        running.cancel()
    assert disk.end(within_s=10)


async def test_logs_arrive_in_order_after_the_specs(farm: Farm) -> None:
    farm.uploader.specs = b'{"hostname":"x"}'
    farm.keep(b"1", b"2", b"3")
    await farm.until(lambda: not len(farm.spool))
    assert farm.stored == [b"1", b"2", b"3"]
    sent = ["PUT /api/v1/sentry/specs", "POST /api/v1/sentry/logs"]
    assert farm.requests == ["GET /api/v1/sentry", "introduction", *sent]
    assert farm.uploader.enrolment is not None
    assert farm.uploader.enrolment.rig_name == "rig-07"


async def test_while_the_commander_is_away_it_spools_and_then_everything_arrives_once(farm: Farm) -> None:
    farm.refuses = lambda _logs: httpx.Response(502, text="no upstream")
    farm.keep(*[b"%d" % number for number in range(300)])
    await farm.until(lambda: farm.uploader.state is State.SPOOLING)
    assert store.load_status(farm.db).last_error is not None
    farm.refuses = lambda _logs: None
    await farm.until(lambda: not len(farm.spool))
    await farm.until(lambda: farm.uploader.state is State.ONLINE)
    assert farm.stored == [b"%d" % number for number in range(300)]


async def test_it_tries_again_also_if_the_pause_is_over_before_the_failure_is_noted(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow disk may take longer to note a failure than the sentry has to wait after it."""
    monkeypatch.setattr(uploader, "backoff_s", lambda *_: -1.0)
    answers = [problem(503, "busy"), problem(503, "busy")]
    farm.refuses = lambda _logs: answers.pop() if answers else None
    farm.keep(b"1")
    await farm.until(lambda: farm.stored == [b"1"])


async def test_an_invalid_token_keeps_the_spool_for_the_new_one(farm: Farm) -> None:
    farm.refuses = lambda _logs: problem(401, "invalid_token")
    farm.keep(b"1", b"2")
    await farm.until(lambda: farm.uploader.state is State.INVALID_TOKEN)
    farm.refuses = lambda _logs: None
    farm.enrol()
    await farm.uploader.reload()
    await farm.until(lambda: not len(farm.spool))
    assert farm.stored == [b"1", b"2"]


async def test_a_removed_rig_stops_everything_and_clears_the_spool(farm: Farm) -> None:
    farm.refuses = lambda _logs: problem(410, "rig_removed")
    farm.keep(b"1")
    await farm.until(lambda: farm.uploader.state is State.REMOVED)
    assert (farm.removals, len(farm.spool), farm.uploader.keeps_logs) == (1, 0, False)
    enrolment = store.load_enrolment(farm.db)
    assert enrolment is not None
    assert (enrolment.state, enrolment.token, enrolment.url) == (State.REMOVED, None, "https://a.lan")


async def test_another_rig_s_token_does_not_bring_it_the_old_rig_s_logs(farm: Farm) -> None:
    farm.refuses = lambda _logs: problem(401, "invalid_token")
    farm.keep(b"1")
    await farm.until(lambda: farm.uploader.state is State.INVALID_TOKEN)
    farm.refuses = lambda _logs: None
    farm.enrol(rig_id=8)
    await farm.uploader.reload()
    farm.keep(b"2")
    await farm.until(lambda: not len(farm.spool))
    assert farm.stored == [b"2"]


async def test_a_log_that_is_refused_does_not_hold_up_the_others(farm: Farm) -> None:
    farm.refuses = lambda logs: problem(422, "invalid") if b'"bad"' in logs else None
    farm.keep(b"1", b"2", b'"bad"', b"3", b"4")
    await farm.until(lambda: not len(farm.spool))
    assert farm.stored == [b"1", b"2", b"3", b"4"]
    assert store.load_status(farm.db).rejected_logs == 1


async def test_a_batch_that_is_too_large_is_halved(farm: Farm) -> None:
    farm.refuses = lambda logs: problem(413, "too_large") if len(logs) > 3 else None
    farm.keep(*[b"%d" % number for number in range(10)])
    await farm.until(lambda: not len(farm.spool))
    assert farm.stored == [b"%d" % number for number in range(10)]
    assert store.load_status(farm.db).rejected_logs == 0


async def test_a_busy_commander_is_left_alone_for_as_long_as_it_asks(farm: Farm) -> None:
    farm.refuses = lambda logs: problem(503, "overloaded", **{"Retry-After": "300"}) if logs else None
    farm.keep(b"1")
    await farm.until(lambda: farm.uploader.state is State.SPOOLING)
    asked = len(farm.requests)
    farm.keep(b"2")
    await asyncio.wait_for(farm.uploader.on_disk(lambda: None), 5)
    assert len(farm.requests) == asked
    assert len(farm.spool) == 2


async def test_a_new_name_of_the_rig_comes_with_the_next_receipt(farm: Farm) -> None:
    farm.rig = RigName(id=7, name="hall-2-rig-07")
    farm.keep(b"1")
    await farm.until(lambda: (known := store.load_enrolment(farm.db)) is not None and known.rig_name == "hall-2-rig-07")
    assert farm.uploader.enrolment is not None
    assert farm.uploader.enrolment.rig_name == "hall-2-rig-07"


async def test_two_sentries_with_one_token_are_told(farm: Farm) -> None:
    farm.two_sentries = True
    farm.keep(b"1")
    await farm.until(lambda: farm.uploader.two_sentries)
    await farm.until(lambda: store.load_status(farm.db).two_sentries)


async def test_a_doubt_about_the_rig_makes_it_ask_at_once(farm: Farm) -> None:
    farm.keep(b"1")
    await farm.until(lambda: not len(farm.spool))
    farm.refuses = lambda _logs: problem(410, "rig_removed")
    farm.uploader.doubt()
    await farm.until(lambda: farm.uploader.state is State.REMOVED)
    assert farm.removals == 1


async def test_a_machine_that_is_another_rig_sends_nothing(farm: Farm) -> None:
    farm.is_rig = False
    farm.keep(b"1")
    await farm.until(lambda: farm.introductions > 0)
    assert not farm.uploader.is_introduced
    assert set(farm.requests) == {"GET /api/v1/sentry", "introduction"}
    farm.is_rig = True
    farm.uploader.wake()
    await farm.until(lambda: not len(farm.spool))
    assert farm.uploader.is_introduced


async def test_a_sentry_that_is_not_alone_introduces_itself_again(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig_uploader, "_DOUBT_EVERY_S", 0.0)
    farm.keep(b"1")
    await farm.until(lambda: not len(farm.spool))
    assert farm.introductions == 1
    farm.two_sentries = True
    farm.keep(b"2")
    await farm.until(lambda: farm.uploader.two_sentries)
    farm.keep(b"3")
    await farm.until(lambda: farm.introductions == 2)
