"""Keys and tokens that are valid again after a restore: they were revoked or replaced after the backup was made."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts.tables import api_keys, site_tokens
from commander.audit.actor import COMMAND_LINE
from commander.audit.store import record
from commander.db import Database, is_postgresql, open_database, sqlite_path
from commander.farm_tokens.tables import farm_tokens
from commander.problems import DatabaseProblem
from commander.registry.tables import asic_rigs, cpu_gpu_rigs

_HASH_BYTES = 32
_NAMED = {"API key": api_keys, "site token": site_tokens, "farm token": farm_tokens}
_OF_RIGS = {"token of the rig": cpu_gpu_rigs, "token of the ASIC": asic_rigs}


class StoredKey(NamedTuple):
    """A valid key or token in a database. `what`, `id` and `made_at` name its row."""

    what: str
    id: int
    made_at: datetime
    name: str
    key_hash: bytes

    @property
    def row(self) -> tuple[str, int, datetime]:
        return self.what, self.id, self.made_at

    @property
    def is_of_rig(self) -> bool:
        return self.what in _OF_RIGS


async def keys_before(url: str) -> list[StoredKey] | None:
    """Returns the keys of the farm that is about to be replaced; None if there is none, or it can't be read."""
    if not is_postgresql(url) and not sqlite_path(url).exists():
        return None
    with suppress(SQLAlchemyError, DatabaseProblem, OSError):
        return await keys_in(url)
    return None


async def keys_in(url: str) -> list[StoredKey]:
    async with open_database(url) as database, database.reading() as db:
        names = await db.run_sync(lambda connection: set(sa.inspect(connection).get_table_names()))
        tables = {what: table for what, table in (_NAMED | _OF_RIGS).items() if table.name in names}
        return [key for what, table in tables.items() for key in await _keys_of(db, what, table)]


async def _keys_of(db: AsyncConnection, what: str, table: sa.Table) -> list[StoredKey]:
    hashes = table.c.key_hash if "key_hash" in table.c else table.c.token_hash
    query = sa.select(table.c.id, table.c.created_at, table.c.name, hashes).order_by(table.c.name)
    if "revoked_at" in table.c:
        query = query.where(table.c.revoked_at.is_(None))
    return [StoredKey(what, *row[:3], bytes(row[3])) for row in await db.execute(query)]


def valid_again(before: Sequence[StoredKey] | None, restored: Sequence[StoredKey]) -> list[StoredKey]:
    """Returns the restored keys that the farm did not know any longer.

    Without a farm to compare with these are all but the rigs' tokens, which are what the rigs have.
    """
    if before is None:
        return [key for key in restored if not key.is_of_rig]
    known = {key.key_hash for key in before}
    return [key for key in restored if key.key_hash not in known]


async def note_restore(
    database: Database, file: str, before: Sequence[StoredKey] | None, revoked: Sequence[StoredKey]
) -> None:
    """Revokes keys and writes the restore into the audit log, in one transaction.

    A rig whose token was replaced gets its newer token back, so that its sentry goes on. The token of a rig that was
    removed becomes an unknown one.
    """
    newer = {key.row: key.key_hash for key in before or ()}
    async with database.transaction() as db:
        for key in revoked:
            if key.is_of_rig:
                await _replace_token(db, _OF_RIGS[key.what], key.id, newer.get(key.row))
            else:
                table = _NAMED[key.what]
                await db.execute(sa.delete(table).where(table.c.id == key.id))
        detail = f"all sessions ended; {len(revoked)} keys and tokens of the backup revoked"
        await record(db, "backup restored", file, detail, actor=COMMAND_LINE)


async def _replace_token(db: AsyncConnection, rigs: sa.Table, rig_id: int, token_hash: bytes | None) -> None:
    new = token_hash or secrets.token_bytes(_HASH_BYTES)
    await db.execute(sa.update(rigs).where(rigs.c.id == rig_id).values(token_hash=new))
