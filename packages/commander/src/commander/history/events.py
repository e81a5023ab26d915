"""Events of a rig, such as restarts: the marks on its charts."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.history.tables import rig_events
from commander.registry.kinds import RigKind

TEXT_LENGTH = 256
EVENTS_AT_MOST = 1_000


class RigEvent(StrEnum):
    OFFLINE = "offline"
    ONLINE = "online"
    RESTARTED = "restarted"
    RENAMED = "renamed"
    PLAYBOOK_CHANGED = "playbook_changed"


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to the rig; `text` is for people."""

    at: datetime
    kind: RigEvent
    text: str


class FarmEvent(NamedTuple):
    """Something that happened to a rig of the farm."""

    kind: RigKind
    rig_id: int
    at: datetime
    event: RigEvent


class NewEvent(NamedTuple):
    kind: RigKind
    rig_id: int
    at: datetime
    event: RigEvent
    text: str


async def note(db: AsyncConnection, *events: NewEvent) -> None:
    """Write down what happened, in the transaction of what made it happen."""
    rows = [
        {"kind": kind, "rig_id": rig_id, "at": at, "event": event, "text": text[:TEXT_LENGTH]}
        for kind, rig_id, at, event, text in events
    ]
    if rows:
        await db.execute(sa.insert(rig_events), rows)


async def read_events(
    db: AsyncConnection, kind: RigKind, rig_id: int, *, since: datetime, until: datetime
) -> list[HistoryEvent]:
    """Of a rig with since <= at < until, oldest first; of very many the newest."""
    query = sa.select(rig_events.c.at, rig_events.c.event, rig_events.c.text)
    query = query.where(rig_events.c.kind == kind, rig_events.c.rig_id == rig_id)
    query = query.where(rig_events.c.at >= since, rig_events.c.at < until)
    query = query.order_by(rig_events.c.at.desc(), rig_events.c.id.desc()).limit(EVENTS_AT_MOST)
    rows = list(await db.execute(query))
    return [HistoryEvent(at=at, kind=RigEvent(event), text=text) for at, event, text in reversed(rows)]


async def newest_events(db: AsyncConnection, *kinds: RigEvent, most: int) -> list[FarmEvent]:
    """Returns what was noted last of all rigs, newest first."""
    query = sa.select(rig_events.c.kind, rig_events.c.rig_id, rig_events.c.at, rig_events.c.event)
    query = query.where(rig_events.c.event.in_(kinds)).order_by(rig_events.c.id.desc()).limit(most)
    return [
        FarmEvent(RigKind(kind), rig_id, at, RigEvent(event)) for kind, rig_id, at, event in await db.execute(query)
    ]


async def last_of(db: AsyncConnection, kind: RigKind, rig_id: int, *kinds: RigEvent) -> RigEvent | None:
    """Returns the rig's newest event of these kinds."""
    query = sa.select(rig_events.c.event).where(rig_events.c.kind == kind, rig_events.c.rig_id == rig_id)
    query = query.where(rig_events.c.event.in_(kinds)).order_by(rig_events.c.at.desc(), rig_events.c.id.desc())
    last: str | None = (await db.execute(query.limit(1))).scalar_one_or_none()
    return None if last is None else RigEvent(last)


async def delete_events_of(db: AsyncConnection, kind: RigKind, rig_id: int) -> None:
    await db.execute(sa.delete(rig_events).where(rig_events.c.kind == kind, rig_events.c.rig_id == rig_id))


async def delete_events_before(db: AsyncConnection, moment: datetime, *, limit: int) -> int:
    old: Iterable[int] = (
        await db.execute(
            sa.select(rig_events.c.id).where(rig_events.c.at < moment).order_by(rig_events.c.id).limit(limit)
        )
    ).scalars()
    gone = await db.execute(sa.delete(rig_events).where(rig_events.c.id.in_(list(old))))
    return gone.rowcount
