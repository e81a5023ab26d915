"""The commander's own certificates: how they are made, and when they are replaced.

One start with a wrong clock must not disconnect a farm for good. So the CA's certificate is valid at any time and the
server's begins with it. A certificate that fits only another clock is replaced.
"""

import ipaddress
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ALWAYS_FROM = datetime(1970, 1, 1, tzinfo=UTC)  # where a machine without a battery for its clock starts
NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280, 4.1.2.5
SERVER_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=60)
_CLOCK_STEP = timedelta(days=1)  # correcting a clock a little makes no certificate outdated

Key: TypeAlias = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def read_key(pem: bytes) -> Key | None:
    """Returns the key; None if it is not one that the commander made."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):  # TypeError: it is encrypted
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def read_certificate(pem: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None


def is_pair(certificate: x509.Certificate, key: Key) -> bool:
    return certificate.public_key() == key.public_key()


def ca_name() -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Minewarden CA of {socket.gethostname()[:40]}")])


def make_ca(name: x509.Name, key: Key) -> x509.Certificate:
    """Returns a CA certificate that is valid at any time.

    With the name and key of an older CA it replaces that one: both verify what either has signed, and the pin in the
    tokens stays right.
    """
    return (
        _builder(name, name, key.public_key(), ALWAYS_FROM, NO_END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(for_ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def is_for_ever(ca: x509.Certificate) -> bool:
    return ca.not_valid_before_utc <= ALWAYS_FROM and ca.not_valid_after_utc >= NO_END


def make_server(ca: x509.Certificate, ca_key: Key, key: Key, names: list[str], *, now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Minewarden commander")])
    return (
        _builder(subject, ca.subject, key.public_key(), ca.not_valid_before_utc, now + SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(for_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def is_outdated(server: x509.Certificate, ca: x509.Certificate, names: list[str], *, now: datetime) -> bool:
    """Returns whether the server's certificate must be replaced.

    It ends soon, or later than a new one would; it does not begin with its CA's; or its CA or its names have changed.
    """
    return (
        not RENEW_BEFORE <= server.not_valid_after_utc - now <= SERVER_LIFE + _CLOCK_STEP
        or server.not_valid_before_utc != ca.not_valid_before_utc
        or not _is_signed_by(server, ca)
        or not {str(name.value) for name in _general_names(names)} <= set(names_of(server))
    )


def is_valid(certificate: x509.Certificate, *, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def names_of(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _is_signed_by(server: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        server.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):  # ValueError: by another name; TypeError: a key of another kind
        return False
    return True


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
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


def _general_names(names: list[str]) -> list[x509.GeneralName]:
    """Returns those of `names` that a certificate can contain."""
    general_names = []
    for name in names:
        with suppress(UnicodeError):
            general_names.append(_general_name(name))
    return general_names


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())
