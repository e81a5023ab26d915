"""What this rig mines for its commander: one run for each playbook, all of them changed in one place."""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import httpx
import msgspec
from protocol.messages import MinerReading
from protocol.playbook_messages import Playbook, PlaybooksStatus, PlaybookState
from protocol.tokens import Token
from sentry_kit.errors import SentryError
from sentry_kit.trust import plain_context

from cpu_gpu_sentry.miners.poll import poll
from cpu_gpu_sentry.playbooks import folders as disk
from cpu_gpu_sentry.playbooks import runs, store, system
from cpu_gpu_sentry.playbooks.api_tokens import load_secret
from cpu_gpu_sentry.playbooks.decide import Discard, Forget, Install, Keep, Refuse, Running, Step, Stop, decide
from cpu_gpu_sentry.playbooks.errors import failure_text
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.install import Pins
from cpu_gpu_sentry.playbooks.packages import package_key
from cpu_gpu_sentry.playbooks.ports import free_port
from cpu_gpu_sentry.playbooks.printed import read_printed
from cpu_gpu_sentry.playbooks.run_facts import RunFacts, run_facts
from cpu_gpu_sentry.playbooks.run_state import RunState, not_known_yet
from cpu_gpu_sentry.playbooks.runner import RunnerContext, run_playbook
from cpu_gpu_sentry.playbooks.runs import RunNote
from cpu_gpu_sentry.playbooks.unpack import Limits
from cpu_gpu_sentry.playbooks.wallets import look_at_wallets
from cpu_gpu_sentry.playbooks.watchdog import Patience
from cpu_gpu_sentry.removal import stop_and_delete_mining
from cpu_gpu_sentry.watches import Watch

log = logging.getLogger(__name__)

_CANCEL_S = 60.0
_AGAIN_S = 30.0
_SAVE_EVERY_S = 1.0
_PRINTED_EVERY_S = 5.0
_WALLETS_EVERY_S = 10.0
T = TypeVar("T")


class OnDisk(Protocol):
    """The store's thread."""

    async def __call__(self, function: Callable[[], T], /) -> T: ...


