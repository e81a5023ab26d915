#!/usr/bin/env python3
"""A farm of fake ASICs in one process, each with its own loopback address: moving figures, or a fault.

    devtools/fake_asics.py --count 1000 --network 127.10.0.0/16 --kinds antminer,iceriver --port-base 10000
    devtools/fake_asics.py --count 50 --kinds avalon --port-base 10000 --fault silent:10 --fault refused:5

`--port-base` is added to the ports of the real ones (4028, 4433, 80), which need root in part. Every command that is
received is counted; one that no ASIC's monitoring needs is a violation and answered with an error. The counts are
printed as JSON at the end and on SIGUSR1.
"""

import argparse
import asyncio
import ipaddress
import itertools
import json
import signal
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from asic_moment import Moment
from asic_payloads import KINDS, body_of
from asic_wire import ALSO, FAULTS, command_of, faulty, refusal

READ_ONLY = frozenset(command for kind in KINDS.values() for command in kind.answers)
FIRST_KINDS = ("antminer", "whatsminer", "avalon", "axeos", "iceriver")
BACKLOG = 512


class FakeAsic(NamedTuple):
    number: int
    kind: str
    ip: str
    port: int
    fault: str | None = None


@dataclass
class Farm:
    """Settings and counts that the fake ASICs share; `foreign` are harmless commands that only another kind knows.

    Their clock runs `ahead_s` before ours.
    """

    asics: Sequence[FakeAsic]
    latency_s: float = 0.0
    ahead_s: float = 0.0
    started: float = field(default_factory=time.time)
    commands: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    open: set[asyncio.Transport] = field(default_factory=set)

    def counts(self) -> dict[str, dict[str, int]]:
        return {"commands": self.commands, "foreign": self.foreign, "violations": self.violations}

    def reply(self, asic: FakeAsic, command: str) -> tuple[bytes, bool]:
        """Returns the answer, and whether the connection ends then."""
        kind = KINDS[asic.kind]
        if command in kind.answers:
            self.commands[f"{asic.kind} {command}"] += 1
            now = time.time() + self.ahead_s
            moment = Moment(asic.number, 50_000 + asic.number + int(now - self.started), now)
            return faulty(kind.speaks, body_of(asic.kind, command, moment), asic.fault)
        (self.foreign if command in READ_ONLY else self.violations)[f"{asic.kind} {command}"] += 1
        if asic.fault in ("silent", "half"):
            return b"", False
        return refusal(kind.speaks, "invalid cmd", http_status=404), True


class Connection(asyncio.Protocol):
    def __init__(self, farm: Farm, asic: FakeAsic) -> None:
        self._farm, self._asic, self._received = farm, asic, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._farm.open.add(self._transport)
        if self._asic.fault == "closed":
            transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._farm.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        command = command_of(self._received)
        if command is None or self._asic.fault == "closed":
            return
        self._received = b""
        reply, ends = self._farm.reply(self._asic, command)
        if self._farm.latency_s:
            asyncio.get_running_loop().call_later(self._farm.latency_s, self._say, reply, ends)
        else:
            self._say(reply, ends)

    def _say(self, reply: bytes, ends: bool) -> None:
        if self._transport.is_closing():
            return
        if reply:
            self._transport.write(reply)
        if ends and self._asic.fault == "reset":
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        elif ends:
            self._transport.close()


def make_asics(
    count: int, network: str, kinds: Sequence[str], faults: Sequence[tuple[str, int]] = (), port_base: int = 0
) -> list[FakeAsic]:
    """Kinds in turn; of each hundred ASICs so many with a fault, spread evenly."""
    hosts = itertools.islice(ipaddress.ip_network(network).hosts(), count)
    broken = [fault for fault, percent in faults for _ in range(percent)]
    whole = [*broken, *[None] * (100 - len(broken))]
    return [
        FakeAsic(number, kind, str(host), KINDS[kind].port + port_base, whole[number * 61 % 100])
        for (number, host), kind in zip(enumerate(hosts), itertools.cycle(kinds), strict=False)
    ]


