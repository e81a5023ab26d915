"""Queries about the targets of commands. None commits; `store` says in which order to lock."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

import sqlalchemy as sa
from protocol.command_messages import CommandAction
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.commands.domain import OPEN, Outcome, TargetState
from commander.commands.tables import command_results as results
from commander.commands.tables import command_targets as targets
from commander.commands.tables import commands
from commander.registry.tables import cpu_gpu_rigs as rigs

MANY = 500  # parameters of one query
AT_ONCE = 64  # commands in one message to a sentry
T = TypeVar("T")


class Target(NamedTuple):
    """A command for one rig. `silent`: it was ended by the clock, without a word of the rig."""

    id: int
    command_id: int
    rig_id: int
    name: str
    state: TargetState
    result: str | None
    changed_at: datetime
    key: str | None
    due_at: datetime | None
    delivered_at: datetime | None
    boot_id: str | None
    silent: bool
    replaced_by: int | None


_TARGET = [targets.c[name] for name in Target._fields]


async def targets_of(db: AsyncConnection, command_id: int) -> list[Target]:
    query = sa.select(*_TARGET).where(targets.c.command_id == command_id).order_by(targets.c.position)
    return [_target(row) for row in await db.execute(query)]


async def open_targets_of_rigs(db: AsyncConnection, rig_ids: Collection[int]) -> list[Target]:
    """Every target of these rigs that waits or has begun, oldest first."""
    found: list[Target] = []
    for part in parts_of(sorted(rig_ids)):
        query = sa.select(*_TARGET).where(targets.c.rig_id.in_(part), targets.c.state.in_(OPEN))
        found += [_target(row) for row in await db.execute(query.order_by(targets.c.id))]
    return sorted(found)


async def targets_of_keys(db: AsyncConnection, rig_id: int, keys: Collection[str]) -> list[Target]:
    """The rig's targets that its sentry knows by these ids."""
    found: list[Target] = []
    for part in parts_of(sorted(keys)):
        query = sa.select(*_TARGET).where(targets.c.rig_id == rig_id, targets.c.key.in_(part))
        found += [_target(row) for row in await db.execute(query)]
    return found


async def released_of_rig(db: AsyncConnection, rig_id: int) -> list[Target]:
    """Returns the commands for the rig's sentry: released targets without a result, oldest first."""
    query = sa.select(*_TARGET).where(targets.c.rig_id == rig_id, targets.c.state.in_(OPEN))
    query = query.where(targets.c.key.is_not(None)).order_by(targets.c.id).limit(AT_ONCE)
    return [_target(row) for row in await db.execute(query)]


async def rigs_with_released(db: AsyncConnection) -> set[int]:
    """The rigs whose sentries are to have commands."""
    query = sa.select(targets.c.rig_id).where(targets.c.state.in_(OPEN), targets.c.key.is_not(None)).distinct()
    return set((await db.execute(query)).scalars())


async def removed_rigs(db: AsyncConnection) -> set[int]:
    """The rigs with open targets that exist no longer."""
    exists = sa.exists().where(rigs.c.id == targets.c.rig_id)
    query = sa.select(targets.c.rig_id).where(targets.c.state.in_(OPEN), ~exists).distinct()
    return set((await db.execute(query)).scalars())


async def overdue(db: AsyncConnection, now: datetime, *, command_id: int | None = None) -> list[Target]:
    """Targets whose time is over, of one command or of all."""
    query = sa.select(*_TARGET).where(targets.c.state.in_(OPEN), targets.c.due_at <= now).order_by(targets.c.id)
    if command_id is not None:
        query = query.where(targets.c.command_id == command_id)
    return [_target(row) for row in await db.execute(query)]


async def unconfirmed_reboots(db: AsyncConnection, rig_id: int) -> list[Target]:
    """Reboots of the rig that have begun and may be confirmed by its next boot."""
    state = sa.or_(
        targets.c.state == TargetState.BEGUN,
        sa.and_(targets.c.state == TargetState.FAILED, targets.c.silent.is_(True)),
    )
    query = sa.select(*_TARGET).join(commands, commands.c.id == targets.c.command_id)
    query = query.where(targets.c.rig_id == rig_id, state, commands.c.action == CommandAction.REBOOT)
    return [_target(row) for row in await db.execute(query.order_by(targets.c.id))]


async def release_next(
    db: AsyncConnection, command_id: int, keys: Sequence[str], *, due_at: datetime, now: datetime
) -> list[int]:
    """Gives these keys to held targets, in their order: their sentries may have them now. Returns their rig ids."""
    query = sa.select(targets.c.id, targets.c.rig_id).order_by(targets.c.position).limit(len(keys))
    query = query.where(targets.c.command_id == command_id, targets.c.state == TargetState.WAITING)
    rows = list(await db.execute(query.where(targets.c.key.is_(None))))
    changes = [{"target": row.id, "new": key} for row, key in zip(rows, keys, strict=False)]
    if changes:
        update = sa.update(targets).where(targets.c.id == sa.bindparam("target"), targets.c.key.is_(None))
        await db.execute(update.values(key=sa.bindparam("new"), due_at=due_at, changed_at=now), changes)
    return [row.rig_id for row in rows]


