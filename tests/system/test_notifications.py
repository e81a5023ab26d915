"""Messages of a real commander to a real HTTP server, through kills of the commander. Heartbeat of a real commander."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest
from commander.db import open_database
from commander.notifications.news import Event, News
from commander.notifications.outbox import Outbox
from commander.readings.severity import Severity

from tests.farm import CommanderProcess, eventually
from tests.http_servers import Answer, TakenRequest, answering

SECRET = "secret-in-the-address"
pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@dataclass
class Target:
    """An HTTP server. While `holds` is set it takes requests and answers none."""

    port: int = 0
    holds: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    titles: list[str] = field(default_factory=list)
    pings: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running_target() -> Iterator[Target]:
    target = Target()

    def take(request: TakenRequest) -> Answer | None:
        if not request.body:
            target.pings.append(request.path)
            return Answer()
        target.titles.append(json.loads(request.body)["title"])
        if target.holds.is_set():
            target.released.wait(60)
            return None
        return Answer()

    with answering(take) as target.port:
        try:
            yield target
        finally:
            target.released.set()


@pytest.fixture
def target() -> Iterator[Target]:
    with running_target() as made:
        yield made


@pytest.fixture
def notifier(tmp_path: Path, target: Target) -> Iterator[CommanderProcess]:
    settings = {
        "COMMANDER_TLS": "off",
        "COMMANDER_NOTIFY_LOOPBACK": "true",
        "COMMANDER_HEARTBEAT_URL": f"{target.url}/ping",
    }
    commander = CommanderProcess(tmp_path / "commander", more=settings)
    commander.start()
    try:
        yield commander
    finally:
        commander.kill()


def add_channel(commander: CommanderProcess, target: Target) -> None:
    with commander.client(commander.api_key()) as people:
        body = {"name": "hook", "kind": "webhook", "settings": {"url": f"{target.url}/{SECRET}"}}
        answer = people.post("/api/v1/notification-channels", json=body)
        assert answer.status_code == 201, answer.text


def news_of(number: int) -> News:
    return News(
        incident_id=number,
        step=1,
        event=Event.OPENED,
        severity=Severity.CRITICAL,
        title=f"incident {number}",
        lines=(),
        rigs=(),
        incident=msgspec.Raw(b"{}"),
        at=datetime.now(UTC),
    )


def put(commander: CommanderProcess, *incidents: int) -> None:
    """Puts news into the outbox, as the leader of the jobs does, in the database that the commander uses."""

    async def write() -> None:
        url = f"sqlite:///{commander.data_dir / 'commander.db'}"
        async with open_database(url) as database, database.transaction() as db:
            for number in incidents:
                await Outbox({}).enqueue(db, news_of(number))

    asyncio.run(write())


def test_a_commander_that_is_killed_while_it_sends_sends_after_its_start(
    notifier: CommanderProcess, target: Target
) -> None:
    add_channel(notifier, target)
    put(notifier, 1)
    eventually(lambda: target.titles == ["Critical: incident 1"], within_s=60, what="the first message")
    target.holds.set()
    put(notifier, 2, 3)
    eventually(lambda: len(target.titles) == 2, within_s=60, what="the message that is not answered")
    notifier.kill()
    target.holds.clear()
    notifier.start()
    eventually(lambda: len(target.titles) == 4, within_s=60, what="the messages after the start")
    assert target.titles == [f"Critical: incident {number}" for number in (1, 2, 2, 3)]


def test_a_message_that_was_decided_while_no_sender_ran_is_sent_after_the_start(
    notifier: CommanderProcess, target: Target
) -> None:
    add_channel(notifier, target)
    notifier.kill()
    put(notifier, 1)
    notifier.start()
    eventually(lambda: bool(target.titles), within_s=60, what="the message")
    assert notifier.stop() == 0
    assert SECRET not in notifier.log.read_text()
    assert target.titles == ["Critical: incident 1"]


def test_the_commander_stops_soon_while_a_server_hangs(notifier: CommanderProcess, target: Target) -> None:
    add_channel(notifier, target)
    target.holds.set()
    put(notifier, 1)
    eventually(lambda: bool(target.titles), within_s=60, what="the request")
    assert notifier.stop() == 0  # within 20 s; the request would wait for 15 s
    target.holds.clear()
    notifier.start()
    eventually(lambda: len(target.titles) == 2, within_s=60, what="the message after the start")


def test_the_heartbeat_is_asked_while_the_commander_runs(notifier: CommanderProcess, target: Target) -> None:
    eventually(lambda: target.pings == ["/ping"], within_s=60, what="the heartbeat")
    with notifier.client() as client:
        assert client.get("/healthz").status_code == httpx.codes.OK
