"""Carries out one playbook: installs its software, starts it, watches over it, and starts it again.

All that blocks is done in threads: one starts and ends processes, one downloads and unpacks, one reads what is printed.
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
from protocol.units import counted
from sentry_kit.errors import SentryError
from sentry_kit.worker import Worker

from cpu_gpu_sentry.playbooks import runs, store, system
from cpu_gpu_sentry.playbooks.errors import Refused, Trouble, disk_trouble, failure_text, next_try_text
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.install import Pins, install
from cpu_gpu_sentry.playbooks.miner_account import runs_as
from cpu_gpu_sentry.playbooks.miner_files import discard_if_not_own
from cpu_gpu_sentry.playbooks.output import last_lines
from cpu_gpu_sentry.playbooks.packages import software_key
from cpu_gpu_sentry.playbooks.ports import free_port, is_free
from cpu_gpu_sentry.playbooks.run_state import LAST_LINES, RunState
from cpu_gpu_sentry.playbooks.runs import RunNote, StartRequest
from cpu_gpu_sentry.playbooks.unpack import Limits
from cpu_gpu_sentry.playbooks.watchdog import FAILED_AFTER, Patience, ended_text, is_overdue, may_restart, wait_s
from cpu_gpu_sentry.watches import Watch

log = logging.getLogger(__name__)

_TICK_S = 1.0
_EAGER_S = 0.25  # a miner that has just been started is asked more often: people look at it
_EAGER_FOR_S = 20.0
_STEADY_S = 600.0  # a program that ran so long has not failed at its start
_PROCESSES_S = 120.0
_READ_S = 20.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunnerContext:
    """The parts that all runs of a rig share."""

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
        """Calls a function in the processes' thread."""
        return await self.processes.call(function, timeout_s=_PROCESSES_S)

    async def read(self, function: Callable[[], T]) -> T:
        """Calls a function in the output's thread, so that lines need not wait until a miner has ended."""
        return await self.output.call(function, timeout_s=_READ_S)

    def show(
        self, run: RunState, state: PlaybookState, reason: str | None = None, percent: float | None = None
    ) -> None:
        before = run.state, run.reason, _whole(run.percent)
        run.show(state, reason, percent)
        if before != (run.state, run.reason, _whole(run.percent)):
            self.changed()


def _whole(percent: float | None) -> int | None:
    return None if percent is None else int(percent)


async def run_playbook(context: RunnerContext, run: RunState, *, must_install: bool) -> None:
    """Runs a playbook until it is cancelled. A refusal ends it; after a failure it is tried again, each time later."""
    failures, failed_s = 0, _now_s()
    while True:
        try:
            await _prepare(context, run, must_install=must_install or failures > 0)
            if run.playbook.paused:
                context.show(run, PlaybookState.PAUSED, run.hold_reason)
                return
            await _mine(context, run)
        except Refused as error:
            context.show(run, PlaybookState.FAILED, str(error))
            log.warning("playbook_refused %s %s", run.playbook.id, error)
            return
        except (SentryError, OSError, TimeoutError) as error:
            failures, failed_s = (failures + 1 if _now_s() - failed_s < _STEADY_S else 1), _now_s()
            pause_s = _pause_s(failures)
            context.show(run, PlaybookState.FAILED, f"{failure_text(error)} {next_try_text(error, pause_s)}")
            log.warning("playbook_failed %s %s", run.playbook.id, error)
        else:
            pause_s = _pause_s(failures)
        await asyncio.sleep(pause_s)


def _pause_s(failures: int) -> float:
    return wait_s(failures) * (1 + random.random())  # noqa: S311 - spreads a farm's rigs


async def _prepare(context: RunnerContext, run: RunState, *, must_install: bool) -> None:
    """Installs the software: one installation after the other, in the operator's order."""
    package = run.playbook.package
    if must_install:
        async with context.installing:
            await install(
                package, context.folders, context.files, context.pins,
                lambda state, percent: context.show(run, state, percent=percent), context.limits,
                key=software_key(run.playbook),
            )  # fmt: skip
    if package.sha256 is None:
        run.pinned_sha256 = await context.pins.get(package.url)


async def _mine(context: RunnerContext, run: RunState) -> None:
    run.failures = 0
    while True:
        if run.note is None:
            context.show(run, PlaybookState.STARTING, run.reason)
            run.began(await _start(context, run), _now_s())
        reason = await _until_over(context, run)
        has_lasted = run.restart_reason is not None or _now_s() - run.started_s >= _STEADY_S
        run.failures, run.restart_reason = (1 if has_lasted else run.failures + 1), None
        pause_s = wait_s(run.failures)
        await _end_of_run(context, run, f"{reason} It is started again after {pause_s:.0f} s.")
        await asyncio.sleep(pause_s)
        context.show(run, PlaybookState.STARTING, f"Started again: {reason[0].lower()}{reason[1:]}")


async def _end_of_run(context: RunnerContext, run: RunState, reason: str) -> None:
    run.last_lines = await _last_lines(context, run)
    run.note = None
    run.restarts += 1
    context.show(run, PlaybookState.FAILED if run.failures >= FAILED_AFTER else PlaybookState.RESTARTING, reason)
    log.warning("playbook_restarts %s %s", run.playbook.id, reason)


