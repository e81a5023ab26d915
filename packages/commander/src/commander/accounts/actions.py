"""Logging in and out, and keys for scripts. Only hashes are kept."""

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.accounts import access_store, store
from commander.accounts.access_domain import OWNER_ID
from commander.accounts.browsers import browser_text
from commander.accounts.cookies import Cookies
from commander.accounts.devices import Device, device_of, new_device
from commander.accounts.domain import (
    SEEN_EVERY,
    SESSION_LIFE,
    SESSION_LONGEST,
    ApiKey,
    NoSuchKey,
    Role,
    Session,
    WrongPassword,
    check_not_expired,
    check_role,
    checked_key_name,
    expiry,
    has_ended,
    key_owner,
    new_password,
    secret_hash,
    socket_owner,
)
from commander.accounts.login_guard import LoginGuard
from commander.accounts.tables import api_keys
from commander.accounts.unstored_sessions import OpenedAccess, UnstoredSessions
from commander.accounts.visits import note_visit
from commander.audit.actor import OWNER, STRANGER, Actor
from commander.audit.store import count_by_address, count_entries, record
from commander.db import Database, is_full
from commander.problems import DatabaseProblem

if TYPE_CHECKING:
    from commander.accounts.second_factor_actions import SecondFactorActions

API_KEY_PREFIX = "mw_key_"
FAILED = "log-in failed"
FAILURES_AN_HOUR = 200  # in the audit log
HASH_KEPT_S = 5.0
REMEMBERED = timedelta(minutes=10)
_hasher = PasswordHasher()
log = logging.getLogger(__name__)


