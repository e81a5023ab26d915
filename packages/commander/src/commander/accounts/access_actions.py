"""Adds, changes and removes accesses: one transaction each; then the WebSockets that it concerns are closed."""

import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from commander.accounts import access_store
from commander.accounts.access_domain import (
    ACCESSES_MOST,
    OWNER_ID,
    Access,
    LoginFields,
    OwnerStays,
    TooManyAccesses,
    checked_access_name,
    name_key_of,
)
from commander.accounts.actions import AccountActions
from commander.accounts.domain import NotSignedIn, Role, Session, check_new_password, new_password
from commander.audit.store import record
from commander.db import Database

FIELDS_KEPT_S = 1.0


class AccessActions:
    """Accesses and their passwords. `on_end` gets each session that ends, or whose rights have changed."""

    def __init__(
        self,
        database: Database,
        accounts: AccountActions,
        *,
        on_end: Callable[[str], None] = lambda owner: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._on_end = on_end
        self._now = now
        self._now_s = now_s
        self.last_login_fields = LoginFields(name=False, code=False)
        self._fields_until_s = -math.inf

    async def all(self) -> list[Access]:
        async with self._database.reading() as db:
            return await access_store.all_accesses(db)

    async def login_fields(self) -> LoginFields:
        """Returns the fields of the log-in form. A flood of requests for it does not read the database each time."""
        if self._fields_until_s < self._now_s():
            everybody = await self.all()
            self.last_login_fields = LoginFields(name=len(everybody) > 1, code=any(each.totp for each in everybody))
            self._fields_until_s = self._now_s() + FIELDS_KEPT_S
        return self.last_login_fields

    async def add(self, name: str, role: Role, password: str | None = None) -> tuple[Access, str | None]:
        """Returns the access, and the password that was made because none was given.

        Raises `BadAccessName`, `AccessNameTaken`, `BadNewPassword` or `TooManyAccesses`.
        """
        name, made = checked_access_name(name), None
        if password is None:
            password = made = new_password()
        check_new_password(password)
        hashed, now = await self._accounts.hash_password(password), self._now()
        async with self._database.transaction() as db:
            if len(await access_store.all_accesses(db)) >= ACCESSES_MOST:
                raise TooManyAccesses(f"There are {ACCESSES_MOST} accesses; remove one that is not needed any more.")
            access = await access_store.insert_access(db, name, role, hashed, now=now)
            await record(db, "access added", name, f"role {role}", at=now)
        return access, made

    async def change(
        self,
        access_id: int,
        *,
        name: str | None = None,
        role: Role | None = None,
        password: str | None = None,
        forget_second_factor: bool = False,
    ) -> Access:
        """Changes what is not None. A new password ends the sessions of the access; what changes nothing does nothing.

        Raises `AccessNotFound`, `OwnerStays`, `BadAccessName`, `AccessNameTaken` or `BadNewPassword`.
        """
        name, hashed = None if name is None else checked_access_name(name), None
        if password is not None:
            check_new_password(password)
            hashed = await self._accounts.hash_password(password)
        if access_id == OWNER_ID and (name, role, password) != (None, None, None):
            raise OwnerStays(
                "The access owner has the commander's own password, and keeps its name and role. Change its password "
                "on the commander's machine with `commander set-password`."
            )
        async with self._database.transaction() as db:
            before = await access_store.get_access(db, access_id)
            forget_second_factor = forget_second_factor and before.totp
            values = _changed_columns(before, name, role, hashed)
            if not values and not forget_second_factor:
                return before
            await access_store.update_access(db, access_id, values)
            if forget_second_factor:
                await access_store.forget_second_factor(db, access_id)
            sessions = await access_store.session_ids_of(db, access_id)
            if password is not None:
                await access_store.delete_sessions_of(db, access_id)
            what = _changes(before, values, forget_second_factor)
            await record(db, "access changed", before.name, what, at=self._now())
            after = await access_store.get_access(db, access_id)
        unstored = self._accounts.unstored
        sessions += unstored.ids_of(access_id) if password is None else unstored.end_of(access_id)
        self._hang_up(sessions)
        return after

    async def remove(self, access_id: int) -> None:
        """Ends its sessions too. Raises `AccessNotFound` or `OwnerStays`."""
        if access_id == OWNER_ID:
            raise OwnerStays("The access owner has the commander's own password and can't be removed.")
        async with self._database.transaction() as db:
            access = await access_store.get_access(db, access_id)
            ended = await access_store.delete_sessions_of(db, access_id)
            await access_store.delete_access(db, access_id)
            await record(db, "access removed", access.name, at=self._now())
        self._hang_up([*ended, *self._accounts.unstored.end_of(access_id)])

    async def change_own_password(self, session: Session, password: str) -> None:
        """Changes the password of a session's access, and ends its other sessions.

        The caller confirms the session first. Raises `BadNewPassword`, `OwnerStays`, or `NotSignedIn` if the
        session has ended meanwhile.
        """
        if session.access_id == OWNER_ID:
            raise OwnerStays("Change the owner's password on the commander's machine with `commander set-password`.")
        check_new_password(password)
        hashed = await self._accounts.hash_password(password)
        async with self._database.transaction() as db:
            sessions = await access_store.session_ids_of(db, session.access_id)
            if session.id not in (*sessions, *self._accounts.unstored.ids_of(session.access_id)):
                raise NotSignedIn("This session has ended. Log in again.")
            await access_store.update_access(db, session.access_id, {"password_hash": hashed})
            ended = await access_store.delete_sessions_of(db, session.access_id, but=session.id)
            await record(db, "password changed", session.access_name, "Its other sessions have ended.", at=self._now())
        self._accounts.unstored.keep(session.id, hashed)
        self._hang_up([*ended, *self._accounts.unstored.end_of(session.access_id, but=session.id)])

    async def end_other_sessions(self, session: Session) -> None:
        """Ends all sessions but this one: for a role below `own` those of the same access only."""
        of = None if session.role is Role.OWN else session.access_id
        async with self._database.transaction() as db:
            ended = await access_store.delete_sessions_of(db, of, but=session.id)
            ended += self._accounts.unstored.ids_of(of, but=session.id)
            subject = "all other sessions" if of is None else f"other sessions of {session.access_name}"
            await record(db, "sessions ended", subject, f"{len(ended)} sessions", at=self._now())
        self._accounts.unstored.end_of(of, but=session.id)
        self._hang_up(ended)

    def _hang_up(self, session_ids: Sequence[int]) -> None:
        for each in session_ids:
            self._on_end(str(each))


def _changed_columns(
    before: Access, name: str | None, role: Role | None, password_hash: str | None
) -> dict[str, object]:
    """Returns the new values of the columns that change. None: it stays as it is."""
    values: dict[str, object] = {}
    if name is not None and name != before.name:
        values |= {"name": name, "name_key": name_key_of(name)}
    if role is not None and role != before.role:
        values["role"] = role.value
    if password_hash is not None:
        values["password_hash"] = password_hash
    return values


def _changes(before: Access, values: dict[str, object], forget_second_factor: bool) -> str:
    """Returns what was changed, for the audit log; never a password."""
    parts = []
    if "name" in values:
        parts.append(f"now called {values['name']}")
    if "role" in values:
        parts.append(f"role {values['role']} instead of {before.role}")
    if "password_hash" in values:
        parts.append("new password")
    if forget_second_factor:
        parts.append("no second factor any more")
    return ", ".join(parts)
