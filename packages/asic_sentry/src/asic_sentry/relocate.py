"""Finds ASICs that have another address now, by their MAC: in the kernel's ARP table, or by a scan around their last
address."""

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

from sentry_kit.errors import SentryError

from asic_sentry.access import using
from asic_sentry.addresses import Network
from asic_sentry.arp import ARP_FILE, macs_by_ip
from asic_sentry.asics import store
from asic_sentry.asics.asic import Asic
from asic_sentry.asics.logins import move_logins
from asic_sentry.device import Device
from asic_sentry.poll import Identity
from asic_sentry.poller import Poller
from asic_sentry.scan import Scan, ScannedAsic, identify_at, usual_port
from asic_sentry.schedule import DEAD_AFTER

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 30.0
_SEARCH_EVERY_S = 600.0
_SEARCH_AT_ONCE, _SEARCH_PER_S = 32, 50.0  # few: a thousand dead ASICs must not fill the network with requests
_NETWORKS_LIMIT = 16

Write = Callable[[Callable[[sqlite3.Connection], None]], Awaitable[None]]


def relocations(lost: Iterable[Asic], asics: Sequence[ScannedAsic], taken: Mapping[str, int]) -> dict[int, Identity]:
    """Returns the new identity of each lost ASIC by its number. `taken` has the addresses of all listed ASICs.

    An address of another listed ASIC is free only if that ASIC has moved too.
    """
    missing = list(lost)
    times = Counter(asic.mac for asic in missing)
    by_mac: dict[str, list[Identity]] = {}
    for each in asics:
        if each.mac is not None:
            by_mac.setdefault(each.mac, []).append(each.identity)
    moved = {
        asic.id: by_mac[asic.mac][0]
        for asic in missing
        if asic.mac is not None
        and times[asic.mac] == 1
        and len(by_mac.get(asic.mac, [])) == 1
        and by_mac[asic.mac][0].ip != asic.ip
    }
    while blocked := [key for key, to in moved.items() if taken.get(to.ip, key) not in moved]:
        for key in blocked:
            del moved[key]
    return moved


def relocation_text(asic: Asic, to: Identity) -> str:
    return f"Found again at {to.ip} by its MAC; it was at {asic.ip}."


class Relocator:
    """Looks for all lost ASICs. `write` changes the store."""

    def __init__(self, poller: Poller, write: Write, *, arp: Path = ARP_FILE, per_s: float = _SEARCH_PER_S) -> None:
        self._poller, self._write, self._arp, self._per_s = poller, write, arp, per_s
        self._search_at = 0.0

    async def run_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self.look()
            except SentryError as error:
                log.warning("looking_for_asics %s", error)

    async def look(self) -> None:
        macs = macs_by_ip(self._arp)
        await self._learn(macs)
        self._note_other_devices(macs)
        lost = self._lost()
        if not lost:
            return
        await self._move(lost, await self._identify_at_new_addresses(lost, macs))
        now = asyncio.get_running_loop().time()
        if (lost := self._lost()) and now >= self._search_at:
            self._search_at = now + _SEARCH_EVERY_S
            await self._move(lost, await self._search(lost))

    async def _learn(self, macs: Mapping[str, str]) -> None:
        """Stores the MACs of ASICs that do not report theirs."""
        new = {
            device.asic.id: macs[device.asic.ip]
            for device in self._poller
            if device.asic.mac is None and device.asic.failure is None and device.asic.ip in macs
        }
        if not new:
            return
        await self._write(lambda db: store.note_macs(db, new))
        for device in self._poller:
            if device.asic.id in new:
                device.touch(mac=new[device.asic.id])

    def _note_other_devices(self, macs: Mapping[str, str]) -> None:
        """Compares MACs of the ARP table only: the MAC that an ASIC reports itself may be that of another interface."""
        for device in self._poller:
            asic = device.asic
            current = macs.get(asic.ip)
            if asic.mac is None or asic.identity.specs.mac is not None or current is None:
                continue
            if current == asic.mac:
                device.other_mac = None
            elif device.other_mac is None:
                device.note_other_device(current)
                self._poller.poll_now(asic.id)

    def _lost(self) -> list[Device]:
        return [
            device
            for device in self._poller
            if device.asic.mac is not None and (device.other_mac is not None or device.failures >= DEAD_AFTER)
        ]

    async def _identify_at_new_addresses(self, lost: Sequence[Device], macs: Mapping[str, str]) -> list[ScannedAsic]:
        """Identifies the lost ASICs whose MAC has another address in the ARP table."""
        lost_by_mac = {device.asic.mac: device for device in lost}
        asics = []
        for ip, mac in macs.items():
            device = lost_by_mac.get(mac)
            if device is None or ip == device.asic.ip:
                continue
            with using(device.login):
                identity = await identify_at(ip, _ports([device]))
            if isinstance(identity, Identity):
                asics.append(ScannedAsic(identity, identity.specs.mac or mac))
        return asics

    async def _search(self, lost: Sequence[Device]) -> list[ScannedAsic]:
        answering = {device.asic.ip for device in self._poller if device.asic.failure is None}
        networks = dict.fromkeys(ip.rpartition(".")[0] for ip in (device.asic.ip for device in lost) if "." in ip)
        addresses = [
            ip for part in list(networks)[:_NETWORKS_LIMIT] for ip in Network(f"{part}.0/24") if ip not in answering
        ]
        log.info("looking_for_asics missing=%d addresses=%d", len(lost), len(addresses))
        scan = Scan(addresses, len(addresses), ports=_ports(lost), at_once=_SEARCH_AT_ONCE, per_s=self._per_s)
        await scan.run()
        return scan.asics

    async def _move(self, lost: Sequence[Device], asics: Sequence[ScannedAsic]) -> None:
        """Stores the new addresses, and then polls the ASICs there. One may have been removed meanwhile."""
        devices = {device.asic.id: device for device in lost if device.asic.id in self._poller.devices}
        taken = {device.asic.ip: device.asic.id for device in self._poller}
        moved = relocations([device.asic for device in devices.values()], asics, taken)
        if not moved:
            return
        news = {key: relocation_text(devices[key].asic, to) for key, to in moved.items()}
        before = {key: devices[key].asic.ip for key in moved}
        addresses = {before[key]: to.ip for key, to in moved.items()}

        def write(db: sqlite3.Connection) -> None:
            store.move_asics(db, moved, news)
            move_logins(db, addresses)

        await self._write(write)
        for key, to in moved.items():
            if key in self._poller.devices:
                log.warning("asic_moved from=%s to=%s", before[key], to.ip)
                self._poller.moved(devices[key], to, news[key])


def _ports(devices: Sequence[Device]) -> list[int]:
    """Returns the ports to ask, if all devices have unusual ones; else nothing, for the dialects' own ports."""
    ports = {usual_port(device.asic.identity) for device in devices}
    return [] if None in ports else sorted(port for port in ports if port is not None)
