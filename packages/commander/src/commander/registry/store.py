"""Queries about rigs, of the kind that is named. A function is one query; none commits."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.registry.kinds import RigKind
from commander.registry.names import NameTaken, Rig, RigNotFound, name_key
from commander.registry.tables import RIGS, cpu_gpu_rigs, removed_tokens

MANY = 500  # parameters of one query


@dataclass(frozen=True, slots=True)
class StoredRig:
    """A rig as the operational index wants it at the start."""

    id: int
    name: str
    created_at: datetime
    specs: bytes | None
    last_taken_at: datetime | None


async def all_rigs(db: AsyncConnection, kind: RigKind) -> list[StoredRig]:
    rigs = RIGS[kind]
    columns = (rigs.c.id, rigs.c.name, rigs.c.created_at, rigs.c.specs, rigs.c.last_taken_at)
    return [StoredRig(*row) for row in await db.execute(sa.select(*columns).order_by(rigs.c.id))]


async def some_rigs(db: AsyncConnection, kind: RigKind, rig_ids: Collection[int]) -> list[StoredRig]:
    """Those of these rigs that there are."""
    rigs, ids, stored = RIGS[kind], sorted(rig_ids), list[StoredRig]()
    query = sa.select(rigs.c.id, rigs.c.name, rigs.c.created_at, rigs.c.specs, rigs.c.last_taken_at)
    for start in range(0, len(ids), MANY):
        rows = await db.execute(query.where(rigs.c.id.in_(ids[start : start + MANY])))
        stored += [StoredRig(*row) for row in rows]
    return stored


async def name_keys(db: AsyncConnection, kind: RigKind) -> set[str]:
    """The names that are taken, as `name_key` writes them."""
    return set((await db.execute(sa.select(RIGS[kind].c.name_key))).scalars())


async def get_rig(db: AsyncConnection, kind: RigKind, rig_id: int) -> Rig:
    rigs = RIGS[kind]
    query = sa.select(rigs.c.id, rigs.c.name, rigs.c.created_at).where(rigs.c.id == rig_id)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise RigNotFound("There is no such rig; it may have been removed.")
    return Rig(*row)


async def insert_rig(db: AsyncConnection, kind: RigKind, name: str, token_hash: bytes, *, now: datetime) -> Rig:
    rigs = RIGS[kind]
    values = {"name": name, "name_key": name_key(name), "token_hash": token_hash, "created_at": now}
    try:
        async with db.begin_nested():  # PostgreSQL: after an error the rest of the transaction must still be of use
            rig_id = (await db.execute(sa.insert(rigs).values(values).returning(rigs.c.id))).scalar_one()
    except IntegrityError as error:
        raise _name_taken(name) from error
    return Rig(rig_id, name, now)


async def rename_rig(db: AsyncConnection, kind: RigKind, rig_id: int, name: str) -> None:
    rigs = RIGS[kind]
    query = sa.update(rigs).where(rigs.c.id == rig_id).values(name=name, name_key=name_key(name))
    try:
        async with db.begin_nested():
            changed = await db.execute(query)
    except IntegrityError as error:
        raise _name_taken(name) from error
    _must_be_one(changed.rowcount)


async def delete_rig(db: AsyncConnection, kind: RigKind, rig_id: int) -> bytes:
    """Delete the rig and return its token's hash."""
    rigs = RIGS[kind]
    token_hash = (
        await db.execute(sa.delete(rigs).where(rigs.c.id == rig_id).returning(rigs.c.token_hash))
    ).scalar_one_or_none()
    _must_be_one(token_hash is not None)
    return bytes(token_hash or b"")


async def bury_token(db: AsyncConnection, token_hash: bytes, *, now: datetime) -> None:
    """Remembers the token of a removed rig, so that its sentry gets the answer "removed", not "unknown"."""
    await db.execute(sa.insert(removed_tokens).values(token_hash=token_hash, removed_at=now))


