"""The commander's own certificates."""

import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commander.settings import Settings, load_settings
from commander.tls import RENEW_BEFORE, SERVER_LIFE, TlsError, TlsFiles, prepare_tls

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def settings(folder: Path, **more: str) -> Settings:
    return load_settings({"COMMANDER_DATA_DIR": str(folder), **more})


def prepare(folder: Path, now: datetime = NOON, **more: str) -> TlsFiles:
    files = prepare_tls(settings(folder, **more), now=now)
    assert files is not None
    return files


def test_the_certificate_is_good_for_every_name_of_this_machine(tmp_path: Path) -> None:
    files = prepare(tmp_path, COMMANDER_PUBLIC_URL="https://farm.example:8443")
    assert {"farm.example", "localhost", "127.0.0.1"} <= set(files.facts.names)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.cert, files.key)


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    prepare(tmp_path)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "tls").iterdir()}
    assert modes == {0o600}


def test_the_pin_stays_through_renewals_and_new_names(tmp_path: Path) -> None:
    first = prepare(tmp_path)
    same = prepare(tmp_path, NOON + timedelta(days=30))
    renamed = prepare(tmp_path, COMMANDER_PUBLIC_URL="https://other.example:8443")
    renewed = prepare(tmp_path, NOON + SERVER_LIFE - RENEW_BEFORE + timedelta(days=1))
    assert first.facts.not_after == same.facts.not_after < renewed.facts.not_after
    assert "other.example" in renamed.facts.names
    assert len({files.facts.pin for files in (first, same, renamed, renewed)}) == 1


def test_half_a_ca_is_never_replaced_silently(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "tls" / "ca.key").unlink()
    with pytest.raises(TlsError, match="backup"):
        prepare(tmp_path)


def test_files_of_ones_own_have_no_pin(tmp_path: Path) -> None:
    own = prepare(tmp_path / "own")
    files = prepare(tmp_path, COMMANDER_TLS="files", COMMANDER_TLS_CERT=str(own.cert), COMMANDER_TLS_KEY=str(own.key))
    assert (files.cert, files.facts.pin, files.facts.ca_pem) == (own.cert, None, None)


def test_commanders_that_share_a_ca_have_one_pin_and_certificates_of_their_own(tmp_path: Path) -> None:
    ca = str(tmp_path / "ca")
    with ThreadPoolExecutor(4) as commanders:
        nodes = list(commanders.map(lambda name: prepare(tmp_path / name, COMMANDER_CA_DIR=ca), "abcd"))
    assert len({node.facts.pin for node in nodes}) == 1
    assert len({node.cert.read_bytes() for node in nodes}) == 4
