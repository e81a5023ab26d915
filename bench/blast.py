"""As many reports as a server takes: connections that send the next report as soon as the last is acknowledged."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast

import httptools
import msgspec
from simulated_rig import simulated_rig

LOGS_PATH = "/api/v1/sentry/logs"
MILLISECOND = timedelta(milliseconds=1)


class Report(NamedTuple):
    """A rig's request without its time: `head` and `tail` stand before and after `taken_at`."""

    head: bytes
    tail: bytes

    def at(self, moment: datetime) -> bytes:
        return self.head + moment.isoformat(timespec="milliseconds").encode() + self.tail


def prebuilt_report(token: str, authority: str, number: int, *, cards: int = 8) -> Report:
    """A full report of a rig with `cards` GPUs; values that are unknown are left out, as a real sentry does."""
    now = datetime.now(UTC).replace(microsecond=0) + MILLISECOND
    log = simulated_rig(number, seed=1, cards=cards).log(now)
    plain = without_unknown(msgspec.json.decode(msgspec.json.encode(log)))
    assert isinstance(plain, dict)  # noqa: S101 - a log is an object
    plain["taken_at"] = now.isoformat(timespec="milliseconds")
    before, _, after = msgspec.json.encode({"logs": [plain]}).partition(plain["taken_at"].encode())
    size = len(before) + len(plain["taken_at"]) + len(after)
    head = (
        f"POST {LOGS_PATH} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    )
    return Report(head.encode() + before, after)


def without_unknown(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_unknown(each) for key, each in value.items() if each is not None}
    return [without_unknown(each) for each in value] if isinstance(value, list) else value


@dataclass(slots=True)
class Blast:
    """State that all connections share. Times of reports rise, so that none comes twice."""

    reports: Sequence[Report]
    acknowledged: int = 0
    refused: int = 0
    over: bool = False
    moment: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=1))
    _next: int = 0

    def request(self) -> bytes:
        report = self.reports[self._next]
        self._next += 1
        if self._next == len(self.reports):
            self._next = 0
            self.moment += MILLISECOND
        return report.at(self.moment)


class _Sender(asyncio.Protocol):
    def __init__(self, blast: Blast) -> None:
        self._blast = blast
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._transport.write(self._blast.request())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() == 200:
            self._blast.acknowledged += 1
        else:
            self._blast.refused += 1
        if self._transport is not None:
            if self._blast.over:
                self._transport.close()
            else:
                self._transport.write(self._blast.request())


class Rate(NamedTuple):
    acknowledged: int
    refused: int
    wall_s: float


async def blast(
    reports: Sequence[Report], port: int, tls: ssl.SSLContext | None, *, connections: int, warm_up_s: float
) -> "RunningBlast":
    """Opens the connections and lets the server warm up; then count with `RunningBlast.count`."""
    state = Blast(reports)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: _Sender(state), "127.0.0.1", port, ssl=tls)
    await asyncio.sleep(warm_up_s)
    return RunningBlast(state)


class RunningBlast:
    def __init__(self, state: Blast) -> None:
        self._state = state

    async def count(self, during_s: float) -> Rate:
        acknowledged, refused, start = self._state.acknowledged, self._state.refused, time.perf_counter()
        await asyncio.sleep(during_s)
        wall_s = time.perf_counter() - start
        return Rate(self._state.acknowledged - acknowledged, self._state.refused - refused, wall_s)

    async def end(self) -> None:
        self._state.over = True
        await asyncio.sleep(0.3)
