"""Sets up, checks and removes second factors. The secret is sealed before it is stored; recovery codes are hashed."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts import access_store
from commander.accounts.access_domain import WrongCode
from commander.accounts.domain import Session
from commander.accounts.second_factor import (
    is_secret,
    matching_step,
    new_recovery_codes,
    recovery_hash,
)
from commander.audit.store import record
from commander.db import Database, is_full
from commander.sealing import Sealer

TOTP_PURPOSE = b"minewarden second factor 1"
_SECRET = "secret"  # noqa: S105 - its name in what is sealed


class SecondFactorActions:
    """Second factors of accesses."""

    def __init__(
        self, database: Database, sealer: Sealer, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._now = now
        self._used: dict[int, int] = {}  # newest time steps that could not be stored, by access

    async def switch_on(self, session: Session, secret: str, code: str) -> list[str]:
        """Returns the recovery codes, which are not kept. Raises `WrongCode` if the code does not fit the secret."""
        secret = "".join(secret.split()).upper()
        step = matching_step(secret, code, now=self._now()) if is_secret(secret) else None
        if step is None:
            raise WrongCode(
                "That is not the code that the app shows now. If it is, set the clocks of the phone and of the "
                "commander's machine."
            )
        sealed = await asyncio.to_thread(self._sealer.seal, {_SECRET: secret})  # it may wait for a lock
        values = {"totp_sealed": sealed, "totp_step": step}
        codes = new_recovery_codes()
        async with self._database.transaction() as db:
            await access_store.update_access(db, session.access_id, values)
            await access_store.set_recovery_codes(db, session.access_id, map(recovery_hash, codes))
            await record(db, "second factor switched on", session.access_name, at=self._now())
        return codes

    async def switch_off(self, session: Session) -> None:
        async with self._database.transaction() as db:
            await access_store.forget_second_factor(db, session.access_id)
            await record(db, "second factor switched off", session.access_name, at=self._now())

    async def replace_recovery_codes(self, session: Session) -> list[str]:
        """Returns new codes, which are not kept; the earlier ones work no more."""
        codes = new_recovery_codes()
        async with self._database.transaction() as db:
            await access_store.set_recovery_codes(db, session.access_id, map(recovery_hash, codes))
            await record(db, "recovery codes replaced", session.access_name, at=self._now())
        return codes

    async def codes_left(self, session: Session) -> int:
        async with self._database.reading() as db:
            return await access_store.count_recovery_codes(db, session.access_id)

    async def is_right(self, access_id: int, code: str) -> bool:
        """Returns whether `code` is a code of the app or a recovery code, and uses it up.

        An access without a second factor needs no code.
        """
        try:
            async with self._database.transaction() as db:
                sealed = await access_store.totp_sealed_of(db, access_id)
                return not sealed or await self._use(db, access_id, sealed, code)
        except DBAPIError as error:
            if not is_full(error):
                raise
        return await self._is_right_on_a_full_disk(access_id, code)

    async def _is_right_on_a_full_disk(self, access_id: int, code: str) -> bool:
        """Notes the code's use in memory: the owner must get in to see what fills the disk."""
        async with self._database.reading() as db:
            sealed = await access_store.totp_sealed_of(db, access_id)
            used = await access_store.totp_step_of(db, access_id) or 0
        step = matching_step(self._sealer.unseal(sealed or b"")[_SECRET], code, now=self._now())
        if step is None or step <= max(used, self._used.get(access_id, 0)):
            return False
        self._used[access_id] = step
        return True

    async def _use(self, db: AsyncConnection, access_id: int, sealed: bytes, code: str) -> bool:
        if await access_store.use_recovery_code(db, access_id, recovery_hash(code)):
            return True
        secret = self._sealer.unseal(sealed)[_SECRET]
        step = matching_step(secret, code, now=self._now())
        return step is not None and await access_store.use_step(db, access_id, step)
