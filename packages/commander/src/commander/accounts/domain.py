"""The password, sessions, API keys and site tokens: what is allowed."""

import hashlib
import math
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from commander.problems import CommanderError, ErrorKind

SESSION_LIFE = timedelta(days=30)  # without a visit
SESSION_LONGEST = timedelta(days=90)  # then it ends in any case
SEEN_EVERY = timedelta(minutes=1)
PASSWORD_LEAST = 12
KEY_DAYS_MOST = 3650
OWNER_NAME = "owner"  # the access that the commander's own password opens
CONFIRMED_FOR = timedelta(minutes=10)
KEY_NAME_MAX_LENGTH = 64
_KEY_NAME = re.compile(r"[\w][\w .:#()+@/-]*")


class Role(StrEnum):
    """The rights of an access or an API key. Each role has those of the ones before it, too."""

    METRICS = "metrics"  # `/metrics` alone; for keys only
    VIEW = "view"
    OPERATE = "operate"
    OWN = "own"


class AccountError(CommanderError):
    """Root of what can be wrong with a login or a key; its text is for people."""

    kind = ErrorKind(422, "bad_name", "Not a name", field="name")


class NotSignedIn(AccountError):
    """No session and no API key."""

    kind = ErrorKind(401, "not_signed_in", "Not signed in", asks_for_token=True)


class KeyExpired(NotSignedIn):
    """An API key that was valid until some time ago."""

    kind = ErrorKind(401, "key_expired", "API key expired", asks_for_token=True)


class RoleTooLow(AccountError):
    """The sender's role is too low."""

    kind = ErrorKind(403, "forbidden", "Not allowed")


class ConfirmationNeeded(AccountError):
    """The request changes where money goes, or who has access, and the password was typed too long ago.

    `is_wrong`: it was typed now, and was wrong.
    """

    kind = ErrorKind(403, "confirmation_needed", "Confirm that it is you")
    is_wrong = False


class WrongConfirmation(ConfirmationNeeded):
    """The password or code that was typed for a confirmation is wrong."""

    kind = ErrorKind(422, "wrong_password", "Wrong password", field="password")
    is_wrong = True


class BadRole(AccountError):
    """There is no such role."""

    kind = ErrorKind(422, "bad_role", "No such role", field="role")


class BadDays(AccountError):
    """A key can't be valid for that long."""

    kind = ErrorKind(422, "bad_days", "Not a number of days", field="days")


class WrongPassword(AccountError):
    """Not the password."""

    kind = ErrorKind(401, "wrong_password", "Wrong password", field="password")


class BadNewPassword(AccountError):
    """The new password is too easy to guess."""


