"""Senders without a password or token can't fill a commander's memory or hold its connections."""

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest
from commander_farm import a_log, an_asic_log

from tests.farm import CommanderProcess, eventually, running_commander

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

MIB = 1024 * 1024
SENT_AT_MOST = 10 * MIB  # of a head, until the commander hangs up; most of it waits in the kernel
CONNECTIONS = 150
START = b"POST /api/v1/sentry/asic-logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)

HEADS = {
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-More: and more\r\n" * 4096),
    "one long header": (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"x" * 65_536),
    "one long name": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"x" * 65_536),
    "a long address": (b"GET /", b"x" * 65_536),
    "a long chunk extension": (START + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 65_536),
    "many trailers": (START + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-More: and more\r\n" * 4096),
    "one long trailer": (START + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Long: ", b"x" * 65_536),
}


@pytest.fixture(scope="module")
def commander(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommanderProcess]:
    with running_commander(tmp_path_factory.mktemp("commander"), COMMANDER_TLS="off") as commander:
        yield commander


def connection_to(commander: CommanderProcess, source: str = "127.0.0.1") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", commander.port), timeout=60, source_address=(source, 0))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def resident_mib(commander: CommanderProcess) -> float:
    assert commander.process is not None
    return float(psutil.Process(commander.process.pid).memory_info().rss) / MIB


def is_closed(connection: socket.socket) -> bool:
    """Returns whether the other side has closed; data that it sent before is discarded."""
    while select.select([connection], [], [], 0)[0]:
        try:
            if not connection.recv(65_536):
                return True
        except OSError:
            return True
    return False


@contextmanager
def unfinished_bodies(commander: CommanderProcess, head: bytes, sources: list[str]) -> Iterator[list[socket.socket]]:
    """Sends all but the last bytes of a body on a connection per source address, and waits."""
    body = b'{"items": [' + b" " * (4 * MIB - 21)
    head += b"Content-Length: %d\r\n\r\n" % (len(body) + 10)
    with ExitStack() as stack:
        opened = [stack.enter_context(connection_to(commander, source)) for source in sources]
        for connection in opened:
            connection.settimeout(5)
            with suppress(OSError):  # a commander that takes no more of it is right
                connection.sendall(head + body)
        yield opened


@pytest.mark.parametrize("kind", HEADS)
def test_a_head_without_end_is_refused_and_costs_no_memory(commander: CommanderProcess, kind: str) -> None:
    beginning, more = HEADS[kind]
    before = resident_mib(commander)
    with connection_to(commander) as connection:
        connection.sendall(beginning)
        sent = 0
        with suppress(ConnectionError):
            while sent < 50 * MIB and not select.select([connection], [], [], 0)[0]:
                connection.sendall(more)
                sent += len(more)
        answer = b""
        with suppress(ConnectionError):
            answer = connection.recv(65_536)
    assert sent <= SENT_AT_MOST, "the commander went on reading"
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 "), answer[:200]
    assert resident_mib(commander) - before < 10


def test_a_few_headers_too_many_are_told_so(commander: CommanderProcess) -> None:
    for count, status in ((99, b"200"), (100, b"431")):
        with connection_to(commander) as connection:
            headers = b"".join(b"X-%d: a\r\n" % number for number in range(count))
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
            assert connection.recv(65_536).split(b" ")[1] == status


@pytest.mark.parametrize("path", ["/api/v1/sentry/logs", "/api/v1/cpu-gpu-rigs", "/api/v1/sentry/asic-logs", "/login"])
def test_unfinished_bodies_of_strangers_cost_little_memory(commander: CommanderProcess, path: str) -> None:
    """600 MiB are sent; at most 10 MiB of one address and 32 MiB of all are kept."""
    with commander.client(commander.api_key(f"for {path.replace('/', ' ').strip()}")) as people:
        rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": f"rig{path.replace('/', '-')}"}).json()
        before = resident_mib(commander)
        sources = [f"127.0.0.{1 + number // 30}" for number in range(CONNECTIONS)]
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
        with unfinished_bodies(commander, head, sources):
            assert resident_mib(commander) - before < 100
            own = {"Authorization": f"Bearer {rig['token']}"}
            assert people.post("/api/v1/sentry/logs", json={"logs": [a_log()]}, headers=own).json()["stored"] == 1


def test_an_asic_sentry_of_an_older_version_is_served_during_such_a_flood(commander: CommanderProcess) -> None:
    """It sends no `Authorization`, and a thousand logs in one body."""
    with commander.client(commander.api_key("old sentry")) as people:
        token = people.post("/api/v1/asic-rigs", json={"name": "asic-01"}).json()["token"]
        del people.headers["Authorization"]
        logs = [an_asic_log(seconds_ago=number) for number in range(1000)]
        body = json.dumps({"items": [{"token": token, "logs": logs}]})
        assert len(body) > MIB / 2
        with unfinished_bodies(commander, START, ["127.0.0.9"] * 20):
            answer = people.post("/api/v1/sentry/asic-logs", content=body)
            assert answer.json()["results"][0]["stored"] == 1000, answer.text


def test_what_does_not_arrive_in_time_is_given_up(commander: CommanderProcess) -> None:
    beginnings = {
        "nothing": b"",
        "half a head": b"GET / HTTP/1.1\r\nHost: x\r\n",
        "half a body": START + b'Content-Length: 99\r\n\r\n{"items"',
        "a body for a page": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\npass",
    }
    key, before = f"Authorization: Bearer {commander.api_key('socket')}\r\n".encode(), commander.log.read_text()
    with ExitStack() as stack:
        started = time.monotonic()
        waiting = {name: stack.enter_context(connection_to(commander)) for name in beginnings}
        idle = stack.enter_context(connection_to(commander))
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        page = stack.enter_context(connection_to(commander))
        page.sendall(b"GET /api/v1/events?channels= HTTP/1.1\r\nHost: x\r\n" + key + UPGRADE)
        assert page.recv(65_536).startswith(b"HTTP/1.1 101 ")
        for name, connection in waiting.items():
            connection.sendall(beginnings[name])
        answers = {}
        for name, connection in waiting.items():
            connection.settimeout(120)
            answers[name] = connection.recv(65_536)
        assert 9 < time.monotonic() - started < 20
        assert answers.pop("nothing") == b""
        assert [answer.split(b" ")[1] for answer in answers.values()] == [b"408"] * 3
        eventually(lambda: all(map(is_closed, waiting.values())), within_s=60, what="the end of the connections")
        assert not is_closed(idle), "a connection between two requests is a sentry's, and is kept"
        assert not is_closed(page), "a WebSocket is no request without end"
    lines = [text.count("a request was ended: too slow") for text in (before, commander.log.read_text())]
    assert 1 <= lines[1] <= lines[0] + 1, "one line a minute for all of them"


def test_a_body_that_drips_is_given_up(commander: CommanderProcess) -> None:
    with connection_to(commander) as connection:
        connection.sendall(START + b"Content-Length: 99999\r\n\r\n")
        started = time.monotonic()
        while not is_closed(connection) and time.monotonic() - started < 120:
            with suppress(ConnectionError):
                connection.sendall(b" ")
            select.select([connection], [], [], 0.5)
        assert time.monotonic() - started < 20