class AccountActions:
    """Login, sessions and API keys.

    `on_end` gets each session and key that ends, as `socket_owner` names it, to close its WebSockets.
    """

    def __init__(
        self,
        database: Database,
        *,
        on_end: Callable[[str], None] = lambda owner: None,
        cookies: Cookies = Cookies(),  # noqa: B008 - a constant
        second_factors: "SecondFactorActions | None" = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._on_end = on_end
        self.cookies = cookies
        self._second_factors = second_factors
        self._now = now
        self._now_s = now_s
        self._guard = LoginGuard(now_s)
        self._hashes_of_devices: tuple[dict[int, str], float] = {}, -math.inf
        self.unstored = UnstoredSessions()

    async def log_in(
        self,
        password: str,
        *,
        address: str,
        user_agent: str,
        device_cookie: str = "",
        name: str = "",
        code: str = "",
        former_cookie: str = "",
    ) -> str:
        """A new session's cookie. Raises `WrongPassword` or `TooManyTries`.

        `device_cookie` is that of the browser, see `accounts.devices`. `name` is that of the access; without one it is
        the owner's. `code` is that of the second factor, if the access has one. `former_cookie` is that of the session
        which the browser has had: it ends, because the browser forgets it.
        """
        address, name = address[:64], name.strip() or OWNER
        device = await self._device_of(device_cookie)
        if device and not await self._is_called(device.access_id, name):
            device = None  # it is known for another access: here it is a stranger
        async with self._guard.turn(address, device.id if device else None) as turn:
            try:
                opened = await self._opened(name, password, code)
            except Exception:  # it could not be checked
                turn.take_back()
                raise
            if opened:
                turn.take_back()
                cookie = await self._begin_session(opened, address=address, user_agent=user_agent)
                if former_cookie:
                    await self._end_former(former_cookie, Actor(opened.access.name, address))
                return cookie
            await self._record_failure(Actor(STRANGER, address), user_agent)
        raise WrongPassword("That is not the password.")

    async def _is_called(self, access_id: int, name: str) -> bool:
        async with self._database.reading() as db:
            access = await access_store.find_access(db, name)
        return access is not None and access.id == access_id

    async def _opened(self, name: str, password: str, code: str) -> OpenedAccess | None:
        """Returns the access that name, password and code open.

        A name that there is not takes as long as a wrong password.
        """
        async with self._database.reading() as db:
            access = await access_store.find_access(db, name)
            access_id = access.id if access else OWNER_ID
            hashes = await access_store.password_hashes(db, access_id, OWNER_ID)
        hashed = hashes.get(access_id)
        if hashed is None or not await self._verified(hashed, password) or access is None:
            return None
        if not access.totp:
            return OpenedAccess(access, hashes)
        factors = self._second_factors
        is_right = factors is not None and await factors.is_right(access.id, code)
        return OpenedAccess(access, hashes) if is_right else None

    async def check_login(self, *, address: str, device_cookie: str) -> None:
        """Raises `TooManyTries` if `log_in` would, before the password is read."""
        device = await self._device_of(device_cookie)
        self._guard.check(address[:64], device.id if device else None)

    async def is_known_browser(self, device_cookie: str) -> bool:
        return await self._device_of(device_cookie) is not None

    async def new_device_cookie(self, session_cookie: str, device_cookie: str) -> str | None:
        """Returns the cookie for a browser that has just logged in; None if it has a valid one for this access."""
        session = await self.session_of(session_cookie)
        if session is None:
            return None
        async with self._database.reading() as db:
            hashes = await access_store.password_hashes(db, session.access_id)
        hashed = hashes.get(session.access_id)
        return new_device(session.access_id, hashed) if hashed and device_of(device_cookie, hashes) is None else None

    async def remember_failures(self) -> None:
        """Reads the newest failed log-ins from the audit log: a restart must not give new tries."""
        now = self._now()
        async with self._database.reading() as db:
            counts = await count_by_address(db, FAILED, since=now - REMEMBERED, until=now)
        for address, count in counts.items():
            self._guard.remember(address, min(count, FAILURES_AN_HOUR))

    async def _device_of(self, cookie: str) -> Device | None:
        """Returns the known browser. A flood of invented cookies does not read the database each time."""
        if not cookie:
            return None
        hashes, until_s = self._hashes_of_devices
        if until_s <= self._now_s():
            async with self._database.reading() as db:
                hashes = await access_store.password_hashes(db)
            self._hashes_of_devices = hashes, self._now_s() + HASH_KEPT_S
        return device_of(cookie, hashes)

    async def _begin_session(self, opened: OpenedAccess, *, address: str, user_agent: str) -> str:
        access, cookie, now = opened.access, secrets.token_urlsafe(32), self._now()
        detail, actor = browser_text(user_agent), Actor(access.name, address)
        try:
            async with self._database.transaction() as db:
                if await access_store.password_hashes(db, access.id, OWNER_ID) != opened.hashes:
                    raise WrongPassword("The password has just been changed.")
                await store.insert_session(
                    db, secret_hash(cookie), access_id=access.id, address=address, user_agent=user_agent, now=now
                )
                await record(db, "logged in", detail=detail, actor=actor, at=now)
        except DBAPIError as error:
            if not is_full(error):
                raise
            log.warning("a session could not be stored, it lasts until the next start: %s", error.orig)
            self.unstored.add(secret_hash(cookie), opened, address=address, user_agent=user_agent, now=now)
        return cookie

    async def _end_former(self, cookie: str, actor: Actor) -> None:
        """Ends the session that the browser had before. If that fails, people must still be able to log in."""
        try:
            if former := await self.session_of(cookie):
                await self._end(former.id, "session ended", "The same browser has logged in again.", actor=actor)
        except (DBAPIError, DatabaseProblem) as error:
            log.warning("the session that a browser had before could not be ended: %s", error)

    async def _record_failure(self, stranger: Actor, user_agent: str) -> None:
        """Writes a failed log-in into the audit log; of very many only the first of an hour, so that it can't fill."""
        now = self._now()
        try:
            async with self._database.reading() as db:
                if await count_entries(db, FAILED, since=now - timedelta(hours=1)) >= FAILURES_AN_HOUR:
                    return
            async with self._database.transaction() as db:
                await record(db, FAILED, detail=browser_text(user_agent), actor=stranger, at=now)
        except (DBAPIError, DatabaseProblem) as error:
            log.warning("a failed log-in could not be noted: %s", error)

    async def _password_hash(self) -> str | None:
        """Returns what is stored of the owner's password."""
        async with self._database.reading() as db:
            return await access_store.password_hash_of(db, OWNER_ID)

    async def session_of(self, cookie: str) -> Session | None:
        now, cookie_hash = self._now(), secret_hash(cookie)
        async with self._database.reading() as db:
            if self.unstored.has(cookie_hash):
                everybody, hashes = await access_store.all_accesses(db), await access_store.password_hashes(db)
                return self.unstored.find(cookie_hash, everybody, hashes, now=now)
            session = await store.find_session(
                db, cookie_hash, seen_after=now - SESSION_LIFE, made_after=now - SESSION_LONGEST
            )
        if session and abs(now - session.last_seen_at) > SEEN_EVERY:  # the clock may have been ahead
            await note_visit(self._database, partial(store.touch_session, session_id=session.id, now=now))
        return session

    async def log_out(self, session: Session) -> None:
        await self._end(session.id, "logged out")

    async def end_session(self, session_id: int, *, by: Session) -> None:
        """Ends a session of the same access, or of any access if the role of `by` is `own`. Raises `RoleTooLow`."""
        others = {each.id for each in await self.sessions() if each.access_id != by.access_id}
        if session_id in others:
            check_role(by, Role.OWN)
        await self._end(session_id, "session ended")

    async def _end(self, session_id: int, what: str, why: str = "", *, actor: Actor | None = None) -> None:
        if not self.unstored.end(session_id):
            async with self._database.transaction() as db:
                if ended := await store.delete_session(db, session_id):
                    detail = f"{browser_text(ended.user_agent)} {why}".strip()
                    await record(db, what, f"session from {ended.address}", detail, actor=actor, at=self._now())
        self._on_end(str(session_id))

    async def sessions(self) -> list[Session]:
        async with self._database.reading() as db:
            return await self._all_sessions(db)

    async def _all_sessions(self, db: AsyncConnection) -> list[Session]:
        stored = await store.all_sessions(db)
        if self.unstored.are_none:
            return stored
        everybody, hashes = await access_store.all_accesses(db), await access_store.password_hashes(db)
        return [*self.unstored.all(everybody, hashes), *stored]

    async def set_password(self, password: str, *, forget_second_factor: bool = False) -> None:
        """Replace the owner's password and end every session."""
        hashed = await self._hashed(password)
        async with self._database.transaction() as db:
            await store.set_password_hash(db, hashed, now=self._now())
            await store.delete_all_sessions(db)
            detail = "Every session has ended."
            if forget_second_factor:
                await access_store.forget_second_factor(db, OWNER_ID)
                detail += " The owner has no second factor any more."
            await record(db, "password changed", detail=detail, at=self._now())
        self.unstored.end_of(None)
        self._hashes_of_devices = {}, -math.inf

    async def is_password(self, text: str) -> bool:
        hashed = await self._password_hash()
        return hashed is not None and await self._verified(hashed, text)

    async def settle_password(self, configured: str | None) -> str | None:
        """Make the configured password the valid one; without one, and at the very first start, make and return one."""
        hashed = await self._password_hash()
        if configured is not None:
            if hashed is None or not await self._verified(hashed, configured):
                await self.set_password(configured)
            return None
        if hashed is not None:
            return None
        made = new_password()
        hashed = await self._hashed(made)
        async with self._database.transaction() as db:
            first = await store.set_first_password_hash(db, hashed, now=self._now())
        return made if first else None  # else another commander made one at the same moment

    async def create_api_key(self, name: str, role: Role, *, days: int | None = None) -> tuple[ApiKey, str]:
        """A key and its text, which is not kept. Raises `BadKeyName`, `KeyNameTaken` or `BadDays`."""
        text, name, now = API_KEY_PREFIX + secrets.token_hex(32), checked_key_name(name), self._now()
        expires_at = expiry(days, now=now)
        async with self._database.transaction() as db:
            key = await store.insert_api_key(db, name, secret_hash(text), role=role, expires_at=expires_at, now=now)
            until = f", valid until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else ""
            await record(db, "API key made", key.name, f"role {role}{until}", at=now)
        return key, text

    async def api_key_of(self, text: str) -> ApiKey | None:
        """Returns the key with this text; None if there is none. Raises `KeyExpired`."""
        now = self._now()
        async with self._database.reading() as db:
            key = await store.find_api_key(db, secret_hash(text))
        if key:
            check_not_expired(key, now=now)
        if key and (key.last_used_at is None or abs(now - key.last_used_at) > SEEN_EVERY):
            touch = partial(store.touch_key, key_id=key.id, keys=api_keys, now=now)
            await note_visit(self._database, touch)
        return key

    async def api_keys(self) -> list[ApiKey]:
        async with self._database.reading() as db:
            return await store.all_api_keys(db)

    async def revoke_api_key(self, key_id: int) -> None:
        async with self._database.transaction() as db:
            if revoked := await store.delete_key(db, api_keys, key_id):
                await record(db, "API key revoked", revoked.name, at=self._now())
        self._on_end(key_owner(key_id))

    async def revoke_api_key_named(self, name: str) -> None:
        async with self._database.transaction() as db:
            key_id = await store.delete_api_key_named(db, name)
            if key_id is None:
                raise NoSuchKey(f"There is no API key called {name}; `commander api-key list` shows them.")
            await record(db, "API key revoked", name, at=self._now())
        self._on_end(key_owner(key_id))

    async def socket_owners(self) -> set[str]:
        """Returns the sessions and API keys that are valid now, as `socket_owner` names them."""
        now = self._now()
        async with self._database.reading() as db:
            sessions, keys = await self._all_sessions(db), await store.all_api_keys(db)
        alive = [each for each in sessions if not has_ended(each, now)]
        valid = [each for each in keys if each.expires_at is None or each.expires_at > now]
        return {*map(socket_owner, alive), *map(socket_owner, valid)}

    async def hash_password(self, password: str) -> str:
        """Returns what is stored of a password."""
        return await self._hashed(password)

    async def matches(self, hashed: str, password: str) -> bool:
        """Returns whether this is the password of which `hashed` was stored."""
        return await self._verified(hashed, password)

    async def _hashed(self, password: str) -> str:
        return await asyncio.to_thread(_hasher.hash, password)

    async def _verified(self, hashed: str, password: str) -> bool:
        try:
            return await asyncio.to_thread(_hasher.verify, hashed, password)
        except VerificationError:
            return False
