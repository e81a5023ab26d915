"""The commander's settings: the environment first, then `commander.toml` in the data directory."""

import ipaddress
import re
import socket
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import platformdirs
from protocol.reasons import reason

from commander.database_url import is_postgresql
from commander.problems import CommandProblem

PREFIX = "COMMANDER_"
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
WIDEST_NETWORK = {4: 8, 6: 7}  # bits of the widest networks that may be proxies: 10.0.0.0/8 and fc00::/7
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_OTHER_HEADERS = frozenset(
    {"authorization", "cookie", "host", "origin", "user-agent", "x-forwarded-for", "x-forwarded-proto"}
)  # they say something else
MOST = 100_000.0  # seconds, hours or days: clocks can't represent many more


class BadSetting(CommandProblem):
    """A setting is unknown or unreadable; the text names it and the expected form."""


class TlsMode(StrEnum):
    AUTO = "auto"
    FILES = "files"
    OFF = "off"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every field is a setting of the same name in capitals, with `COMMANDER_` before it."""

    data_dir: Path
    host: str = "0.0.0.0"  # noqa: S104 - sentries and browsers are on other machines
    port: int = 8443
    password: str | None = None
    tls: TlsMode = TlsMode.AUTO
    tls_cert: Path | None = None
    tls_key: Path | None = None
    public_url: str = ""
    database_url: str = ""
    trusted_proxies: str = ""
    user_header: str = ""
    role_header: str = ""
    hosts: str = ""
    report_every_s: float = 10.0
    playbooks_every_s: float = 60.0
    rig_mb_a_day: float = 256.0
    site_rigs: int = 5_000
    stale_after_s: float = 45.0
    offline_after_s: float = 60.0
    raw_kept_h: float = 24.0
    minutes_kept_d: float = 7.0
    ten_minutes_kept_d: float = 90.0
    audit_kept_days: float = 400.0
    incident_group_wait_s: float = 30.0
    nats_url: str = ""
    nats_prefix: str = "minewarden"
    queue_max_mb: int = 4_000
    queue_kept_h: float = 720.0
    queue_replicas: int = 1
    ingest_here: bool = True
    ingest_metrics: str = ""
    ca_dir: Path | None = None
    heartbeat_url: str = ""
    notify_loopback: bool = False
    backup_passphrase: str | None = None

    def __repr__(self) -> str:
        """Without the password: this may reach a log."""
        return f"Settings(data_dir={str(self.data_dir)!r}, public_url={self.public_url!r})"


EXPECTED = {
    "data_dir": "a folder",
    "host": "an address to listen on, such as 0.0.0.0 or 127.0.0.1",
    "port": "a port number from 1 to 65535",
    "password": "the dashboard's password, 12 characters or more",
    "tls": "auto, files or off",
    "tls_cert": "the path of a PEM certificate, with COMMANDER_TLS=files",
    "tls_key": "the path of its PEM key, with COMMANDER_TLS=files",
    "public_url": "the address that people and sentries use, such as https://farm.example:8443",
    "database_url": "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE, special characters as %XX",
    "trusted_proxies": "addresses or networks of the proxies, with commas between, such as 10.0.0.5 or 10.77.0.0/24; "
    "not every address",
    "user_header": "the header in which the proxies name the person whom they have logged in, such as X-Remote-User; "
    "it needs COMMANDER_TRUSTED_PROXIES",
    "role_header": "the header in which they name the person's role: view, operate or own; without it all have view",
    "hosts": "further names of the commander, with commas between, such as farm.lan; its own names are known",
    "report_every_s": "seconds from 1 to 3600",
    "playbooks_every_s": "seconds from 1 to 3600",
    "rig_mb_a_day": "megabytes of logs that one rig may send in a day, and again of all its other reports; 10 or more",
    "site_rigs": "how many ASICs one site token may register, 1 or more",
    "stale_after_s": "seconds, more than COMMANDER_REPORT_EVERY_S",
    "offline_after_s": "seconds, more than COMMANDER_STALE_AFTER_S",
    "raw_kept_h": "hours, 1 or more",
    "minutes_kept_d": "days, 1 or more, and not less than COMMANDER_RAW_KEPT_H",
    "ten_minutes_kept_d": "days, 1 or more, and not less than COMMANDER_MINUTES_KEPT_D",
    "audit_kept_days": "days that the audit log is kept, 1 or more",
    "incident_group_wait_s": "seconds from 0 to 3600: the wait for further rigs before a message about a new incident",
    "nats_url": "nats://HOST:PORT, several with commas between; it needs a COMMANDER_DATABASE_URL of PostgreSQL",
    "nats_prefix": "letters, digits and -: the beginning of this farm's subjects, if several farms use one NATS",
    "queue_max_mb": "megabytes that the queue may hold, 10 or more",
    "queue_kept_h": "hours that a log may wait in the queue, 1 or more",
    "queue_replicas": "1, 3 or 5: on how many servers of a NATS cluster each log is kept",
    "ingest_here": "true or false: whether `commander serve` is also a worker",
    "ingest_metrics": "ADDRESS:PORT where `commander ingest` serves its metrics, such as 127.0.0.1:9464",
    "ca_dir": "a folder with the CA that several commanders share, with COMMANDER_TLS=auto",
    "heartbeat_url": "http:// or https:// and an address that the commander requests every minute while it works",
    "backup_passphrase": "the passphrase of encrypted backups, 12 characters or more",
    "notify_loopback": "true or false: whether messages may go to servers on the commander's own machine",
}


def load_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from `environment` and the data directory's `commander.toml`.

    Raises `BadSetting`.
    """
    variables: dict[str, object] = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and value  # an empty one is how container tools say "not set"
    }
    data_dir = Path(
        str(variables.get("data_dir") or platformdirs.user_data_dir("minewarden-commander", appauthor=False))
    )
    path = data_dir / "commander.toml"
    filed = read_file(path)
    names = {name: f"{name} in {path}" for name in filed if name not in variables}
    _check_names({**filed, **variables}, names)
    if "data_dir" in filed and Path(str(filed["data_dir"])).expanduser() != data_dir.expanduser():
        raise BadSetting(f"data_dir in {path} can't name another folder than the file's own; set COMMANDER_DATA_DIR.")
    values = filed | variables | {"data_dir": data_dir}
    settings = _converted(values, names)
    _check(settings, names)
    return _with_defaults(settings)


