"""Brings the newest lines of the sentry's log, the kernel's, and what playbooks print."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from protocol.command_messages import CommandArguments, FetchedLog

from cpu_gpu_sentry.ladder.sources import Sources
from cpu_gpu_sentry.playbooks.output import last_lines
from cpu_gpu_sentry.playbooks.supervisor import Supervisor

_LINES = 500
_MOST_CHARACTERS = 200_000  # of one log


async def fetch_log(
    arguments: CommandArguments, own_lines: Sequence[str], sources: Sources, supervisor: Supervisor
) -> list[FetchedLog]:
    """Returns all logs, or only the output of the playbook that was chosen."""
    most = arguments.lines or _LINES
    chosen = arguments.playbook_id
    names = [name for name in supervisor.run_states if chosen in (None, name)]
    printed = await supervisor.read_output(
        lambda: {name: _printed(supervisor.folders.of(name), most) for name in names}
    )
    outputs = [FetchedLog(source="output", playbook_id=name, lines=lines) for name, lines in printed.items()]
    if chosen is not None:
        return outputs
    kernel = await sources.kernel_lines() or []
    return [
        FetchedLog(source="sentry", lines=_newest(own_lines, most)),
        FetchedLog(source="kernel", lines=_newest((f"[{each.at_s:12.6f}] {each.text}" for each in kernel), most)),
        *outputs,
    ]


def _printed(folder: Path, most: int) -> list[str]:
    return _newest(last_lines(folder / "output", None, most), most)


def _newest(lines: Iterable[str], most: int) -> list[str]:
    """Returns the newest lines, as many as fit."""
    newest: list[str] = []
    room = _MOST_CHARACTERS
    for line in reversed(list(lines)[-most:]):
        room -= len(line)
        if room < 0:
            break
        newest.append(line[:2000])
    return newest[::-1]
