"""Queries about farm tokens. None commits."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.farm_tokens.domain import FarmToken, FarmTokenNotFound, NewFarmToken
from commander.farm_tokens.tables import farm_tokens as tokens

_COLUMNS = [column for column in tokens.c if column.name != "token_hash"]
_tags = msgspec.json.Decoder(tuple[str, ...])


async def insert_farm_token(
    db: AsyncConnection, new: NewFarmToken, token_hash: bytes, *, now: datetime, made_by: str
) -> FarmToken:
    values = {
        "token_hash": token_hash,
        "name": new.name,
        "name_pattern": new.name_pattern,
        "tags": msgspec.json.encode(new.tags).decode(),
        "approve_by_hand": new.approve_by_hand,
        "uses": new.uses,
        "used": 0,
        "created_at": now,
        "expires_at": now + new.valid_for,
        "made_by": made_by[:128],
    }
    row = (await db.execute(sa.insert(tokens).values(values).returning(*_COLUMNS))).one()
    return _farm_token(row)


async def all_farm_tokens(db: AsyncConnection) -> list[FarmToken]:
    """Returns all, newest first."""
    return [_farm_token(row) for row in await db.execute(sa.select(*_COLUMNS).order_by(tokens.c.id.desc()))]


async def count_farm_tokens(db: AsyncConnection) -> int:
    return (await db.execute(sa.select(sa.func.count()).select_from(tokens))).scalar_one()


async def find_by_hash(db: AsyncConnection, hashes: Collection[bytes]) -> dict[bytes, int]:
    """Returns the ids of the farm tokens with these hashes, revoked and expired ones too."""
    query = sa.select(tokens.c.token_hash, tokens.c.id).where(tokens.c.token_hash.in_(list(hashes)))
    return {bytes(row.token_hash): row.id for row in await db.execute(query)}


async def lock_farm_token(db: AsyncConnection, token_id: int) -> FarmToken:
    """Returns the farm token; until the commit no other rig enrolls with it. Raises `FarmTokenNotFound`."""
    row = (await db.execute(sa.select(*_COLUMNS).where(tokens.c.id == token_id).with_for_update())).one_or_none()
    if row is None:
        raise FarmTokenNotFound("There is no such farm token; it may have been revoked long ago.")
    return _farm_token(row)


async def use(db: AsyncConnection, token_id: int) -> bool:
    """Spends one use. Returns whether there was one left."""
    query = sa.update(tokens).where(tokens.c.id == token_id, tokens.c.used < tokens.c.uses)
    return (await db.execute(query.values(used=tokens.c.used + 1))).rowcount == 1


async def revoke(db: AsyncConnection, token_id: int, *, now: datetime) -> FarmToken:
    """Raises `FarmTokenNotFound`, also if it was revoked before."""
    query = sa.update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
    row = (await db.execute(query.returning(*_COLUMNS))).one_or_none()
    if row is None:
        raise FarmTokenNotFound("There is no such farm token; it may have been revoked.")
    return _farm_token(row)


async def delete_ended(db: AsyncConnection, *, now: datetime, kept_for: timedelta) -> None:
    """Forgets the farm tokens whose time has been over for so long."""
    await db.execute(sa.delete(tokens).where(tokens.c.expires_at < now - kept_for))


def _farm_token(row: sa.Row[Any]) -> FarmToken:
    columns = dict(row._mapping)
    return FarmToken(**columns | {"tags": _tags.decode(row.tags)})
