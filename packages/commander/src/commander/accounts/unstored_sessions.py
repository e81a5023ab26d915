"""Sessions that could not be stored because the disk is full: people must still be able to log in and look."""

from datetime import datetime

from commander.accounts.access_domain import Access
from commander.accounts.domain import Session, has_ended

MOST = 50


class UnstoredSessions:
    """They last until the process ends. Their ids are negative, so that none is that of a stored session."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, Session] = {}
        self._made = 0

    def add(self, cookie_hash: bytes, access: Access, *, address: str, user_agent: str, now: datetime) -> None:
        self._made += 1
        self._sessions[cookie_hash] = Session(
            -self._made,
            now,
            now,
            address,
            user_agent[:256],
            role=access.role,
            access_id=access.id,
            access_name=access.name,
            confirmed_at=now,
        )
        if len(self._sessions) > MOST:
            del self._sessions[next(iter(self._sessions))]

    def find(self, cookie_hash: bytes, *, now: datetime) -> Session | None:
        session = self._sessions.get(cookie_hash)
        return session if session and not has_ended(session, now) else None

    def all(self) -> list[Session]:
        return list(self._sessions.values())

    def end(self, session_id: int) -> bool:
        """Returns whether it was one of these."""
        found = [each for each, session in self._sessions.items() if session.id == session_id]
        for cookie_hash in found:
            del self._sessions[cookie_hash]
        return bool(found)

    def clear(self) -> None:
        self._sessions.clear()
