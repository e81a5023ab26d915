"""The commander's own certificates."""

import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from authorities import older_authority
from commander.private_files import write_private
from commander.settings import Settings, load_settings
from commander.tls import RENEW_BEFORE, SERVER_LIFE, TlsError, TlsFiles, prepare_tls
from sentry_kit.trust import public_key_sha256

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


@pytest.mark.parametrize("kind", ["link", "file"])
def test_nobody_can_put_something_in_the_place_of_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path, stolen, planted = tmp_path / "ca.key", tmp_path / "stolen", tmp_path / ".ca.key.guessed"
    path.write_text("old")
    monkeypatch.setattr("commander.private_files.token_hex", lambda _bytes: "guessed")
    if kind == "link":
        planted.symlink_to(stolen)
    else:
        planted.write_text("somebody's")
    with pytest.raises(FileExistsError):
        write_private(path, b"secret")
    assert not stolen.exists()
    assert path.read_text() == "old"


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


@pytest.mark.parametrize("clock", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2001, 5, 4, tzinfo=UTC)])
def test_a_first_start_with_a_clock_without_battery_makes_an_authority_for_ever(
    tmp_path: Path, clock: datetime
) -> None:
    first = prepare(tmp_path, clock)
    later = prepare(tmp_path)
    assert (first.facts.ca_pem, first.facts.pin) == (later.facts.ca_pem, later.facts.pin)
    assert handshake(later, first.facts.ca_pem)


@pytest.mark.parametrize("ahead", [timedelta(days=3), timedelta(days=400), timedelta(days=3650)])
def test_a_start_with_a_clock_that_is_ahead_is_no_matter_when_the_clock_is_right_again(
    tmp_path: Path, ahead: timedelta
) -> None:
    now = datetime.now(UTC)
    first = prepare(tmp_path, now + ahead)
    assert handshake(first, first.facts.ca_pem), "it is valid from before the start"
    later = prepare(tmp_path, now)
    assert handshake(later, first.facts.ca_pem)
    assert timedelta(days=60) < later.facts.not_after - now <= SERVER_LIFE


@pytest.mark.parametrize(
    "clock",
    [datetime(2001, 5, 4, tzinfo=UTC), NOON - timedelta(days=90), datetime.now(UTC) + timedelta(days=400)],
    ids=["in 2001", "ahead by little", "ahead by 400 days"],
)
def test_an_older_authority_gets_another_certificate_with_the_same_key(tmp_path: Path, clock: datetime) -> None:
    older = older_authority(tmp_path / "tls", clock)
    old_key = (tmp_path / "tls" / "ca.key").read_bytes()
    now = prepare(tmp_path, datetime.now(UTC))
    assert now.facts.pin == public_key_sha256(ssl.PEM_cert_to_DER_cert(older))
    assert (tmp_path / "tls" / "ca.key").read_bytes() == old_key
    assert handshake(now, now.facts.ca_pem)
    again = prepare(tmp_path, datetime.now(UTC))
    assert (again.cert.read_bytes(), again.facts.notes) == (now.cert.read_bytes(), ())


def test_a_sentry_that_trusts_the_older_certificate_goes_on_while_that_is_valid(tmp_path: Path) -> None:
    older = older_authority(tmp_path / "tls", datetime.now(UTC) - timedelta(days=90))
    renewed = prepare(tmp_path, datetime.now(UTC))
    assert renewed.facts.notes == ()
    assert handshake(renewed, older.encode())


def test_what_a_wrong_clock_made_is_said(tmp_path: Path) -> None:
    older_authority(tmp_path / "tls", datetime(2028, 1, 2, tzinfo=UTC))
    authority, server = prepare(tmp_path).facts.notes
    assert "ca.pem is valid from 2028-01-01 00:00 to" in authority
    assert "this machine's clock says 2026-11-20 12:00 UTC; if the clock is wrong, set it. It was renewed" in authority
    assert "server.pem is valid from 2028-01-01 00:00 to" in server
    assert prepare(tmp_path, datetime(2001, 1, 1, tzinfo=UTC)).facts.notes[0] == (
        "This machine's clock says 2001-01-01 00:00 UTC, which is in the past; set it."
    )


def test_own_files_that_are_not_valid_now_are_said(tmp_path: Path) -> None:
    own = prepare(tmp_path / "own")
    files = {"COMMANDER_TLS": "files", "COMMANDER_TLS_CERT": str(own.cert), "COMMANDER_TLS_KEY": str(own.key)}
    assert prepare(tmp_path, NOON, **files).facts.notes == ()
    (note,) = prepare(tmp_path, NOON + timedelta(days=500), **files).facts.notes
    assert "server.pem is valid from 1970-01-01 00:00 to 2027-12-22 12:00 UTC" in note


@pytest.mark.parametrize("file", ["ca.key", "ca.pem"])
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 300, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_authority_is_a_sentence(tmp_path: Path, file: str, content: bytes) -> None:
    prepare(tmp_path)
    (tmp_path / "tls" / file).write_bytes(content)
    with pytest.raises(TlsError, match=rf"{file}, of the commander's CA, is damaged\. Put ca\.pem and ca\.key back"):
        prepare(tmp_path)
    assert (tmp_path / "tls" / file).read_bytes() == content


def test_a_key_of_another_authority_is_refused_before_it_breaks_any_trust(tmp_path: Path) -> None:
    prepare(tmp_path)
    prepare(tmp_path / "other")
    (tmp_path / "other" / "tls" / "ca.key").replace(tmp_path / "tls" / "ca.key")
    with pytest.raises(TlsError, match="not the key of"):
        prepare(tmp_path)


@pytest.mark.parametrize("file", ["server.key", "server.pem"])
@pytest.mark.parametrize("content", [b"", b"noise", None])
def test_a_damaged_server_certificate_is_made_anew(tmp_path: Path, file: str, content: bytes | None) -> None:
    first = prepare(tmp_path)
    path = tmp_path / "tls" / file
    prepare(tmp_path / "other")
    path.write_bytes((tmp_path / "other" / "tls" / file).read_bytes() if content is None else content)
    assert handshake(prepare(tmp_path, datetime.now(UTC)), first.facts.ca_pem)


def test_a_key_that_does_not_fit_ones_own_certificate_is_a_sentence(tmp_path: Path) -> None:
    own, other = prepare(tmp_path / "own"), prepare(tmp_path / "other")
    with pytest.raises(TlsError, match="is not the key of"):
        prepare(tmp_path, COMMANDER_TLS="files", COMMANDER_TLS_CERT=str(own.cert), COMMANDER_TLS_KEY=str(other.key))


def test_a_name_that_no_certificate_can_have_is_left_out(tmp_path: Path) -> None:
    assert "localhost" in prepare(tmp_path, COMMANDER_PUBLIC_URL="https://a..b:8443").facts.names


def handshake(files: TlsFiles, trusted: bytes | None) -> bool:
    """Returns whether a client that trusts only this authority accepts the server, as a sentry would."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(files.cert, files.key)
    client.load_verify_locations(cadata=(trusted or b"").decode())
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(back, there, server_hostname="localhost"),
        server.wrap_bio(there, back, server_side=True),
    ]
    for _turn in range(4):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends[0].version() is not None and bool(ends[0].getpeercert())
