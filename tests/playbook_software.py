"""Mining software for tests of playbooks: the stand-in as an archive, served over HTTPS by a CA of the test's own."""

import bz2
import gzip
import hashlib
import io
import lzma
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from protocol.playbook_messages import Archive, Platform, Playbook, SoftwarePackage

from tests.farm import ROOT

EXECUTABLE = "fake-miner-1.0/fake_miner.py"
MODULES = ("fake_miner.py", "fake_miner_http.py", "fake_miner_lines.py", "fake_miner_cards.py")
_PACK: dict[Archive, Callable[[bytes], bytes]] = {
    Archive.TAR_GZ: gzip.compress,
    Archive.TAR_XZ: lzma.compress,
    Archive.TAR_BZ2: bz2.compress,
}


def stand_in(kind: Archive = Archive.TAR_GZ, *, filler: bytes = b"") -> bytes:
    """`devtools/fake_miner.py` as a vendor packs a miner: in a folder, with `filler` to make it as large as needed."""
    files = {f"fake-miner-1.0/{name}": (ROOT / "devtools" / name).read_bytes() for name in MODULES}
    return archive(kind, files | ({"fake-miner-1.0/filler": filler} if filler else {}))


def archive(kind: Archive, files: Mapping[str, bytes]) -> bytes:
    return _zip(files) if kind is Archive.ZIP else _PACK[kind](tar(files))


def tar(files: Mapping[str, bytes], *more: tarfile.TarInfo) -> bytes:
    """`more` are entries without content: links, devices."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as writer:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(body), 0o755 if name.endswith("/fake_miner.py") else 0o644
            writer.addfile(entry, io.BytesIO(body))
        for entry in more:
            writer.addfile(entry)
    return packed.getvalue()


def _zip(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, body in files.items():
            writer.writestr(name, body)
    return packed.getvalue()


def package_of(url: str, body: bytes, **other: Any) -> SoftwarePackage:
    """Returns the package of the stand-in, as xmrig unless `other` says otherwise."""
    facts: dict[str, Any] = {
        "software": "xmrig", "version": "1.0", "url": url, "archive": Archive.TAR_GZ, "executable": EXECUTABLE,
        "sha256": sha256(body),
    }  # fmt: skip
    return SoftwarePackage(**(facts | other))


def playbook_of(package: SoftwarePackage, options: str = "", **other: Any) -> Playbook:
    """A playbook that runs the stand-in as the software that its package names."""
    script = f"exec ./{EXECUTABLE} --software {package.software} --port {{api_port}} --print-every 0.2 {options}\n"
    facts: dict[str, Any] = {
        "id": "p1", "name": "Monero on the CPU", "revision": 1, "package": package, "platform": Platform.LINUX,
        "script": script,
    }  # fmt: skip
    return Playbook(**(facts | other))


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@dataclass
class Vendor:
    """Serves files over HTTPS. Tests switch its faults on; `asked` are the paths of its requests."""

    port: int
    ca: Path
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    cut_after: int | None = None  # bytes of a body, then the connection is closed; once
    has_ranges: bool = True
    hold: threading.Event | None = None  # a body's second half waits for it

    def offer(self, name: str, body: bytes) -> str:
        """Its address."""
        self.files[f"/{name}"] = body
        return f"https://127.0.0.1:{self.port}/{name}"


@contextmanager
def vendor(folder: Path, *, is_strict: bool = True) -> Iterator[Vendor]:
    """Trust it with SSL_CERT_FILE=`ca`. `is_strict` as of `certificates`."""
    certificate, ca = certificates(folder, is_strict=is_strict)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = _Server(("127.0.0.1", 0), _Files)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.vendor = Vendor(server.server_address[1], ca)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.vendor
    finally:
        if server.vendor.hold:
            server.vendor.hold.set()
        server.shutdown()
        thread.join(10)
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    vendor: Vendor

    def handle_error(self, request: object, client_address: object) -> None:
        """A sentry that is killed breaks its connections."""


class _Files(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    server: _Server

    def do_GET(self) -> None:
        vendor, wanted = self.server.vendor, self.headers.get("Range")
        vendor.asked.append((self.path, wanted))
        if self.path in vendor.redirects:
            self._head(302, 0, Location=vendor.redirects[self.path])
        elif (body := vendor.files.get(self.path)) is None:
            self._head(404, 0)
        else:
            self._send(body, wanted, f'"{sha256(body)[:16]}"')

    def _send(self, body: bytes, wanted: str | None, tag: str) -> None:
        vendor = self.server.vendor
        start = 0
        if wanted and vendor.has_ranges and self.headers.get("If-Range", tag) == tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self._head(416, 0)
                return
            self._head(206, len(body) - start, ETag=tag, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self._head(200, len(body), ETag=tag)
        self._write(body[start:])

    def _write(self, body: bytes) -> None:
        vendor = self.server.vendor
        if vendor.cut_after is not None:
            self.wfile.write(body[: vendor.cut_after])
            vendor.cut_after, self.close_connection = None, True
            return
        half = len(body) // 2 if vendor.hold else 0
        self.wfile.write(body[:half])
        if vendor.hold:
            self.wfile.flush()
            vendor.hold.wait(60)
        self.wfile.write(body[half:])

    def _head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


_FOR_THIS_MACHINE = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
_SIGNS = x509.KeyUsage(False, False, False, False, False, True, True, False, False)


def certificates(folder: Path, *, is_strict: bool = True) -> tuple[Path, Path]:
    """Makes a certificate for 127.0.0.1 with its key, and its CA, which has the folder's name.

    `is_strict`: as RFC 5280 asks. Python 3.13 and newer refuse others.
    """
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA of {folder.name}")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a vendor")])
    ca = _builder(ca_name, ca_name, ca_key).add_extension(x509.BasicConstraints(True, None), True)
    leaf = _builder(name, ca_name, key).add_extension(_FOR_THIS_MACHINE, False)
    if is_strict:
        ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
        ca = ca.add_extension(ca_id, False).add_extension(_SIGNS, True)
        leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), False)
    folder.mkdir(exist_ok=True)
    ca_path, path = folder / "vendor-ca.pem", folder / "vendor.pem"
    ca_path.write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return path, ca_path


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
