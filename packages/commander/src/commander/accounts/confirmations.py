"""Asks people for their password, or a code, again before what moves money or gives access."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from commander.accounts import access_store, store
from commander.accounts.actions import AccountActions
from commander.accounts.domain import NotSignedIn, ProxySession, Session, WrongConfirmation
from commander.accounts.second_factor_actions import SecondFactorActions
from commander.audit.store import record
from commander.db import Database

TRIES_MOST = 5


class Confirmations:
    """Confirms sessions. Somebody at an unlocked browser has `TRIES_MOST` tries; then the session ends."""

    def __init__(
        self,
        database: Database,
        accounts: AccountActions,
        second_factors: SecondFactorActions,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._second_factors = second_factors
        self._now = now
        self._wrong: Counter[int] = Counter()  # by session, also for one that has ended: a request of it may still run

    async def confirm(self, session: Session, *, password: str = "", code: str = "") -> Session:
        """Returns the confirmed session. Raises `WrongConfirmation`, or `NotSignedIn` when the session has ended.

        A try counts as wrong from its beginning: tries that run at the same time can't exceed the limit.
        """
        if isinstance(session, ProxySession):  # the proxy confirms each request
            return session
        if self._wrong[session.id] >= TRIES_MOST:
            raise _ended()
        self._wrong[session.id] += 1
        try:
            is_right = await self._is_right(session, password, code)
        except Exception:  # it could not be checked
            self._wrong[session.id] -= 1
            raise
        if not is_right:
            await self._end_after_the_last(session)
            raise WrongConfirmation("That is not your password.")
        del self._wrong[session.id]
        now = self._now()
        async with self._database.transaction() as db:
            await store.confirm_session(db, session.id, now=now)
            await record(db, "session confirmed", at=now)
        return replace(session, confirmed_at=now)

    async def _is_right(self, session: Session, password: str, code: str) -> bool:
        """The code counts alone, for an access with a second factor."""
        async with self._database.reading() as db:
            has_factor = await access_store.totp_sealed_of(db, session.access_id) is not None
            hashed = await access_store.password_hash_of(db, session.access_id)
        if code.strip() and has_factor:
            return await self._second_factors.is_right(session.access_id, code)
        return hashed is not None and await self._accounts.matches(hashed, password)

    async def _end_after_the_last(self, session: Session) -> None:
        if self._wrong[session.id] < TRIES_MOST:
            return
        await self._accounts.end_session(session.id, by=session)
        raise _ended()


def _ended() -> NotSignedIn:
    return NotSignedIn("The password was wrong five times, so this session has ended. Log in again.")
