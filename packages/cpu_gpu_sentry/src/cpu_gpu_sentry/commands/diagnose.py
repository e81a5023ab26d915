"""Asks this rig the fixed questions of `diagnose`. What can't be answered in time is unknown."""

import asyncio
import platform
import shutil
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil
from protocol.command_messages import Finding
from protocol.messages import CpuGpuSpecs, GpuReading
from protocol.playbook_messages import Playbook
from sentry_kit.errors import SentryError
from sentry_kit.read_only import is_read_only

from cpu_gpu_sentry.commands import findings
from cpu_gpu_sentry.ladder.card_faults import is_about_cards
from cpu_gpu_sentry.ladder.reach import can_connect, pool_endpoint, url_endpoint
from cpu_gpu_sentry.ladder.sources import Sources

_RESOLVE_S = 5.0
_CLOCK_S = 10.0


@dataclass(frozen=True, slots=True)
class Rig:
    """The facts about the rig that `diagnose` needs."""

    data_dir: Path
    commander_url: str | None
    playbooks: list[Playbook]
    gpus: list[GpuReading]
    specs: CpuGpuSpecs | None
    expected_cards: frozenset[str]
    sentry_version: str


async def diagnose(rig: Rig, sources: Sources, clock_ahead_s: Callable[[], Awaitable[float | None]]) -> list[Finding]:
    """Returns all answers, worst first."""
    async with asyncio.TaskGroup() as group:
        clock = group.create_task(_clock(clock_ahead_s))
        names = group.create_task(_name_resolution(rig))
        pools = [group.create_task(_pool(each, pool)) for each in rig.playbooks for pool in _pools(each)]
        cards = group.create_task(_cards(rig, sources))
        kernel = group.create_task(_kernel(sources))
    return findings.worst_first(
        [
            _disk(rig.data_dir),
            _memory(),
            clock.result(),
            names.result(),
            *(each.result() for each in pools),
            *cards.result(),
            *kernel.result(),
            *_versions(rig),
        ]
    )


def _disk(data_dir: Path) -> Finding:
    try:
        usage = shutil.disk_usage(data_dir)
    except OSError:
        return findings.disk(None, None, is_read_only=False)
    return findings.disk(usage.free, usage.total, is_read_only=is_read_only(data_dir))


def _memory() -> Finding:
    try:
        usage = psutil.virtual_memory()
    except (OSError, ValueError):
        return findings.memory(None, None)
    return findings.memory(int(usage.available), int(usage.total))


async def _clock(clock_ahead_s: Callable[[], Awaitable[float | None]]) -> Finding:
    try:
        async with asyncio.timeout(_CLOCK_S):
            return findings.clock(await clock_ahead_s())
    except (SentryError, OSError, TimeoutError):
        return findings.clock(None)


async def _name_resolution(rig: Rig) -> Finding:
    endpoints = [pool_endpoint(pool) for each in rig.playbooks for pool in _pools(each)]
    endpoints.append(url_endpoint(rig.commander_url) if rig.commander_url else None)
    hosts = sorted({each[0] for each in endpoints if each is not None})
    async with asyncio.TaskGroup() as group:
        tries = {host: group.create_task(_resolves(host)) for host in hosts}
    return findings.name_resolution({host: each.result() for host, each in tries.items()})


async def _resolves(host: str) -> bool:
    try:
        async with asyncio.timeout(_RESOLVE_S):
            return bool(await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, TimeoutError, UnicodeError):
        return False


def _pools(playbook: Playbook) -> Iterable[str]:
    return dict.fromkeys(work.pool for work in playbook.works if work.pool)


async def _pool(playbook: Playbook, pool: str) -> Finding:
    endpoint = pool_endpoint(pool)
    if endpoint is None:
        return findings.pool(playbook.name, pool, None, has_port=False)
    began_s = time.monotonic()
    is_reached = await can_connect(endpoint)
    took_ms = 1000 * (time.monotonic() - began_s) if is_reached else None
    return findings.pool(playbook.name, pool, took_ms, has_port=True)


async def _cards(rig: Rig, sources: Sources) -> list[Finding]:
    on_bus = await sources.cards_on_bus()
    known = [each for each in rig.gpus if not each.is_lost and each != GpuReading(pci_address=each.pci_address)]
    reporting = {each.pci_address for each in known}
    missing = rig.expected_cards - on_bus if on_bus is not None else frozenset[str]()
    return findings.cards(on_bus, reporting, missing)


async def _kernel(sources: Sources) -> list[Finding]:
    lines = await sources.kernel_lines()
    about_cards = None if lines is None else [each.text for each in lines if is_about_cards(each.text)]
    return findings.kernel_lines(about_cards)


def _versions(rig: Rig) -> list[Finding]:
    drivers = {each.driver_version for each in (rig.specs.gpus if rig.specs else []) if each.driver_version}
    return [
        findings.version("Sentry", rig.sentry_version),
        findings.version("Operating system:", rig.specs.os if rig.specs else None),
        findings.version("Python", platform.python_version()),
        *(findings.version("NVIDIA driver", each) for each in sorted(drivers)),
        *(findings.version(f"“{each.name}”: {each.package.software}", each.package.version) for each in rig.playbooks),
    ]
