"""Access to the local page. The owner is a browser with a cookie, which it gets by a one-time address or the password.

Sessions are in memory: after a restart of the sentry the owner needs a new address, or the password again.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from hashlib import sha256

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from sentry_kit.local_page.one_time import expiry_of

SESSION_LASTS_S = 12 * 3600
_SESSIONS_LIMIT = 64
_WINDOW_S = 60.0
_WRONG_AN_ADDRESS, _WRONG_IN_ALL = 5, 60  # within the window


class Guesses:
    """Counts wrong codes and passwords of the last minute per client address."""

    def __init__(self) -> None:
        self._wrong: list[tuple[float, str]] = []

    def is_stopped(self, address: str, now_s: float) -> bool:
        self._wrong = [each for each in self._wrong if now_s - each[0] < _WINDOW_S]
        own = sum(each[1] == address for each in self._wrong)
        return own >= _WRONG_AN_ADDRESS or len(self._wrong) >= _WRONG_IN_ALL

    def note(self, address: str, now_s: float) -> None:
        if not self.is_stopped(address, now_s):
            self._wrong.append((now_s, address))


class Access:
    """Decides who is the owner. With a `password`, only the owner sees anything."""

    def __init__(
        self,
        secret: bytes,
        cookie: str,
        password: str | None = None,
        *,
        now_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cookie = cookie
        self._secret = secret
        self._password = None if password is None else sha256(password.encode()).digest()
        self._now_s, self._monotonic_s = now_s, monotonic_s
        self._used: dict[str, float] = {}
        self._sessions: dict[bytes, float] = {}
        self._guesses = Guesses()

    @property
    def has_password(self) -> bool:
        return self._password is not None

    def is_owner(self, headers: Headers) -> bool:
        token = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        expires_s = self._sessions.get(sha256(token.encode("utf-8", "replace")).digest(), 0.0)
        return self._monotonic_s() < expires_s

    def take_code(self, code: str) -> bool:
        """Returns whether the code was made for this start of the sentry and is used for the first time.

        Wrong codes do not block it: it can't be guessed.
        """
        now_s = self._now_s()
        self._used = {each: expires_s for each, expires_s in self._used.items() if expires_s > now_s}
        expires_s = expiry_of(code, self._secret, now_s)
        if expires_s is None or code in self._used:
            return False
        self._used[code] = expires_s
        return True

    def take_password(self, password: str) -> bool:
        digest = sha256(password.encode("utf-8", "replace")).digest()
        return self._password is not None and hmac.compare_digest(digest, self._password)

    def is_stopped(self, address: str) -> bool:
        """Returns whether this address has guessed too often."""
        return self._guesses.is_stopped(address, self._monotonic_s())

    def note_wrong(self, address: str) -> None:
        self._guesses.note(address, self._monotonic_s())

    def log_in(self, response: Response) -> Response:
        """Gives the browser the owner's cookie."""
        token = secrets.token_urlsafe(32)
        now_s = self._monotonic_s()
        living = {each: expires_s for each, expires_s in self._sessions.items() if expires_s > now_s}
        newest = sorted(living.items(), key=lambda each: each[1])[-_SESSIONS_LIMIT + 1 :]
        self._sessions = {**dict(newest), sha256(token.encode()).digest(): now_s + SESSION_LASTS_S}
        response.set_cookie(self.cookie, token, SESSION_LASTS_S, path="/", httponly=True, samesite="strict")
        return response
