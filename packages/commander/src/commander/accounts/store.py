"""Queries about the password, sessions, API keys and site tokens. None commits."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts.domain import ApiKey, KeyNameTaken, NamedKey, Role, Session
from commander.accounts.tables import accesses, api_keys, secrets, sessions, site_tokens
from commander.db import Moment, insert_for

_PASSWORD = "password"  # noqa: S105 - the name of the row
_SESSION = (
    sessions.c.id,
    sessions.c.created_at,
    sessions.c.last_seen_at,
    sessions.c.address,
    sessions.c.user_agent,
    accesses.c.role,
    accesses.c.id,
    accesses.c.name,
    sessions.c.confirmed_at,
)
_API_KEY = (
    api_keys.c.id,
    api_keys.c.name,
    api_keys.c.created_at,
    api_keys.c.last_used_at,
    api_keys.c.role,
    api_keys.c.expires_at,
)
_ALL_SESSIONS = sa.select(*_SESSION).join_from(sessions, accesses, accesses.c.id == sessions.c.access_id)
_OF_COOKIE = _ALL_SESSIONS.where(  # made once: each request of a browser reads its session
    sessions.c.cookie_hash == sa.bindparam("cookie_hash"),
    sessions.c.last_seen_at > sa.bindparam("seen_after"),
    sessions.c.created_at > sa.bindparam("made_after"),
)
_WHAT = {api_keys: "API key", site_tokens: "site"}


async def password_hash(db: AsyncConnection) -> str | None:
    return (await db.execute(sa.select(secrets.c.hash).where(secrets.c.name == _PASSWORD))).scalar_one_or_none()


async def set_password_hash(db: AsyncConnection, text: str, *, now: datetime) -> None:
    query = insert_for(db, secrets).values(name=_PASSWORD, hash=text, changed_at=now)
    values = {"hash": text, "changed_at": now}
    await db.execute(query.on_conflict_do_update(index_elements=[secrets.c.name], set_=values))


async def set_first_password_hash(db: AsyncConnection, text: str, *, now: datetime) -> bool:
    """False if there is a password already."""
    query = insert_for(db, secrets).values(name=_PASSWORD, hash=text, changed_at=now)
    return (await db.execute(query.on_conflict_do_nothing(index_elements=[secrets.c.name]))).rowcount == 1


async def insert_session(
    db: AsyncConnection, cookie_hash: bytes, *, access_id: int, address: str, user_agent: str, now: datetime
) -> None:
    """Stores a new session of a person who has just typed the password."""
    await db.execute(
        sa.insert(sessions).values(
            cookie_hash=cookie_hash,
            created_at=now,
            last_seen_at=now,
            address=address,
            user_agent=user_agent[:256],
            access_id=access_id,
            confirmed_at=now,
        )
    )


async def find_session(
    db: AsyncConnection, cookie_hash: bytes, *, seen_after: datetime, made_after: datetime
) -> Session | None:
    values = {"cookie_hash": cookie_hash, "seen_after": seen_after, "made_after": made_after}
    row = (await db.execute(_OF_COOKIE, values)).one_or_none()
    return _session(*row) if row else None


def _session(
    session_id: int,
    created_at: datetime,
    last_seen_at: datetime,
    address: str,
    user_agent: str,
    role: str,
    access_id: int,
    access_name: str,
    confirmed_at: datetime | None,
) -> Session:
    return Session(
        session_id,
        created_at,
        last_seen_at,
        address,
        user_agent,
        role=Role(role),
        access_id=access_id,
        access_name=access_name,
        confirmed_at=confirmed_at,
    )


async def confirm_session(db: AsyncConnection, session_id: int, *, now: datetime) -> None:
    """Notes that the person has typed the password, or a code, again."""
    await db.execute(sa.update(sessions).where(sessions.c.id == session_id).values(confirmed_at=now))


async def touch_session(db: AsyncConnection, session_id: int, *, now: datetime) -> None:
    """A session that was made by a clock that was ahead counts from now on: else it would live too long."""
    made = sa.case((sessions.c.created_at > now, sa.literal(now, Moment)), else_=sessions.c.created_at)
    await db.execute(sa.update(sessions).where(sessions.c.id == session_id).values(last_seen_at=now, created_at=made))


async def all_sessions(db: AsyncConnection) -> list[Session]:
    rows = await db.execute(_ALL_SESSIONS.order_by(sessions.c.last_seen_at.desc(), sessions.c.id))
    return [_session(*row) for row in rows]


async def delete_session(db: AsyncConnection, session_id: int) -> Session | None:
    """Returns the session that is gone; None if there was none."""
    row = (await db.execute(_ALL_SESSIONS.where(sessions.c.id == session_id))).one_or_none()
    await db.execute(sa.delete(sessions).where(sessions.c.id == session_id))
    return _session(*row) if row else None


async def delete_all_sessions(db: AsyncConnection) -> None:
    await db.execute(sa.delete(sessions))


async def delete_old_sessions(db: AsyncConnection, *, seen_before: datetime, made_before: datetime) -> None:
    idle, old = sessions.c.last_seen_at <= seen_before, sessions.c.created_at <= made_before
    await db.execute(sa.delete(sessions).where(sa.or_(idle, old)))


async def insert_api_key(
    db: AsyncConnection, name: str, key_hash: bytes, *, role: Role, expires_at: datetime | None, now: datetime
) -> ApiKey:
    """Raises `KeyNameTaken`."""
    key = await insert_key(db, api_keys, name, key_hash, now=now, role=role.value, expires_at=expires_at)
    return ApiKey(key.id, name, now, None, role, expires_at)


async def find_api_key(db: AsyncConnection, key_hash: bytes) -> ApiKey | None:
    row = (await db.execute(sa.select(*_API_KEY).where(api_keys.c.key_hash == key_hash))).one_or_none()
    return _api_key(*row) if row else None


async def all_api_keys(db: AsyncConnection) -> list[ApiKey]:
    return [_api_key(*row) for row in await db.execute(sa.select(*_API_KEY).order_by(api_keys.c.name))]


def _api_key(
    key_id: int, name: str, created_at: datetime, last_used_at: datetime | None, role: str, expires_at: datetime | None
) -> ApiKey:
    return ApiKey(key_id, name, created_at, last_used_at, Role(role), expires_at)


async def insert_key(
    db: AsyncConnection, keys: sa.Table, name: str, key_hash: bytes, *, now: datetime, **more: object
) -> NamedKey:
    """`keys` is the table: `api_keys` or `site_tokens`, here and below. `more` are columns of its own."""
    values = {"name": name, "key_hash": key_hash, "created_at": now, **more}
    query = sa.insert(keys).values(values).returning(keys.c.id)
    try:
        async with db.begin_nested():  # PostgreSQL: after an error the rest of the transaction must still be of use
            key_id = (await db.execute(query)).scalar_one()
    except IntegrityError as error:
        raise KeyNameTaken(f"Another {_WHAT[keys]} is called {name}; choose another name.") from error
    return NamedKey(key_id, name, now, None)


async def find_key(db: AsyncConnection, keys: sa.Table, key_hash: bytes) -> NamedKey | None:
    row = (await db.execute(_select(keys).where(keys.c.key_hash == key_hash))).one_or_none()
    return NamedKey(*row) if row else None


async def touch_key(db: AsyncConnection, key_id: int, *, keys: sa.Table, now: datetime) -> None:
    await db.execute(sa.update(keys).where(keys.c.id == key_id).values(last_used_at=now))


async def all_keys(db: AsyncConnection, keys: sa.Table) -> list[NamedKey]:
    return [NamedKey(*row) for row in await db.execute(_select(keys).order_by(keys.c.name))]


class DeletedKey(NamedTuple):
    """An API key or site token that is gone."""

    name: str
    key_hash: bytes


async def delete_key(db: AsyncConnection, keys: sa.Table, key_id: int) -> DeletedKey | None:
    """Returns the key that is gone; None if there was none."""
    query = sa.delete(keys).where(keys.c.id == key_id).returning(keys.c.name, keys.c.key_hash)
    row = (await db.execute(query)).one_or_none()
    return DeletedKey(row.name, bytes(row.key_hash)) if row else None


async def key_name(db: AsyncConnection, keys: sa.Table, key_id: int) -> str:
    """Returns the name of a key that exists."""
    return str((await db.execute(sa.select(keys.c.name).where(keys.c.id == key_id))).scalar_one())


async def delete_api_key_named(db: AsyncConnection, name: str) -> int | None:
    """Returns the id of the key that is gone; None if there was none."""
    query = sa.delete(api_keys).where(api_keys.c.name == name).returning(api_keys.c.id)
    return (await db.execute(query)).scalar_one_or_none()


def _select(keys: sa.Table) -> sa.Select[Any]:
    return sa.select(keys.c.id, keys.c.name, keys.c.created_at, keys.c.last_used_at)
