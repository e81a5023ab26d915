"""Farm tokens, the names of the rigs that enroll with them, and what can be wrong with both. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import NamedTuple

from commander.problems import CommanderError, ErrorKind
from commander.registry.names import NAME_MAX_LENGTH, BadName, checked_name

USUAL_USES, USES_MOST = 10, 10_000
USUAL_VALIDITY, VALIDITY_LEAST, VALIDITY_MOST = timedelta(hours=24), timedelta(minutes=1), timedelta(days=90)
USUAL_PATTERN = "{hostname}"
PATTERN_MAX_LENGTH = 64
KEPT_AFTER_END = timedelta(days=90)
TOKENS_MOST = 1_000
COPIES_WAIT_MOST = 20  # of one rig
_DIGITS_LEFT = len(str(USES_MOST))  # every pattern has room for such numbers
_FIELD = re.compile(r"\{(hostname|n)(?::0?([1-9]))?\}")
_NOT_IN_A_NAME = re.compile(r"[^\w .:#()+@/-]+")


class FarmTokenNotFound(CommanderError):
    """There is no such farm token, or it was revoked."""

    kind = ErrorKind(404, "farm_token_not_found", "No such farm token")


class BadFarmToken(CommanderError):
    """A farm token can't be made like this; `field` says which of its fields is wrong."""

    kind = ErrorKind(422, "bad_farm_token", "Not a farm token")

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class FarmTokenExpired(CommanderError):
    """The farm token was valid until a time that is over."""

    kind = ErrorKind(403, "farm_token_expired", "Farm token expired")


class FarmTokenUsedUp(CommanderError):
    """The farm token has enrolled as many rigs as it may."""

    kind = ErrorKind(403, "farm_token_used_up", "Farm token used up")


class FarmTokenRevoked(CommanderError):
    """A person has revoked the farm token."""

    kind = ErrorKind(403, "farm_token_revoked", "Farm token revoked")


class TooManyCopies(CommanderError):
    """Many copies of a rig wait for approval already."""

    kind = ErrorKind(409, "too_many_copies", "Too many copies")


class FarmTokenState(StrEnum):
    VALID = "valid"
    EXPIRED = "expired"
    USED_UP = "used_up"
    REVOKED = "revoked"


class NewFarmToken(NamedTuple):
    """A farm token as a person asks for it, checked."""

    name: str
    name_pattern: str
    tags: tuple[str, ...]
    approve_by_hand: bool
    uses: int
    valid_for: timedelta


class FarmToken(NamedTuple):
    """A farm token as it is stored."""

    id: int
    name: str
    name_pattern: str
    tags: tuple[str, ...]
    approve_by_hand: bool
    uses: int
    used: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    made_by: str

    def state(self, now: datetime) -> FarmTokenState:
        if self.revoked_at is not None:
            return FarmTokenState.REVOKED
        if now >= self.expires_at:
            return FarmTokenState.EXPIRED
        return FarmTokenState.USED_UP if self.used >= self.uses else FarmTokenState.VALID


def check_usable(token: FarmToken, now: datetime) -> None:
    """Raises `FarmTokenRevoked` or `FarmTokenExpired`. A used up token still gives known machines their rig."""
    make = "Make a new one in the commander, under CPU/GPU rigs, Add rig, Many rigs."
    state = token.state(now)
    if state is FarmTokenState.REVOKED:
        raise FarmTokenRevoked(f"This farm token was revoked. {make}")
    if state is FarmTokenState.EXPIRED:
        raise FarmTokenExpired(f"This farm token expired at {token.expires_at:%Y-%m-%d %H:%M} UTC. {make}")


def used_up(token: FarmToken) -> FarmTokenUsedUp:
    rigs = "1 rig" if token.uses == 1 else f"{token.uses:,} rigs"
    return FarmTokenUsedUp(
        f"This farm token was for {rigs}, and all of its uses are spent. Make a new one in the commander, under "
        "CPU/GPU rigs, Add rig, Many rigs."
    )


