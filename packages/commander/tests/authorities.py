"""Certificate authorities as earlier commanders made them: valid from a day before their start for twenty years."""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey
PEM = serialization.Encoding.PEM


def older_authority(folder: Path, clock: datetime, *, server_names: tuple[str, ...] = ()) -> str:
    """Writes CA and server certificate, made by a start with this clock, to the folder; returns the CA as PEM."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    ca = _sign("Minewarden CA of old", key.public_key(), key, clock, timedelta(days=20 * 365), is_ca=True)
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _sign("Minewarden commander", server_key.public_key(), key, clock, timedelta(days=397), server_names)
    ca_pem = ca.public_bytes(PEM)
    (folder / "ca.key").write_bytes(_private(key))
    (folder / "ca.pem").write_bytes(ca_pem)
    (folder / "server.key").write_bytes(_private(server_key))
    (folder / "server.pem").write_bytes(server.public_bytes(PEM) + ca_pem)
    for name in ("ca.key", "server.key"):
        (folder / name).chmod(0o600)
    return ca_pem.decode()


def _private(key: Key) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _sign(
    subject: str,
    public_key: ec.EllipticCurvePublicKey,
    ca_key: Key,
    clock: datetime,
    life: timedelta,
    names: tuple[str, ...] = (),
    *,
    is_ca: bool = False,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("Minewarden CA of old"))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock - timedelta(days=1))
        .not_valid_after(clock + life)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    return builder.sign(ca_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
