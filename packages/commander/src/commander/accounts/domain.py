"""The password, sessions and API keys: what is allowed."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

SESSION_LIFE = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=1)
TRIES = 10
TRIES_WITHIN = timedelta(minutes=1)
_KEY_NAME = re.compile(r"[\w][\w .:#()+@/-]{0,63}")


class AccountError(Exception):
    """Root of what can be wrong with a login or a key; its text is for people."""


class NotSignedIn(AccountError):
    """No session and no API key."""


class WrongPassword(AccountError):
    """Not the password."""


class TooManyTries(AccountError):
    """Somebody is guessing."""


class BadKeyName(AccountError):
    """The text can't be an API key's name."""


class KeyNameTaken(AccountError):
    """Another API key has this name."""


class NoSuchKey(AccountError):
    """There is no API key of this name."""


@dataclass(frozen=True, slots=True)
class Session:
    id: int
    created_at: datetime
    last_seen_at: datetime
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


def checked_key_name(text: str) -> str:
    name = text.strip()
    if not _KEY_NAME.fullmatch(name):
        raise BadKeyName("A key's name has 1 to 64 letters, digits, spaces or . _ - : # ( ) + @ / in it.")
    return name