def read_file(path: Path) -> dict[str, object]:
    """Returns the settings in a `commander.toml`; none if there is no such file. Raises `BadSetting`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadSetting(f"{path} can't be read ({reason(error)}); mend its rights.") from error
    except UnicodeDecodeError as error:
        raise BadSetting(f"{path} can't be read: it is not UTF-8; save it as that.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"{path} can't be read ({error}); each line is like: port = 8443.") from error


def name_of(setting: str, names: Mapping[str, str]) -> str:
    """Returns the setting's name for people: its line in the file (from `names`) or its environment variable."""
    return names.get(setting, f"{PREFIX}{setting.upper()}")


def _check_names(values: Mapping[str, object], names: Mapping[str, str]) -> None:
    for name in values:
        if name not in Settings.__struct_fields__:
            raise BadSetting(
                f"{name_of(name, names)} is not a setting of the commander; docs/settings.md lists all of them."
            )


def _converted(values: Mapping[str, object], names: Mapping[str, str]) -> Settings:
    for name, value in values.items():
        try:
            converted = getattr(_convert({"data_dir": values["data_dir"], name: value}), name)
        except (msgspec.ValidationError, TypeError) as error:
            raise _unexpected(name, names) from error
        if isinstance(converted, float) and not converted <= MOST:  # NaN is not either
            raise _unexpected(name, names)
    return _convert(values)


def _convert(values: Mapping[str, object]) -> Settings:
    return msgspec.convert(dict(values), Settings, strict=False, dec_hook=lambda kind, value: kind(value))


def _unexpected(name: str, names: Mapping[str, str]) -> BadSetting:
    return BadSetting(f"{name_of(name, names)} is not what was expected: {EXPECTED[name]}.")