async def replace_token(db: AsyncConnection, kind: RigKind, rig_id: int, token_hash: bytes) -> bytes:
    """Give the rig another token and return the hash of the old one."""
    rigs = RIGS[kind]
    query = sa.select(rigs.c.token_hash).where(rigs.c.id == rig_id).with_for_update()
    old = (await db.execute(query)).scalar_one_or_none()
    _must_be_one(old is not None)
    await db.execute(sa.update(rigs).where(rigs.c.id == rig_id).values(token_hash=token_hash))
    return bytes(old or b"")


async def set_specs(db: AsyncConnection, kind: RigKind, specs: Mapping[int, bytes]) -> None:
    """By rig id; one that has been removed in the meantime is passed over."""
    rigs = RIGS[kind]
    values = [{"rig": rig_id, "text": text} for rig_id, text in specs.items()]
    if values:
        query = sa.update(rigs).where(rigs.c.id == sa.bindparam("rig")).values(specs=sa.bindparam("text"))
        await db.execute(query, values)


async def set_last_taken(db: AsyncConnection, kind: RigKind, newest: Iterable[tuple[int, datetime]]) -> None:
    """Note where each rig's newest log is, given as (rig id, taken at); of two nodes, who knows more is right."""
    rigs = RIGS[kind]
    values = [{"rig": rig_id, "taken": taken_at} for rig_id, taken_at in sorted(newest)]
    if values:
        older = sa.or_(rigs.c.last_taken_at.is_(None), rigs.c.last_taken_at < sa.bindparam("taken"))
        where = sa.and_(rigs.c.id == sa.bindparam("rig"), older)
        await db.execute(sa.update(rigs).where(where).values(last_taken_at=sa.bindparam("taken")), values)


async def find_tokens(
    db: AsyncConnection, kind: RigKind, hashes: Collection[bytes]
) -> dict[bytes, tuple[int, bytes | None]]:
    """The rigs that have these tokens, by the hash of the token, and the hash of the key to which each is bound."""
    rigs, found = RIGS[kind], dict[bytes, tuple[int, bytes | None]]()
    query = sa.select(rigs.c.token_hash, rigs.c.id, rigs.c.get("sentry_key_hash", sa.null()))
    for part in _parts(hashes):
        rows = await db.execute(query.where(rigs.c.token_hash.in_(part)))
        found |= {bytes(each): (rig_id, None if key is None else bytes(key)) for each, rig_id, key in rows}
    return found


async def bind(db: AsyncConnection, rig_id: int, token_hash: bytes, key_hash: bytes) -> bool:
    """Lets the CPU/GPU rig's token count only with this key. Returns False if it has another token or a key already."""
    rigs = cpu_gpu_rigs
    query = sa.update(rigs).where(
        rigs.c.id == rig_id, rigs.c.token_hash == token_hash, rigs.c.sentry_key_hash.is_(None)
    )
    return (await db.execute(query.values(sentry_key_hash=key_hash))).rowcount == 1


async def unbind(db: AsyncConnection, rig_id: int) -> None:
    """Lets the CPU/GPU rig's token count with every key, until a machine binds it."""
    await db.execute(sa.update(cpu_gpu_rigs).where(cpu_gpu_rigs.c.id == rig_id).values(sentry_key_hash=None))


async def removed_among(db: AsyncConnection, hashes: Collection[bytes]) -> set[bytes]:
    """Those of the tokens whose rig was removed."""
    removed = set[bytes]()
    for part in _parts(hashes):
        rows = await db.execute(sa.select(removed_tokens.c.token_hash).where(removed_tokens.c.token_hash.in_(part)))
        removed |= {bytes(row.token_hash) for row in rows}
    return removed


def _parts(hashes: Collection[bytes]) -> Iterable[list[bytes]]:
    whole = list(hashes)
    return (whole[start : start + MANY] for start in range(0, len(whole), MANY))


def _name_taken(name: str) -> NameTaken:
    return NameTaken(f"Another rig is called {name}; choose another name.")


def _must_be_one(changed: int | bool) -> None:
    if not changed:
        raise RigNotFound("There is no such rig; it may have been removed.")