@asynccontextmanager
async def running(asics: Sequence[FakeAsic], latency_s: float = 0.0) -> AsyncIterator[Farm]:
    """The fakes listen as long as this is open."""
    farm = Farm(asics, latency_s)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        servers: list[asyncio.Server] = []
        stack.push_async_callback(hang_up, farm, servers)
        for asic in asics:
            if asic.fault == "refused":
                continue
            if asic.fault == "black_hole":
                black_hole(stack, asic)
                continue
            server = await loop.create_server(
                lambda asic=asic: Connection(farm, asic),  # type: ignore[misc]
                asic.ip,
                asic.port,
                backlog=BACKLOG,
            )
            servers.append(server)
        yield farm


async def hang_up(farm: Farm, servers: Sequence[asyncio.Server]) -> None:
    """Takes no more connections, closes those that are open, and then the servers: asyncio leaks a connection that it
    has accepted but not yet shown when its server is closed."""
    loop = asyncio.get_running_loop()
    for server in servers:
        for listener in server.sockets:
            loop.remove_reader(listener.fileno())
    for _turn in range(5):
        await asyncio.sleep(0)
        for connection in list(farm.open):
            connection.abort()
    for server in servers:
        server.close()


def black_hole(stack: AsyncExitStack, asic: FakeAsic) -> None:
    """A full queue of connections that nobody takes: Linux lets further ones wait for ever."""
    listener = stack.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((asic.ip, asic.port))
    listener.listen(0)
    for _ in range(3):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        with suppress(BlockingIOError):
            filler.connect((asic.ip, asic.port))


def fault_of(text: str) -> tuple[str, int]:
    named, _, percent = text.partition(":")
    kind = ALSO.get(named, named)
    if kind not in FAULTS or not percent.isdecimal() or not 0 <= int(percent) <= 100:
        raise argparse.ArgumentTypeError(f"“{text}” is not KIND:PERCENT; kinds are {', '.join(FAULTS)}")
    return kind, int(percent)


def kinds_of(text: str) -> list[str]:
    kinds = text.split(",")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise argparse.ArgumentTypeError(f"“{unknown[0]}” is none of {', '.join(KINDS)}")
    return kinds


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Fake ASICs, a loopback address each.",
        epilog="faults: " + "; ".join(f"{name}: {does}" for name, does in FAULTS.items()),
    )
    parser.add_argument("--count", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--network", default="127.10.0.0/16", help="default: %(default)s")
    parser.add_argument("--kinds", type=kinds_of, default=list(FIRST_KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="before each answer")
    parser.add_argument("--fault", type=fault_of, action="append", default=[], metavar="KIND:PERCENT")
    parser.add_argument("--port-base", type=int, default=0, help="added to the usual ports; default: %(default)s")
    given = parser.parse_args(argv)
    if sum(percent for _, percent in given.fault) > 100:
        parser.error("the faults are more than 100 percent together")
    if given.count > ipaddress.ip_network(given.network).num_addresses - 2:
        parser.error(f"{given.network} has no {given.count} addresses")
    return given


async def serve(given: argparse.Namespace) -> None:
    asics = make_asics(given.count, given.network, given.kinds, given.fault, given.port_base)
    stop = asyncio.Event()
    async with running(asics, given.latency_ms / 1000) as farm:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGUSR1, lambda: print(json.dumps(farm.counts()), flush=True))
        ports = sorted({asic.port for asic in asics})
        print(f"{len(asics)} fake ASICs on {asics[0].ip} … {asics[-1].ip}, ports {ports}", flush=True)
        await stop.wait()
    print(json.dumps(farm.counts()), flush=True)


def main() -> int:
    given = arguments()
    raise_open_files()
    try:
        asyncio.run(serve(given))
    except OSError as error:
        print(f"The fake ASICs can't listen: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


def raise_open_files() -> None:
    import resource  # POSIX, like the loopback addresses

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