def _check(settings: Settings, names: Mapping[str, str]) -> None:
    """Refuse values that have the right type and make no sense."""
    wrong = {
        "port": not 0 <= settings.port <= 65535,
        "tls_cert": settings.tls is TlsMode.FILES and not (settings.tls_cert and settings.tls_cert.is_file()),
        "tls_key": settings.tls is TlsMode.FILES and not (settings.tls_key and settings.tls_key.is_file()),
        "public_url": bool(settings.public_url) and not _is_url(settings.public_url),
        "database_url": bool(settings.database_url) and not is_database_url(settings.database_url),
        "trusted_proxies": not _are_proxies(settings.trusted_proxies),
        "user_header": not _is_header(settings.user_header),
        "role_header": not _is_header(settings.role_header),
        "hosts": not all(_HOST_NAME.fullmatch(name) for name in listed(settings.hosts)),
        "report_every_s": not 1 <= settings.report_every_s <= 3600,
        "playbooks_every_s": not 1 <= settings.playbooks_every_s <= 3600,
        "rig_mb_a_day": settings.rig_mb_a_day < 10,
        "site_rigs": settings.site_rigs < 1,
        "stale_after_s": settings.stale_after_s <= settings.report_every_s,
        "offline_after_s": settings.offline_after_s <= settings.stale_after_s,
        "raw_kept_h": settings.raw_kept_h < 1,
        "minutes_kept_d": settings.minutes_kept_d < max(1, settings.raw_kept_h / 24),
        "ten_minutes_kept_d": settings.ten_minutes_kept_d < settings.minutes_kept_d,
        "audit_kept_days": settings.audit_kept_days < 1,
        "incident_group_wait_s": not 0 <= settings.incident_group_wait_s <= 3600,
        "nats_url": bool(settings.nats_url) and not _is_nats_url(settings.nats_url),
        "nats_prefix": not re.fullmatch(r"[A-Za-z0-9-]{1,32}", settings.nats_prefix),
        "queue_max_mb": settings.queue_max_mb < 10,
        "queue_kept_h": settings.queue_kept_h < 1,
        "queue_replicas": settings.queue_replicas not in (1, 3, 5),
        "heartbeat_url": bool(settings.heartbeat_url) and not _is_address(settings.heartbeat_url),
        "ingest_metrics": bool(settings.ingest_metrics) and not _is_place(settings.ingest_metrics),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise _unexpected(name, names)
    if settings.nats_url and not is_postgresql(settings.database_url):
        raise BadSetting(
            f"{name_of('nats_url', names)} is for several commanders, which need one database: set "
            "COMMANDER_DATABASE_URL to a PostgreSQL, or leave it out."
        )
    for name in ("user_header", "role_header"):
        if getattr(settings, name) and not settings.trusted_proxies:
            raise BadSetting(
                f"{name_of(name, names)} needs the proxy's address in COMMANDER_TRUSTED_PROXIES: only a proxy that is "
                "named there is believed."
            )
    if settings.role_header and settings.role_header.lower() == settings.user_header.lower():
        raise BadSetting(
            f"{name_of('user_header', names)} and {name_of('role_header', names)} are the same header; give each its "
            "own."
        )
    if settings.role_header and not settings.user_header:
        raise BadSetting(
            f"{name_of('role_header', names)} needs COMMANDER_USER_HEADER: without a name there is no person with that "
            "role."
        )
    if settings.tls is TlsMode.OFF and not settings.trusted_proxies and not is_loopback(settings.host):
        raise BadSetting(
            f"{name_of('tls', names)} is “off”, which would send miners' data in clear: set COMMANDER_HOST=127.0.0.1, "
            "or name the proxy in front of the commander in COMMANDER_TRUSTED_PROXIES."
        )


def _is_header(text: str) -> bool:
    return not text or (_HEADER.fullmatch(text) is not None and text.lower() not in _OTHER_HEADERS)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/")


def listed(text: str) -> list[str]:
    """Returns the parts of a setting with commas between them."""
    return [part.strip() for part in text.split(",") if part.strip()]


def networks_of(text: str) -> list[IpNetwork]:
    """Returns the addresses and networks in COMMANDER_TRUSTED_PROXIES. Raises `ValueError` for another text."""
    return [ipaddress.ip_network(part, strict=False) for part in listed(text)]


def _are_proxies(text: str) -> bool:
    try:
        networks = networks_of(text)
    except ValueError:
        return False
    return all(network.prefixlen >= WIDEST_NETWORK[network.version] for network in networks)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def is_database_url(text: str) -> bool:
    if not is_postgresql(text):
        return text.startswith("sqlite:///")
    try:
        return bool(urlsplit(text).port or True)
    except ValueError:  # a / or # in the password ends the address too early
        return False


def _is_nats_url(text: str) -> bool:
    try:
        parts = [urlsplit(part.strip()) for part in text.split(",")]
        return all(part.scheme in ("nats", "tls") and part.hostname and (part.port or True) for part in parts)
    except ValueError:
        return False


def _is_place(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) <= 65535


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_clear_text(settings: Settings, *, came_by_https: bool = False) -> str:
    """Returns the warning of the log and the settings page where passwords may go in clear; else an empty text.

    `came_by_https`: a browser has reached the commander by HTTPS, so that address is the one to tell people.
    """
    parts = urlsplit(settings.public_url)
    if parts.scheme == "https" or (is_loopback(parts.hostname or "") and not came_by_https):
        return ""
    return (
        f"COMMANDER_PUBLIC_URL is {settings.public_url}, which is not HTTPS: others can read passwords, cookies and "
        "the tokens of new rigs on their way. Set it to the https:// address of the commander or its proxy."
    )


def _with_defaults(settings: Settings) -> Settings:
    """The settings whose default depends on others."""
    scheme = "http" if settings.tls is TlsMode.OFF else "https"
    host = socket.gethostname() if not is_loopback(settings.host) else settings.host
    return msgspec.structs.replace(
        settings,
        data_dir=settings.data_dir.expanduser().absolute(),
        public_url=(settings.public_url or f"{scheme}://{host}:{settings.port}").rstrip("/"),
        database_url=settings.database_url or f"sqlite:///{settings.data_dir.expanduser().absolute() / 'commander.db'}",
    )
