"""Brings the runs of playbooks into line with what is wanted: stops, removes, and only then installs and starts.

`decide` returns the steps; this file carries them out. Nothing here changes what is wanted.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec
from protocol.playbook_messages import Playbook, PlaybookState

from cpu_gpu_sentry.playbooks import folders as disk
from cpu_gpu_sentry.playbooks import runs, system
from cpu_gpu_sentry.playbooks.api_tokens import load_secret
from cpu_gpu_sentry.playbooks.decide import Discard, Forget, Install, Keep, Refuse, Running, Step, Stop, decide
from cpu_gpu_sentry.playbooks.packages import package_key
from cpu_gpu_sentry.playbooks.ports import free_port
from cpu_gpu_sentry.playbooks.run_state import RunState
from cpu_gpu_sentry.playbooks.runner import RunnerContext, run_playbook
from cpu_gpu_sentry.playbooks.runs import RunNote

_CANCEL_S = 60.0


class Convergence:
    """The runs of all playbooks of a rig, each with its state and its task."""

    def __init__(self, context: RunnerContext) -> None:
        self.run_states: dict[str, RunState] = {}
        self._context, self._folders = context, context.folders
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._earlier: dict[str, RunNote] = {}  # runs of before this start that have no state yet
        self._secret = b""

    async def find_earlier_runs(self) -> None:
        """Finds what runs since before this start. Ends what lost its keeper."""
        await self._context.call(self._find)

    def _find(self) -> None:
        self._secret = load_secret(self._folders.data_dir)
        disk.clean(self._folders)
        self._earlier = runs.find_running(self._folders)
        runs.end_strays(self._folders, list(self._earlier.values()))

    async def look_again(self) -> None:
        """Reads again what runs, after something could not be stopped."""
        self._earlier = await self._context.call(lambda: runs.find_running(self._folders))

    async def converge(self, wanted: Sequence[Playbook], held: Mapping[str, str], group: asyncio.TaskGroup) -> None:
        """Playbooks in `held`, or all if it has `*`, stay installed and stand still, for the reason there.

        Raises `SentryError`, `OSError` or `TimeoutError` if something can't be stopped or removed now.
        """
        wanted = [_with_hold(each, held) for each in wanted]
        installed, with_folder = await self._context.call(
            lambda: (disk.installed(self._folders), disk.playbooks_with_folder(self._folders))
        )
        steps = decide(wanted, self._running(), installed, with_folder, system.HERE)
        kept = {step.playbook_id for step in steps if isinstance(step, Keep)}
        await self._cancel([name for name in self._tasks if name not in kept])
        await self._context.call(lambda: self._clear(steps, wanted))
        before = {name: run for name, run in self.run_states.items() if name in kept}
        self.run_states = {each.id: self._run_state(each, before.get(each.id), held) for each in wanted}
        for run in self.run_states.values():
            if run.playbook.id not in self._tasks:
                self._begin(run, steps, group)
        self._earlier = {}

    async def stop(self) -> None:
        """Ends the tasks and forgets the runs. Processes go on."""
        await self._cancel(list(self._tasks))
        self.run_states, self._earlier = {}, {}

    def show_failure(self, wanted: Sequence[Playbook], reason: str) -> None:
        """Shows at each wanted playbook why it could not be brought into line."""
        for playbook in wanted:
            run = self.run_states.setdefault(playbook.id, RunState(playbook, 0, secret=self._secret))
            run.show(PlaybookState.FAILED, reason)

    def _running(self) -> dict[str, Running]:
        """Returns what runs or is on the way to a process, by playbook."""
        earlier = {name: runs.running_of(note) for name, note in self._earlier.items()}
        current = {name: run.running for name, run in self.run_states.items() if self._is_busy(name)}
        return earlier | {name: running for name, running in current.items() if running}

    def _is_busy(self, name: str) -> bool:
        """A playbook that was refused is tried again with the next news: its reason may have gone."""
        return name in self._tasks and not self._tasks[name].done()

    def _clear(self, steps: Sequence[Step], wanted: Sequence[Playbook]) -> None:
        """Stops all that is to stop, at once, then removes what is not wanted any longer."""
        stops = [step.playbook_id for step in steps if isinstance(step, Stop)]
        with system.held(self._folders.data_dir / runs.CHANGING):
            if stops:
                runs.end_runs(self._folders, stops)
            for step in steps:
                if isinstance(step, Forget):
                    disk.forget_playbook(self._folders, step.playbook_id)
                elif isinstance(step, Discard):
                    disk.discard_software(self._folders, step.key)
            disk.discard_downloads(self._folders, {package_key(each.package) for each in wanted})

    def _run_state(self, playbook: Playbook, before: RunState | None, held: Mapping[str, str]) -> RunState:
        """A kept run takes over the new name and revision."""
        if before is not None:
            before.playbook = playbook
            return before
        note = self._earlier.get(playbook.id)
        port = note.port if note else self._free_port()
        return RunState(playbook, port, secret=self._secret, hold_reason=_hold_reason(playbook, held))

    def _free_port(self) -> int:
        taken = {run.port for run in self.run_states.values()} | {note.port for note in self._earlier.values()}
        while (port := free_port()) in taken:
            pass
        return port

    def _begin(self, run: RunState, steps: Sequence[Step], group: asyncio.TaskGroup) -> None:
        name = run.playbook.id
        own = [step for step in steps if not isinstance(step, Discard) and step.playbook_id == name]
        refusal = next((step.reason for step in own if isinstance(step, Refuse)), None)
        if refusal is not None:
            run.show(PlaybookState.FAILED, refusal)
            return
        note = self._earlier.get(name)
        if note is not None and any(isinstance(step, Keep) for step in own):
            now_s = asyncio.get_running_loop().time()
            run.began(note, now_s, age_s=max(0.0, time.time() - note.started_at))
        must_install = any(isinstance(step, Install) for step in own)
        self._tasks[name] = group.create_task(run_playbook(self._context, run, must_install=must_install))

    async def _cancel(self, names: Sequence[str]) -> None:
        tasks = [self._tasks.pop(name) for name in names]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_S)


def _with_hold(playbook: Playbook, held: Mapping[str, str]) -> Playbook:
    """Returns the playbook as paused if this rig lets it stand still."""
    return msgspec.structs.replace(playbook, paused=True) if _hold_reason(playbook, held) else playbook


def _hold_reason(playbook: Playbook, held: Mapping[str, str]) -> str | None:
    return held.get(playbook.id) or held.get("*")
