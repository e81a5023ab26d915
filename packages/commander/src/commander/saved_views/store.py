"""Queries about saved views. A function is one query; none commits."""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.registry.kinds import RigKind
from commander.registry.names import name_key
from commander.saved_views.tables import saved_views


class SavedView(NamedTuple):
    """A view of the index page of one kind of rig."""

    id: int
    name: str
    query: str


async def views_of(db: AsyncConnection, kind: RigKind) -> list[SavedView]:
    """Returns the views by name."""
    columns = (saved_views.c.id, saved_views.c.name, saved_views.c.query)
    query = sa.select(*columns).where(saved_views.c.kind == kind).order_by(saved_views.c.name_key)
    return [SavedView(*row) for row in await db.execute(query)]


async def put_view(db: AsyncConnection, kind: RigKind, name: str, query: str) -> int:
    """Adds the view, or replaces the one that has this name. Returns its id."""
    values = {"kind": kind, "name": name, "name_key": name_key(name), "query": query}
    insert = insert_for(db, saved_views).values(values)
    keys = [saved_views.c.kind, saved_views.c.name_key]
    upsert = insert.on_conflict_do_update(index_elements=keys, set_={"name": name, "query": query})
    view_id: int = (await db.execute(upsert.returning(saved_views.c.id))).scalar_one()
    return view_id


async def find_view_name(db: AsyncConnection, view_id: int) -> str | None:
    """Returns the view's name; None if there is no such view. It can't be removed until the transaction ends."""
    query = sa.select(saved_views.c.name).where(saved_views.c.id == view_id).with_for_update()
    name: str | None = (await db.execute(query)).scalar_one_or_none()
    return name


async def delete_view(db: AsyncConnection, kind: RigKind, view_id: int) -> str | None:
    """Removes the view with its links and returns its name; None if there is no such view."""
    query = sa.delete(saved_views).where(saved_views.c.id == view_id, saved_views.c.kind == kind)
    name: str | None = (await db.execute(query.returning(saved_views.c.name))).scalar_one_or_none()
    return name
