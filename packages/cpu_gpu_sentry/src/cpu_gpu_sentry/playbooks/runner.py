"""Carries out one playbook: installs its software, starts it, watches over it, and starts it again.

Whatever blocks is done in threads: one starts and ends processes, one downloads and unpacks, one reads what is printed.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from protocol.messages import MinerReading
from protocol.playbook_messages import PlaybookState
from sentry_kit.errors import SentryError
from sentry_kit.worker import Worker

from cpu_gpu_sentry.playbooks import runs, store, system
from cpu_gpu_sentry.playbooks.errors import Refused, Trouble, disk_trouble, failure_text, next_try_text
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.install import Pins, install
from cpu_gpu_sentry.playbooks.output import last_lines
from cpu_gpu_sentry.playbooks.packages import package_key
from cpu_gpu_sentry.playbooks.ports import free_port, is_free
from cpu_gpu_sentry.playbooks.run_state import LAST_LINES, Lane
from cpu_gpu_sentry.playbooks.runs import Begin, RunNote
from cpu_gpu_sentry.playbooks.unpack import Limits
from cpu_gpu_sentry.playbooks.watchdog import FAILED_AFTER, Patience, ended_text, is_overdue, may_restart, wait_s
from cpu_gpu_sentry.watches import Watch

log = logging.getLogger(__name__)

_TICK_S = 1.0
_EAGER_S = 0.25  # a miner that has just been started is asked more often: people look at it
_EAGER_FOR_S = 20.0
_STEADY_S = 600.0  # whoever ran so long has not failed at once
_PROCESSES_S = 120.0
_READ_S = 20.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Crew:
    """What all playbooks of a rig are carried out with."""

    folders: Folders
    store_path: Path
    pins: Pins
    patience: Patience
    limits: Limits
    ask: Callable[[Watch], Awaitable[MinerReading]]
    mines: Callable[[], None]  # called when a miner is seen to mine: now it is worth reporting
    changed: Callable[[], None]
    installing: asyncio.Lock = field(default_factory=asyncio.Lock)
    processes: Worker = field(default_factory=lambda: Worker("processes"))
    files: Worker = field(default_factory=lambda: Worker("files"))
    output: Worker = field(default_factory=lambda: Worker("output"))

    async def call(self, function: Callable[[], T]) -> T:
        """In the processes' thread."""
        return await self.processes.call(function, timeout_s=_PROCESSES_S)

    async def read(self, function: Callable[[], T]) -> T:
        """In the output's thread: what is told does not wait until a stubborn miner has ended."""
        return await self.output.call(function, timeout_s=_READ_S)

    def show(self, lane: Lane, state: PlaybookState, reason: str | None = None, percent: float | None = None) -> None:
        before = lane.state, lane.reason, _whole(lane.percent)
        lane.show(state, reason, percent)
        if before != (lane.state, lane.reason, _whole(lane.percent)):
            self.changed()


def _whole(percent: float | None) -> int | None:
    return None if percent is None else int(percent)


async def carry_out(crew: Crew, lane: Lane, *, must_install: bool) -> None:
    """Until it is cancelled. What is refused ends here; what fails is tried again, each time later."""
    failures, failed_s = 0, _now_s()
    while True:
        try:
            await _prepare(crew, lane, must_install=must_install or failures > 0)
            if lane.playbook.paused:
                crew.show(lane, PlaybookState.PAUSED)
                return
            await _mine(crew, lane)
        except Refused as error:
            crew.show(lane, PlaybookState.FAILED, str(error))
            log.warning("playbook_refused %s %s", lane.playbook.id, error)
            return
        except (SentryError, OSError, TimeoutError) as error:
            failures, failed_s = (failures + 1 if _now_s() - failed_s < _STEADY_S else 1), _now_s()
            pause_s = _pause_s(failures)
            crew.show(lane, PlaybookState.FAILED, f"{failure_text(error)} {next_try_text(error, pause_s)}")
            log.warning("playbook_failed %s %s", lane.playbook.id, error)
        else:
            pause_s = _pause_s(failures)
        await asyncio.sleep(pause_s)


def _pause_s(failures: int) -> float:
    return wait_s(failures) * (1 + random.random())  # noqa: S311 - spreads a farm's rigs


async def _prepare(crew: Crew, lane: Lane, *, must_install: bool) -> None:
    """One installation after the other, in the operator's order."""
    package = lane.playbook.package
    if must_install:
        async with crew.installing:
            await install(
                package, crew.folders, crew.files, crew.pins,
                lambda state, percent: crew.show(lane, state, percent=percent), crew.limits,
            )  # fmt: skip
    if package.sha256 is None:
        lane.pinned_sha256 = await crew.pins.get(package.url)


async def _mine(crew: Crew, lane: Lane) -> None:
    failures = 0
    while True:
        if lane.note is None:
            crew.show(lane, PlaybookState.STARTING, lane.reason)
            lane.began(await _start(crew, lane), _now_s())
        reason = await _until_over(crew, lane)
        failures = 1 if _now_s() - lane.started_s >= _STEADY_S else failures + 1
        pause_s = wait_s(failures)
        await _end_of_run(crew, lane, f"{reason} It is started again after {pause_s:.0f} s.", failures)
        await asyncio.sleep(pause_s)
        crew.show(lane, PlaybookState.STARTING, f"Started again: {reason[0].lower()}{reason[1:]}")


