"""Keys, tokens and accesses that are valid again after a restore: they were revoked, replaced, removed or changed after
the backup was made."""

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts import access_store
from commander.accounts.access_domain import OWNER_ID
from commander.accounts.tables import accesses, api_keys, recovery_codes, site_tokens
from commander.audit.actor import COMMAND_LINE
from commander.audit.store import record
from commander.database_url import is_postgresql
from commander.db import Database, open_database, sqlite_path
from commander.farm_tokens.tables import farm_tokens
from commander.problems import DatabaseProblem
from commander.registry.store import unbind
from commander.registry.tables import asic_rigs, cpu_gpu_rigs
from commander.saved_views.tables import saved_views, view_links

ACCESS = "access"
_HASH_BYTES = 32
_NAMED = {"API key": api_keys, "site token": site_tokens, "farm token": farm_tokens, "view link": view_links}
_NAME_OF_VIEW = sa.select(saved_views.c.name).where(saved_views.c.id == view_links.c.view_id).scalar_subquery()
_OF_RIGS = {"token of the rig": cpu_gpu_rigs, "token of the ASIC": asic_rigs}


class StoredKey(NamedTuple):
    """A valid key, token or access in a database. `what`, `id` and `made_at` name its row.

    The `key_hash` of an access is about all that lets a person in: its role, password and second factor.
    """

    what: str
    id: int
    made_at: datetime
    name: str
    key_hash: bytes
    role: str = ""
    password_hash: str | None = None

    @property
    def row(self) -> tuple[str, int, datetime]:
        return self.what, self.id, self.made_at

    @property
    def is_of_rig(self) -> bool:
        return self.what in _OF_RIGS


async def keys_before(url: str) -> list[StoredKey] | None:
    """Returns the keys of the farm that is about to be replaced; None if there is none, or it can't be read.

    It may be of an earlier version, so no column is read that came later. Expired keys are read too, without effect.
    """
    if not is_postgresql(url) and not sqlite_path(url).exists():
        return None
    with suppress(SQLAlchemyError, DatabaseProblem, OSError):
        return await _keys_in(url, valid_at=None)
    return None


async def valid_keys_in(url: str) -> list[StoredKey]:
    """Returns the keys of a database of this version, without those that have expired."""
    return await _keys_in(url, valid_at=datetime.now(UTC))


async def _keys_in(url: str, *, valid_at: datetime | None) -> list[StoredKey]:
    async with open_database(url) as database, database.reading() as db:
        names = await db.run_sync(lambda connection: set(sa.inspect(connection).get_table_names()))
        tables = {what: table for what, table in (_NAMED | _OF_RIGS).items() if table.name in names}
        keys = [key for what, table in tables.items() for key in await _keys_of(db, what, table, valid_at)]
        return [*keys, *(await _accesses_of(db) if accesses.name in names else ())]


async def _keys_of(db: AsyncConnection, what: str, table: sa.Table, valid_at: datetime | None) -> list[StoredKey]:
    hashes = table.c.key_hash if "key_hash" in table.c else table.c.token_hash
    name = table.c.name if table is not view_links else _NAME_OF_VIEW
    query = sa.select(table.c.id, table.c.created_at, name, hashes).order_by(name)
    if "revoked_at" in table.c:
        query = query.where(table.c.revoked_at.is_(None))
    if "expires_at" in table.c and valid_at is not None:
        query = query.where(sa.or_(table.c.expires_at.is_(None), table.c.expires_at > valid_at))
    return [StoredKey(what, *row[:3], bytes(row[3])) for row in await db.execute(query)]


async def _accesses_of(db: AsyncConnection) -> list[StoredKey]:
    """Returns all but the owner's, whose password is that of the backup."""
    codes: dict[int, list[str]] = {}
    for access_id, code_hash in await db.execute(sa.select(recovery_codes).order_by(recovery_codes.c.code_hash)):
        codes.setdefault(access_id, []).append(bytes(code_hash).hex())
    query = sa.select(
        *(accesses.c.id, accesses.c.created_at, accesses.c.name),
        *(accesses.c.role, accesses.c.password_hash, accesses.c.totp_sealed),
    )
    found = []
    for row in await db.execute(query.where(accesses.c.id != OWNER_ID).order_by(accesses.c.name)):
        sealed = bytes(row.totp_sealed or b"").hex()
        facts = [row.id, row.role, row.password_hash, sealed, codes.get(row.id, [])]
        digest = hashlib.sha256(msgspec.json.encode(facts)).digest()
        found.append(StoredKey(ACCESS, row.id, row.created_at, row.name, digest, row.role, row.password_hash))
    return found


def valid_again(before: Sequence[StoredKey] | None, restored: Sequence[StoredKey]) -> list[StoredKey]:
    """Returns the restored keys that the farm did not know any longer.

    Without a farm to compare with these are all but the rigs' tokens, which are what the rigs have.
    """
    if before is None:
        return [key for key in restored if not key.is_of_rig]
    known = {key.key_hash for key in before}
    return [key for key in restored if key.key_hash not in known]


async def note_restore(database: Database, file: str) -> None:
    """Writes the restore into the audit log."""
    async with database.transaction() as db:
        await record(db, "backup restored", file, "all sessions ended", actor=COMMAND_LINE)


async def revoke(
    database: Database, file: str, before: Sequence[StoredKey] | None, revoked: Sequence[StoredKey]
) -> None:
    """Revokes keys and says so in the audit log, in one transaction.

    A rig whose token was replaced gets its newer token back, so that its sentry goes on. The token of a rig that was
    removed becomes an unknown one. An access that was changed gets its newer role and password back; one that was
    removed is removed again.
    """
    newer = {key.row: key for key in before or ()}
    async with database.transaction() as db:
        for key in revoked:
            newest = newer.get(key.row)
            if key.is_of_rig:
                await _replace_token(db, _OF_RIGS[key.what], key.id, newest.key_hash if newest else None)
            elif key.what != ACCESS:
                table = _NAMED[key.what]
                await db.execute(sa.delete(table).where(table.c.id == key.id))
            elif newest is None:
                await access_store.delete_access(db, key.id)
            else:
                values = {"role": newest.role, "password_hash": newest.password_hash}
                await db.execute(sa.update(accesses).where(accesses.c.id == key.id).values(values))
        detail = f"{len(revoked)} keys, tokens and accesses of the backup revoked"
        await record(db, "keys of a backup revoked", file, detail, actor=COMMAND_LINE)


async def _replace_token(db: AsyncConnection, rigs: sa.Table, rig_id: int, token_hash: bytes | None) -> None:
    """Replaces the token of a rig. The newer token is not bound to the machine that had the older one."""
    new = token_hash or secrets.token_bytes(_HASH_BYTES)
    await db.execute(sa.update(rigs).where(rigs.c.id == rig_id).values(token_hash=new))
    if rigs is cpu_gpu_rigs:
        await unbind(db, rig_id)
