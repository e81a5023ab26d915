"""People whom a reverse proxy has logged in: it names them, and their role, in headers of each request.

`BehindProxy` notes the headers of requests from a trusted proxy alone; those of all other senders are never read.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from litestar.types import Scope

from commander.accounts.access_domain import BadAccessName, checked_access_name, checked_access_role
from commander.accounts.domain import AccountError, BadRole, ProxySession, Role
from commander.problems import ErrorKind

_NOTED = "minewarden_proxy_user"  # in the state of a request's scope


class BadProxyUser(AccountError):
    """The proxy's headers name no user, or no role, that the commander knows."""

    kind = ErrorKind(403, "bad_proxy_user", "The proxy's headers can't be used")


class ProxyHeaders(NamedTuple):
    """The names of the headers, as the settings have them; an empty one is not used."""

    user: str
    role: str

    def note(self, scope: Scope) -> None:
        """Notes what the headers of this request say. Call it only for a request that a trusted proxy has sent."""
        if self.user and any(users := _values(scope, self.user)):
            sent = SentUser(self, users, _values(scope, self.role) if self.role else None)
            scope.setdefault("state", {})[_NOTED] = sent


@dataclass(frozen=True, slots=True)
class SentUser:
    """The values of a request's headers. `roles` None: the commander has no header for them."""

    headers: ProxyHeaders
    users: list[str]
    roles: list[str] | None

    def session(self, *, address: str, user_agent: str, now: datetime) -> ProxySession:
        """Raises `BadProxyUser`."""
        name, role = self._name(), self._role()
        return ProxySession(
            id=0,
            created_at=now,
            last_seen_at=now,
            address=address,
            user_agent=user_agent,
            role=role,
            access_id=0,
            access_name=name,
            confirmed_at=now,
        )

    def _name(self) -> str:
        try:
            return checked_access_name(_single(self.headers.user, self.users))
        except BadAccessName as error:
            raise BadProxyUser(f"The header {self.headers.user} of the proxy names no user. {error}") from error

    def _role(self) -> Role:
        if self.roles is None:
            return Role.VIEW
        try:
            return checked_access_role(_single(self.headers.role, self.roles))
        except BadRole as error:
            raise BadProxyUser(f"The header {self.headers.role} of the proxy names no role. {error}") from error


def proxy_session(scope: Scope) -> ProxySession | None:
    """Returns the person whom a trusted proxy names; None if it names none. Raises `BadProxyUser`."""
    sent = scope.get("state", {}).get(_NOTED)
    if not isinstance(sent, SentUser):
        return None
    client = scope.get("client")
    agents = _values(scope, "user-agent")
    return sent.session(
        address=client[0] if client else "", user_agent=agents[0][:256] if agents else "", now=datetime.now(UTC)
    )


def _values(scope: Scope, name: str) -> list[str]:
    wanted = name.lower().encode()
    return [value.decode("utf-8", errors="replace").strip() for key, value in scope["headers"] if key.lower() == wanted]


def _single(name: str, values: list[str]) -> str:
    """Raises `BadProxyUser` if a header came several times: a browser may have sent one of them."""
    if len(values) > 1:
        raise BadProxyUser(f"The header {name} came {len(values)} times. Let the proxy replace it, not add to it.")
    return values[0] if values else ""
