"""Supervises the playbooks of this rig: stores what is wanted, brings the runs into line with it, and reports them."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import httpx
import msgspec
from protocol.messages import MinerReading
from protocol.playbook_messages import Playbook, PlaybooksStatus
from protocol.tokens import Token
from sentry_kit.errors import SentryError
from sentry_kit.trust import plain_context

from cpu_gpu_sentry.miners.poll import poll
from cpu_gpu_sentry.playbooks import folders as disk
from cpu_gpu_sentry.playbooks import store
from cpu_gpu_sentry.playbooks.convergence import Convergence
from cpu_gpu_sentry.playbooks.errors import failure_text
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.install import Pins
from cpu_gpu_sentry.playbooks.printed import read_printed
from cpu_gpu_sentry.playbooks.run_facts import RunFacts, run_facts
from cpu_gpu_sentry.playbooks.run_state import RunState, not_known_yet
from cpu_gpu_sentry.playbooks.runner import RunnerContext
from cpu_gpu_sentry.playbooks.unpack import Limits
from cpu_gpu_sentry.playbooks.wallets import look_at_wallets
from cpu_gpu_sentry.playbooks.watchdog import Patience
from cpu_gpu_sentry.removal import stop_and_delete_mining
from cpu_gpu_sentry.watches import Watch

log = logging.getLogger(__name__)

_AGAIN_S = 30.0
_SAVE_EVERY_S = 1.0
_PRINTED_EVERY_S = 5.0
_WALLETS_EVERY_S = 10.0
T = TypeVar("T")


class OnDisk(Protocol):
    """The store's thread."""

    async def __call__(self, function: Callable[[], T], /) -> T: ...


class Supervisor:
    """All playbooks of one rig. `changed` is called when a status may have changed, `mines` when a miner begins to
    mine."""

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
        self.folders = Folders(store_path.parent)
        self.etag: str | None = None
        self.wanted: list[Playbook] | None = None  # None: not known
        self._db, self._on_disk, self._changed = db, on_disk, changed
        self._context = RunnerContext(
            self.folders, store_path, Pins(self._pinned, self._pin), patience, limits or Limits(),
            ask=self._ask, mines=mines, changed=changed,
        )  # fmt: skip
        self.held: dict[str, str] = {}  # the reasons why playbooks are to stand still, by id; * means all
        self._convergence = Convergence(self._context)
        self.knows_earlier_runs = asyncio.Event()  # playbooks that ran before this start
        self._turn, self._news = asyncio.Lock(), asyncio.Event()
        self._http: httpx.AsyncClient | None = None

    @property
    def run_states(self) -> dict[str, RunState]:
        """The state of each playbook's run, by playbook."""
        return self._convergence.run_states

    async def take_wanted(self, token: Token, etag: str | None, body: bytes) -> bool:
        """Stores what the commander wants, before anything is done about it.

        Returns whether it is news; False too if the sentry has another token by now.
        """
        is_ours = await self._on_disk(lambda: store.save_wanted(self._db, token, etag, body))
        return is_ours and await self.reload()

    async def reload(self) -> bool:
        """Takes over the playbooks in the store. Returns whether they differ from those before."""
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
        now_s = asyncio.get_running_loop().time()
        active = [run for run in self.run_states.values() if not run.playbook.paused]
        return [run_facts(run, now_s, self._context.patience) for run in active]

    async def run(self) -> None:
        """Runs for ever. At its end, miners go on: the end of the sentry is no reason to stop mining."""
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
            await self._convergence.find_earlier_runs()
        except (SentryError, OSError, TimeoutError) as error:
            log.warning("playbooks_stuck %s", error)
            await self._look_again()

    @property
    def has_left_anything(self) -> bool:
        """Returns whether there is something that a removed rig must not have."""
        return bool(self.wanted or self.run_states or disk.is_anything(self.folders))

    async def remove(self) -> None:
        """The rig was removed, or has left: stops and deletes all of it."""
        async with self._turn:
            await self._convergence.stop()
            await self._on_disk(lambda: store.want_nothing(self._db))
            self.etag, self.wanted = None, []
            self._news.clear()
            self.knows_earlier_runs.set()
            await self._context.call(lambda: stop_and_delete_mining(self.folders.data_dir))
        self._changed()

    async def _try_to_converge(self, group: asyncio.TaskGroup) -> None:
        try:
            if self.wanted is not None:
                await self._convergence.converge(self.wanted, self.held, group)
        except (SentryError, OSError, TimeoutError) as error:
            log.warning("playbooks_stuck %s", error)
            self._convergence.show_failure(self.wanted or [], failure_text(error))
            await self._look_again()
        self._changed()

    async def _look_again(self) -> None:
        """Tries again later, after something could not be stopped. Until then nothing is started."""
        asyncio.get_running_loop().call_later(_AGAIN_S, self._news.set)
        with contextlib.suppress(SentryError, OSError, TimeoutError):
            await self._convergence.look_again()

    @property
    def watches(self) -> dict[str, Watch]:
        """The miners whose metrics are to be read, by playbook."""
        return {name: watch for name, run in self.run_states.items() if (watch := run.watch)}

    def take_readings(self, readings: Mapping[str, MinerReading]) -> list[MinerReading]:
        """Takes over what was read, by playbook. Returns the elements of the log, one for each miner ever started."""
        for name, reading in readings.items():
            run = self.run_states.get(name)
            if run is not None and run.note is not None:
                run.take(reading, asyncio.get_running_loop().time())
        miners = [miner for run in self.run_states.values() if (miner := run.miner())]
        if self.knows_earlier_runs.is_set():
            return miners
        return miners + [not_known_yet(each) for each in self.wanted or [] if each.id not in self.run_states]

    def status(self) -> PlaybooksStatus:
        return PlaybooksStatus(playbooks=[run.status() for run in self.run_states.values()])

    async def _save_status_for_ever(self) -> None:
        """Stores the status for the command `status`, except for a changed percentage alone."""
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
        """Calls a function in the thread that reads what playbooks print."""
        return await self._context.read(function)

    async def _ask(self, watch: Watch) -> MinerReading:
        assert self._http is not None  # noqa: S101 - runs live while `run` does
        return await poll(self._http, watch)

    async def _pinned(self, url: str) -> str | None:
        return await self._on_disk(lambda: store.pinned(self._db, url))

    async def _pin(self, url: str, sha256: str) -> None:
        await self._on_disk(lambda: store.pin(self._db, url, sha256))


def _http() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=4, keepalive_expiry=5)
    return httpx.AsyncClient(verify=plain_context(), trust_env=False, timeout=3, limits=limits)


def without_percents(status: PlaybooksStatus) -> list[object]:
    return [status.refused, *(msgspec.structs.replace(each, percent=None) for each in status.playbooks)]
