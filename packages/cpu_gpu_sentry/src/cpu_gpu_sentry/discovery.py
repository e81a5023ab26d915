"""Finds miners that already run on this machine: by the names of their processes, and by the usual ports.

Only loopback addresses are asked. Miners of playbooks are left out: the sentry reports them anyway.
"""

import asyncio
import ipaddress
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import httpx
import psutil
from protocol.messages import MinerReading, MinerTrouble

from cpu_gpu_sentry.miners.ask import NoAnswer
from cpu_gpu_sentry.miners.drift import drift
from cpu_gpu_sentry.miners.poll import read
from cpu_gpu_sentry.miners.questions import Line
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.miners.usual import USUAL
from cpu_gpu_sentry.playbooks.processes import is_of_a_playbook
from cpu_gpu_sentry.watches import Watch

_AT_ONCE = 8
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - the addresses that a miner listens on
_ORDER = {software: position for position, software in enumerate(SOFTWARE)}


@dataclass(frozen=True, slots=True)
class MinerProcess:
    """A process with the name of a mining software. `listens`: hosts and ports of its API that can be asked."""

    pid: int
    program: str
    software: tuple[str, ...]
    listens: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FoundMiner:
    """A miner that answered. `reading` is None if it answers only to an access token."""

    watch: Watch
    reading: MinerReading | None
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A port and the software that may answer there. `process` is known to listen there."""

    host: str
    port: int
    software: tuple[str, ...]
    process: MinerProcess | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One software's reading of what answers at a port, with the answers themselves."""

    watch: Watch
    reading: MinerReading
    replies: Sequence[bytes]


def miner_processes() -> list[MinerProcess]:
    """Returns the processes of this machine that are named like mining software, without those of playbooks."""
    found = []
    for process in psutil.process_iter():
        try:
            program = process.name().lower().removesuffix(".exe")
            software = tuple(each for each, usual in USUAL.items() if program in usual.programs)
            if software and not is_of_a_playbook(process):
                found.append(MinerProcess(process.pid, program, software, tuple(_listens(process))))
        except (psutil.Error, OSError):
            continue  # it has ended
    return found


def _listens(process: psutil.Process) -> Iterator[tuple[str, int]]:
    """Yields where it can be asked; nothing if this user may not see that."""
    try:
        connections = process.net_connections("tcp")
    except (psutil.Error, OSError):
        return
    for each in connections:
        if each.status == psutil.CONN_LISTEN and (host := _loopback(each.laddr.ip)) is not None:
            yield host, each.laddr.port


def _loopback(address: str) -> str | None:
    """Returns the loopback address of a listening one; None if only other machines' addresses reach it."""
    if address in _EVERYWHERE:
        return "127.0.0.1"
    return address if ipaddress.ip_address(address).is_loopback else None


def candidates(processes: Sequence[MinerProcess], taken: Collection[int]) -> list[Candidate]:
    """Returns what to ask: the ports of known processes, then the usual ports. `taken` are ports to leave out."""
    found = {
        port: Candidate(host, port, process.software, process)
        for process in processes
        for host, port in process.listens
        if port not in taken
    }
    usual = dict.fromkeys(port for each in USUAL.values() for port in each.ports if port not in taken)
    for port in usual:
        software = tuple(each for each, about in USUAL.items() if port in about.ports)
        found.setdefault(port, Candidate("127.0.0.1", port, software))
    return list(found.values())


async def discover(asked: Sequence[Candidate], access_token: str | None = None) -> list[FoundMiner]:
    """Asks all candidates; returns the miners, by port. The token is sent only where an API asks for one."""
    free = asyncio.Semaphore(_AT_ONCE)
    found: list[FoundMiner] = []
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as group:

        async def one(candidate: Candidate) -> None:
            async with free:
                if miner := await _ask(http, candidate, access_token):
                    found.append(miner)

        for candidate in asked:
            group.create_task(one(candidate))
    return sorted(found, key=lambda each: each.watch.port)


async def _ask(http: httpx.AsyncClient, candidate: Candidate, token: str | None) -> FoundMiner | None:
    tries = [await _try(http, candidate, software, token) for software in candidate.software]
    pid = candidate.process.pid if candidate.process else None
    if answers := [each for each in tries if isinstance(each, Answer)]:
        best = best_answer(answers)
        return FoundMiner(best.watch, best.reading, pid=pid)
    refused = next((each for each in tries if each is not None and pid is not None), None)
    return replace(refused, pid=pid) if isinstance(refused, FoundMiner) else None


async def _try(
    http: httpx.AsyncClient, candidate: Candidate, software: str, token: str | None
) -> Answer | FoundMiner | None:
    """Returns the reading, or the miner that wants a token; None if the answer is not that of this software."""
    watch = Watch(software, candidate.port, candidate.host)
    try:
        try:
            return Answer(watch, *await read(http, watch))
        except NoAnswer as error:
            if token is None or not _may_want_a_token(error, watch, candidate):
                raise
            watch = replace(watch, access_token=token)
            return Answer(watch, *await read(http, watch))
    except NoAnswer as error:
        return FoundMiner(watch, None) if error.trouble is MinerTrouble.ACCESS_DENIED else None


def _may_want_a_token(error: NoAnswer, watch: Watch, candidate: Candidate) -> bool:
    """HTTP says so. Claymore and PhoenixMiner do not answer, so only a known process of theirs gets the token."""
    is_over_tcp = isinstance(SOFTWARE[watch.software].questions[0], Line)
    return error.trouble is MinerTrouble.ACCESS_DENIED or (is_over_tcp and candidate.process is not None)


def best_answer(answers: Sequence[Answer]) -> Answer:
    """Returns the reading of the software that really answers: its mark is in the answer, and no key is strange."""

    def strangeness(answer: Answer) -> tuple[int, bool, int]:
        software, text = answer.watch.software, b"".join(answer.replies).lower()
        mark = USUAL[software].mark
        drifts = drift(SOFTWARE[software], answer.reading, answer.replies) is not None
        by_mark = 1 if mark is None else 0 if mark in text else 2
        return by_mark, drifts, _ORDER[software]

    return min(answers, key=strangeness)
