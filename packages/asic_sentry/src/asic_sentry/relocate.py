"""Finds ASICs again that got another address, by their MAC: in what the kernel knows of the network, and, while one is
missing, by looking around where it was."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from asic_sentry.addresses import Network
from asic_sentry.arp import ARP, neighbours
from asic_sentry.asics import store
from asic_sentry.asics.moves import moves, words_of_move
from asic_sentry.device import Device
from asic_sentry.poll import Identity
from asic_sentry.poller import Fleet
from asic_sentry.scan import Found, Scan, identify_at, usual_port
from asic_sentry.schedule import DEAD_AFTER

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 30.0
_SEARCH_EVERY_S = 600.0
_SEARCH_AT_ONCE, _SEARCH_PER_S = 32, 50.0  # a thousand dead ASICs are no reason to be loud
_NETWORKS_LIMIT = 16

Remember = Callable[[Callable[[sqlite3.Connection], None]], Awaitable[None]]


class Lookout:
    """One for all ASICs. `remember` writes into the store."""

    def __init__(self, fleet: Fleet, remember: Remember, *, arp: Path = ARP, per_s: float = _SEARCH_PER_S) -> None:
        self._fleet, self._remember, self._arp, self._per_s = fleet, remember, arp, per_s
        self._search_at = 0.0

    async def run_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        met = neighbours(self._arp)
        await self._learn(met)
        self._notice_strangers(met)
        lost = self._lost()
        if not lost:
            return
        await self._move(lost, await self._met_elsewhere(lost, met))
        now = asyncio.get_running_loop().time()
        if (lost := self._lost()) and now >= self._search_at:
            self._search_at = now + _SEARCH_EVERY_S
            await self._move(lost, await self._search(lost))

    async def _learn(self, met: dict[str, str]) -> None:
        """The MAC of those that don't tell it themselves."""
        new = {
            device.asic.id: met[device.asic.ip]
            for device in self._fleet
            if device.asic.mac is None and device.asic.failure is None and device.asic.ip in met
        }
        if not new:
            return
        for key, mac in new.items():
            self._fleet.devices[key].touch(mac=mac)
        await self._remember(lambda db: store.note_macs(db, new))

    def _notice_strangers(self, met: dict[str, str]) -> None:
        """Only of those whose MAC the kernel told before: what an ASIC itself calls its MAC may be another one."""
        for device in self._fleet:
            asic = device.asic
            there = met.get(asic.ip)
            if asic.mac is None or asic.identity.specs.mac is not None or there is None:
                continue
            if there == asic.mac:
                device.stranger = None
            elif device.stranger is None:
                device.meet_stranger(there)
                self._fleet.poll_now(asic.id)

    def _lost(self) -> list[Device]:
        return [
            device
            for device in self._fleet
            if device.asic.mac is not None and (device.stranger is not None or device.failures >= DEAD_AFTER)
        ]

    async def _met_elsewhere(self, lost: Sequence[Device], met: dict[str, str]) -> list[Found]:
        wanted = {device.asic.mac: device for device in lost}
        found = []
        for ip, mac in met.items():
            device = wanted.get(mac)
            if device is None or ip == device.asic.ip:
                continue
            identity = await identify_at(ip, _ports([device]))
            if isinstance(identity, Identity):
                found.append(Found(identity, identity.specs.mac or mac))
        return found

    async def _search(self, lost: Sequence[Device]) -> list[Found]:
        answering = {device.asic.ip for device in self._fleet if device.asic.failure is None}
        around = dict.fromkeys(ip.rpartition(".")[0] for ip in (device.asic.ip for device in lost) if "." in ip)
        addresses = [
            ip for part in list(around)[:_NETWORKS_LIMIT] for ip in Network(f"{part}.0/24") if ip not in answering
        ]
        log.info("looking_for_asics missing=%d addresses=%d", len(lost), len(addresses))
        scan = Scan(addresses, len(addresses), ports=_ports(lost), at_once=_SEARCH_AT_ONCE, per_s=self._per_s)
        await scan.run()
        return scan.found

    async def _move(self, lost: Sequence[Device], found: Sequence[Found]) -> None:
        taken = {device.asic.ip: device.asic.id for device in self._fleet}
        moved = moves([device.asic for device in lost], found, taken)
        if not moved:
            return
        news = {key: words_of_move(self._fleet.devices[key].asic, to) for key, to in moved.items()}
        for key, to in moved.items():
            log.warning("asic_moved from=%s to=%s", self._fleet.devices[key].asic.ip, to.ip)
            self._fleet.moved(self._fleet.devices[key], to, news[key])
        await self._remember(lambda db: store.move_asics(db, moved, news))


def _ports(devices: Sequence[Device]) -> list[int]:
    """The dialects' own, unless all of these have others."""
    ports = {usual_port(device.asic.identity) for device in devices}
    return [] if None in ports else sorted(port for port in ports if port is not None)
