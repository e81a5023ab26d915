"""Reads the dictionaries that pack logs. Old ones stay in the database, so every row stays readable.

A farm without a dictionary of its own gets the shipped one into its database: rows stay readable by every version, and
in every copy of the farm.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database, insert_for
from commander.raw_logs import starter
from commander.raw_logs.codec import Packer, dictionary_of, is_known, learn
from commander.raw_logs.tables import log_dictionaries as dictionaries
from commander.registry.kinds import RigKind


class Newest(NamedTuple):
    """The newest dictionary of one kind of rig. `ratio` is packed to plain bytes of its training logs."""

    number: int
    made_at: datetime
    ratio: float

    @property
    def is_starter(self) -> bool:
        """True if it was shipped, not made from the farm's own logs."""
        return self.made_at == starter.MADE_AT


async def load_needed(db: AsyncConnection, rows: Iterable[tuple[int, bytes]]) -> None:
    """Learns the dictionaries that these rows, as (codec, body), were packed with."""
    numbers = {number for codec, body in rows if (number := dictionary_of(codec, body)) is not None}
    if unknown := [number for number in numbers if not is_known(number)]:
        query = sa.select(dictionaries.c.id, dictionaries.c.body).where(dictionaries.c.id.in_(unknown))
        for number, body in await db.execute(query):
            learn(number, body)


async def use_newest(database: Database, packer: Packer) -> None:
    """Lets the packer use the newest dictionaries. Called at the start."""
    for kind in RigKind:
        async with database.reading() as db:
            newest = await newest_of(db, kind)
        packer.use(kind, newest.number if newest else await _keep_starter(database, kind))


async def _keep_starter(database: Database, kind: RigKind) -> int:
    """Stores the shipped dictionary and returns its number. Another commander may do so at the same moment."""
    number, body = starter.starter_of(kind)
    learn(number, body)
    async with database.transaction() as db:
        values = {"id": number, "kind": kind, "made_at": starter.MADE_AT, "ratio": starter.RATIO, "body": body}
        query = insert_for(db, dictionaries).values(values)
        await db.execute(query.on_conflict_do_nothing(index_elements=[dictionaries.c.id]))
    return number


async def newest_of(db: AsyncConnection, kind: RigKind) -> Newest | None:
    query = sa.select(dictionaries.c.id, dictionaries.c.made_at, dictionaries.c.ratio, dictionaries.c.body)
    query = query.where(dictionaries.c.kind == kind).order_by(dictionaries.c.made_at.desc(), dictionaries.c.id).limit(1)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        return None
    learn(row.id, row.body)
    return Newest(row.id, row.made_at, row.ratio)