class Supervisor:
    """All playbooks of one rig. `changed` is called when there is news to show, `mines` when a miner mines."""

    def __init__(
        self,
        store_path: Path,
        db: sqlite3.Connection,
        on_disk: OnDisk,
        *,
        patience: Patience,
        changed: Callable[[], None],
        mines: Callable[[], None],
        limits: Limits | None = None,
    ) -> None:
        self.run_states: dict[str, RunState] = {}
        self.folders = Folders(store_path.parent)
        self.etag: str | None = None
        self.wanted: list[Playbook] | None = None  # None: not known
        self._db, self._on_disk, self._changed = db, on_disk, changed
        self._context = RunnerContext(
            self.folders, store_path, Pins(self._pinned, self._pin), patience, limits or Limits(),
            ask=self._ask, mines=mines, changed=changed,
        )  # fmt: skip
        self.held: dict[str, str] = {}  # the reasons why playbooks are to stand still, by id; * means all
        self.knows_earlier_runs = asyncio.Event()  # playbooks that ran before this start
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._found: dict[str, RunNote] = {}  # runs of before this start that have no state yet
        self._turn, self._news, self._secret = asyncio.Lock(), asyncio.Event(), b""
        self._http: httpx.AsyncClient | None = None

    async def take_wanted(self, token: Token, etag: str | None, body: bytes) -> bool:
        """The commander's news, kept before anything is done about them; False if they are none, or not for this
        token."""
        is_ours = await self._on_disk(lambda: store.save_wanted(self._db, token, etag, body))
        return is_ours and await self.reload()

    async def reload(self) -> bool:
        """Takes over what stands in the store; whether that is something new."""
        wanted = await self._on_disk(lambda: store.load_wanted(self._db))
        playbooks = wanted.playbooks if wanted else None
        self.etag = wanted.etag if wanted else None
        is_news = playbooks != self.wanted
        self.wanted = playbooks
        if is_news:
            self._news.set()
        return is_news

    @property
    def wanted_ids(self) -> frozenset[str] | None:
        """Returns the ids of all playbooks, paused ones too; None while they are not known."""
        return None if self.wanted is None else frozenset(each.id for each in self.wanted)

    def hold(self, reasons: Mapping[str, str]) -> None:
        """Lets these playbooks stand still, and no others; they stay installed. `*` means all of them."""
        if reasons != self.held:
            self.held = dict(reasons)
            self._news.set()

    def restart(self, playbook_id: str, reason: str) -> bool:
        """Wants another run. False if it does not run now."""
        run = self.run_states.get(playbook_id)
        if run is None or run.note is None:
            return False
        run.restart_reason = reason
        return True

    def run_facts(self) -> list[RunFacts]:
        """Returns the facts of the playbooks that are to run."""
        active = [run for run in self.run_states.values() if not run.playbook.paused]
        return [run_facts(run, self._now_s(), self._context.patience) for run in active]

    async def run(self) -> None:
        """For ever. What runs is left running at the end: the sentry's end is no reason to stop mining."""
        await self._try_to_find()
        if self.wanted is None:
            self.knows_earlier_runs.set()
        async with _http() as self._http, asyncio.TaskGroup() as group:
            group.create_task(self._save_status_for_ever())
            group.create_task(self._read_printed_for_ever())
            group.create_task(self._look_at_wallets_for_ever())
            while True:
                await self._news.wait()
                self._news.clear()
                async with self._turn:
                    await self._try_to_converge(group)
                self.knows_earlier_runs.set()

    async def _try_to_find(self) -> None:
        try:
            await self._context.call(self._find_running)
        except (SentryError, OSError, TimeoutError) as error:
            log.warning("playbooks_stuck %s", error)
            await self._look_again()

    def _find_running(self) -> None:
        self._secret = load_secret(self.folders.data_dir)
        disk.clean(self.folders)
        self._found = runs.find_running(self.folders)
        runs.end_strays(self.folders, list(self._found.values()))

    @property
    def has_left_anything(self) -> bool:
        """Whether there is something that a rig that is none any longer must not have."""
        return bool(self.wanted or self.run_states or disk.is_anything(self.folders))

    async def remove(self) -> None:
        """The rig was removed, or has left: stops and deletes all of it."""
        async with self._turn:
            await self._cancel(list(self._tasks))
            self.run_states, self._found = {}, {}
            await self._on_disk(lambda: store.want_nothing(self._db))
            self.etag, self.wanted = None, []
            self._news.clear()
            self.knows_earlier_runs.set()
            await self._context.call(lambda: stop_and_delete_mining(self.folders.data_dir))
        self._changed()

    async def _try_to_converge(self, group: asyncio.TaskGroup) -> None:
        try:
            await self._converge(group)
        except (SentryError, OSError, TimeoutError) as error:
            log.warning("playbooks_stuck %s", error)
            for playbook in self.wanted or []:
                run = self.run_states.setdefault(playbook.id, RunState(playbook, 0, secret=self._secret))
                run.show(PlaybookState.FAILED, failure_text(error))
            await self._look_again()
        self._changed()

    async def _look_again(self) -> None:
        """After something could not be stopped: nothing is started before that is clear."""
        asyncio.get_running_loop().call_later(_AGAIN_S, self._news.set)
        with contextlib.suppress(SentryError, OSError, TimeoutError):
            self._found = await self._context.call(lambda: runs.find_running(self.folders))

    async def _converge(self, group: asyncio.TaskGroup) -> None:
        if self.wanted is None:
            return
        wanted = [self._with_hold(each) for each in self.wanted]
        installed, known = await self._context.call(lambda: (disk.installed(self.folders), disk.known(self.folders)))
        steps = decide(wanted, self._running(), installed, known, system.HERE)
        kept = {step.playbook_id for step in steps if isinstance(step, Keep)}
        await self._cancel([name for name in self._tasks if name not in kept])
        await self._context.call(lambda: self._clear(steps, wanted))
        before = {name: run for name, run in self.run_states.items() if name in kept}
        self.run_states = {each.id: self._run_state(each, before.get(each.id)) for each in wanted}
        for run in self.run_states.values():
            if run.playbook.id not in self._tasks:
                self._begin(run, steps, group)
        self._found = {}

    def _with_hold(self, playbook: Playbook) -> Playbook:
        """Returns the playbook as paused if this rig lets it stand still."""
        return msgspec.structs.replace(playbook, paused=True) if self._hold_reason(playbook) else playbook

    def _hold_reason(self, playbook: Playbook) -> str | None:
        return self.held.get(playbook.id) or self.held.get("*")

    def _running(self) -> dict[str, Running]:
        """By process, or on the way to one."""
        run_states = {name: run.running for name, run in self.run_states.items() if self._is_busy(name)}
        found = {name: runs.running_of(note) for name, note in self._found.items()}
        return found | {name: running for name, running in run_states.items() if running}

    def _is_busy(self, name: str) -> bool:
        """One that was refused is tried again with the next news: somebody may have mended it elsewhere."""
        return name in self._tasks and not self._tasks[name].done()

    def _clear(self, steps: Sequence[Step], wanted: Sequence[Playbook]) -> None:
        """Stops all that is to stop, at once, then removes what is not wanted any longer."""
        stops = [step.playbook_id for step in steps if isinstance(step, Stop)]
        with system.held(self.folders.data_dir / runs.CHANGING):
            if stops:
                runs.end_runs(self.folders, stops)
            for step in steps:
                if isinstance(step, Forget):
                    disk.forget_playbook(self.folders, step.playbook_id)
                elif isinstance(step, Discard):
                    disk.discard_software(self.folders, step.key)
            disk.discard_downloads(self.folders, {package_key(each.package) for each in wanted})

    def _run_state(self, playbook: Playbook, before: RunState | None) -> RunState:
        """A kept one takes over the new name and revision."""
        if before is not None:
            before.playbook = playbook
            return before
        note = self._found.get(playbook.id)
        port, reason = note.port if note else self._free_port(), self._hold_reason(playbook)
        return RunState(playbook, port, secret=self._secret, hold_reason=reason)

    def _free_port(self) -> int:
        taken = {run.port for run in self.run_states.values()} | {note.port for note in self._found.values()}
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
        note = self._found.get(name)
        if note is not None and any(isinstance(step, Keep) for step in own):
            run.began(note, self._now_s(), age_s=max(0.0, time.time() - note.started_at))
        must_install = any(isinstance(step, Install) for step in own)
        self._tasks[name] = group.create_task(run_playbook(self._context, run, must_install=must_install))

    async def _cancel(self, names: Sequence[str]) -> None:
        tasks = [self._tasks.pop(name) for name in names]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_S)

    @property
    def watches(self) -> dict[str, Watch]:
        """Whose figures are to be read, by playbook."""
        return {name: watch for name, run in self.run_states.items() if (watch := run.watch)}

    def take_readings(self, readings: Mapping[str, MinerReading]) -> list[MinerReading]:
        """What was read, by playbook; the elements of the log, one for each that was ever started."""
        for name, reading in readings.items():
            run = self.run_states.get(name)
            if run is not None and run.note is not None:
                run.take(reading, self._now_s())
        found = [miner for run in self.run_states.values() if (miner := run.miner())]
        if self.knows_earlier_runs.is_set():
            return found
        return found + [not_known_yet(each) for each in self.wanted or [] if each.id not in self.run_states]

    def status(self) -> PlaybooksStatus:
        return PlaybooksStatus(playbooks=[run.status() for run in self.run_states.values()])

    async def _save_status_for_ever(self) -> None:
        """For the command `status`, which reads the store; a percent more is not worth writing."""
        saved: PlaybooksStatus | None = None
        while True:
            status = self.status()
            if saved is None or without_percents(status) != without_percents(saved):
                with contextlib.suppress(SentryError):
                    await self._save(status)
                    saved = status
            await asyncio.sleep(_SAVE_EVERY_S)

    async def _read_printed_for_ever(self) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                await read_printed(self.run_states, self.folders, self._context.read)
            await asyncio.sleep(_PRINTED_EVERY_S)

    async def _look_at_wallets_for_ever(self) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                if await look_at_wallets(list(self.run_states.values()), self.folders, self._context.read):
                    self._changed()
            await asyncio.sleep(_WALLETS_EVERY_S)

    async def _save(self, status: PlaybooksStatus) -> None:
        await self._on_disk(lambda: store.save_status(self._db, status))

    async def read_output(self, function: Callable[[], T]) -> T:
        """What reads what playbooks print."""
        return await self._context.read(function)

    async def _ask(self, watch: Watch) -> MinerReading:
        assert self._http is not None  # noqa: S101 - runs live while `run` does
        return await poll(self._http, watch)

    async def _pinned(self, url: str) -> str | None:
        return await self._on_disk(lambda: store.pinned(self._db, url))

    async def _pin(self, url: str, sha256: str) -> None:
        await self._on_disk(lambda: store.pin(self._db, url, sha256))

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def _http() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=4, keepalive_expiry=5)
    return httpx.AsyncClient(verify=plain_context(), trust_env=False, timeout=3, limits=limits)


def without_percents(status: PlaybooksStatus) -> list[object]:
    return [msgspec.structs.replace(each, percent=None) for each in status.playbooks]
