"""Queries about tags, of the kind of rig that is named. A function is one query; none commits."""

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.registry.kinds import RigKind
from commander.registry.store import MANY
from commander.registry.tables import RIGS
from commander.tags.domain import Tags, enough, tag_key
from commander.tags.tables import TAGS


async def all_tags(db: AsyncConnection, kind: RigKind) -> dict[int, Tags]:
    """Returns the tags of the rigs that have some, by the rig's id."""
    tags = TAGS[kind]
    return _by_rig(await db.execute(sa.select(tags.c.rig_id, tags.c.tag).order_by(tags.c.rig_id)))


async def some_tags(db: AsyncConnection, kind: RigKind, rig_ids: Collection[int]) -> dict[int, Tags]:
    """Returns the tags of those of these rigs that have some."""
    tags, found = TAGS[kind], dict[int, Tags]()
    query = sa.select(tags.c.rig_id, tags.c.tag).order_by(tags.c.rig_id)
    for part in _parts(rig_ids):
        found |= _by_rig(await db.execute(query.where(tags.c.rig_id.in_(part))))
    return found


async def lock_rigs(db: AsyncConnection, kind: RigKind, rig_ids: Collection[int]) -> dict[int, str]:
    """Returns the names of those of these rigs that there are; until the transaction ends, no other changes them."""
    rigs, names = RIGS[kind], dict[int, str]()
    query = sa.select(rigs.c.id, rigs.c.name).order_by(rigs.c.id).with_for_update()
    for part in _parts(rig_ids):
        names |= {row.id: row.name for row in await db.execute(query.where(rigs.c.id.in_(part)))}
    return names


async def spellings(db: AsyncConnection, keys: Collection[str]) -> dict[str, str]:
    """Returns how the farm writes those of these tags that some rig has."""
    found = dict[str, str]()
    for tags in TAGS.values():
        query = sa.select(tags.c.tag_key, sa.func.min(tags.c.tag).label("tag")).where(tags.c.tag_key.in_(sorted(keys)))
        found |= {row.tag_key: row.tag for row in await db.execute(query.group_by(tags.c.tag_key))}
    return found


async def replace(db: AsyncConnection, kind: RigKind, changed: Mapping[int, tuple[Tags, Tags]]) -> None:
    """Writes the tags of rigs, given as (before, after), as far as they differ."""
    gone = [(rig_id, tag) for rig_id, (before, after) in changed.items() for tag in set(before) - set(after)]
    new = [(rig_id, tag) for rig_id, (before, after) in changed.items() for tag in set(after) - set(before)]
    tags = TAGS[kind]
    if gone:
        query = sa.delete(tags).where(tags.c.rig_id == sa.bindparam("rig"), tags.c.tag_key == sa.bindparam("key"))
        await db.execute(query, [{"rig": rig_id, "key": tag_key(tag)} for rig_id, tag in gone])
    if new:
        rows = [{"rig_id": rig_id, "tag_key": tag_key(tag), "tag": tag} for rig_id, tag in new]
        await db.execute(insert_for(db, tags).on_conflict_do_nothing(), rows)


def _by_rig(rows: Iterable[sa.Row[tuple[int, str]]]) -> dict[int, Tags]:
    """Returns the tags by rig; rows stand in the order of their rigs."""
    return {rig_id: enough(row.tag for row in group) for rig_id, group in groupby(rows, key=lambda row: row.rig_id)}


def _parts(rig_ids: Collection[int]) -> Iterable[list[int]]:
    ids = sorted(rig_ids)
    return (ids[start : start + MANY] for start in range(0, len(ids), MANY))