def checked_farm_token(
    *,
    name: str,
    name_pattern: str,
    tags: tuple[str, ...],
    approve_by_hand: bool,
    uses: int,
    valid_for: timedelta,
    now: datetime,
) -> NewFarmToken:
    """Raises `BadFarmToken`. A farm token without a name is named by its time."""
    if not 1 <= uses <= USES_MOST:
        raise BadFarmToken("uses", f"Enter for how many rigs it is: from 1 to {USES_MOST:,}.")
    if not VALIDITY_LEAST <= valid_for <= VALIDITY_MOST:
        raise BadFarmToken("expires_in_s", f"A farm token is valid for one minute to {VALIDITY_MOST.days} days.")
    try:
        name = checked_name(name if name.strip() else f"{now:%Y-%m-%d %H:%M}")
    except BadName as error:
        raise BadFarmToken("name", str(error).replace("Give the rig a name.", "Give it a name.")) from error
    return NewFarmToken(name, checked_pattern(name_pattern), tags, approve_by_hand, uses, valid_for)


def checked_pattern(text: str) -> str:
    """Returns the pattern of names, trimmed. Raises `BadFarmToken`."""
    pattern = unicodedata.normalize("NFC", text).strip()
    if len(pattern) > PATTERN_MAX_LENGTH:
        raise BadFarmToken("name_pattern", f"A pattern has {PATTERN_MAX_LENGTH} characters at most.")
    if "{" in _FIELD.sub("", pattern) or "}" in _FIELD.sub("", pattern):
        raise BadFarmToken(
            "name_pattern", "A pattern has the placeholders {hostname}, {n} and {n:03} only. Example: gpu-{n:03}."
        )
    if len(_filled(pattern, "h", 10**_DIGITS_LEFT - 1)) > NAME_MAX_LENGTH:
        raise BadFarmToken(
            "name_pattern",
            f"The names of this pattern are too long: a name has {NAME_MAX_LENGTH} characters at most, and a number "
            f"may have {_DIGITS_LEFT} digits. Shorten the pattern.",
        )
    try:
        checked_name(next(names_of(pattern, "host")))
    except BadName as error:
        raise BadFarmToken("name_pattern", f"The pattern gives no name of a rig. {error}") from error
    return pattern


def names_of(pattern: str, hostname: str | None) -> Iterator[str]:
    """Yields the names that a rig may have by the pattern, the first choice first. There is no end of them.

    A pattern with `{n}` counts from 1. For any other one a number stands behind the name from the second on. A name
    that is too long loses the end of its host name, then of what is before the number; it never loses the number.
    """
    host = _plain(hostname or "") or "rig"
    if any(field[1] == "n" for field in _FIELD.finditer(pattern)):
        yield from (_named(pattern, host, number) for number in count(1))
    name = _named(pattern, host, 0)
    yield name
    yield from (f"{name[: NAME_MAX_LENGTH - len(str(number)) - 1]}-{number}" for number in count(2))


def free_name(names: Iterator[str], is_taken: Callable[[str], bool]) -> str:
    return next(name for name in names if not is_taken(name))


def _named(pattern: str, host: str, number: int) -> str:
    """Returns the name with this number, which always stands in it: so the search for a free name ends."""
    fields = list(_FIELD.finditer(pattern))
    if places := sum(field[1] == "hostname" for field in fields):
        room = (NAME_MAX_LENGTH - len(_filled(pattern, "", number))) // places
        host = host[: max(1, room)]
    start = next((field.start() for field in fields if field[1] == "n"), 0)
    before, rest = _filled(pattern[:start], host, number), _filled(pattern[start:], host, number)
    return f"{before[: max(0, NAME_MAX_LENGTH - len(rest))]}{rest}"[:NAME_MAX_LENGTH].strip()


def _filled(pattern: str, host: str, number: int) -> str:
    def value(field: re.Match[str]) -> str:
        return host if field[1] == "hostname" else f"{number:0{field[2] or 1}}"

    return _FIELD.sub(value, pattern)


def _plain(hostname: str) -> str:
    """Returns a host name as a part of a rig's name, which has letters, digits and few other characters."""
    return _NOT_IN_A_NAME.sub("-", unicodedata.normalize("NFC", hostname)).lstrip(" .:#()+@/-").strip()
