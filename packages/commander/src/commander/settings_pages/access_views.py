"""The page `/access` as its template sees it: who may log in, sessions and keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from commander.accounts.access_domain import Access
from commander.accounts.domain import Role, Session
from commander.accounts.second_factor import address_for_app, in_groups, new_secret, qr_svg
from commander.accounts.views import KEY_ROLES, ROLE_WORDS
from commander.registry.kinds import RigKind
from commander.registry.sections import SECTIONS
from commander.saved_views.domain import LINK_DAYS, ViewLink, view_address
from commander.saved_views.store import SavedView

ROLES = [(role, words) for role, words in KEY_ROLES if role is not Role.METRICS]  # of people
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
    """The access of the person who looks. `by_proxy`: a reverse proxy has logged this person in."""

    name: str
    role: str
    is_owner: bool
    by_proxy: bool
    totp: bool
    recovery_codes: int


@dataclass(frozen=True, slots=True)
class MadeAccess:
    """An access that was just made, or got a new password: it is shown this once."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class LinkView:
    """A view link in the table. `rigs` is the kind of rig, and `address` that of the view for people who log in."""

    id: int
    name: str
    rigs: str
    address: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    has_expired: bool


@dataclass(frozen=True, slots=True)
class MadeLink:
    """A view link that was just made: its address is shown this once."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class AppView:
    """The secret for the authenticator app: as QR code, and in groups to type."""

    secret: str
    qr: str


@dataclass(frozen=True, slots=True)
class AccessDialog:
    """A dialog of the page.

    It is `add`, `edit`, `remove`, `password`, `second-factor`, `second-factor-off`, `codes`, `view-link` (`view` is the
    id of the chosen view) or `view-link-revoke`.
    """

    kind: str
    access_id: int | None = None
    name: str = ""
    role: str = Role.VIEW
    app: AppView | None = None
    view: str = ""
    days: str = str(LINK_DAYS)
    link_id: int | None = None
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


def link_views(links: Iterable[ViewLink], *, now: datetime) -> list[LinkView]:
    return [
        LinkView(
            id=link.id,
            name=link.name,
            rigs=SECTIONS[link.rig_kind].label,
            address=view_address(link.rig_kind, link.query),
            created_at=link.created_at,
            expires_at=link.expires_at,
            last_used_at=link.last_used_at,
            has_expired=link.expires_at <= now,
        )
        for link in links
    ]


def view_choices(views: Mapping[RigKind, Iterable[SavedView]]) -> list[tuple[str, str]]:
    """Returns the options of the form for a new view link."""
    return [(str(view.id), f"{SECTIONS[kind].label}: {view.name}") for kind, each in views.items() for view in each]


def app_view(access: str, host: str, secret: str = "") -> AppView:
    """Returns a new secret, or the one of a form that comes back."""
    secret = "".join(secret.split()) or new_secret()
    return AppView(in_groups(secret), qr_svg(address_for_app(secret, access=access, commander=host)))
