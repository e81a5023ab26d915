"""A round of the engine: every five seconds, on the node that leads the jobs."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.alert_rules import store as rule_store
from commander.alert_rules.domain import RuleName
from commander.alert_rules.source import AlertRules
from commander.db import Database
from commander.incidents import extent_store, grouping, store
from commander.incidents.conditions import Changes, KeyOfRig
from commander.incidents.domain import REOPENS_WITHIN
from commander.incidents.evaluation import Evaluation
from commander.incidents.reception import JUST_STARTED_S, RECEIVES_NOTHING, network_is_up, receives_nothing
from commander.incidents.source import IncidentSource
from commander.incidents.words import NOTHING_RECEIVED
from commander.incidents.writer import IncidentWriter, is_due
from commander.jobs.leadership import Leadership
from commander.live.rig_state import Health
from commander.live.rigs import Lives
from commander.maintenance.rigs_now import RigsInMaintenance

log = logging.getLogger(__name__)
CLOCK_JUMP = timedelta(seconds=5)  # between two rounds; less is a slow round

Problems = Callable[[datetime], Awaitable[dict[str, str]]]


class Engine:
    """The state of a leader between two rounds. After an error it is read from the database again."""

    def __init__(
        self,
        database: Database,
        lives: Lives,
        rules: AlertRules,
        writer: IncidentWriter,
        source: IncidentSource,
        in_maintenance: RigsInMaintenance,
        leadership: Leadership,
        *,
        problems: Problems,
        on_failing: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_failing` is called after each commit that changes which rules can't be evaluated."""
        self.evaluation = Evaluation(lives, rules)
        self._database = database
        self._lives = lives
        self._rules = rules
        self._writer = writer
        self._source = source
        self._maintenance = in_maintenance
        self._leadership = leadership
        self._problems = problems
        self._on_failing = on_failing
        self._failing: Mapping[int, datetime] = {}
        self._is_loaded = False
        self._clock: tuple[datetime, float] | None = None
        self._network_was_up = False

    @property
    def is_well(self) -> bool:
        """Returns whether all rules could be evaluated."""
        return not self._failing

    def forget(self) -> None:
        """Reads everything from the database before the next round: another node may have led meanwhile."""
        self._is_loaded = False
        self._clock = None

    async def round(self, now: datetime, now_s: float) -> None:
        """Evaluates all rules, and writes what has changed. `now` is the database's time, `now_s` monotonic seconds."""
        try:
            await self._round(now, now_s)
        except BaseException:
            self.forget()
            raise

    async def _round(self, now: datetime, now_s: float) -> None:
        jump, is_first = self._jump(now, now_s), not self._is_loaded
        if is_first:
            async with self._database.reading() as db:
                ended = await extent_store.ended_since(db, now - REOPENS_WITHIN)
                self.evaluation.load(await store.current_conditions(db), ended)
                self._failing = await rule_store.failing_rules(db)
                self.evaluation.failing.load(self._failing, now_s)
                latest = max([each.joined_at for each in await store.open_incidents(db)], default=now)
            self._is_loaded = True
            if latest - now > CLOCK_JUMP:  # the clock was put back since the last round
                jump = now - latest
        if jump:
            await self._shift(jump)
        await self._rules.refresh()
        self._listen(now, now_s)
        changes = await self.evaluation.round(now, now_s)
        await self._note_failing()
        await self._check_commander(changes, now)
        in_maintenance = await self._maintenance.now(now)
        if changes or is_first or await self._is_due(now, in_maintenance):
            current = self.evaluation.current
            touched = await self._writer.write(
                self._transaction, current, changes, now=now, in_maintenance=in_maintenance
            )
            await self._source.conditions_changed({rig: current.of_rig(rig).values() for rig in changes.rigs()})
            self._source.incidents_changed(touched)

    async def _note_failing(self) -> None:
        """Writes which rules can't be evaluated, for the page of alerts on all nodes."""
        failing = self.evaluation.failing.since()
        if failing != self._failing:
            async with self._transaction() as db:
                await rule_store.set_failing(db, failing)
            self._failing = failing
            self._on_failing()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.transaction() as db:
            await self._leadership.keep(db)
            yield db

    async def _is_due(self, now: datetime, in_maintenance: frozenset[tuple[str, int]]) -> bool:
        """Returns whether a message is due, or a condition waits for an incident since its maintenance is over."""
        if any(each.key[:2] not in in_maintenance for each in self.evaluation.current.apart()):
            return True
        async with self._database.reading() as db:
            return any(is_due(each, now) for each in await store.open_incidents(db))

    def _jump(self, now: datetime, now_s: float) -> timedelta:
        """Returns by how much somebody has set the clock since the last round."""
        before, self._clock = self._clock, (now, now_s)
        if before is None:
            return timedelta(0)
        jump = (now - before[0]) - timedelta(seconds=now_s - before[1])
        return jump if abs(jump) > CLOCK_JUMP else timedelta(0)

    async def _shift(self, jump: timedelta) -> None:
        """Moves all due times with the clock: a wait is as long as it was."""
        log.warning("the clock was changed by %s; the waits of incidents keep their length", jump)
        waiting = self.evaluation.current.timed()
        async with self._transaction() as db:
            for condition in waiting:
                condition.due_at = (condition.due_at or condition.began_at) + jump
            await store.update_conditions(db, waiting)
            for incident in await store.open_incidents(db, to_change=True):
                grouping.shifted(incident, jump)
                await store.update_incident(db, incident)
                await store.set_muted(db, incident.id, incident.muted_until)

    def _listen(self, now: datetime, now_s: float) -> None:
        """Decides whether the commander itself receives nothing."""
        is_up = network_is_up()
        self._network_was_up = self._network_was_up or bool(is_up)
        network_is_down = self._network_was_up and is_up is False
        limit_s, listening_s = self._offline_after_s(), self.evaluation.listening_s(now, now_s)
        may_miss_reports = self.evaluation.receives_nothing or network_is_down or listening_s <= JUST_STARTED_S
        if listening_s < limit_s or not may_miss_reports:
            self.evaluation.receives_nothing = False
            return
        silent = [(str(kind), state.id) for kind, live in self._lives.items() for state in live.silent(now_s, limit_s)]
        known_offline = sum(self._is_offline(key) for key in silent)
        self.evaluation.receives_nothing = receives_nothing(
            did_before=self.evaluation.receives_nothing,
            silent=len(silent) - known_offline,
            reporting=self._reporting(len(silent)) if silent else 0,
            listening_s=listening_s,
            network_is_down=network_is_down,
        )

    def _is_offline(self, key: KeyOfRig) -> bool:
        known = self.evaluation.current.of_rig(key).get((RuleName.OFFLINE, ""))
        return known is not None and known.is_open

    def _reporting(self, silent: int) -> int:
        """Returns how many rigs report. One that has just come back may still count as offline."""
        states = [state for live in self._lives.values() for state in live.index.rigs.values()]
        return sum(state.health is not Health.WAITING for state in states) - silent

    def _offline_after_s(self) -> float:
        limits = [rule.limits for rule in self._rules.all if rule.limits.rule == RuleName.OFFLINE]
        bounds = [bound for each in limits for bound in (each.warning, each.critical) if bound is not None]
        return min(bounds, default=180.0)

    async def _check_commander(self, changes: Changes, now: datetime) -> None:
        rule = next(
            (each for each in self._rules.all if each.limits.rule == RuleName.COMMANDER and each.limits.enabled), None
        )
        problems = await self._problems(now) | self.evaluation.failing.problems(self._rules.all)
        if self.evaluation.receives_nothing:
            problems[RECEIVES_NOTHING] = NOTHING_RECEIVED
        self.evaluation.note_commander_problems(problems, rule, changes, now)
