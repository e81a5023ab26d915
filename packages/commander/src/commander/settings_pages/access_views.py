"""The page `/access` as its template sees it: who may log in, sessions and keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from commander.accounts.access_domain import Access
from commander.accounts.domain import Role, Session
from commander.accounts.second_factor import address_for_app, in_groups, new_secret, qr_svg
from commander.accounts.views import KEY_ROLES, ROLE_WORDS

ROLES = [(role, words) for role, words in reversed(KEY_ROLES) if role is not Role.METRICS]  # of people
Errors = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AccessView:
    """An access in the table. `sessions`: how many browsers are logged in."""

    id: int
    name: str
    role: str
    totp: bool
    created_at: datetime
    sessions: int
    is_owner: bool
    is_mine: bool


@dataclass(frozen=True, slots=True)
class OwnAccessView:
    """The access of the person who looks."""

    name: str
    role: str
    is_owner: bool
    totp: bool
    recovery_codes: int


@dataclass(frozen=True, slots=True)
class MadeAccess:
    """An access that was just made, or got a new password: it is shown this once."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class AppView:
    """The secret for the authenticator app: as QR code, and in groups to type."""

    secret: str
    qr: str


@dataclass(frozen=True, slots=True)
class AccessDialog:
    """A dialog of the page: `add`, `edit`, `remove`, `password`, `second-factor`, `second-factor-off` or `codes`."""

    kind: str
    access_id: int | None = None
    name: str = ""
    role: str = Role.VIEW
    app: AppView | None = None
    errors: Errors = field(default_factory=dict)


def access_view(access: Access, sessions: list[Session], me: Session) -> AccessView:
    return AccessView(
        id=access.id,
        name=access.name,
        role=ROLE_WORDS[access.role],
        totp=access.totp,
        created_at=access.created_at,
        sessions=sum(each.access_id == access.id for each in sessions),
        is_owner=access.is_owner,
        is_mine=access.id == me.access_id,
    )


def app_view(access: str, host: str, secret: str = "") -> AppView:
    """Returns a new secret, or the one of a form that comes back."""
    secret = "".join(secret.split()) or new_secret()
    return AppView(in_groups(secret), qr_svg(address_for_app(secret, access=access, commander=host)))