async def write_outcome(
    db: AsyncConnection,
    target: Target,
    outcome: Outcome,
    *,
    now: datetime,
    due_at: datetime | None = None,
    boot_id: str | None = None,
    silent: bool = False,
) -> bool:
    """False: another process has changed the target since it was read."""
    values = {
        "state": outcome.state,
        "result": outcome.text or None,
        "changed_at": now,
        "due_at": due_at,
        "boot_id": boot_id or target.boot_id,
        "silent": silent,
    }
    was = (targets.c.state == target.state, targets.c.changed_at == target.changed_at)
    changed = await db.execute(sa.update(targets).where(targets.c.id == target.id, *was).values(values))
    return changed.rowcount == 1


async def take_over(
    db: AsyncConnection, command_id: int, replaced: Sequence[tuple[Target, bool]], *, due_at: datetime, now: datetime
) -> None:
    """Ends waiting targets for those of a newer command.

    A sentry may know one by its key already (True): the newer target gets that key, so that the sentry acts once.
    """
    rows = [{"target": each.id} for each, _ in replaced]
    moves = [{"rig": each.rig_id, "new": each.key, "at": each.delivered_at} for each, known in replaced if known]
    if rows:
        update = sa.update(targets).where(targets.c.id == sa.bindparam("target"))
        text = f"Replaced by command {command_id}."
        values = {"state": TargetState.CANCELLED, "result": text, "changed_at": now, "due_at": None}
        await db.execute(update.values(**values, replaced_by=command_id, key=None), rows)
    if moves:
        here = (targets.c.command_id == command_id, targets.c.rig_id == sa.bindparam("rig"))
        moved = {"key": sa.bindparam("new"), "delivered_at": sa.bindparam("at"), "due_at": due_at}
        await db.execute(sa.update(targets).where(*here).values(moved), moves)


async def cancel_waiting(
    db: AsyncConnection, command_id: int, text: str, *, now: datetime, held_only: bool = False
) -> list[int]:
    """Ends the targets that wait, or those of them that are not released. Returns the ids of their rigs."""
    where = [targets.c.command_id == command_id, targets.c.state == TargetState.WAITING]
    if held_only:
        where.append(targets.c.key.is_(None))
    values = {"state": TargetState.CANCELLED, "result": text, "changed_at": now, "due_at": None}
    changed = await db.execute(sa.update(targets).where(*where).values(values).returning(targets.c.rig_id))
    return list(changed.scalars())


async def reset_targets(db: AsyncConnection, ids: Sequence[int], *, run: int, now: datetime) -> None:
    """Lets them wait once more, as targets that no sentry knows yet."""
    values = {
        "state": TargetState.WAITING,
        "result": None,
        "changed_at": now,
        "run": run,
        "key": None,
        "due_at": None,
        "delivered_at": None,
        "boot_id": None,
        "silent": False,
    }
    for part in parts_of(ids):
        await db.execute(sa.update(targets).where(targets.c.id.in_(part)).values(values))
        await db.execute(sa.delete(results).where(results.c.target_id.in_(part)))


async def end_targets_of_rig(db: AsyncConnection, rig_id: int, *, now: datetime) -> None:
    """The rig is being removed: what waits is cancelled, what has begun has failed, and it counts as away no longer."""
    ended = {"changed_at": now, "due_at": None}
    waits = (targets.c.rig_id == rig_id, targets.c.state == TargetState.WAITING)
    gone = {"state": TargetState.CANCELLED, "result": "The rig was removed."}
    await db.execute(sa.update(targets).where(*waits).values(**ended, **gone))
    begun = (targets.c.rig_id == rig_id, targets.c.state == TargetState.BEGUN)
    lost = {"state": TargetState.FAILED, "result": "The rig was removed before its result came."}
    await db.execute(sa.update(targets).where(*begun).values(**ended, **lost))
    await db.execute(sa.update(targets).where(targets.c.rig_id == rig_id).values(silent=False))


async def note_delivery(db: AsyncConnection, ids: Sequence[int], now: datetime) -> None:
    """The sentry is about to be given these targets."""
    await db.execute(
        sa.update(targets).where(targets.c.id.in_(ids), targets.c.delivered_at.is_(None)).values(delivered_at=now)
    )


def _target(row: sa.Row[tuple[object, ...]]) -> Target:
    it = row._mapping
    return Target(**{**it, "state": TargetState(it["state"])})


def parts_of(whole: Sequence[T]) -> Iterable[Sequence[T]]:
    """Cuts a list into pieces that one query can take."""
    return (whole[start : start + MANY] for start in range(0, len(whole), MANY))