async def _start(context: RunnerContext, run: RunState) -> RunNote:
    request = StartRequest(run.playbook, run.port, run.restarts, run.api_token)
    note = await context.call(lambda: start_now(context, request))
    log.info("playbook_started %s port=%d run=%s", run.playbook.id, note.port, note.run)
    return note


def start_now(context: RunnerContext, request: StartRequest) -> RunNote:
    """Starts the script, unless the rig has left meanwhile: `leave` holds the same lock."""
    folders = context.folders
    with disk_trouble(), system.held(folders.data_dir / runs.CHANGING):
        if not store.is_wanted(context.store_path, request.playbook.id):
            raise Refused("This playbook is not wanted any longer.")
        user, software = runs_as(folders.data_dir, wants_root=request.playbook.root), software_key(request.playbook)
        if user.account is None:
            discard_if_not_own(folders.software / software)
        if not (folders.software / software).is_dir():
            raise Trouble("The software is not there any longer; it is installed again.")
        runs.end_runs(folders, [request.playbook.id])  # what is left of an earlier run, and holds its port
        request = replace(request, user=user, port=request.port if is_free(request.port) else free_port())
        return runs.start(
            folders, request, runs.write_script(folders, request.playbook, request.port, request.api_token)
        )


async def _until_over(context: RunnerContext, run: RunState) -> str:
    """Supervises the run; returns why it is over."""
    note = run.note
    while note is not None:
        await asyncio.sleep(_TICK_S)
        if not await context.call(lambda: runs.is_running(context.folders, note)):
            break
        if run.restart_reason is not None:
            await context.call(lambda: end_now(context.folders, note.playbook_id))
            return run.restart_reason
        if _is_stuck(context, run):
            await context.call(lambda: end_now(context.folders, note.playbook_id))
            return f"For {context.patience.silent_s / 60:.0f} min {run.fault or 'it did not answer'}."
        judge(context, run)
        if run.state is PlaybookState.STARTING and _now_s() - run.started_s < _EAGER_FOR_S:
            await _ask_eagerly(context, run)
    return await _how_it_ended(context, run)


async def _ask_eagerly(context: RunnerContext, run: RunState) -> None:
    """Asks the miner several times within a second."""
    until_s = _now_s() + _TICK_S
    while (watch := run.watch) is not None and run.state is PlaybookState.STARTING and _now_s() < until_s:
        run.take(await context.ask(watch), _now_s())
        judge(context, run)
        await asyncio.sleep(_EAGER_S)


def end_now(folders: Folders, name: str) -> None:
    with system.held(folders.data_dir / runs.CHANGING):
        runs.end_runs(folders, [name])


async def _how_it_ended(context: RunnerContext, run: RunState) -> str:
    note = run.note
    ended = await context.call(lambda: runs.read_end(context.folders, note)) if note else None
    return f"It {ended_text(ended.code if ended else None)}, {_now_s() - run.started_s:.0f} s after its start."


def _is_stuck(context: RunnerContext, run: RunState) -> bool:
    """Returns whether to restart a miner that does nothing. After too many restarts it is only reported."""
    now_s, patience = _now_s(), context.patience
    if run.watch is None or run.is_beyond_restart or not is_overdue(now_s, run.started_s, run.patient_from_s, patience):
        return False
    if may_restart(now_s, run.restarts_s, patience):
        run.restarts_s = [*run.restarts_s[-9:], now_s]
        return True
    times = counted(patience.restarts_an_hour, "time")
    context.show(run, PlaybookState.FAILED, f"Restarted {times} in an hour, and still {run.fault or 'silent'}.")
    return False


def judge(context: RunnerContext, run: RunState) -> None:
    """Shows whether it mines now. A fault is shown at once; only later is it a reason for a restart."""
    if run.is_beyond_restart:
        if run.may_report(_now_s(), context.patience.no_job_s):
            run.shows_trouble = True
            context.show(run, run.state_in_trouble(_now_s()), f"{_reason(run)} A restart would not help.")
    elif run.fault is None and run.is_known_to_mine(_now_s()):
        if run.state is not PlaybookState.MINING:
            run.last_lines = []
            context.mines()
        run.shows_trouble = False
        context.show(run, PlaybookState.MINING)
    elif run.state is PlaybookState.MINING and run.fault:
        minutes = context.patience.silent_s / 60
        context.show(run, run.state, f"At the moment {run.fault}; after {minutes:.0f} min of that it is restarted.")
    elif run.shows_trouble:
        run.shows_trouble = False
        context.show(run, run.state)


def _reason(run: RunState) -> str:
    """Returns a sentence, with the miner's own words if there are some."""
    reason = run.reading.reason if run.reading else None
    return reason or f"At the moment {run.fault}."


async def _last_lines(context: RunnerContext, run: RunState) -> list[str]:
    name, note = run.playbook.id, run.note
    if note is None:
        return []
    return await context.read(lambda: last_lines(context.folders.of(name) / "output", note.run, LAST_LINES))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