class TooManyTries(AccountError):
    """Somebody is guessing. `retry_after_s`: whole seconds until the next try is allowed."""

    kind = ErrorKind(429, "too_many_tries", "Too many tries", field="password", retry_after_s=60)

    def __init__(self, text: str, wait_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = max(1, math.ceil(wait_s))


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
    """A browser that is logged in."""

    id: int
    created_at: datetime
    last_seen_at: datetime
    address: str
    user_agent: str
    role: Role = Role.OWN
    access_id: int = 1
    access_name: str = OWNER_NAME
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProxySession(Session):
    """A person whom a trusted reverse proxy has logged in, for one request. It has no password and is not stored.

    It always counts as confirmed: the proxy confirms each request.
    """


class OfProxy(AccountError):
    """The proxy does this, not the commander."""

    kind = ErrorKind(409, "of_proxy", "The proxy does this")


@dataclass(frozen=True, slots=True)
class NamedKey:
    """An API key, or a site token: its text is shown once, and only its hash is kept."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApiKey(NamedKey):
    """A key for scripts. `expires_at` None: it is valid until it is revoked."""

    role: Role = Role.OWN
    expires_at: datetime | None = None


PROXY_OWNERS = "proxy "  # the beginning of what `socket_owner` returns for a `ProxySession`
User = Session | ApiKey  # who sends a request


def is_enough(role: Role, least: Role) -> bool:
    """Returns whether `role` may do what needs `least`."""
    roles = list(Role)
    return roles.index(role) >= roles.index(least)


def check_role(user: User, least: Role) -> None:
    """Raises `RoleTooLow` if the sender's role is lower than `least`."""
    if is_enough(user.role, least):
        return
    sender = f"The API key {user.name}" if isinstance(user, NamedKey) else "Your access"
    raise RoleTooLow(
        f"{sender} has the role “{user.role}”, and this needs “{least}”. Ask the owner of this commander for that role."
    )


def check_not_of_proxy(session: Session) -> None:
    """Raises `OfProxy` for a person whom a proxy has logged in: they have no password and no second factor here."""
    if isinstance(session, ProxySession):
        raise OfProxy(
            "The reverse proxy in front of this commander has logged you in. Log out there, and change your password "
            "and your second factor there."
        )


def is_confirmed(user: User, *, now: datetime) -> bool:
    """Returns whether a person has typed their password or a code a short time ago. A key needs no confirmation."""
    if not isinstance(user, Session):
        return True
    return user.confirmed_at is not None and abs(now - user.confirmed_at) <= CONFIRMED_FOR


def check_confirmed(user: User, *, now: datetime) -> None:
    """Raises `ConfirmationNeeded`."""
    if not is_confirmed(user, now=now):
        raise ConfirmationNeeded(
            "This changes where money goes or who has access: send your password again, as "
            'POST /api/v1/confirmation {"password": "…"}, and then repeat the request within 10 minutes.'
        )


def checked_role(text: str) -> Role:
    """Returns the role of an API key. Raises `BadRole`."""
    try:
        return Role(text.strip().lower())
    except ValueError:
        raise BadRole(f"The role is one of {', '.join(Role)}.") from None


def expiry(days: int | None, *, now: datetime) -> datetime | None:
    """Returns until when a new key is valid; None: until it is revoked. Raises `BadDays`."""
    if days is None:
        return None
    if not 1 <= days <= KEY_DAYS_MOST:
        raise BadDays(f"A key is valid for 1 to {KEY_DAYS_MOST:,} days, or until it is revoked if you enter nothing.")
    return now + timedelta(days=days)


def check_not_expired(key: ApiKey, *, now: datetime) -> None:
    """Raises `KeyExpired`."""
    if key.expires_at is not None and key.expires_at <= now:
        raise KeyExpired(f"The API key {key.name} was valid until {key.expires_at:%Y-%m-%d %H:%M} UTC. Make a new key.")


def socket_owner(user: User) -> str:
    """Returns a text that names the session or key to which a WebSocket belongs: `17`, `key 3`, `proxy anna`."""
    if isinstance(user, ProxySession):
        return f"{PROXY_OWNERS}{user.access_name}"
    return str(user.id) if isinstance(user, Session) else key_owner(user.id)


def socket_user(user: User) -> str:
    """Returns a text that names whose WebSockets are counted together: those of an access in all its sessions."""
    if isinstance(user, Session) and not isinstance(user, ProxySession):
        return f"access {user.access_id}"
    return socket_owner(user)


def key_owner(key_id: int) -> str:
    """Returns what `socket_owner` does, for the API key of this id."""
    return f"key {key_id}"


def has_ended(session: Session, now: datetime) -> bool:
    return session.last_seen_at <= now - SESSION_LIFE or session.created_at <= now - SESSION_LONGEST


def check_new_password(text: str) -> None:
    """Raises `BadNewPassword` for a short new password. Shorter ones of earlier versions stay valid."""
    if len(text) < PASSWORD_LEAST:
        raise BadNewPassword(
            f"A password has {PASSWORD_LEAST} characters or more, so that it can't be guessed; nothing was changed."
        )


def new_password() -> str:
    """Returns a random password that can be read out: 80 bits, and as long as a new one must be."""
    return "-".join(secrets.token_hex(2) for _ in range(5))


def secret_hash(secret: str) -> bytes:
    """Returns what is stored of a cookie, key or link of 256 random bits; a fast hash is enough for that many."""
    return hashlib.sha256(secret.encode()).digest()


def checked_key_name(text: str) -> str:
    """Returns the name without the spaces around it. They count for its length, as in the API's description."""
    name = text.strip(" ")
    if len(text) > KEY_NAME_MAX_LENGTH or not _KEY_NAME.fullmatch(name):
        raise BadKeyName("A name has 1 to 64 letters, digits, spaces or . _ - : # ( ) + @ / in it.")
    return name


def author_of(user: User) -> str:
    """Names the person behind a change: the API key, the access, or for the owner the address of the browser."""
    if isinstance(user, NamedKey):
        return f"API key {user.name}"
    if user.access_name != OWNER_NAME:
        return user.access_name
    return f"a browser at {user.address or 'an unknown address'}"
