"""Learns the usual values of each rig, some rigs at a time, and stores them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace
from protocol.asic_messages import AsicLog
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.alert_rules.tables import usual_values
from commander.alert_rules.usual import FIGURES, begin_of, usual_of, with_parts
from commander.alert_rules.view import NO_USUAL, Usual
from commander.db import Database, insert_for
from commander.history.ten_minutes import read_ten_minutes
from commander.live.rig_state import RigState
from commander.live.rigs import Lives
from commander.registry.kinds import RigKind

EVERY = timedelta(minutes=10)
AGAIN_AFTER = timedelta(hours=1)
RIGS_AT_A_TIME = 500
FRESH = timedelta(minutes=5)
_usual = msgspec.json.Decoder(Usual)
_asic = msgspec.json.Decoder(AsicLog)
KeyOfUsual = tuple[str, int]


async def learn(database: Database, lives: Lives, now: datetime) -> None:
    """Learns the rigs that were learnt longest ago; those whose playbook has changed come first."""
    async with database.reading() as db:
        known = await read_usual(db)
    waiting = [
        (_learnt_at(known.get((str(kind), state.id)), state, now), kind, state)
        for kind, live in lives.items()
        for state in live.index.rigs.values()
        if state.reported_at is not None
    ]
    due = sorted((each for each in waiting if now - each[0] >= AGAIN_AFTER or each[0] > now), key=lambda each: each[0])
    for _, kind, state in due[:RIGS_AT_A_TIME]:
        await _learn_rig(database, kind, state, known.get((str(kind), state.id), NO_USUAL), now)
    await _forget_removed(database, lives, known)


async def _learn_rig(database: Database, kind: RigKind, state: RigState, before: Usual, now: datetime) -> None:
    since = begin_of([each.changed_at for each in state.playbooks], state.added_at, now)
    async with database.reading() as db:
        values = await read_ten_minutes(db, kind, state.id, since=since, until=now, figures=FIGURES)
    usual = usual_of(values, since=since, learnt_at=now)
    if kind is RigKind.ASIC:
        usual = _with_parts(usual, before, state, now)
    async with database.transaction() as db:
        row = {"kind": kind, "rig_id": state.id, "learnt_at": now, "body": msgspec.json.encode(usual)}
        query = insert_for(db, usual_values).values(row)
        keys = [usual_values.c.kind, usual_values.c.rig_id]
        changed = {"learnt_at": now, "body": row["body"]}
        await db.execute(query.on_conflict_do_update(index_elements=keys, set_=changed))


def _with_parts(usual: Usual, before: Usual, state: RigState, now: datetime) -> Usual:
    """Returns the usual values with an ASIC's boards and fans; those from before if it is silent."""
    if state.latest is None or state.reported_at is None or now - state.reported_at > FRESH:
        return replace(usual, boards=before.boards, fans=before.fans, fewer_since=before.fewer_since)
    return with_parts(usual, before, _asic.decode(state.latest), now)


async def read_usual(db: AsyncConnection, *, since: datetime | None = None) -> dict[KeyOfUsual, Usual]:
    """Returns the usual values by rig; with `since`, those that were learnt then or later."""
    query = sa.select(usual_values.c.kind, usual_values.c.rig_id, usual_values.c.body)
    if since is not None:
        query = query.where(usual_values.c.learnt_at >= since)
    return {(row.kind, row.rig_id): _usual.decode(row.body) for row in await db.execute(query)}


async def read_usual_of(db: AsyncConnection, kind: RigKind, rig_id: int) -> Usual:
    """Returns the usual values of one rig; empty ones before it was looked at for the first time."""
    query = sa.select(usual_values.c.body).where(usual_values.c.kind == kind, usual_values.c.rig_id == rig_id)
    body: bytes | None = (await db.execute(query)).scalar()
    return NO_USUAL if body is None else _usual.decode(body)


async def _forget_removed(database: Database, lives: Lives, known: Mapping[KeyOfUsual, Usual]) -> None:
    gone = [(kind, rig_id) for kind, rig_id in known if rig_id not in lives[RigKind(kind)].index.rigs]
    if gone:
        async with database.transaction() as db:
            for kind, rig_id in gone:
                is_row = sa.and_(usual_values.c.kind == kind, usual_values.c.rig_id == rig_id)
                await db.execute(sa.delete(usual_values).where(is_row))


def _learnt_at(usual: Usual | None, state: RigState, now: datetime) -> datetime:
    """Returns when a rig was learnt; long ago, if a playbook has changed since."""
    if usual is None or usual.learnt_at is None or is_old(usual, state):
        return now - timedelta(days=365)
    return usual.learnt_at


def is_old(usual: Usual, state: RigState) -> bool:
    """Returns whether a playbook has changed since the values were learnt."""
    learnt_at = usual.learnt_at
    return learnt_at is not None and any(
        each.changed_at is not None and each.changed_at > learnt_at for each in state.playbooks
    )
