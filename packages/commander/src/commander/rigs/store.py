"""Queries about CPU/GPU rigs. A function is one query; none commits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa
from protocol.messages import CpuGpuSpecs
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.rigs.domain import NameTaken, Rig, RigNotFound, name_key
from commander.rigs.tables import cpu_gpu_rigs as rigs
from commander.rigs.tables import removed_tokens


@dataclass(frozen=True, slots=True)
class StoredRig:
    """A rig as the operational index wants it at the start."""

    id: int
    name: str
    specs: bytes | None
    last_taken_at: datetime | None


async def all_rigs(db: AsyncConnection) -> list[StoredRig]:
    rows = await db.execute(sa.select(rigs.c.id, rigs.c.name, rigs.c.specs, rigs.c.last_taken_at).order_by(rigs.c.id))
    return [StoredRig(*row) for row in rows]


async def get_rig(db: AsyncConnection, rig_id: int) -> Rig:
    query = sa.select(rigs.c.id, rigs.c.name, rigs.c.created_at, rigs.c.specs).where(rigs.c.id == rig_id)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise RigNotFound("There is no such rig; it may have been removed.")
    specs = None if row.specs is None else msgspec.json.decode(row.specs, type=CpuGpuSpecs)
    return Rig(row.id, row.name, row.created_at, specs)


async def insert_rig(db: AsyncConnection, name: str, token_hash: bytes, *, now: datetime) -> Rig:
    values = {"name": name, "name_key": name_key(name), "token_hash": token_hash, "created_at": now}
    try:
        rig_id = (await db.execute(sa.insert(rigs).values(values).returning(rigs.c.id))).scalar_one()
    except IntegrityError as error:
        raise _name_taken(name) from error
    return Rig(rig_id, name, now)


async def rename_rig(db: AsyncConnection, rig_id: int, name: str) -> None:
    try:
        changed = await db.execute(
            sa.update(rigs).where(rigs.c.id == rig_id).values(name=name, name_key=name_key(name))
        )
    except IntegrityError as error:
        raise _name_taken(name) from error
    _must_be_one(changed.rowcount)


async def delete_rig(db: AsyncConnection, rig_id: int) -> bytes:
    """Delete the rig and return its token's hash."""
    token_hash = (
        await db.execute(sa.delete(rigs).where(rigs.c.id == rig_id).returning(rigs.c.token_hash))
    ).scalar_one_or_none()
    _must_be_one(token_hash is not None)
    return bytes(token_hash or b"")


async def bury_token(db: AsyncConnection, token_hash: bytes, *, now: datetime) -> None:
    """Remember the token of a removed rig, so that its sentry is told "removed", not "unknown"."""
    await db.execute(sa.insert(removed_tokens).values(token_hash=token_hash, removed_at=now))


async def replace_token(db: AsyncConnection, rig_id: int, token_hash: bytes) -> bytes:
    """Give the rig another token and return the hash of the old one."""
    old = (await db.execute(sa.select(rigs.c.token_hash).where(rigs.c.id == rig_id))).scalar_one_or_none()
    _must_be_one(old is not None)
    await db.execute(sa.update(rigs).where(rigs.c.id == rig_id).values(token_hash=token_hash))
    return bytes(old or b"")


async def set_specs(db: AsyncConnection, rig_id: int, specs: bytes) -> None:
    changed = await db.execute(sa.update(rigs).where(rigs.c.id == rig_id).values(specs=specs))
    _must_be_one(changed.rowcount)


async def set_last_taken(db: AsyncConnection, newest: Iterable[tuple[int, datetime]]) -> None:
    """Note where each rig's newest log is, given as (rig id, taken at)."""
    values = [{"rig": rig_id, "taken": taken_at} for rig_id, taken_at in newest]
    if values:
        where = rigs.c.id == sa.bindparam("rig")
        await db.execute(sa.update(rigs).where(where).values(last_taken_at=sa.bindparam("taken")), values)


async def find_token(db: AsyncConnection, token_hash: bytes) -> int | None:
    """The rig that has this token."""
    return (await db.execute(sa.select(rigs.c.id).where(rigs.c.token_hash == token_hash))).scalar_one_or_none()


async def is_removed(db: AsyncConnection, token_hash: bytes) -> bool:
    query = sa.select(removed_tokens.c.removed_at).where(removed_tokens.c.token_hash == token_hash)
    return (await db.execute(query)).one_or_none() is not None


def _name_taken(name: str) -> NameTaken:
    return NameTaken(f"Another rig is called {name}; choose another name.")


def _must_be_one(changed: int | bool) -> None:
    if not changed:
        raise RigNotFound("There is no such rig; it may have been removed.")
