"""Certificates made as docs/certificates.md says, and the commander's messages about others."""

import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from commander.settings import load_settings
from commander.tls import prepare_tls

from tests.farm import ROOT
from tests.playbook_software import certificates
from tests.typed import blocks

COMMANDS = blocks(ROOT / "docs" / "certificates.md")[0]


def made(folder: Path, commands: str) -> Path:
    folder.mkdir()
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def accepts_strictly(cert: Path, key: Path, ca: Path, name: str) -> bool:
    """Returns whether a client that trusts the CA, and is as strict as Python 3.13, accepts the server."""
    client = ssl.create_default_context(cafile=ca)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    try:
        return _shake_hands(*ends)
    except ssl.SSLCertVerificationError:
        return False


def _shake_hands(*ends: ssl.SSLObject) -> bool:
    waiting = list(ends)
    for _ in range(10):
        for end in [*waiting]:
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    return not waiting


def notes(cert: Path, key: Path) -> tuple[str, ...]:
    files = {"COMMANDER_TLS_CERT": str(cert), "COMMANDER_TLS_KEY": str(key)}
    settings = load_settings({"COMMANDER_DATA_DIR": str(cert.parent), "COMMANDER_TLS": "files", **files})
    prepared = prepare_tls(settings, now=datetime.now(UTC))
    assert prepared is not None
    return prepared.facts.notes


def test_certificates_as_the_page_makes_them_are_good_for_the_strictest_python(tmp_path: Path) -> None:
    folder = made(tmp_path / "own", f"{COMMANDS}\ncat server.pem ca.pem > chain.pem")
    assert accepts_strictly(folder / "server.pem", folder / "server.key", folder / "ca.pem", "mirror.lan")
    assert notes(folder / "server.pem", folder / "server.key") == ()
    assert notes(folder / "chain.pem", folder / "server.key") == ()


def test_the_commander_says_what_its_certificate_lacks(tmp_path: Path) -> None:
    server, ca = certificates(tmp_path / "own", is_strict=False)
    assert not accepts_strictly(server, server, ca, "127.0.0.1")
    (note,) = notes(server, server)
    assert note.startswith(f"{server} lacks authorityKeyIdentifier: browsers take it")
    assert note.endswith("as docs/certificates.md says.")


def test_the_commander_says_what_the_ca_of_its_certificate_lacks(tmp_path: Path) -> None:
    server, _ca = certificates(tmp_path / "own")
    chain = server.with_name("chain.pem")
    chain.write_bytes(server.read_bytes() + certificates(tmp_path / "other", is_strict=False)[1].read_bytes())
    (note,) = notes(chain, server)
    assert "lacks its CA's subjectKeyIdentifier" in note
