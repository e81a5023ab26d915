"""Queries about mining software. None commits."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.registry.names import name_key
from commander.software.domain import CatalogueEntry, MiningSoftware, SoftwareNotFound, SoftwareTaken
from commander.software.tables import mining_software as software
from commander.software.tables import removed_catalogue

_ENTRY = (software.c.id, software.c.shipped_key, software.c.about)
_about = msgspec.json.Decoder(MiningSoftware)


async def all_software(db: AsyncConnection) -> list[CatalogueEntry]:
    rows = await db.execute(sa.select(*_ENTRY).order_by(software.c.name_key, software.c.version.desc()))
    return [_entry(*row) for row in rows]


async def get_software(db: AsyncConnection, software_id: int) -> CatalogueEntry:
    row = (await db.execute(sa.select(*_ENTRY).where(software.c.id == software_id))).one_or_none()
    if row is None:
        raise SoftwareNotFound("There is no such mining software; it may have been removed.")
    return _entry(*row)


async def insert_software(
    db: AsyncConnection, about: MiningSoftware, *, now: datetime, shipped_key: str | None = None
) -> CatalogueEntry:
    values = _values(about) | {"shipped_key": shipped_key, "edited": False, "changed_at": now}
    try:
        software_id = (await db.execute(sa.insert(software).values(values).returning(software.c.id))).scalar_one()
    except IntegrityError as error:
        raise _taken(about) from error
    return CatalogueEntry(software_id, shipped_key is not None, about)


async def update_software(
    db: AsyncConnection, software_id: int, about: MiningSoftware, *, edited: bool, now: datetime
) -> None:
    values = _values(about) | {"edited": edited, "changed_at": now}
    try:
        await db.execute(sa.update(software).where(software.c.id == software_id).values(values))
    except IntegrityError as error:
        raise _taken(about) from error


async def delete_software(db: AsyncConnection, software_id: int, *, now: datetime) -> None:
    """A shipped entry is remembered as removed, or the next start would bring it back."""
    gone = sa.delete(software).where(software.c.id == software_id).returning(software.c.shipped_key)
    if (key := (await db.execute(gone)).scalar_one_or_none()) is not None:
        await db.execute(sa.insert(removed_catalogue).values(shipped_key=key, removed_at=now))


async def shipped_state(db: AsyncConnection) -> dict[str, tuple[int, bool, MiningSoftware]]:
    """Returns by their keys: the id, whether it was edited, and the software as it is now."""
    query = sa.select(software.c.shipped_key, software.c.id, software.c.edited, software.c.about)
    rows = await db.execute(query.where(software.c.shipped_key.is_not(None)))
    return {row.shipped_key: (row.id, row.edited, _about.decode(row.about)) for row in rows}


async def removed_keys(db: AsyncConnection) -> set[str]:
    return set((await db.execute(sa.select(removed_catalogue.c.shipped_key))).scalars())


def _values(about: MiningSoftware) -> dict[str, object]:
    return {"name_key": name_key(about.name), "version": about.version, "about": msgspec.json.encode(about)}


def _entry(software_id: int, shipped_key: str | None, about: bytes) -> CatalogueEntry:
    return CatalogueEntry(software_id, shipped_key is not None, _about.decode(about))


def _taken(about: MiningSoftware) -> SoftwareTaken:
    return SoftwareTaken(f"{about.title} is in the catalogue already; edit that entry, or give another version.")
