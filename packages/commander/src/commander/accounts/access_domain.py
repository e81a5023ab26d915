"""Accesses: who may log in, by which name, and with which role."""

from dataclasses import dataclass
from datetime import datetime

from commander.accounts.domain import AccountError, BadKeyName, BadRole, Role, checked_key_name
from commander.problems import ErrorKind

OWNER_ID = 1  # the access of the commander's own password
ACCESSES_MOST = 200
_RESERVED = frozenset({"owner", "commander", "command line", "stranger", "watchdog", "a browser"})
_RESERVED_STARTS = ("api key ", "site token ", "farm token ", "telegram")


class BadAccessName(BadKeyName):
    """The text can't be the name of an access."""


class AccessNameTaken(AccountError):
    """Another access has this name."""

    kind = ErrorKind(409, "name_taken", "Name taken", field="name")


class AccessNotFound(AccountError):
    """There is no such access, or no longer."""

    kind = ErrorKind(404, "not_found", "Not found")


class OwnerStays(AccountError):
    """The owner's access can't be changed like the others."""

    kind = ErrorKind(409, "owner_stays", "The owner's access stays")


class TooManyAccesses(AccountError):
    """There are `ACCESSES_MOST` accesses."""

    kind = ErrorKind(409, "too_many_accesses", "Too many accesses", field="name")


class WrongCode(AccountError):
    """The code of the app does not fit its secret."""

    kind = ErrorKind(422, "wrong_code", "Wrong code", field="code")


@dataclass(frozen=True, slots=True)
class Access:
    """A person who may log in. `totp`: they need a second factor."""

    id: int
    name: str
    role: Role
    totp: bool
    created_at: datetime

    @property
    def is_owner(self) -> bool:
        return self.id == OWNER_ID


@dataclass(frozen=True, slots=True)
class LoginFields:
    """The fields of the log-in form beside the password: those that some access needs."""

    name: bool
    code: bool

    @property
    def wrong(self) -> str:
        """The sentence about a wrong log-in that does not show which field is wrong; empty with the password alone."""
        parts = ["the name"] * self.name + ["the password"] + ["the code"] * self.code
        return f"{', '.join(parts[:-1])} or {parts[-1]} is wrong.".capitalize() if len(parts) > 1 else ""


def checked_access_name(text: str) -> str:
    """Returns the name of a new access. Raises `BadAccessName`.

    The audit log names people by it: so it can't be a name that the commander itself uses there.
    """
    try:
        name = checked_key_name(text)
    except BadKeyName as error:
        raise BadAccessName(str(error)) from error
    if name.lower() in _RESERVED or name.lower().startswith(_RESERVED_STARTS):
        raise BadAccessName(f"The commander itself uses the name {name} in the audit log; choose another one.")
    return name


def name_key_of(name: str) -> str:
    """Returns what is equal for names that differ in upper and lower case only."""
    return name.strip().casefold()


def checked_access_role(text: str) -> Role:
    """Returns the role of a person. Raises `BadRole`."""
    roles = [Role.VIEW, Role.OPERATE, Role.OWN]
    if text.strip().lower() not in roles:
        raise BadRole(f"The role is one of {', '.join(roles)}.")
    return Role(text.strip().lower())
