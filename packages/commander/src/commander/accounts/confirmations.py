"""Asks people for their password, or a code, again before what moves money or gives access."""

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime

from commander.accounts import access_store, store
from commander.accounts.actions import AccountActions
from commander.accounts.domain import (
    CONFIRMED_FOR,
    NotSignedIn,
    ProxySession,
    Session,
    User,
    WrongConfirmation,
    check_confirmed,
    is_confirmed,
)
from commander.accounts.second_factor_actions import SecondFactorActions
from commander.audit.store import record
from commander.db import Database

TRIES_MOST = 5
RIGS_UNCONFIRMED = 10  # a change of the playbooks of more rigs needs the password again


class Confirmations:
    """Confirms sessions. Somebody at an unlocked browser has `TRIES_MOST` tries; then the session ends."""

    def __init__(
        self,
        database: Database,
        accounts: AccountActions,
        second_factors: SecondFactorActions,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._second_factors = second_factors
        self._now = now
        self._wrong: Counter[int] = Counter()  # by session, also for one that has ended: a request of it may still run
        self._changed = ChangedRigs(now_s)

    def check_for_rigs(self, user: User, rig_ids: Collection[int]) -> None:
        """Raises `ConfirmationNeeded` if the session would then have changed playbooks of too many rigs.

        Rigs that the session has changed in the last 10 minutes count too: many small changes are one large one.
        """
        now = self._now()
        if not isinstance(user, Session) or is_confirmed(user, now=now):
            return
        if not self._changed.add(user.id, rig_ids):
            check_confirmed(user, now=now)

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


class ChangedRigs:
    """The rigs whose playbooks each session has changed in the last 10 minutes, without a confirmation."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._changed_s: dict[int, dict[int, float]] = {}  # by session, then by rig

    def add(self, session_id: int, rig_ids: Collection[int]) -> bool:
        """Returns whether the session may change these rigs too; only then they count."""
        self._forget()
        changed_s = self._changed_s.get(session_id, {}) | dict.fromkeys(rig_ids, self._now_s())
        if len(changed_s) > RIGS_UNCONFIRMED:
            return False
        if changed_s:
            self._changed_s[session_id] = changed_s
        return True

    def _forget(self) -> None:
        since_s = self._now_s() - CONFIRMED_FOR.total_seconds()
        for session_id, changed_s in list(self._changed_s.items()):
            kept = {rig_id: at_s for rig_id, at_s in changed_s.items() if at_s > since_s}
            if kept:
                self._changed_s[session_id] = kept
            else:
                del self._changed_s[session_id]


def _ended() -> NotSignedIn:
    return NotSignedIn("The password was wrong five times, so this session has ended. Log in again.")
