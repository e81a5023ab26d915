"""The password, sessions, API keys and site tokens: what is allowed."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from commander.problems import CommanderError, ErrorKind

SESSION_LIFE = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=1)
PASSWORD_LEAST = 12
TRIES = 10
TRIES_WITHIN = timedelta(minutes=1)
_KEY_NAME = re.compile(r"[\w][\w .:#()+@/-]{0,63}")


class AccountError(CommanderError):
    """Root of what can be wrong with a login or a key; its text is for people."""

    kind = ErrorKind(422, "bad_name", "Not a name", field="name")


class NotSignedIn(AccountError):
    """No session and no API key."""

    kind = ErrorKind(401, "not_signed_in", "Not signed in", asks_for_token=True)


class WrongPassword(AccountError):
    """Not the password."""

    kind = ErrorKind(401, "wrong_password", "Wrong password", field="password")


class BadNewPassword(AccountError):
    """The new password is too easy to guess."""


class TooManyTries(AccountError):
    """Somebody is guessing."""

    kind = ErrorKind(429, "too_many_tries", "Too many tries", field="password", retry_after_s=60)


class BadKeyName(AccountError):
    """The text can't be the name of a key or site token."""


class KeyNameTaken(AccountError):
    """Another one has this name."""

    kind = ErrorKind(409, "name_taken", "Name taken", field="name")


class NoSuchKey(AccountError):
    """There is no such API key or site token."""

    kind = ErrorKind(404, "no_such_key", "No such key")


@dataclass(frozen=True, slots=True)
class Session:
    id: int
    created_at: datetime
    last_seen_at: datetime
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class NamedKey:
    """An API key, or a site token: its text is shown once, and only its hash is kept."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


def check_new_password(text: str) -> None:
    """Raises `BadNewPassword` for a short new password. Shorter ones of earlier versions stay valid."""
    if len(text) < PASSWORD_LEAST:
        raise BadNewPassword(
            f"A password has {PASSWORD_LEAST} characters or more, so that it can't be guessed; nothing was changed."
        )


def checked_key_name(text: str) -> str:
    name = text.strip()
    if not _KEY_NAME.fullmatch(name):
        raise BadKeyName("A name has 1 to 64 letters, digits, spaces or . _ - : # ( ) + @ / in it.")
    return name


def author_of(user: Session | NamedKey) -> str:
    """Names the person behind a change: by the address of the browser, or by the API key."""
    return (
        f"API key {user.name}" if isinstance(user, NamedKey) else f"a browser at {user.address or 'an unknown address'}"
    )
