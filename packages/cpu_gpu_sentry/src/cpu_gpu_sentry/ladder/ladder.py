"""The ladder at work: looks at the rig every ten seconds, notes what it will do, and does it.

A step and its event are in the store before anything happens. A kill in between costs the step, and never repeats it.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace
from protocol.command_messages import LadderAct, LadderEvent, LadderSettings
from protocol.messages import CpuReading, GpuReading, MinerReading
from sentry_kit import store as kit_store
from sentry_kit.errors import SentryError

from cpu_gpu_sentry.ladder import store
from cpu_gpu_sentry.ladder.events import event_of, new_event
from cpu_gpu_sentry.ladder.expected_cards import ExpectedCards
from cpu_gpu_sentry.ladder.facts import Facts
from cpu_gpu_sentry.ladder.gather import changed_playbooks, playbook_facts, temperatures, usual_after
from cpu_gpu_sentry.ladder.history import History, limits_changed, noted, restarted_by_person, started_by_person
from cpu_gpu_sentry.ladder.next_step import next_step
from cpu_gpu_sentry.ladder.observe import observed
from cpu_gpu_sentry.ladder.reach import Endpoint, any_reachable
from cpu_gpu_sentry.ladder.rig_clock import noted_now
from cpu_gpu_sentry.ladder.sources import Boot, Sources
from cpu_gpu_sentry.ladder.steps import MarkLost, Reboot, RestartPlaybook, Step, StopForGood, StopHot
from cpu_gpu_sentry.ladder.store import LadderState, StoredEvent
from cpu_gpu_sentry.machine.power import Power, PowerAct
from cpu_gpu_sentry.playbooks.run_facts import RunFacts
from cpu_gpu_sentry.playbooks.supervisor import OnDisk, Supervisor

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 10.0
_SAVE_EVERY_S = 300.0
_SHOWN_EVENTS = 10
_PERSON = "stopped by a person; start mining to go on"


@dataclass(frozen=True, slots=True)
class Readings:
    """The newest readings of the sentry."""

    cpu: CpuReading | None
    gpus: list[GpuReading]
    miners: list[MinerReading]


@dataclass(frozen=True, slots=True)
class Hosts:
    """The pools of the playbooks, and a second host: the commander."""

    pools: frozenset[Endpoint]
    others: frozenset[Endpoint]


class Ladder:
    """The ladder of one rig. `changed` is called when there is news to report or to show.

    `reboot_veto` is that of `Facts`.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        on_disk: OnDisk,
        supervisor: Supervisor,
        power: Power,
        *,
        sources: Sources,
        readings: Callable[[], Awaitable[Readings]],
        hosts: Callable[[], Hosts],
        changed: Callable[[], None],
        reboot_veto: str | None,
    ) -> None:
        self.state, self.settings = store.load_state(db), store.load_settings(db)
        self.newest_events = store.newest_events(db, _SHOWN_EVENTS)  # newest first
        self._db, self._on_disk, self._supervisor, self._power = db, on_disk, supervisor, power
        self._sources, self._readings, self._hosts, self._changed = sources, readings, hosts, changed
        self._reboot_veto = reboot_veto
        self._turn = asyncio.Lock()
        self._saved_s = float("-inf")
        self._group: asyncio.TaskGroup | None = None
        self._supervisor.hold(self.holds())

    @property
    def history(self) -> History:
        return self.state.history

    @property
    def may_reboot(self) -> bool:
        return self.settings.reboots and self._reboot_veto is None

    def now_s(self) -> float:
        """Returns the time by the rig's own clock."""
        boot = self._sources.boot()
        return noted_now(self.state.clock, boot.id, boot.age_s).now_s

    def holds(self) -> dict[str, str]:
        """Returns the reasons why playbooks are to stand still, by id; `*` means all of them."""
        if self.history.stopped_by_person:
            return {"*": _PERSON}
        gave_up = {each.subject: each.reason for each in self.history.gave_up}
        holds = {each.playbook_id: each.resume_at_c for each in self.history.holds}
        return {name: gave_up.get(name, _held_text(resume_at_c)) for name, resume_at_c in holds.items()}

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as self._group:
            while True:
                try:
                    await self.look()
                except SentryError as error:
                    log.warning("ladder %s", error)  # the store can't be written now: nothing is done either
                await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> Step | None:
        """Looks at the rig once, and begins the step that follows."""
        async with self._turn:
            boot = self._sources.boot()
            runs = self._supervisor.run_facts()
            before = self._clocked(boot)
            now_s = before.clock.now_s
            present = await self._sources.cards_on_bus()
            cards = _expected_cards(before, present, boot)
            usual = usual_after(before.usual, runs, self._supervisor.wanted_ids, now_s)
            facts = await self._facts(runs, replace(before, usual=usual, cards=cards), present, boot)
            changed = changed_playbooks(before.usual, runs)
            history = observed(facts, _restarted(before.history, changed), self.settings, now_s)
            step = next_step(facts, history, self.settings, now_s)
            after = replace(before, usual=usual, cards=cards, history=history)
            await (self._take(step, after, boot) if step is not None else self._keep(after))
        if step is not None:
            await self._begin(step, boot)
        return step

    def _clocked(self, boot: Boot) -> LadderState:
        return replace(self.state, clock=noted_now(self.state.clock, boot.id, boot.age_s))

    async def _facts(
        self, runs: Iterable[RunFacts], state: LadderState, present: frozenset[str] | None, boot: Boot
    ) -> Facts:
        readings = await self._readings()
        playbooks = tuple(playbook_facts(each, state.usual.get(each.id)) for each in runs)
        facts = Facts(
            boot_id=boot.id,
            boot_age_s=boot.age_s,
            reboot_veto=self._reboot_veto,
            playbooks=playbooks,
            missing_cards=state.cards.addresses - present if present is not None else frozenset(),
            card_faults=await self._sources.recent_faults(boot.age_s),
            temperatures=temperatures(readings.cpu, readings.gpus, readings.miners),
        )
        return await self._with_network(facts, state.history)

    async def _with_network(self, facts: Facts, history: History) -> Facts:
        """Tries the pools and a second host only while something is wrong: a healthy rig asks no host."""
        is_well = not (history.slow_since_s or facts.missing_cards or facts.card_faults)
        if is_well and not any(each.exhausted for each in facts.playbooks):
            return facts
        hosts = self._hosts()
        async with asyncio.TaskGroup() as group:
            pools, others = (group.create_task(any_reachable(each)) for each in (hosts.pools, hosts.others))
        return facts.with_reach(pools.result(), others.result())

    async def _keep(self, state: LadderState) -> None:
        """Stores the state if it says something new, and its clock now and then."""
        is_news = _without_clocks(state) != _without_clocks(self.state)
        self.state = state
        if is_news or state.clock.now_s - self._saved_s >= _SAVE_EVERY_S:
            await self._on_disk(lambda: store.save_state(self._db, state))
            self._saved_s = state.clock.now_s

    async def _take(self, step: Step, state: LadderState, boot: Boot) -> None:
        """Notes a step, and its event, before it begins."""
        now_s = state.clock.now_s
        history = noted(step, state.history, boot.id, now_s)
        usual = {} if isinstance(step, MarkLost) else state.usual  # without that card less is usual
        after = replace(state, history=history, usual=usual)
        try:
            await self._store(after, event_of(step, boot))
        except SentryError:
            if not isinstance(step, StopHot | StopForGood):
                raise
            self._apply(after)  # heat does not wait for a disk

    async def _store(self, state: LadderState, event: LadderEvent | None) -> None:
        """Stores state and event together. Raises `DiskTrouble`; then nothing has changed."""
        now_s = state.clock.now_s

        def write() -> None:
            with kit_store.transaction(self._db):
                store.save_state(self._db, state)
                if event is not None:
                    store.add_event(self._db, now_s, event)

        await self._on_disk(write)
        self._saved_s = now_s
        if event is not None:
            log.warning("ladder %s", event.reason)
            self.newest_events = [StoredEvent(now_s, event), *self.newest_events][:_SHOWN_EVENTS]
        self._apply(state)

    def _apply(self, state: LadderState) -> None:
        self.state = state
        self._supervisor.hold(self.holds())
        self._changed()

    async def _begin(self, step: Step, boot: Boot) -> None:
        match step:
            case RestartPlaybook(playbook_id=name, reason=reason):
                self._supervisor.restart(name, f"{reason[0].upper()}{reason[1:]}.")
            case Reboot():
                if self._group is None:
                    await self._reboot(step, boot)
                else:
                    self._group.create_task(self._reboot(step, boot))

    async def _reboot(self, step: Reboot, boot: Boot) -> None:
        try:
            await self._power.carry_out(PowerAct.REBOOT)
        except SentryError as error:
            event = new_event(LadderAct.FAILED, f"not rebooted: {error}", boot, device=step.device)
            with contextlib.suppress(SentryError):
                async with self._turn:
                    await self._store(self._clocked(boot), event)

    async def take_settings(self, settings: LadderSettings) -> None:
        """Stores limits from the commander. A maintenance begins, or ends, with them."""
        async with self._turn:
            await self._on_disk(lambda: store.save_settings(self._db, settings))
            before, self.settings = self.settings, replace(settings, maintenance_s=None)
            state = self._clocked(self._sources.boot())
            history = state.history if before == self.settings else limits_changed(state.history)
            until_s = state.clock.now_s + settings.maintenance_s if settings.maintenance_s else None
            await self._store(replace(state, history=replace(history, maintenance_until_s=until_s)), None)

    async def stop_mining(self) -> None:
        """A person stops everything: the ladder leaves the rig alone until somebody starts it."""
        await self._change(lambda history: replace(history, stopped_by_person=True))

    async def start_mining(self) -> None:
        await self._change(started_by_person)

    async def person_restarted(self, playbook_ids: Iterable[str]) -> None:
        await self._change(lambda history: _restarted(history, playbook_ids))

    async def _change(self, change: Callable[[History], History]) -> None:
        async with self._turn:
            state = self._clocked(self._sources.boot())
            await self._store(replace(state, history=change(state.history)), None)

    async def reload(self) -> None:
        """Takes over what `leave`, or an enrolment, wrote into the store."""
        async with self._turn:
            self.state = await self._on_disk(lambda: store.load_state(self._db))
            self.settings = await self._on_disk(lambda: store.load_settings(self._db))
            self.newest_events = await self._on_disk(lambda: store.newest_events(self._db, _SHOWN_EVENTS))
            self._supervisor.hold(self.holds())


def _restarted(history: History, playbook_ids: Iterable[str]) -> History:
    """Returns the history after a person has restarted, or changed, these playbooks."""
    for name in playbook_ids:
        history = restarted_by_person(history, name)
    return history


def _expected_cards(state: LadderState, present: frozenset[str] | None, boot: Boot) -> ExpectedCards:
    """Returns the expected cards. A boot that the ladder has ordered keeps those of the boot before."""
    if present is None:
        return state.cards
    reboots = state.history.reboots
    is_ordered = bool(reboots) and reboots[-1].boot_id == state.cards.boot_id
    return state.cards.seen(present, boot.id, keeps_list=is_ordered)


def _held_text(resume_at_c: float | None) -> str:
    return "stopped by the ladder" if resume_at_c is None else f"too hot; it resumes at {resume_at_c:.0f} °C"


def _without_clocks(state: LadderState) -> Mapping[str, object]:
    """Returns what is worth a write: means, not each reading; that something is good, not since when."""
    usual = {name: {key: rate.means_hs for key, rate in each.rates.items()} for name, each in state.usual.items()}
    history = replace(state.history, good_since_s={})
    return {"history": history, "usual": usual, "cards": state.cards, "boot": state.clock.boot_id}
