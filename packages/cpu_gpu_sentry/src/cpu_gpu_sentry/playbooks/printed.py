"""The newest lines that each playbook has printed, for the local page and for the trouble that they explain."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.output import last_lines
from cpu_gpu_sentry.playbooks.run_state import LAST_LINES, RunState

T = TypeVar("T")


class InThread(Protocol):
    async def __call__(self, function: Callable[[], T], /) -> T: ...


async def read_printed(run_states: Mapping[str, RunState], folders: Folders, in_thread: InThread) -> None:
    """Stores for each run what it has printed last."""
    ids = {name: run.note.run for name, run in run_states.items() if run.note is not None}
    printed = await in_thread(
        lambda: {name: last_lines(folders.of(name) / "output", run_id, LAST_LINES) for name, run_id in ids.items()}
    )
    for name, run_id in ids.items():
        run = run_states.get(name)
        if run is not None and run.note is not None and run.note.run == run_id:
            run.printed = printed[name]
