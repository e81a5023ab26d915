"""Views of sessions, keys and the certificate for the settings page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from commander.accounts.browsers import browser_text
from commander.accounts.domain import ApiKey, NamedKey, Role, Session
from commander.settings import TlsMode
from commander.tls import CertificateFacts

ROLE_WORDS = {Role.METRICS: "Metrics", Role.VIEW: "View", Role.OPERATE: "Operate", Role.OWN: "Own"}
USUAL_DAYS = "90"
KEY_ROLES = [
    (Role.METRICS, "Metrics: /metrics alone, for Prometheus"),
    (Role.VIEW, "View: look at everything but tokens and wallets"),
    (Role.OPERATE, "Operate: incidents, maintenance, tags, commands, pausing"),
    (Role.OWN, "Own: everything"),
]
MODES = {
    TlsMode.AUTO: "The commander's own certificate authority (COMMANDER_TLS=auto)",
    TlsMode.FILES: "Your certificate (COMMANDER_TLS=files)",
    TlsMode.OFF: "Off",
}


@dataclass(frozen=True, slots=True)
class SessionView:
    id: int
    this: bool
    browser: str
    user_agent: str
    address: str
    access: str
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class KeyView:
    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApiKeyView(KeyView):
    """`expires_at` None: until it is revoked."""

    role: str
    expires_at: datetime | None
    has_expired: bool


@dataclass(frozen=True, slots=True)
class NewKeyView:
    """The form of a new API key: its fields, and the errors of these. At first it has the least role, and an end."""

    name: str = ""
    role: str = Role.METRICS
    days: str = USUAL_DAYS
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key that was just made: its text is shown this once."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class CreatedSite:
    """A site token that was just made: alone, and in the commands to type, this once.

    `line` also installs the sentry, `command` is for one that is installed.
    """

    name: str
    token: str
    command: str
    line: str


@dataclass(frozen=True, slots=True)
class CertificateView:
    mode: str
    own: bool
    fingerprint: str
    names: str
    not_after: datetime
    notes: tuple[str, ...]


def session_view(session: Session, this: Session) -> SessionView:
    return SessionView(
        id=session.id,
        this=session.id == this.id,
        browser=browser_text(session.user_agent),
        user_agent=session.user_agent,
        address=session.address,
        access=session.access_name,
        created_at=session.created_at,
        last_seen_at=session.last_seen_at,
    )


def key_view(key: NamedKey) -> KeyView:
    return KeyView(key.id, key.name, key.created_at, key.last_used_at)


def api_key_view(key: ApiKey, *, now: datetime) -> ApiKeyView:
    return ApiKeyView(
        id=key.id,
        name=key.name,
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        role=ROLE_WORDS[key.role],
        expires_at=key.expires_at,
        has_expired=key.expires_at is not None and key.expires_at <= now,
    )


def certificate_view(facts: CertificateFacts) -> CertificateView:
    return CertificateView(
        mode=MODES[facts.mode],
        own=facts.ca_pem is not None,
        fingerprint=facts.fingerprint_sha256,
        names=", ".join(facts.names),
        not_after=facts.not_after,
        notes=facts.notes,
    )
