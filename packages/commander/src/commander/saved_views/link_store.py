"""Queries about view links. A function is one query; none commits."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.registry.kinds import RigKind
from commander.saved_views.domain import ViewLink
from commander.saved_views.tables import saved_views, view_links


async def insert_link(
    db: AsyncConnection, view_id: int, token_hash: bytes, *, expires_at: datetime, now: datetime
) -> None:
    values = {"view_id": view_id, "token_hash": token_hash, "created_at": now, "expires_at": expires_at}
    await db.execute(sa.insert(view_links).values(values))


async def find_link(db: AsyncConnection, token_hash: bytes) -> ViewLink | None:
    row = (await db.execute(_links().where(view_links.c.token_hash == token_hash))).one_or_none()
    return _link(*row) if row else None


async def all_links(db: AsyncConnection) -> list[ViewLink]:
    """Returns the links by the names of their views."""
    query = _links().order_by(saved_views.c.name_key, saved_views.c.kind, view_links.c.id)
    return [_link(*row) for row in await db.execute(query)]


async def count_links(db: AsyncConnection) -> int:
    return (await db.execute(sa.select(sa.func.count()).select_from(view_links))).scalar_one()


async def links_of_view(db: AsyncConnection, view_id: int) -> list[int]:
    """Returns the ids of the view's links."""
    query = sa.select(view_links.c.id).where(view_links.c.view_id == view_id).order_by(view_links.c.id)
    return list((await db.execute(query)).scalars())


async def touch_link(db: AsyncConnection, link_id: int, *, now: datetime) -> None:
    await db.execute(sa.update(view_links).where(view_links.c.id == link_id).values(last_used_at=now))


async def delete_link(db: AsyncConnection, link_id: int) -> str | None:
    """Removes the link and returns the name of its view; None if there is no such link."""
    query = sa.delete(view_links).where(view_links.c.id == link_id).returning(view_links.c.view_id)
    view_id = (await db.execute(query)).scalar_one_or_none()
    if view_id is None:
        return None
    name: str = (await db.execute(sa.select(saved_views.c.name).where(saved_views.c.id == view_id))).scalar_one()
    return name


def _links() -> sa.Select[Any]:
    columns = (
        *(view_links.c.id, view_links.c.created_at, view_links.c.expires_at, view_links.c.last_used_at),
        *(saved_views.c.name, saved_views.c.kind, saved_views.c.query),
    )
    return sa.select(*columns).join_from(view_links, saved_views, saved_views.c.id == view_links.c.view_id)


def _link(
    link_id: int,
    created_at: datetime,
    expires_at: datetime,
    last_used_at: datetime | None,
    name: str,
    kind: str,
    query: str,
) -> ViewLink:
    return ViewLink(link_id, created_at, expires_at, last_used_at, name, RigKind(kind), query)
