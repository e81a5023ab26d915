"""Sessions that could not be stored because the disk is full: people must still be able to log in and look."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from commander.accounts.access_domain import OWNER_ID, Access
from commander.accounts.domain import Session, has_ended

MOST = 50
PasswordHashes = dict[int, str]  # by access


class OpenedAccess(NamedTuple):
    """An access that a person has opened, and the stored hashes of its password and the owner's at that time."""

    access: Access
    hashes: PasswordHashes


@dataclass(frozen=True, slots=True)
class Unstored:
    """A session in memory. Its role and name are read from the table of accesses each time.

    `hashes` are those of its access and of the owner at its log-in: a new password of either ends the session, also if
    another process has set it.
    """

    id: int
    access_id: int
    made_at: datetime
    address: str
    user_agent: str
    hashes: PasswordHashes

    def as_session(self, access: Access) -> Session:
        return Session(
            self.id,
            self.made_at,
            self.made_at,
            self.address,
            self.user_agent,
            role=access.role,
            access_id=access.id,
            access_name=access.name,
            confirmed_at=self.made_at,
        )


class UnstoredSessions:
    """They last until the process ends. Their ids are negative, so that none is that of a stored session."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, Unstored] = {}
        self._made = 0

    @property
    def are_none(self) -> bool:
        return not self._sessions

    def add(self, cookie_hash: bytes, opened: OpenedAccess, *, address: str, user_agent: str, now: datetime) -> None:
        self._made += 1
        access_id = opened.access.id
        self._sessions[cookie_hash] = Unstored(-self._made, access_id, now, address, user_agent[:256], opened.hashes)
        if len(self._sessions) > MOST:
            del self._sessions[next(iter(self._sessions))]

    def has(self, cookie_hash: bytes) -> bool:
        return cookie_hash in self._sessions

    def find(
        self, cookie_hash: bytes, accesses: Iterable[Access], hashes: PasswordHashes, *, now: datetime
    ) -> Session | None:
        """Returns the session of this cookie. `accesses` and `hashes` are those of now."""
        kept = self._sessions.get(cookie_hash)
        session = _as_of_now(kept, {each.id: each for each in accesses}, hashes) if kept else None
        return session if session and not has_ended(session, now) else None

    def all(self, accesses: Iterable[Access], hashes: PasswordHashes) -> list[Session]:
        """Returns the sessions that a password has not ended. `accesses` and `hashes` are those of now."""
        by_id = {each.id: each for each in accesses}
        found = (_as_of_now(each, by_id, hashes) for each in self._sessions.values())
        return [each for each in found if each]

    def end(self, session_id: int) -> bool:
        """Returns whether it was one of these."""
        found = [each for each, session in self._sessions.items() if session.id == session_id]
        for cookie_hash in found:
            del self._sessions[cookie_hash]
        return bool(found)

    def ids_of(self, access_id: int | None, *, but: int | None = None) -> list[int]:
        """Returns the ids of the sessions of an access (None: of all), except session `but`."""
        return [each.id for each in self._sessions.values() if access_id in (None, each.access_id) and each.id != but]

    def end_of(self, access_id: int | None, *, but: int | None = None) -> list[int]:
        """Ends the sessions of an access (None: of all), except session `but`. Returns their ids."""
        ended = self.ids_of(access_id, but=but)
        for each in ended:
            self.end(each)
        return ended

    def keep(self, session_id: int, password_hash: str) -> None:
        """Lets a session go on although its access has a new password, which has this hash."""
        for cookie_hash, session in self._sessions.items():
            if session.id == session_id:
                hashes = session.hashes | {session.access_id: password_hash}
                self._sessions[cookie_hash] = replace(session, hashes=hashes)


def _as_of_now(kept: Unstored, accesses: dict[int, Access], hashes: PasswordHashes) -> Session | None:
    access = accesses.get(kept.access_id)
    if access is None or kept.hashes != _hashes_for(access.id, hashes):
        return None
    return kept.as_session(access)


def _hashes_for(access_id: int, hashes: PasswordHashes) -> PasswordHashes:
    """Returns those on which a session of this access depends: its own and the owner's, whose change ends all."""
    return {each: hashed for each, hashed in hashes.items() if each in (access_id, OWNER_ID)}
