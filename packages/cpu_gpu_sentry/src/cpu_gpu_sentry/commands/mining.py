"""The commands about mining: start it, stop it, restart a playbook."""

import asyncio
from collections.abc import Callable, Collection

from protocol.command_messages import Command
from protocol.playbook_messages import PlaybookState

from cpu_gpu_sentry.commands.result import Result, done, failed
from cpu_gpu_sentry.ladder.ladder import Ladder
from cpu_gpu_sentry.playbooks.run_state import RunState
from cpu_gpu_sentry.playbooks.supervisor import Supervisor

_LIMIT_S = 90.0  # a miner has 10 s to end by itself, and there may be many
_LOOK_EVERY_S = 0.2


async def restart_playbook(supervisor: Supervisor, ladder: Ladder, command: Command) -> Result:
    """Ends the run of one playbook, or of all, and waits for the next one."""
    await _until(supervisor.knows_earlier_runs.is_set)
    chosen = command.arguments.playbook_id if command.arguments else None
    if chosen is not None and chosen not in supervisor.run_states:
        return failed(f"This rig has no playbook {chosen}.")
    runs = [each for each in supervisor.run_states.values() if chosen in (None, each.playbook.id)]
    before = {each.playbook.id: each.note.run for each in runs if each.note is not None}
    if not before:
        return failed(_why_nothing_runs(runs))
    await ladder.person_restarted(before)
    for name in before:
        supervisor.restart(name, f"Restarted by a command{_because(command)}.")
    if await _until(lambda: all(_has_restarted(supervisor, name, run) for name, run in before.items())):
        return done(f"Restarted {_names(runs, before)}.")
    late = [name for name, run in before.items() if not _has_restarted(supervisor, name, run)]
    return failed(f"{_names(runs, late)} did not start again within {_LIMIT_S:.0f} s.")


def _has_restarted(supervisor: Supervisor, name: str, run: str) -> bool:
    state = supervisor.run_states.get(name)
    return state is not None and state.note is not None and state.note.run != run


async def stop_mining(supervisor: Supervisor, ladder: Ladder) -> Result:
    await _until(supervisor.knows_earlier_runs.is_set)
    running = [each.playbook.id for each in supervisor.run_states.values() if each.note is not None]
    runs = list(supervisor.run_states.values())
    await ladder.stop_mining()
    if not await _until(lambda: _stands_still(supervisor)):
        return failed(f"Not everything has ended within {_LIMIT_S:.0f} s.")
    stopped = f"Stopped {_names(runs, running)}" if running else "Nothing was mining"
    return done(f"{stopped}. Nothing starts until somebody starts mining.")


def _stands_still(supervisor: Supervisor) -> bool:
    runs = supervisor.run_states.values()
    return all(each.note is None and each.playbook.paused for each in runs)


async def start_mining(supervisor: Supervisor, ladder: Ladder) -> Result:
    """Takes back what a person, or the ladder, has stopped."""
    await _until(supervisor.knows_earlier_runs.is_set)
    wanted = supervisor.wanted or []
    if not wanted:
        return failed("This rig has no playbooks; make one on its page.")
    if all(each.paused for each in wanted):
        return failed("All playbooks of this rig are paused in the commander; resume one there.")
    await ladder.start_mining()
    names = [each.id for each in wanted if not each.paused]
    await _until(lambda: all(_is_on_its_way(supervisor, name) for name in names))
    starting = [each for each in supervisor.run_states.values() if each.playbook.id in names and each.note is None]
    if not starting:
        return done(f"Mining runs: {_names(list(supervisor.run_states.values()), names)}.")
    return done(f"Mining starts; not yet: {_names(starting, names)} ({_state(starting[0])}).")


def _is_on_its_way(supervisor: Supervisor, name: str) -> bool:
    """Returns whether a playbook runs, or shows why it does not yet."""
    state = supervisor.run_states.get(name)
    if state is None or state.playbook.paused:
        return False
    return state.note is not None or state.state in (PlaybookState.DOWNLOADING, PlaybookState.FAILED)


def _state(run: RunState) -> str:
    return (run.reason or run.state.value).rstrip(".")


def _why_nothing_runs(runs: list[RunState]) -> str:
    if not runs:
        return "This rig has no playbooks; make one on its page."
    return f"“{runs[0].playbook.name}” does not run now: {_state(runs[0])}."


def _names(runs: list[RunState], ids: Collection[str]) -> str:
    chosen = [f"“{each.playbook.name}”" for each in runs if each.playbook.id in ids]
    return " and ".join(chosen) or "nothing"


def _because(command: Command) -> str:
    return f" ({command.reason})" if command.reason else ""


async def _until(condition: Callable[[], bool]) -> bool:
    """Returns whether the condition has come true in time."""
    try:
        async with asyncio.timeout(_LIMIT_S):
            while not condition():  # noqa: ASYNC110 - it depends on several things
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        return False
    return True
