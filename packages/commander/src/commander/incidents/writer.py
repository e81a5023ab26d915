"""Writes what a round has changed, and decides which messages go out: one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.incidents import grouping, store
from commander.incidents.conditions import Changes, CurrentConditions
from commander.incidents.domain import COMMANDER, Condition, ConditionKey, Incident
from commander.incidents.grouping import Occasion
from commander.incidents.groups import group_of
from commander.incidents.responses import incident_json
from commander.incidents.words import lines_of, title_of
from commander.live.rigs import Lives
from commander.notifications.news import Event, News
from commander.notifications.outbox import Outbox
from commander.registry.kinds import RigKind

EVENTS = {
    Occasion.OPENED: Event.OPENED,
    Occasion.GROWN: Event.GROWN,
    Occasion.REMINDER: Event.REMINDER,
    Occasion.CLOSED: Event.CLOSED,
}


@dataclass
class Round:
    """The incidents of one transaction. `in_maintenance` are rigs in maintenance: nothing is sent about them."""

    now: datetime
    in_maintenance: frozenset[tuple[str, int]] = frozenset()
    incidents: dict[int, Incident] = field(default_factory=dict)
    recent: dict[ConditionKey, Incident] = field(default_factory=dict)  # closed a short time ago
    touched: set[int] = field(default_factory=set)


class IncidentWriter:
    """Groups conditions into incidents, and puts messages into the outbox."""

    def __init__(self, lives: Lives, outbox: Outbox, *, group_wait_s: float) -> None:
        self._lives = lives
        self._outbox = outbox
        self._group_wait = timedelta(seconds=group_wait_s)

    async def write(
        self,
        db: AsyncConnection,
        current: CurrentConditions,
        changes: Changes,
        *,
        now: datetime,
        in_maintenance: frozenset[tuple[str, int]],
    ) -> set[int]:
        """Writes a round; returns the incidents that have changed."""
        turn = Round(now, in_maintenance, {each.id: each for each in await store.open_incidents(db, to_change=True)})
        waiting = [each for each in current if each.is_open and each.incident_id is None]
        if waiting:
            turn.recent = await self._recent(db, now)
        for condition in waiting:
            if condition.key[:2] not in in_maintenance:
                await self._join(db, condition, turn)
        for condition in changes.worse:
            if (incident := turn.incidents.get(condition.incident_id or 0)) is not None:
                grouping.joined(incident, condition.severity, now)
                turn.touched.add(incident.id)
        await self._write_conditions(db, changes, waiting)
        turn.touched |= {each.incident_id for each in changes.updated if each.incident_id is not None}
        await self._update_incidents(db, current, turn)
        return turn.touched

    async def _recent(self, db: AsyncConnection, now: datetime) -> dict[ConditionKey, Incident]:
        """Returns the incidents that closed a short time ago, by their conditions."""
        closed = {each.id: each for each in await store.read_recent(db, closed_after=now - grouping.REOPENS_WITHIN)}
        conditions = await store.conditions_of_incidents(db, list(closed))
        return {each.key: closed[number] for number, rows in conditions.items() for each in rows}

    async def _join(self, db: AsyncConnection, condition: Condition, turn: Round) -> None:
        incident = grouping.incident_to_join(condition.key.rule, turn.incidents.values(), turn.now)
        closed = turn.recent.get(condition.key)
        if incident is not None:
            grouping.joined(incident, condition.severity, turn.now)
        elif closed is not None:
            grouping.reopened(closed, condition.severity, self._group_wait, turn.now)
            incident = turn.incidents[closed.id] = closed
        else:
            incident = grouping.new_incident(condition.key.rule, condition.severity, self._group_wait, turn.now)
            incident.title = title_of(condition.key.rule, [condition])
            incident.id = await store.insert_incident(db, incident)
            turn.incidents[incident.id] = incident
        condition.incident_id = incident.id
        turn.touched.add(incident.id)

    async def _write_conditions(self, db: AsyncConnection, changes: Changes, waiting: Sequence[Condition]) -> None:
        new = {id(each) for each in changes.new}
        await store.insert_conditions(db, changes.new)
        changed = {id(each): each for each in [*changes.updated, *waiting] if id(each) not in new}
        await store.update_conditions(db, list(changed.values()))
        await store.delete_conditions(db, [each.id for each in changes.deleted])

    async def _update_incidents(self, db: AsyncConnection, current: CurrentConditions, turn: Round) -> None:
        """Closes, sends and writes what is due."""
        failing: dict[int, list[Condition]] = {}
        for condition in current:
            if condition.is_open and condition.incident_id is not None:
                failing.setdefault(condition.incident_id, []).append(condition)
        for incident in turn.incidents.values():
            mine = failing.get(incident.id, [])
            has_changed = incident.id in turn.touched
            if not mine and incident.close_at is None:
                rows = (await store.conditions_of_incidents(db, [incident.id]))[incident.id]
                mine = [each for each in rows if each.ended_at is None]
                if rows and not mine:
                    grouping.ended(incident, turn.now)
                    has_changed = True
            elif mine and incident.close_at is not None:
                incident.close_at = None
                has_changed = True
            if has_changed:
                await self._describe(db, incident)
            occasion = grouping.next_occasion(incident, is_failing=bool(mine), now=turn.now)
            if occasion is not None and not _all_in_maintenance(mine, turn.in_maintenance):
                await self._send(db, incident, mine, occasion, turn.now)
                has_changed = True
            if has_changed:
                await store.update_incident(db, incident)
                turn.touched.add(incident.id)

    async def _describe(self, db: AsyncConnection, incident: Incident) -> None:
        rows = (await store.conditions_of_incidents(db, [incident.id]))[incident.id]
        if rows:
            incident.title = title_of(incident.rule, rows)

    async def _send(
        self, db: AsyncConnection, incident: Incident, failing: Sequence[Condition], occasion: Occasion, now: datetime
    ) -> None:
        if occasion in (Occasion.OPENED, Occasion.GROWN):
            incident.in_common = group_of(self._lives, [each.key[:2] for each in failing])
        grouping.carry_out(incident, occasion, now)
        if occasion is Occasion.CLOSED_UNSENT:
            return
        rows = (await store.conditions_of_incidents(db, [incident.id]))[incident.id]
        await store.update_incident(db, incident)
        news = News(
            incident_id=incident.id,
            step=incident.step,
            event=EVENTS[occasion],
            severity=incident.severity,
            title=incident.title,
            lines=lines_of(incident, rows, now),
            rigs=_rigs_of(rows),
            incident=msgspec.Raw(incident_json(incident, rows)),
            at=now,
        )
        await self._outbox.enqueue(db, news)


def _all_in_maintenance(failing: Iterable[Condition], in_maintenance: frozenset[tuple[str, int]]) -> bool:
    """Returns whether all rigs that fail are in maintenance. An incident without any may be closed."""
    keys = {each.key[:2] for each in failing}
    return bool(keys) and keys <= in_maintenance


def _rigs_of(conditions: Iterable[Condition]) -> tuple[tuple[RigKind, int], ...]:
    keys = dict.fromkeys(each.key[:2] for each in conditions if each.key.kind != COMMANDER)
    return tuple((RigKind(kind), rig_id) for kind, rig_id in keys)


def is_due(incident: Incident, now: datetime) -> bool:
    """Returns whether something of the incident may be due now."""
    moments = (incident.message_at, incident.remind_at, incident.close_at)
    return any(moment is not None and moment <= now for moment in moments)
