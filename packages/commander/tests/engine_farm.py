"""A farm in memory with the engine of incidents on a real database; time is a number that the test moves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from commander.alert_rules import store as rule_store
from commander.alert_rules.domain import RuleLimits
from commander.alert_rules.source import AlertRules
from commander.db import Database
from commander.incidents import store
from commander.incidents.domain import Condition, Incident
from commander.incidents.round import Engine
from commander.incidents.source import IncidentSource
from commander.incidents.writer import IncidentWriter
from commander.jobs.leadership import Leadership
from commander.live.badge import Badge
from commander.live.channels import Channels
from commander.live.cluster import SingleNode
from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import RigState
from commander.live.rigs import LiveRigs
from commander.maintenance.rigs_now import RigsInMaintenance
from commander.notifications.news import News
from commander.notifications.outbox import Outbox
from commander.readings.decode import READERS
from commander.registry.kinds import RigKind
from commander.rigs.asic_responses import asic_json, asic_log_json
from commander.rigs.cpu_gpu_responses import log_json, rig_json
from commander_farm import a_log, an_asic_log
from sqlalchemy.ext.asyncio import AsyncConnection

START = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
DESCRIBED = {RigKind.CPU_GPU: (rig_json, log_json), RigKind.ASIC: (asic_json, asic_log_json)}
EVERY_S = 5.0
CPU_GPU, ASIC = RigKind.CPU_GPU, RigKind.ASIC


class RecordingOutbox(Outbox):
    """An outbox that also remembers what it was given."""

    def __init__(self, lives: dict[RigKind, LiveRigs]) -> None:
        super().__init__(lives)
        self.news: list[News] = []

    async def enqueue(self, connection: AsyncConnection, news: News) -> None:
        self.news.append(news)
        await super().enqueue(connection, news)


@dataclass
class EngineFarm:
    """Rigs report when a test says so; the engine's rounds come every five seconds of the farm's own time."""

    database: Database
    group_wait_s: float = 30.0
    now: datetime = START
    now_s: float = 10_000.0
    lives: dict[RigKind, LiveRigs] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in RigKind:
            self.lives[kind] = self._live(kind)
        self.outbox = RecordingOutbox(self.lives)
        self.engine = self._engine()

    def _live(self, kind: RigKind) -> LiveRigs:
        index = OperationalIndex(stale_after_s=45, offline_after_s=60)
        describe, describe_log = DESCRIBED[kind]
        return LiveRigs(kind, index, Channels(), describe=describe, describe_log=describe_log)

    def _engine(self) -> Engine:
        async def problems(now: datetime) -> dict[str, str]:
            return dict(self.problems)

        self.rules = AlertRules(self.database, SingleNode())
        self.source = IncidentSource(self.database, Channels(), Badge(), SingleNode(), self.lives)
        return Engine(
            self.database,
            self.lives,
            self.rules,
            IncidentWriter(self.lives, self.outbox, group_wait_s=self.group_wait_s),
            self.source,
            RigsInMaintenance(self.database, self.lives),
            Leadership(self.database, holder="here", is_alone=True),
            problems=problems,
        )

    def restart(self) -> None:
        """Another process takes over: all that was only in memory is gone. The rigs' states are restored."""
        self.now_s += 123_456.0
        for live in self.lives.values():
            for state in live.index.rigs.values():
                state.conditions = ()
                if state.reported_at is not None:
                    state.reported_s = self.now_s - (self.now - state.reported_at).total_seconds()
        self.engine = self._engine()

    async def begin(self) -> None:
        async with self.database.transaction() as db:
            await rule_store.add_shipped(db)

    def add(self, kind: RigKind = CPU_GPU, name: str = "", **specs: object) -> RigState:
        rig_id = len(self.lives[kind].index.rigs) + 1
        body = msgspec.json.encode(specs) if specs else None
        return self.lives[kind].index.add(rig_id, name or f"rig-{rig_id:03}", body, added_at=self.now)

    def report(self, state: RigState, kind: RigKind = CPU_GPU, late_s: float = 0, **changes: object) -> None:
        """Takes a log of a rig that mines well, but for the changes."""
        log = a_log() if kind is CPU_GPU else an_asic_log()
        self._accept(log)
        log |= changes
        taken_at = self.now - timedelta(seconds=late_s)
        log["taken_at"] = taken_at.isoformat()
        read = READERS[kind](msgspec.json.encode(log))
        index = self.lives[kind].index
        index.report(state.id, read.body, read.summary, taken_at=taken_at, reported_at=self.now, now_s=self.now_s)

    def _accept(self, log: dict[str, object]) -> None:
        """Lets a share be accepted every five seconds, and one of a thousand be rejected."""
        shares = {"accepted": int(self.now_s / 5), "rejected": int(self.now_s / 5_000)}
        for miner in log.get("miners", ()):  # type: ignore[attr-defined]  # JSON of the tests' own
            for work in miner["algorithms"]:
                work |= shares
        for pool in log.get("pools", ())[:1]:  # type: ignore[index]  # likewise
            pool |= shares

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.now_s += seconds
        for live in self.lives.values():
            live.index.check_health(self.now_s)

    async def skip(self, seconds: float, rigs: Iterable[RigState]) -> None:
        """Lets a long time pass in which these rigs report."""
        self.pass_time(seconds)
        for state in rigs:
            self.report(state)
        await self.round()

    async def round(self) -> None:
        await self.engine.round(self.now, self.now_s)

    async def run(self, seconds: float, rigs: Iterable[RigState] = (), kind: RigKind = CPU_GPU, **log: object) -> None:
        """Lets time pass with a round every five seconds. These rigs report this log every ten seconds."""
        reporting = list(rigs)
        for step in range(round(seconds / EVERY_S)):
            self.pass_time(EVERY_S)
            if step % 2 == 0:
                for state in reporting:
                    self.report(state, kind, 0, **log)
            await self.round()

    async def open(self) -> list[Incident]:
        async with self.database.reading() as db:
            return await store.open_incidents(db)

    async def closed(self) -> list[Incident]:
        async with self.database.reading() as db:
            return await store.read_incidents(db, is_open=False)

    async def conditions(self) -> list[Condition]:
        async with self.database.reading() as db:
            return await store.current_conditions(db)

    async def add_rule(self, rule: str, **limits: object) -> None:
        async with self.database.transaction() as db:
            await rule_store.insert_rule(db, RuleLimits(rule=rule, **limits))  # type: ignore[arg-type]  # as in the test
        self.rules.changed()

    def events(self) -> list[str]:
        return [news.event.value for news in self.outbox.news]
