"""HTTPS without setup: the commander's own certificate authority (CA), and the certificate that it signs.

The CA's key is made once and stays. Its fingerprint (the *pin*) is in every token, so a sentry recognises this
commander. Certificates are replaced automatically when their dates or names are wrong.
"""

import base64
import hashlib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from filelock import FileLock

from commander import certificates
from commander.certificates import RENEW_BEFORE, SERVER_LIFE, Key
from commander.private_files import write_private
from commander.problems import CommandProblem
from commander.settings import Settings, TlsMode
from commander.strictness import refused_by_strict

__all__ = [
    "RENEW_BEFORE",
    "SERVER_LIFE",
    "CertificateFacts",
    "TlsError",
    "TlsFiles",
    "pin_of",
    "prepare_tls",
]

WRITTEN = datetime(2026, 11, 1, tzinfo=UTC)  # a right clock never shows less


class TlsError(CommandProblem):
    """The certificate can't be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The certificate as people see it. `pin`, `key_pin` and `ca_pem` exist only with the commander's own CA.

    `key_pin` is what curl calls a pin: the SHA-256, in base64, of the key of the certificate that is served.
    `notes` are sentences about what was wrong when it was loaded.
    """

    mode: TlsMode
    fingerprint_sha256: str
    names: list[str]
    not_after: datetime
    pin: str | None = None
    key_pin: str | None = None
    ca_pem: bytes | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    cert: Path
    key: Path
    facts: CertificateFacts


def prepare_tls(settings: Settings, *, now: datetime) -> TlsFiles | None:
    """The certificate to serve with; None with TLS off. Makes and renews what is the commander's own.

    Raises `TlsError`.
    """
    if settings.tls is TlsMode.OFF:
        return None
    if settings.tls is TlsMode.FILES:
        return _from_files(settings, now=now)
    folder = settings.data_dir / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_folder = settings.ca_dir or folder
    ca_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(ca_folder / "ca.lock", timeout=10, mode=0o600):  # of several commanders the first makes the CA
        ca, ca_key, ca_notes = _own_ca(ca_folder, now=now)
        key_path = ca_folder / "server.key"
        server, notes = _own_server(folder / "server.pem", key_path, ca, ca_key, server_names(settings), now=now)
    facts = CertificateFacts(
        mode=settings.tls,
        fingerprint_sha256=certificates.fingerprint(ca),
        names=certificates.names_of(server),
        not_after=server.not_valid_after_utc,
        pin=pin_of(ca),
        key_pin=base64.b64encode(bytes.fromhex(pin_of(server))).decode(),
        ca_pem=certificates.pem_of(ca),
        notes=(*_about_clock(now), *ca_notes, *notes),
    )
    return TlsFiles(folder / "server.pem", key_path, facts)


