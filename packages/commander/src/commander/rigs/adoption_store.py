"""Queries about ASICs alone. A function is one query; none commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.registry.names import name_key
from commander.registry.tables import asic_rigs as asics


class Registered(NamedTuple):
    """An ASIC that a site registered before."""

    id: int
    name: str
    token_hash: bytes


class Registration(NamedTuple):
    """An ASIC that a site registers now, under `key`."""

    name: str
    key: str
    token_hash: bytes


async def registered_by(db: AsyncConnection, site_id: int) -> dict[str, Registered]:
    """Everything that the site has registered, by its key."""
    query = sa.select(asics.c.site_key, asics.c.id, asics.c.name, asics.c.token_hash).where(asics.c.site_id == site_id)
    return {row.site_key: Registered(row.id, row.name, bytes(row.token_hash)) for row in await db.execute(query)}


async def count_by_site(db: AsyncConnection) -> dict[int, int]:
    """Counts the ASICs that each site has registered."""
    query = sa.select(asics.c.site_id, sa.func.count()).where(asics.c.site_id.is_not(None)).group_by(asics.c.site_id)
    return {site_id: count for site_id, count in await db.execute(query)}


async def insert_asics(
    db: AsyncConnection, site_id: int, new: Sequence[Registration], *, now: datetime
) -> dict[str, int]:
    """The ids of the new rigs, by their keys."""
    rows = [
        {
            "name": each.name,
            "name_key": name_key(each.name),
            "token_hash": each.token_hash,
            "created_at": now,
            "site_id": site_id,
            "site_key": each.key,
        }
        for each in new
    ]
    if not rows:
        return {}
    inserted = await db.execute(sa.insert(asics).returning(asics.c.site_key, asics.c.id), rows)
    return {row.site_key: row.id for row in inserted}


async def replace_tokens(db: AsyncConnection, hashes: dict[int, bytes]) -> None:
    """Other tokens for these rigs, by id."""
    if hashes:
        query = sa.update(asics).where(asics.c.id == sa.bindparam("rig")).values(token_hash=sa.bindparam("hash"))
        await db.execute(query, [{"rig": rig_id, "hash": token_hash} for rig_id, token_hash in hashes.items()])
