"""HTTPS out of the box: the commander's own certificate authority (CA), and the certificate that it signs for itself.

The CA is made once and stays; its public key's fingerprint (the *pin*) stands in every token, so a sentry can tell this
commander from any other. The server's certificate is renewed by itself, and made anew when its names have changed.
"""

import hashlib
import ipaddress
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from filelock import FileLock

from commander.settings import Settings, TlsMode

CA_LIFE = timedelta(days=20 * 365)
SERVER_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=60)


class TlsError(Exception):
    """The certificate can't be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What people are shown of the certificate. `pin` and `ca_pem` only where the commander has its own CA."""

    mode: TlsMode
    fingerprint_sha256: str
    names: list[str]
    not_after: datetime
    pin: str | None = None
    ca_pem: bytes | None = None


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
        return _from_files(settings)
    folder = settings.data_dir / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_folder = settings.ca_dir or folder
    ca_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(ca_folder / "ca.lock", timeout=10, mode=0o600):  # of several commanders the first makes the CA
        ca, ca_key = _own_ca(ca_folder, now=now)
    names = server_names(settings)
    cert_path, key_path = folder / "server.pem", folder / "server.key"
    server = _read_certificate(cert_path)
    if server is None or not key_path.exists() or _is_outdated(server, ca, names, now=now):
        server = _issue(ca, ca_key, names, cert_path, key_path, now=now)
    facts = CertificateFacts(
        mode=settings.tls,
        fingerprint_sha256=_fingerprint(ca),
        names=_names_of(server),
        not_after=server.not_valid_after_utc,
        pin=pin_of(ca),
        ca_pem=ca.public_bytes(serialization.Encoding.PEM),
    )
    return TlsFiles(cert_path, key_path, facts)


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


def _from_files(settings: Settings) -> TlsFiles:
    if settings.tls_cert is None or settings.tls_key is None:
        raise TlsError("COMMANDER_TLS=files needs COMMANDER_TLS_CERT and COMMANDER_TLS_KEY.")
    certificate = _read_certificate(settings.tls_cert)
    if certificate is None:
        raise TlsError(f"{settings.tls_cert} is no PEM certificate; set COMMANDER_TLS_CERT to one.")
    facts = CertificateFacts(
        mode=settings.tls,
        fingerprint_sha256=_fingerprint(certificate),
        names=_names_of(certificate),
        not_after=certificate.not_valid_after_utc,
    )
    return TlsFiles(settings.tls_cert, settings.tls_key, facts)


def _own_ca(folder: Path, *, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    cert_path, key_path = folder / "ca.pem", folder / "ca.key"
    certificate = _read_certificate(cert_path)
    if certificate is not None and key_path.exists():
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return certificate, key
    if cert_path.exists() or key_path.exists():
        raise TlsError(
            f"{folder} holds only a part of the commander's CA. Put ca.pem and ca.key back from a backup; or remove "
            "both, and every sentry must be enrolled again."
        )
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Minewarden CA of {socket.gethostname()[:40]}")])
    certificate = (
        _builder(name, name, key.public_key(), now=now, life=CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(for_ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_path, _key_pem(key))
    write_private(cert_path, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _issue(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    names: list[str],
    cert_path: Path,
    key_path: Path,
    *,
    now: datetime,
) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Minewarden commander")])
    certificate = (
        _builder(subject, ca.subject, key.public_key(), now=now, life=SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(for_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    write_private(key_path, _key_pem(key))
    pem = serialization.Encoding.PEM
    write_private(cert_path, certificate.public_bytes(pem) + ca.public_bytes(pem))
    return certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a rig's clock may be behind
        .not_valid_after(now + life)
    )


def _key_usage(*, for_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not for_ca,
        key_cert_sign=for_ca,
        crl_sign=for_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _is_outdated(server: x509.Certificate, ca: x509.Certificate, names: list[str], *, now: datetime) -> bool:
    return (
        server.issuer != ca.subject
        or server.not_valid_after_utc - now < RENEW_BEFORE
        or not set(names) <= set(_names_of(server))
    )


def _names_of(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _read_certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; a crash leaves the old one or the new one."""
    new = path.with_suffix(path.suffix + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
