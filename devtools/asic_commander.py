#!/usr/bin/env python3
"""A commander as far as an ASIC sentry needs one: real HTTPS with an authority of its own, rigs and logs in memory.

    devtools/asic_commander.py --folder /tmp/asic-commander --port 9443

prints its URL and a site token; its counts as JSON on SIGUSR1 and at the end. Tests and benchmarks break it on purpose.
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvicorn
from commander.settings import Settings
from commander.tls import prepare_tls
from protocol.asic_messages import (
    AdoptedRig,
    Adoption,
    AdoptionAnswer,
    AsicItemReceipt,
    AsicLog,
    AsicReceipt,
    AsicReport,
    AsicReportItem,
    AsicSpecs,
)
from protocol.messages import Problem, RigName, SentryWelcome
from protocol.tokens import BadToken, Token, TokenKind, new_token, parse_token
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

REPORT_EVERY_S = 10.0


@dataclass
class Rig:
    """One ASIC in it; `logs` by their moment."""

    id: int
    name: str
    token: Token
    specs: AsicSpecs | None = None
    logs: dict[datetime, AsicLog] = field(default_factory=dict)
    duplicates: int = 0
    is_removed: bool = False
    is_over_budget: bool = False


@dataclass
class SmallCommander:
    """`refuses` answers instead of it, for as long as it gives an answer."""

    pin: str | None
    ca_pem: str
    url: str = ""
    report_every_s: float = REPORT_EVERY_S
    keeps_logs: bool = True
    knows_all: bool = False
    site_token: Token = field(init=False)
    rigs: dict[str, Rig] = field(default_factory=dict)
    keys: dict[str, Rig] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    shown: list[Token | None] = field(default_factory=list)
    stored: int = 0
    over_budget: int = 0
    over_budget_for_s: int = 300
    refuses: Callable[[str], Response | None] = lambda _path: None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.site_token = new_token(TokenKind.SITE, pin=self.pin)

    def add_rig(self, name: str) -> Rig:
        names = {rig.name for rig in self.rigs.values()}
        distinct = next(each for each in _numbered(name) if each not in names)
        rig = Rig(len(self.rigs) + 1, distinct, new_token(TokenKind.ASIC, pin=self.pin))
        self.rigs[rig.token.secret] = rig
        return rig

    def renew(self, rig: Rig) -> Token:
        """A new token; the old one is dead at once."""
        del self.rigs[rig.token.secret]
        rig.token = new_token(TokenKind.ASIC, pin=self.pin)
        self.rigs[rig.token.secret] = rig
        return rig.token

    def forget(self, rig: Rig) -> None:
        """As if it had never been there."""
        self.rigs.pop(rig.token.secret)

    async def until(self, condition: Callable[[], bool], within_s: float = 60) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await self.changed.wait()
                self.changed.clear()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/ca.pem", self._ca),
                Route("/healthz", self._health),
                Route("/api/v1/sentry", self._welcome),
                Route("/api/v1/sentry/asic-logs", self._logs, methods=["POST"]),
                Route("/api/v1/sentry/asic-rigs", self._adopt, methods=["POST"]),
            ]
        )

    async def _ca(self, _request: Request) -> Response:
        return PlainTextResponse(self.ca_pem)

    async def _health(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def _welcome(self, request: Request) -> Response:
        if (refusal := self._noted(request)) is not None:
            return refusal
        token = _token_of(request)
        rig = self.rigs.get(token.secret) if token else None
        if token is None or (rig is None and token.secret != self.site_token.secret):
            return problem(401, "invalid_token")
        if rig is not None and rig.is_removed:
            return problem(410, "rig_removed")
        known = RigName(id=rig.id, name=rig.name) if rig else None
        welcome = SentryWelcome(
            kind=token.kind, rig=known, report_every_s=self.report_every_s, playbooks_every_s=60, commander_version="0"
        )
        return answer(welcome)

    async def _logs(self, request: Request) -> Response:
        self.shown.append(_token_of(request))
        if (refusal := self._noted(request)) is not None:
            return refusal
        report = msgspec.json.decode(await _body(request), type=AsicReport)
        self.items.append(len(report.items))
        results = [self._store(item) for item in report.items]
        self.changed.set()
        if results and all(each.error == "over_budget" for each in results):
            return problem(429, "over_budget", **{"Retry-After": str(self.over_budget_for_s)})
        return answer(AsicReceipt(results=results))

    def _store(self, item: AsicReportItem) -> AsicItemReceipt:
        try:
            token = parse_token(item.token)
            rig = self.rigs.get(token.secret)
        except BadToken:
            return AsicItemReceipt(stored=0, duplicates=0, error="invalid_token")
        if rig is None and self.knows_all:
            rig = self.rigs[token.secret] = Rig(len(self.rigs) + 1, item.token[:16], token)
        if rig is None:
            return AsicItemReceipt(stored=0, duplicates=0, error="invalid_token")
        if rig.is_removed:
            return AsicItemReceipt(stored=0, duplicates=0, error="rig_removed")
        if rig.is_over_budget and item.logs:
            self.over_budget += 1
            return AsicItemReceipt(stored=0, duplicates=0, error="over_budget")
        if bytes(item.specs) != b"null":
            rig.specs = msgspec.json.decode(item.specs, type=AsicSpecs)
        logs = [msgspec.json.decode(log, type=AsicLog) for log in item.logs]
        fresh = {log.taken_at: log for log in logs if log.taken_at not in rig.logs}
        if self.keeps_logs:
            rig.logs |= fresh
        rig.duplicates += len(logs) - len(fresh)
        self.stored += len(fresh)
        name = RigName(id=rig.id, name=rig.name)
        return AsicItemReceipt(stored=len(fresh), duplicates=len(logs) - len(fresh), rig=name)

    async def _adopt(self, request: Request) -> Response:
        if (refusal := self._noted(request)) is not None:
            return refusal
        token = _token_of(request)
        if token is None or token.secret != self.site_token.secret:
            return problem(401, "invalid_token")
        asked = msgspec.json.decode(await _body(request), type=Adoption)
        adopted = []
        for each in asked.rigs:
            key = each.name if each.key is None else each.key
            rig = self.keys.get(key)
            if rig is None:
                rig = self.keys[key] = self.add_rig(each.name)
            else:
                self.renew(rig)
            adopted.append(AdoptedRig(name=rig.name, token=str(rig.token)))
        return answer(AdoptionAnswer(rigs=adopted), 201)

    def _noted(self, request: Request) -> Response | None:
        self.requests.append(f"{request.method} {request.url.path}")
        self.changed.set()
        return self.refuses(request.url.path)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


async def _body(request: Request) -> bytes:
    body = await request.body()
    return gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body


def _token_of(request: Request) -> Token | None:
    try:
        return parse_token(request.headers.get("Authorization", "").removeprefix("Bearer "))
    except BadToken:
        return None


def answer(message: msgspec.Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(message), status, media_type="application/json")


def problem(status: int, code: str, **headers: str) -> Response:
    body = msgspec.json.encode(Problem(title="No", status=status, detail="Not so.", code=code))
    return Response(body, status, headers, media_type="application/problem+json")


def _text(pem: bytes | str | None) -> str:
    return pem.decode() if isinstance(pem, bytes) else pem or ""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving_commander(folder: Path, port: int = 0) -> AsyncIterator[SmallCommander]:
    """It answers on 127.0.0.1 as long as this is open; the same folder is the same authority."""
    files = prepare_tls(Settings(data_dir=folder, public_url="https://127.0.0.1"), now=datetime.now(UTC))
    assert files is not None  # noqa: S101 - TLS is on
    commander = SmallCommander(files.facts.pin, _text(files.facts.ca_pem))
    config = uvicorn.Config(
        commander.app(), host="127.0.0.1", port=port, ssl_certfile=files.cert, ssl_keyfile=files.key,
        ws="none", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            commander.url = f"https://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            yield commander
        finally:
            server.should_exit = True


async def serve(given: argparse.Namespace) -> None:
    stop = asyncio.Event()
    async with serving_commander(Path(given.folder), given.port) as commander:
        commander.report_every_s = given.every
        commander.keeps_logs, commander.knows_all = False, given.knows_all
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGUSR1, lambda: print(counts(commander), flush=True))
        print(commander.url, commander.site_token, flush=True)
        await stop.wait()
        with contextlib.suppress(BrokenPipeError):
            print(counts(commander), flush=True)


def counts(commander: SmallCommander) -> str:
    return json.dumps({"rigs": len(commander.rigs), "stored": commander.stored, "requests": len(commander.requests)})


def main() -> int:
    parser = argparse.ArgumentParser(description="A commander for an ASIC sentry alone; it forgets what it gets.")
    parser.add_argument("--folder", default=tempfile.gettempdir() + "/asic-commander", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=0, help="default: any")
    parser.add_argument("--every", type=float, default=REPORT_EVERY_S, help="how often sentries are to report")
    parser.add_argument("--knows-all", action="store_true", help="every token is that of a rig")
    asyncio.run(serve(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