async def _end_of_run(crew: Crew, lane: Lane, reason: str, failures: int) -> None:
    lane.last_lines = await _last_lines(crew, lane)
    lane.note = None
    lane.restarts += 1
    crew.show(lane, PlaybookState.FAILED if failures >= FAILED_AFTER else PlaybookState.RESTARTING, reason)
    log.warning("playbook_restarts %s %s", lane.playbook.id, reason)


async def _start(crew: Crew, lane: Lane) -> RunNote:
    begin = Begin(lane.playbook, lane.port, lane.restarts, lane.api_token)
    note = await crew.call(lambda: start_now(crew, begin))
    log.info("playbook_started %s port=%d run=%s", lane.playbook.id, note.port, note.run)
    return note


def start_now(crew: Crew, begin: Begin) -> RunNote:
    """Unless the rig has left meanwhile: whoever leaves holds the same lock."""
    folders = crew.folders
    with disk_trouble(), system.held(folders.data_dir / runs.CHANGING):
        if not store.is_wanted(crew.store_path, begin.playbook.id):
            raise Refused("This playbook is not wanted any longer.")
        if not (folders.software / package_key(begin.playbook.package)).is_dir():
            raise Trouble("The software is not there any longer; it is installed anew.")
        runs.end_runs(folders, [begin.playbook.id])  # what is left of an earlier run, and holds its port
        if not is_free(begin.port):
            begin = replace(begin, port=free_port())
        return runs.start(folders, begin, runs.write_script(folders, begin.playbook, begin.port, begin.api_token))


async def _until_over(crew: Crew, lane: Lane) -> str:
    """Watches over what runs; why it is over."""
    note = lane.note
    while note is not None:
        await asyncio.sleep(_TICK_S)
        if not await crew.call(lambda: runs.is_running(crew.folders, note)):
            break
        if _is_stuck(crew, lane):
            await crew.call(lambda: end_now(crew.folders, note.playbook_id))
            return f"For {crew.patience.silent_s / 60:.0f} min {lane.fault or 'nothing was heard of it'}."
        judge(crew, lane)
        if lane.state is PlaybookState.STARTING and _now_s() - lane.started_s < _EAGER_FOR_S:
            await _ask_eagerly(crew, lane)
    return await _how_it_ended(crew, lane)


async def _ask_eagerly(crew: Crew, lane: Lane) -> None:
    """For a second."""
    until_s = _now_s() + _TICK_S
    while (watch := lane.watch) is not None and lane.state is PlaybookState.STARTING and _now_s() < until_s:
        lane.take(await crew.ask(watch), _now_s())
        judge(crew, lane)
        await asyncio.sleep(_EAGER_S)


def end_now(folders: Folders, name: str) -> None:
    with system.held(folders.data_dir / runs.CHANGING):
        runs.end_runs(folders, [name])


async def _how_it_ended(crew: Crew, lane: Lane) -> str:
    note = lane.note
    ended = await crew.call(lambda: runs.read_end(crew.folders, note)) if note else None
    return f"It {ended_text(ended.code if ended else None)}, {_now_s() - lane.started_s:.0f} s after its start."


def _is_stuck(crew: Crew, lane: Lane) -> bool:
    """Whether it is to be started again for doing nothing; too often, and it is only told about."""
    now_s, patience = _now_s(), crew.patience
    if lane.watch is None or lane.is_not_mended or not is_overdue(now_s, lane.started_s, lane.patient_from_s, patience):
        return False
    if may_restart(now_s, lane.restarts_s, patience):
        lane.restarts_s = [*lane.restarts_s[-9:], now_s]
        return True
    times = patience.restarts_an_hour
    crew.show(lane, PlaybookState.FAILED, f"Restarted {times} times in an hour, and still {lane.fault or 'silent'}.")
    return False


def judge(crew: Crew, lane: Lane) -> None:
    """Whether it mines now. A fault is told at once, and only later a reason to start it again."""
    if lane.is_not_mended:
        if lane.may_tell(_now_s(), crew.patience.no_job_s):
            lane.shows_trouble = True
            crew.show(lane, lane.state_in_trouble(_now_s()), f"{_reason(lane)} A restart would not help.")
    elif lane.fault is None and lane.is_known_to_mine(_now_s()):
        if lane.state is not PlaybookState.MINING:
            lane.last_lines = []
            crew.mines()
        lane.shows_trouble = False
        crew.show(lane, PlaybookState.MINING)
    elif lane.state is PlaybookState.MINING and lane.fault:
        minutes = crew.patience.silent_s / 60
        crew.show(lane, lane.state, f"At the moment {lane.fault}; after {minutes:.0f} min of that it is restarted.")
    elif lane.shows_trouble:
        lane.shows_trouble = False
        crew.show(lane, lane.state)


def _reason(lane: Lane) -> str:
    """Returns a sentence, with the miner's own words if there are some."""
    reason = lane.reading.reason if lane.reading else None
    return reason or f"At the moment {lane.fault}."


async def _last_lines(crew: Crew, lane: Lane) -> list[str]:
    name, note = lane.playbook.id, lane.note
    if note is None:
        return []
    return await crew.read(lambda: last_lines(crew.folders.of(name) / "output", note.run, LAST_LINES))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
