"""Queries about accesses and their second factors. None commits."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts import store
from commander.accounts.access_domain import OWNER_ID, Access, AccessNameTaken, AccessNotFound, name_key_of
from commander.accounts.domain import Role
from commander.accounts.tables import accesses, recovery_codes, sessions

_ACCESS = (accesses.c.id, accesses.c.name, accesses.c.role, accesses.c.totp_sealed, accesses.c.created_at)


async def all_accesses(db: AsyncConnection) -> list[Access]:
    """Returns the owner's access first, then the others by name."""
    return [
        _access(*row) for row in await db.execute(sa.select(*_ACCESS).order_by(accesses.c.id != 1, accesses.c.name))
    ]


async def get_access(db: AsyncConnection, access_id: int) -> Access:
    """Raises `AccessNotFound`."""
    row = (await db.execute(sa.select(*_ACCESS).where(accesses.c.id == access_id))).one_or_none()
    if row is None:
        raise AccessNotFound("There is no such access, or it was removed.")
    return _access(*row)


async def find_access(db: AsyncConnection, name: str) -> Access | None:
    """Returns the access of this name; None if there is none."""
    row = (await db.execute(sa.select(*_ACCESS).where(accesses.c.name_key == name_key_of(name)))).one_or_none()
    return _access(*row) if row else None


async def password_hash_of(db: AsyncConnection, access_id: int) -> str | None:
    """Returns what is stored of an access's password, also of the owner's; None if there is no such access."""
    return (await password_hashes(db, access_id)).get(access_id)


async def password_hashes(db: AsyncConnection, *access_ids: int) -> dict[int, str]:
    """Returns what is stored of the passwords of these accesses, without ids of all. The owner's is in `secrets`."""
    query = sa.select(accesses.c.id, accesses.c.password_hash).where(accesses.c.password_hash.is_not(None))
    if access_ids:
        query = query.where(accesses.c.id.in_(access_ids))
    found: dict[int, str] = {each.id: each.password_hash for each in await db.execute(query)}
    if not access_ids or OWNER_ID in access_ids:
        owners = await store.password_hash(db)
        found |= {OWNER_ID: owners} if owners is not None else {}
    return found


def _access(access_id: int, name: str, role: str, totp_sealed: bytes | None, created_at: datetime) -> Access:
    return Access(access_id, name, Role(role), bool(totp_sealed), created_at)


async def insert_access(db: AsyncConnection, name: str, role: Role, password_hash: str, *, now: datetime) -> Access:
    """Raises `AccessNameTaken`."""
    values = {"name": name, "name_key": name_key_of(name), "role": role.value, "password_hash": password_hash}
    query = sa.insert(accesses).values(**values, created_at=now).returning(accesses.c.id)
    return Access(await _unique(db, query, name), name, role, False, now)


async def update_access(db: AsyncConnection, access_id: int, values: dict[str, object]) -> None:
    """Changes these columns. Raises `AccessNameTaken` or `AccessNotFound`."""
    if not values:
        return
    query = sa.update(accesses).where(accesses.c.id == access_id).values(values).returning(accesses.c.id)
    await _unique(db, query, str(values.get("name", "")))


async def _unique(db: AsyncConnection, query: Any, name: str) -> int:
    try:
        async with db.begin_nested():  # PostgreSQL: after an error the rest of the transaction must still be of use
            found: int | None = (await db.execute(query)).scalar_one_or_none()
    except IntegrityError as error:
        raise AccessNameTaken(f"Another access is called {name}; choose another name.") from error
    if found is None:
        raise AccessNotFound("There is no such access, or it was removed.")
    return found


async def delete_access(db: AsyncConnection, access_id: int) -> None:
    await db.execute(sa.delete(recovery_codes).where(recovery_codes.c.access_id == access_id))
    await db.execute(sa.delete(accesses).where(accesses.c.id == access_id))


async def delete_sessions_of(db: AsyncConnection, access_id: int | None, *, but: int | None = None) -> list[int]:
    """Removes the sessions of an access (None: of all), except session `but`. Returns their ids."""
    query = sa.delete(sessions).returning(sessions.c.id)
    if access_id is not None:
        query = query.where(sessions.c.access_id == access_id)
    if but is not None:
        query = query.where(sessions.c.id != but)
    return list((await db.execute(query)).scalars())


async def session_ids_of(db: AsyncConnection, access_id: int) -> list[int]:
    return list((await db.execute(sa.select(sessions.c.id).where(sessions.c.access_id == access_id))).scalars())


async def totp_sealed_of(db: AsyncConnection, access_id: int) -> bytes | None:
    """Returns the sealed secret of the second factor; None if the access needs none."""
    query = sa.select(accesses.c.totp_sealed).where(accesses.c.id == access_id)
    return (await db.execute(query)).scalar_one_or_none()


async def totp_step_of(db: AsyncConnection, access_id: int) -> int | None:
    """Returns the newest time step whose code was used."""
    query = sa.select(accesses.c.totp_step).where(accesses.c.id == access_id)
    return (await db.execute(query)).scalar_one_or_none()


async def use_step(db: AsyncConnection, access_id: int, step: int) -> bool:
    """Notes that the code of a time step was used; False if it, or a later one, was used before."""
    unused = sa.or_(accesses.c.totp_step.is_(None), accesses.c.totp_step < step)
    query = sa.update(accesses).where(accesses.c.id == access_id, unused).values(totp_step=step)
    return (await db.execute(query)).rowcount == 1


async def set_recovery_codes(db: AsyncConnection, access_id: int, hashes: Iterable[bytes]) -> None:
    """Replaces the recovery codes; none removes them."""
    await db.execute(sa.delete(recovery_codes).where(recovery_codes.c.access_id == access_id))
    if rows := [{"access_id": access_id, "code_hash": each} for each in hashes]:
        await db.execute(sa.insert(recovery_codes), rows)


async def use_recovery_code(db: AsyncConnection, access_id: int, code_hash: bytes) -> bool:
    """Removes a recovery code; False if there is none such, or it was used before."""
    query = sa.delete(recovery_codes).where(
        recovery_codes.c.access_id == access_id, recovery_codes.c.code_hash == code_hash
    )
    return (await db.execute(query)).rowcount == 1


async def forget_second_factor(db: AsyncConnection, access_id: int) -> None:
    await update_access(db, access_id, {"totp_sealed": None, "totp_step": None})
    await set_recovery_codes(db, access_id, [])


async def count_recovery_codes(db: AsyncConnection, access_id: int) -> int:
    query = sa.select(sa.func.count()).where(recovery_codes.c.access_id == access_id)
    return (await db.execute(query)).scalar_one()
