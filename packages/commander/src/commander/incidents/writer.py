"""Writes what a round has changed, and decides which messages go out.

A round that changes much is written in pieces, each a short transaction. Each piece leaves incidents
and conditions that fit together, so a kill between two of them loses nothing: what is missing is done by the next
round. Messages are decided with the last piece.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.incidents import extent_store, grouping, store
from commander.incidents.asic_sites import sites_of_asics
from commander.incidents.changes_before import changes_before
from commander.incidents.conditions import Changes, CurrentConditions
from commander.incidents.domain import COMMANDER, REOPENS_WITHIN, Condition, ConditionKey, Incident
from commander.incidents.grouping import Occasion
from commander.incidents.groups import group_of
from commander.incidents.pieces import Piece, pieces_of
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
OpenTransaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


@dataclass
class Round:
    """The incidents of a round. `in_maintenance` are rigs in maintenance: nothing is sent about them."""

    now: datetime
    in_maintenance: frozenset[tuple[str, int]] = frozenset()
    incidents: dict[int, Incident] = field(default_factory=dict)
    recent: dict[ConditionKey, Incident] | None = None  # closed a short time ago; None: not read yet
    touched: set[int] = field(default_factory=set)
    joined: set[int] = field(default_factory=set)  # by rigs: what they have in common is to be counted again


class IncidentWriter:
    """Groups conditions into incidents, and puts messages into the outbox."""

    def __init__(self, lives: Lives, outbox: Outbox, *, group_wait_s: float) -> None:
        self._lives = lives
        self._outbox = outbox
        self._group_wait = timedelta(seconds=group_wait_s)

    async def write(
        self,
        transaction: OpenTransaction,
        current: CurrentConditions,
        changes: Changes,
        *,
        now: datetime,
        in_maintenance: frozenset[tuple[str, int]],
    ) -> set[int]:
        """Writes a round; returns the incidents that have changed."""
        turn = Round(now, in_maintenance)
        apart = [each for each in current.apart() if each.key[:2] not in in_maintenance]
        for piece in pieces_of(changes, apart):
            async with transaction() as db:
                turn.incidents = {each.id: each for each in await store.open_incidents(db, to_change=True)}
                await self._write_piece(db, current, piece, turn)
                if piece.is_last:
                    await self._update_incidents(db, current, turn)
        return turn.touched

    async def _write_piece(self, db: AsyncConnection, current: CurrentConditions, piece: Piece, turn: Round) -> None:
        for condition in piece.back:
            self._return(current, condition, turn)
        for condition in (*piece.updated, *piece.new):
            if condition.is_open and condition.incident_id is None and condition.key[:2] not in turn.in_maintenance:
                current.join(condition, await self._incident_for(db, condition, turn))
        for condition in piece.worse:
            if (incident := turn.incidents.get(condition.incident_id or 0)) is not None:
                grouping.joined(incident, condition.severity, turn.now)
                turn.touched.add(incident.id)
        await store.delete_conditions(db, [each.id for each in piece.deleted])
        await store.update_conditions(db, piece.updated)
        await store.insert_conditions(db, piece.new)
        turn.touched |= {each.incident_id for each in piece.updated if each.incident_id is not None}
        for incident in () if piece.is_last else turn.incidents.values():
            if incident.id in turn.touched:
                await store.update_incident(db, incident)

    def _return(self, current: CurrentConditions, condition: Condition, turn: Round) -> None:
        """Keeps a condition that has come back in its incident. If that is closed, it joins one as a new one does."""
        incident = turn.incidents.get(condition.incident_id or 0)
        if incident is None:
            current.join(condition, None)
            return
        grouping.returned(incident, condition.severity)
        turn.touched.add(incident.id)

    async def _incident_for(self, db: AsyncConnection, condition: Condition, turn: Round) -> int:
        """Returns the incident that a condition belongs to: one that is open, one to open again, or a new one."""
        if turn.recent is None:
            turn.recent = await _recent(db, turn.now)
        incident = grouping.incident_to_join(condition.key.rule, turn.incidents.values(), turn.now)
        closed = turn.recent.get(condition.key)
        if incident is not None:
            grouping.joined(incident, condition.severity, turn.now)
        elif closed is not None:
            grouping.reopened(closed, condition.severity, self._group_wait, turn.now)
            incident = turn.incidents[closed.id] = closed
        else:
            incident = grouping.new_incident(condition.key.rule, condition.severity, self._group_wait, turn.now)
            incident.title = title_of(condition.key.rule, extent_store.extent_of([condition]))
            incident.id = await store.insert_incident(db, incident)
            turn.incidents[incident.id] = incident
        turn.touched.add(incident.id)
        turn.joined.add(incident.id)
        return incident.id

    async def _update_incidents(self, db: AsyncConnection, current: CurrentConditions, turn: Round) -> None:
        """Closes, sends and writes what is due."""
        failing: dict[int, list[Condition]] = {}
        for condition in current if turn.incidents else ():
            if condition.is_open and condition.incident_id is not None:
                failing.setdefault(condition.incident_id, []).append(condition)
        for incident in turn.incidents.values():
            mine = failing.get(incident.id, [])
            has_changed = await _note_end(db, incident, is_failing=bool(mine), now=turn.now)
            if has_changed or incident.id in turn.touched:
                await _describe(db, incident)
                has_changed = True
            if await self._carry_on(db, incident, mine, turn) or has_changed:
                await store.update_incident(db, incident)
                turn.touched.add(incident.id)

    async def _carry_on(
        self, db: AsyncConnection, incident: Incident, failing: Sequence[Condition], turn: Round
    ) -> bool:
        """Counts again what failing rigs have in common, and sends what is due. Returns whether something was."""
        occasion = grouping.next_occasion(incident, is_failing=bool(failing), now=turn.now)
        if _all_in_maintenance(failing, turn.in_maintenance):
            occasion = None
        is_counted = bool(failing) and (incident.id in turn.joined or occasion in (Occasion.OPENED, Occasion.GROWN))
        if is_counted:
            keys = [each.key[:2] for each in failing]
            incident.in_common = await group_of(self._lives, keys, await sites_of_asics(db))
        if occasion is not None:
            await self._send(db, incident, occasion, turn.now)
        return is_counted or occasion is not None

    async def _send(self, db: AsyncConnection, incident: Incident, occasion: Occasion, now: datetime) -> None:
        grouping.carry_out(incident, occasion, now)
        if occasion is Occasion.CLOSED_UNSENT:
            return
        rows = await extent_store.conditions_of(db, incident.id)
        before = await changes_before(db, incident.opened_at) if occasion is Occasion.OPENED else ""
        await store.update_incident(db, incident)
        news = await asyncio.to_thread(_news, incident, rows, EVENTS[occasion], now, before)
        await self._outbox.enqueue(db, news)


def _news(incident: Incident, rows: Sequence[Condition], event: Event, now: datetime, before: str) -> News:
    """Returns the message; of ten thousand rigs it takes a tenth of a second."""
    return News(
        incident_id=incident.id,
        step=incident.step,
        event=event,
        severity=incident.severity,
        title=incident.title,
        lines=lines_of(incident, rows, now, before=before),
        rigs=_rigs_of(rows),
        incident=msgspec.Raw(incident_json(incident, rows)),
        at=now,
    )


async def _recent(db: AsyncConnection, now: datetime) -> dict[ConditionKey, Incident]:
    """Returns the incidents that closed a short time ago, by their conditions."""
    closed = {each.id: each for each in await store.read_recent(db, closed_after=now - REOPENS_WITHIN)}
    return {key: closed[number] for key, number in (await extent_store.keys_of_incidents(db, list(closed))).items()}


async def _note_end(db: AsyncConnection, incident: Incident, *, is_failing: bool, now: datetime) -> bool:
    """Notes when an incident is to close, or that it goes on. Returns whether that has changed."""
    if is_failing and incident.close_at is not None:
        incident.close_at = None
        return True
    if is_failing or incident.close_at is not None or await extent_store.is_failing(db, incident.id):
        return False
    grouping.ended(incident, now)
    return True


async def _describe(db: AsyncConnection, incident: Incident) -> None:
    extent = await extent_store.read_extent(db, incident.id)
    if extent is not None:
        incident.title = title_of(incident.rule, extent)


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
