"""Scans a network for ASICs, with a limited rate. A scan shows its progress and can be stopped.

Each address is asked like one that an operator adds: one question after the other. An address without a device costs
one attempt to connect.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from asic_sentry.addresses import Network
from asic_sentry.arp import macs_by_ip
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.identify import identify, most_specific
from asic_sentry.poll import Identity

AT_ONCE = 256
PER_S = 400.0  # new addresses in a second


class ScannedAsic(msgspec.Struct, frozen=True):
    """An ASIC in the network. Its MAC is the one that it reports, or else the one in the ARP table."""

    identity: Identity
    mac: str | None


class Scan:
    """One scan of some addresses. With `ports` only those are asked, instead of the dialects' own."""

    def __init__(
        self,
        addresses: Iterable[str],
        total: int,
        *,
        ports: Sequence[int] = (),
        at_once: int = AT_ONCE,
        per_s: float = PER_S,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.total, self.done = total, 0
        self.asics: list[ScannedAsic] = []
        self.unclear: list[tuple[str, PollFailure]] = []
        self.is_busy = True  # until it is done, or was stopped
        self._left: Iterator[str] = iter(addresses)
        self._ports, self._at_once, self._every_s = ports, at_once, 1 / per_s
        self._stopped = False

    @property
    def was_stopped(self) -> bool:
        return self._stopped

    def stop(self) -> None:
        """Stops after the devices that are being asked now."""
        if not self._stopped:
            self._stopped = True
            self.changed()

    async def run(self) -> None:
        self._next_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._at_once, self.total)):
                    group.create_task(self._work())
        finally:
            self.is_busy = False
            self._add_macs()
            self.changed()

    async def _work(self) -> None:
        for ip in self._left:
            if self._stopped:
                return
            await self._wait_for_turn()
            if self._stopped:
                return
            await self._look_at(ip)
            self.done += 1
            self.changed()

    async def _wait_for_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._next_s = max(now, self._next_s) + self._every_s
        if self._next_s - self._every_s > now:
            await asyncio.sleep(self._next_s - self._every_s - now)

    async def _look_at(self, ip: str) -> None:
        answer = await identify_at(ip, self._ports)
        if isinstance(answer, Identity):
            self.asics.append(ScannedAsic(answer, answer.specs.mac))
        elif is_unclear(answer):
            self.unclear.append((ip, answer))

    def _add_macs(self) -> None:
        macs = macs_by_ip()
        self.asics = [
            ScannedAsic(each.identity, each.mac or macs.get(each.identity.ip))
            for each in sorted(self.asics, key=lambda each: _order(each.identity.ip))
        ]


def is_unclear(answer: PollFailure) -> bool:
    """Returns whether a failure may be that of an ASIC: an error in the device's own words, or a limit of this
    computer."""
    is_refusal = answer.kind is FailureKind.ERROR_STATUS and not answer.detail.startswith("HTTP ")
    return is_refusal or answer.kind is FailureKind.LOCAL_LIMIT


def _order(ip: str) -> list[int | str]:
    return [int(part) for part in ip.split(".")] if ":" not in ip else [ip]


async def identify_at(ip: str, ports: Sequence[int]) -> Identity | PollFailure:
    """Identifies the device at the dialects' own ports, or else at these, one after the other."""
    if not ports:
        return await identify(ip)
    failures: list[PollFailure] = []
    for port in ports:
        answer = await identify(ip, port)
        if isinstance(answer, Identity):
            return answer
        failures.append(answer)
        if answer.kind in (FailureKind.CONNECT_TIMEOUT, FailureKind.UNREACHABLE):
            break
    return most_specific(failures)


def usual_port(identity: Identity) -> int | None:
    """Returns the port to ask: None for the dialects' own ports, else the ASIC's unusual port."""
    return None if identity.port in {dialect.port for dialect in DIALECTS} else identity.port


class Scans:
    """The latest scan; a new one ends the one before."""

    def __init__(self) -> None:
        self.network = ""
        self.current: Scan | None = None
        self.changed: Callable[[], None] = lambda: None
        self._asked = asyncio.Event()

    def start(self, network: Network, ports: Sequence[int]) -> None:
        self.stop()
        self.network = str(network)
        self.current = Scan(network, len(network), ports=ports)
        self.current.changed = lambda: self.changed()
        self._asked.set()

    def stop(self) -> None:
        if self.current is not None:
            self.current.stop()

    async def run_for_ever(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self.current is not None:
                await self.current.run()
