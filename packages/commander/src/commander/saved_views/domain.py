"""View links: a link shows one saved view without a log-in, until it expires."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from commander.accounts.domain import BadDays, Role
from commander.problems import CommanderError, ErrorKind
from commander.registry.kinds import PATHS, RigKind

LINK_PREFIX = "mw_view_"
LINKS_AT = "/view"  # and the token
LINK_DAYS = 30  # as the form proposes
LINK_DAYS_MOST = 365
LINKS_MOST = 50
USED_EVERY = timedelta(minutes=10)  # the time of the last use is at most so old while a page is open


class NoSuchLink(CommanderError):
    """There is no view link with this token: it was revoked, or never made."""

    kind = ErrorKind(404, "no_such_link", "This link is not valid")


class LinkExpired(CommanderError):
    """The view link was valid until some time ago."""

    kind = ErrorKind(410, "link_expired", "This link has expired")


class TooManyLinks(CommanderError):
    """There is no room for another view link."""

    kind = ErrorKind(422, "too_many_links", "Too many links", field="view")


class NoSuchView(CommanderError):
    """The saved view of a new link was not chosen, or was removed meanwhile."""

    kind = ErrorKind(422, "no_such_view", "No such view", field="view")


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A link to one saved view. `name`, `rig_kind` and `query` are those of the view."""

    id: int
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    name: str
    rig_kind: RigKind
    query: str

    @property
    def role(self) -> Role:
        """The role as which its page is shown, so wallets are masked."""
        return Role.VIEW

    @property
    def owner(self) -> str:
        """The owner of its WebSockets, beside those that `socket_owner` names."""
        return link_owner(self.id)


def view_address(kind: RigKind, query: str) -> str:
    """Returns the address of the index page that shows this view."""
    return f"{PATHS[kind]}?{query}" if query else PATHS[kind]


def link_owner(link_id: int) -> str:
    return f"link {link_id}"


def new_link_token() -> str:
    return LINK_PREFIX + secrets.token_hex(32)


def link_expiry(days: int | None, *, now: datetime) -> datetime:
    """Returns until when a new link is valid. Raises `BadDays`."""
    if days is None or not 1 <= days <= LINK_DAYS_MOST:
        raise BadDays(f"A link is valid for 1 to {LINK_DAYS_MOST} days.")
    return now + timedelta(days=days)


def check_link(link: ViewLink | None, *, now: datetime) -> ViewLink:
    """Returns the link if it is valid. Raises `NoSuchLink` or `LinkExpired`."""
    if link is None:
        raise NoSuchLink("It was revoked, its view was removed, or the address is incomplete. Ask for a new link.")
    if link.expires_at <= now:
        raise LinkExpired(f"It was valid until {link.expires_at:%Y-%m-%d %H:%M} UTC. Ask for a new link.")
    return link
