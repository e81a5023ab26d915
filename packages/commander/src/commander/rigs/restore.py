"""Restores the operational index from the database at the start, and stores what the next start needs."""

import logging
from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database
from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import RigState
from commander.live.rigs import LiveRigs
from commander.raw_logs import store as logs
from commander.readings.decode import READERS
from commander.readings.summary import RigSummary
from commander.registry import store
from commander.registry.approval import all_unapproved
from commander.registry.kinds import RigKind
from commander.tags.domain import Tags
from commander.tags.store import all_tags

log = logging.getLogger(__name__)


async def restore_index(
    database: Database, kind: RigKind, index: OperationalIndex, *, now: datetime, now_s: float
) -> None:
    """Fill the empty index: every rig, its newest log, and how long it has been silent."""
    async with database.reading() as db:
        rigs, tags, unapproved = await _read(db, kind)
        latest = await logs.latest_logs(db, kind, {rig.id: rig.last_taken_at for rig in rigs})
    for rig in rigs:
        index.add(rig.id, rig.name, rig.specs, added_at=rig.created_at, approved=rig.id not in unapproved)
        index.set_tags(rig.id, tags.get(rig.id, ()))
        _restore(kind, index, rig, latest.get(rig.id), now=now, now_s=now_s)
    index.check_health(now_s)


async def refresh(database: Database, kind: RigKind, live: LiveRigs, *, now: datetime, now_s: float) -> set[int]:
    """Brings missed changes into the index; returns the ids of all rigs."""
    async with database.reading() as db:
        rigs, tags, unapproved = await _read(db, kind)
        latest = await logs.latest_logs(db, kind, {rig.id: rig.last_taken_at for rig in rigs})
    for rig in rigs:
        live.follow(
            rig.id,
            rig.name,
            rig.specs,
            added_at=rig.created_at,
            tags=tags.get(rig.id, ()),
            approved=rig.id not in unapproved,
        )
        state, newest = live.index.rigs[rig.id], latest.get(rig.id)
        if state.taken_at is None or (newest and newest.taken_at > state.taken_at):
            _restore(kind, live.index, rig, newest, now=now, now_s=now_s)
    return {rig.id for rig in rigs}


async def _read(db: AsyncConnection, kind: RigKind) -> tuple[list[store.StoredRig], dict[int, Tags], set[int]]:
    """Returns all rigs, the tags of those that have some, and the ids of those that wait for approval."""
    return await store.all_rigs(db, kind), await all_tags(db, kind), await all_unapproved(db, kind)


def _restore(
    kind: RigKind,
    index: OperationalIndex,
    rig: store.StoredRig,
    newest: logs.StoredLog | None,
    *,
    now: datetime,
    now_s: float,
) -> None:
    summary = _summary_of(kind, rig.id, newest)
    if newest and summary:
        index.restore(rig.id, newest.body, summary, taken_at=newest.taken_at, now=now, now_s=now_s)
    elif rig.last_taken_at:
        index.restore_silent(rig.id, reported_at=rig.last_taken_at)


def _summary_of(kind: RigKind, rig_id: int, newest: logs.StoredLog | None) -> RigSummary | None:
    """Returns None for a log that can't be read: one row must not keep the commander from starting."""
    if newest is None:
        return None
    try:
        return READERS[kind](newest.body).summary
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        log.error("the newest log of rig %d can't be read and is left out: %s", rig_id, error)
        return None


async def store_newest(database: Database, kind: RigKind, states: Iterable[RigState]) -> None:
    """Stores the times of the newest logs of silent rigs: the next start finds them without searching."""
    newest = [(state.id, state.taken_at) for state in states if state.taken_at]
    async with database.transaction() as db:
        await store.set_last_taken(db, kind, newest)