def pin_of(certificate: x509.Certificate) -> str:
    """SHA-256, in hex, of the DER SubjectPublicKeyInfo."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).hexdigest()


def server_names(settings: Settings) -> list[str]:
    """Every name and address that this machine is likely to be called by."""
    host = socket.gethostname()
    names = [
        urlsplit(settings.public_url).hostname or "",
        host,
        f"{host}.local",
        "localhost",
        "127.0.0.1",
        "::1",
    ]
    names += [settings.host, *_own_addresses(host)]
    unspecified = ("", "0.0.0.0", "::")  # noqa: S104 - names to leave out
    return list(dict.fromkeys(name for name in names if name not in unspecified))


def _own_addresses(host: str) -> list[str]:
    addresses: list[str] = []
    with suppress(OSError):  # a host name that does not resolve is common on a farm
        addresses += [str(entry[4][0]) for entry in socket.getaddrinfo(host, None)]
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: asks the routing table which address faces outward
        addresses.append(probe.getsockname()[0])
    return [address.partition("%")[0] for address in addresses]


def _from_files(settings: Settings, *, now: datetime) -> TlsFiles:
    if settings.tls_cert is None or settings.tls_key is None:
        raise TlsError("COMMANDER_TLS=files needs COMMANDER_TLS_CERT and COMMANDER_TLS_KEY.")
    certificate = certificates.read_certificate(settings.tls_cert.read_bytes())
    if certificate is None:
        raise TlsError(f"{settings.tls_cert} is no PEM certificate; set COMMANDER_TLS_CERT to one.")
    if not _can_serve(settings.tls_cert, settings.tls_key):
        raise TlsError(
            f"{settings.tls_key} is not the key of {settings.tls_cert}, or it has a passphrase; set COMMANDER_TLS_KEY "
            "to the certificate's PEM key without one."
        )
    notes = [] if certificates.is_valid(certificate, now=now) else [_not_valid(settings.tls_cert, certificate, now)]
    notes += _refused_by_strict(settings.tls_cert)
    facts = CertificateFacts(
        mode=settings.tls,
        fingerprint_sha256=certificates.fingerprint(certificate),
        names=certificates.names_of(certificate),
        not_after=certificate.not_valid_after_utc,
        notes=(*_about_clock(now), *notes),
    )
    return TlsFiles(settings.tls_cert, settings.tls_key, facts)


def _refused_by_strict(path: Path) -> list[str]:
    lacking = refused_by_strict(x509.load_pem_x509_certificates(path.read_bytes()))
    if lacking is None:
        return []
    return [
        f"{path} lacks {lacking}: browsers take it, sentries with Python 3.13 or newer refuse it. Replace it as "
        "docs/certificates.md says."
    ]


def _can_serve(cert: Path, key: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")  # else OpenSSL asks a terminal
    except ssl.SSLError:
        return False
    return True


def _own_ca(folder: Path, *, now: datetime) -> tuple[x509.Certificate, Key, list[str]]:
    """Returns the CA, made if there is none. One that ends gets a new certificate for the same key."""
    cert_path, key_path = folder / "ca.pem", folder / "ca.key"
    if not cert_path.exists() and not key_path.exists():
        key = certificates.new_key()
        certificate = certificates.make_ca(certificates.ca_name(), key)
        write_private(key_path, certificates.key_pem(key))
        write_private(cert_path, certificates.pem_of(certificate))
        return certificate, key, []
    certificate, key = _stored_ca(cert_path, key_path)
    if certificates.is_for_ever(certificate):
        return certificate, key, []
    renewed = certificates.make_ca(certificate.subject, key)
    write_private(cert_path, certificates.pem_of(renewed))
    if certificates.is_valid(certificate, now=now):
        return renewed, key, []
    note = (
        f"{_not_valid(cert_path, certificate, now)} It was renewed with the same key: sentries and tokens stay valid."
    )
    return renewed, key, [note]


def _stored_ca(cert_path: Path, key_path: Path) -> tuple[x509.Certificate, Key]:
    mend = "Put ca.pem and ca.key back from a backup; or remove both, and every sentry must be enrolled again."
    if not cert_path.exists() or not key_path.exists():
        raise TlsError(f"{cert_path.parent} holds only a part of the commander's CA. {mend}")
    certificate = certificates.read_certificate(cert_path.read_bytes())
    key = certificates.read_key(key_path.read_bytes())
    if certificate is None or key is None:
        broken = cert_path if certificate is None else key_path
        raise TlsError(f"{broken}, of the commander's CA, is damaged. {mend}")
    if not certificates.is_pair(certificate, key):
        raise TlsError(f"{key_path} is not the key of {cert_path}: the two are of different CAs. {mend}")
    return certificate, key


def _own_server(
    cert_path: Path, key_path: Path, ca: x509.Certificate, ca_key: Key, names: list[str], *, now: datetime
) -> tuple[x509.Certificate, list[str]]:
    """Returns the server's certificate; makes a new one if the stored one can't be used.

    The key stays, and commanders that share a CA share it: lines that install a sentry have its pin.
    """
    stored = _stored_server(cert_path, key_path)
    if stored is not None and not certificates.is_outdated(stored, ca, names, now=now):
        return stored, []
    key = (certificates.read_key(key_path.read_bytes()) if key_path.exists() else None) or certificates.new_key()
    server = certificates.make_server(ca, ca_key, key, names, now=now)
    write_private(key_path, certificates.key_pem(key))
    write_private(cert_path, certificates.pem_of(server) + certificates.pem_of(ca))
    if stored is None or certificates.is_valid(stored, now=now):
        return server, []
    return server, [f"{_not_valid(cert_path, stored, now)} It was replaced."]


def _stored_server(cert_path: Path, key_path: Path) -> x509.Certificate | None:
    """Returns the stored certificate; None if it is missing or damaged."""
    if not cert_path.exists() or not key_path.exists():
        return None
    server = certificates.read_certificate(cert_path.read_bytes())
    key = certificates.read_key(key_path.read_bytes())
    return server if server and key and certificates.is_pair(server, key) else None


def _not_valid(path: Path, certificate: x509.Certificate, now: datetime) -> str:
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return (
        f"{path} is valid from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC, but this machine's clock says "
        f"{now:%Y-%m-%d %H:%M} UTC; if the clock is wrong, set it."
    )


def _about_clock(now: datetime) -> list[str]:
    if now >= WRITTEN:
        return []
    return [f"This machine's clock says {now:%Y-%m-%d %H:%M} UTC, which is in the past; set it."]
