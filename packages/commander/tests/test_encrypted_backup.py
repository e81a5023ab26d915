"""Encrypted backups, the keys that a restore brings back, and files that nobody can put in the way."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from commander.__main__ import backup_command
from commander.accounts import access_store
from commander.accounts.access_actions import AccessActions
from commander.accounts.actions import AccountActions
from commander.accounts.domain import Role
from commander.accounts.tables import api_keys, sessions
from commander.backup import BackupProblem
from commander.backup.archive import new_archive
from commander.backup.asking import lines_of, revokes_by
from commander.backup.encryption import MAGIC
from commander.backup.keys import StoredKey
from commander.backup.make import backup
from commander.backup.passphrase import passphrase_of
from commander.backup.restore import restore
from commander.db import open_database, sqlite_path
from commander.farm_tokens.tables import farm_tokens
from commander.registry.kinds import RigKind
from commander.saved_views.actions import SavedViewActions
from commander.saved_views.links import ViewLinks
from commander.saved_views.tables import view_links
from commander.settings import Settings, load_settings
from commander.signing import open_signer
from commander_farm import RIGS, Farm, a_log, on_sqlite, running
from enrolling import Machine
from msgspec.structs import replace

PASSPHRASE = "correct horse battery staple"


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def test_an_encrypted_backup_brings_the_farm_back_and_holds_nothing_in_clear(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "farm.backup"
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        rig = await farm.add("kept")
        await farm.report(rig, a_log())
        await asyncio.to_thread(backup, settings, path, passphrase=PASSPHRASE)
        await farm.add("later")
    content = path.read_bytes()
    assert content.startswith(MAGIC)
    assert not any(each in content for each in (b"SQLite format", b"PRIVATE KEY", b"PGDMP", b"manifest"))
    assert [name for name in names_in(tmp_path) if "farm.backup" in name] == ["farm.backup"]
    assert not any(".copy" in name for name in names_in(settings.data_dir))
    for passphrase, words in ((None, "give its passphrase"), ("a wrong passphrase", "not the passphrase")):
        given = {} if passphrase is None else {"passphrase": lambda passphrase=passphrase: passphrase}
        with pytest.raises(BackupProblem, match=words):
            await asyncio.to_thread(restore, settings, path, force=True, **given)
    await asyncio.to_thread(restore, settings, path, force=True, passphrase=lambda: PASSPHRASE)
    async with running(settings) as client:
        assert [each["name"] for each in (await Farm(client, settings, farm.auth).get(RIGS)).json()] == ["kept"]


async def test_a_restore_ends_sessions_and_can_revoke_what_is_valid_again(settings: Settings, tmp_path: Path) -> None:
    path, asked = tmp_path / "farm.backup", list[StoredKey]()

    def answer(keys: Sequence[StoredKey], *, revoke: bool) -> bool:
        asked[:] = keys
        return revoke

    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key("kept key")
        kept = farm.auth
        await farm.make_key("revoked key")
        revoked, stays, changed, gone = farm.auth, *[await farm.add(name) for name in ("stays", "changed", "gone")]
        machine = Machine(farm)  # the newer token is that of another machine, which is not locked out
        assert (await machine.bind(changed)).status_code == 204
        older = machine.headers(changed)
        wide = await client.post("/api/v1/farm-tokens", json={"name": "hall 1"}, headers=kept)
        assert wide.status_code == 201, wide.text
        await farm.log_in()
        assert (await client.get("/cpu-gpu")).status_code == 200
        await asyncio.to_thread(backup, settings, path)
        async with open_database(settings.database_url) as database:
            await AccountActions(database).revoke_api_key_named("revoked key")
        made = await client.post(f"{RIGS}/{changed.id}/token", headers=kept)
        newer = {"Authorization": f"Bearer {made.json()['token']}"}
        await client.delete(f"{RIGS}/{gone.id}", headers=kept)
        await client.delete(f"/api/v1/farm-tokens/{wide.json()['id']}", headers=kept)
        cookies = dict(client.cookies)

    async def statuses() -> list[int]:
        async with running(settings) as client:
            client.cookies.update(cookies)
            page = await client.get("/cpu-gpu", follow_redirects=False)
            client.cookies.clear()
            paths = {"/api/v1/tags": (kept, revoked), "/api/v1/sentry": (stays.auth, older, newer, gone.auth)}
            answers = [await client.get(path, headers=auth) for path, all_auth in paths.items() for auth in all_auth]
            return [page.status_code, *(each.status_code for each in answers)]

    for revoke in (False, True):
        await asyncio.to_thread(restore, settings, path, force=True, revokes=partial(answer, revoke=revoke))
        assert {(key.what, key.name) for key in asked} == {
            ("API key", "revoked key"),
            ("farm token", "hall 1"),
            ("token of the rig", "changed"),
            ("token of the rig", "gone"),
        }
        expected = [303, 200, 401, 200, 401, 200, 401] if revoke else [303, 200, 200, 200, 200, 401, 200]
        assert await statuses() == expected
        if not revoke:
            await undo(settings, changed.id, newer)
    async with open_database(settings.database_url) as database, database.reading() as db:
        assert (await db.execute(sa.select(sa.func.count()).select_from(sessions))).scalar_one() == 0


async def undo(settings: Settings, rig_id: int, newer: dict[str, str]) -> None:
    """Makes the farm again as it was before its restore: without the key, the rig and the older token."""
    from commander.registry.tables import cpu_gpu_rigs
    from protocol.tokens import parse_token

    token_hash = parse_token(newer["Authorization"].removeprefix("Bearer ")).hash()
    async with open_database(settings.database_url) as database:
        await AccountActions(database).revoke_api_key_named("revoked key")
        async with database.transaction() as db:
            await db.execute(sa.delete(farm_tokens))
            await db.execute(sa.delete(cpu_gpu_rigs).where(cpu_gpu_rigs.c.name == "gone"))
            await db.execute(sa.update(cpu_gpu_rigs).where(cpu_gpu_rigs.c.id == rig_id).values(token_hash=token_hash))


def test_the_question_lists_names_and_is_answered_by_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    keys = [StoredKey("API key", 1, now, "prometheus", b"")]
    keys += [StoredKey("token of the rig", number, now, f"rig-{number}", b"") for number in range(30)]
    lines = list(lines_of(keys))
    assert lines[1] == "  API key “prometheus”"
    assert lines[-1] == "  and 11 more: token of the rig"
    assert revokes_by(True)(keys)
    assert not revokes_by(False)(keys)
    assert "They are kept" not in capsys.readouterr().err
    assert not revokes_by(None)(keys)
    assert "They are kept" in capsys.readouterr().err


async def test_expired_keys_are_not_listed_and_accesses_are(settings: Settings, tmp_path: Path) -> None:
    path, asked = tmp_path / "farm.backup", list[tuple[str, str]]()

    def answer(keys: Sequence[StoredKey], *, revoke: bool) -> bool:
        asked[:] = [(key.what, key.name) for key in keys]
        return revoke

    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key("kept key")
        tokens = [await client.post("/api/v1/farm-tokens", json={"name": name}, headers=farm.auth) for name in "ab"]
    async with open_database(settings.database_url) as database:
        actions, people = AccountActions(database), AccessActions(database, AccountActions(database))
        await actions.create_api_key("ends", Role.OWN, days=1)
        await actions.create_api_key("lasts", Role.OWN, days=30)
        ids = {name: (await people.add(name, Role.VIEW, PASSPHRASE))[0].id for name in ("stays", "changed", "gone")}
        await SavedViewActions(database, is_alone=True, on_end=lambda owner: None).save(RigKind.CPU_GPU, "wall", "")
        for days in (1, 30):
            await ViewLinks(database).make(1, days)
        soon = {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}
        async with database.transaction() as db:
            await db.execute(sa.update(api_keys).where(api_keys.c.name == "ends").values(soon))
            await db.execute(sa.update(farm_tokens).where(farm_tokens.c.name == "a").values(soon))
            await db.execute(sa.update(view_links).where(view_links.c.id == 1).values(soon))
        await asyncio.to_thread(backup, settings, path)
        for name in ("ends", "lasts"):
            await actions.revoke_api_key_named(name)
        async with database.transaction() as db:
            await db.execute(sa.delete(farm_tokens))
            await db.execute(sa.delete(view_links))
            await access_store.delete_access(db, ids["gone"])
            await access_store.update_access(db, ids["changed"], {"role": Role.OPERATE, "password_hash": "newer"})
    assert [answer.status_code for answer in tokens] == [201, 201]
    for revoke in (False, True):
        await asyncio.to_thread(restore, settings, path, force=True, revokes=partial(answer, revoke=revoke))
        assert set(asked) == {
            *(("API key", "lasts"), ("farm token", "b"), ("view link", "wall")),
            *(("access", "changed"), ("access", "gone")),
        }, "before the question nothing is revoked"
        async with open_database(settings.database_url) as database, database.reading() as db:
            found = {each.name: each.role for each in await access_store.all_accesses(db)}
            links = (await db.execute(sa.select(view_links.c.id).order_by(view_links.c.id))).scalars().all()
        assert links == ([1] if revoke else [1, 2])
        if not revoke:
            assert found == {"owner": "own", "stays": "view", "changed": "view", "gone": "view"}
            await undo_accesses(settings, ids)
    assert found == {"owner": "own", "stays": "view", "changed": "operate"}


async def undo_accesses(settings: Settings, ids: dict[str, int]) -> None:
    """Makes the farm again as it was before its restore."""
    async with open_database(settings.database_url) as database, database.transaction() as db:
        await db.execute(sa.delete(api_keys).where(api_keys.c.name != "kept key"))
        await db.execute(sa.delete(farm_tokens))
        await db.execute(sa.delete(view_links))
        await access_store.delete_access(db, ids["gone"])
        await access_store.update_access(db, ids["changed"], {"role": Role.OPERATE, "password_hash": "newer"})


@on_sqlite
async def test_a_restore_stands_in_the_audit_log_before_its_question(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "farm.backup"
    async with running(settings) as client:
        await Farm(client, settings).make_key("a key")
        await asyncio.to_thread(backup, settings, path)
    async with open_database(settings.database_url) as database:
        await AccountActions(database).revoke_api_key_named("a key")

    def killed(keys: Sequence[StoredKey]) -> bool:
        assert entries(settings)[-1] == "backup restored"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await asyncio.to_thread(restore, settings, path, force=True, revokes=killed)
    assert entries(settings)[-1] == "backup restored"
    async with open_database(settings.database_url) as database:
        await AccountActions(database).revoke_api_key_named("a key")
    await asyncio.to_thread(restore, settings, path, force=True, revokes=lambda keys: True)
    assert entries(settings)[-2:] == ["backup restored", "keys of a backup revoked"]


def entries(settings: Settings) -> list[str]:
    with closing(sqlite3.connect(sqlite_path(settings.database_url))) as database:
        return [row[0] for row in database.execute("SELECT what FROM audit_log ORDER BY id")]


@pytest.mark.parametrize(("typed", "is_yes"), [(b"\x04", False), (b"y\n", True), (b"no\n", False)])
def test_the_end_of_the_input_at_the_question_keeps_the_keys(
    typed: bytes, is_yes: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [StoredKey("API key", 1, datetime(2026, 11, 1, tzinfo=UTC), "prometheus", b"")]
    terminal, side = os.openpty()
    with os.fdopen(side, encoding="utf-8") as stdin, os.fdopen(terminal, "wb", buffering=0) as keyboard:
        monkeypatch.setattr(sys, "stdin", stdin)
        keyboard.write(typed)
        assert revokes_by(None)(keys) is is_yes
    said = capsys.readouterr().err
    assert ("They are kept, and the farm is restored." in said) is (typed == b"\x04")


@on_sqlite
def test_the_key_of_the_rigs_outlives_a_backup_of_a_version_that_had_none(settings: Settings, tmp_path: Path) -> None:
    tls = settings.data_dir / "tls"
    tls.mkdir()
    (tls / "ca.key").write_text("the farm's")
    backup(settings, tmp_path / "earlier.backup")
    signer = open_signer(settings)
    backup(settings, tmp_path / "farm.backup")
    restore(settings, tmp_path / "earlier.backup", force=True)
    again = open_signer(settings)
    assert signer is not None
    assert again is not None
    assert again.public_key == signer.public_key
    (tls / "playbook.key").unlink()
    restore(settings, tmp_path / "farm.backup", force=True)
    again = open_signer(settings)
    assert again is not None
    assert again.public_key == signer.public_key


@on_sqlite
def test_nobody_can_put_a_file_or_a_link_in_the_way(settings: Settings, tmp_path: Path) -> None:
    folder, stolen = tmp_path / "shared", tmp_path / "stolen"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / ".farm.backup.part").symlink_to(stolen)
    (folder / ".farm.backup.copy").symlink_to(stolen)
    (settings.data_dir / "restore.json.new").symlink_to(stolen)
    backup(settings, folder / "farm.backup")
    restore(settings, folder / "farm.backup", force=True)
    assert not stolen.exists()
    (folder / "link.backup").symlink_to(stolen)
    with pytest.raises(BackupProblem, match="exists already"):
        backup(settings, folder / "link.backup")
    assert not stolen.exists()
    assert (folder / "farm.backup").stat().st_mode & 0o777 == 0o600


@on_sqlite
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_backup_in_clear_is_called_that(
    settings: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_encrypted: bool,
) -> None:
    monkeypatch.setenv("COMMANDER_DATA_DIR", str(settings.data_dir))
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    backup_command(tmp_path / "farm.backup", tmp_path / "passphrase" if is_encrypted else None)
    warned = f"NOT ENCRYPTED: {tmp_path / 'farm.backup'} holds the certificate authority's key"
    assert (warned in capsys.readouterr().err) is not is_encrypted


@on_sqlite
def test_a_backup_that_somebody_makes_meanwhile_is_not_overwritten(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "farm.backup"
    with pytest.raises(BackupProblem, match="exists already"), new_archive(path, None):
        path.write_text("somebody's")
    assert path.read_text() == "somebody's"
    assert [name for name in names_in(tmp_path) if "farm.backup" in name] == ["farm.backup"]


def test_the_passphrase_comes_from_a_file_or_the_setting(tmp_path: Path) -> None:
    given = load_settings({"COMMANDER_DATA_DIR": str(tmp_path), "COMMANDER_BACKUP_PASSPHRASE": PASSPHRASE})
    assert passphrase_of(given, None) == PASSPHRASE
    assert PASSPHRASE not in repr(given)
    assert passphrase_of(replace(given, backup_passphrase=None), None) is None
    file = tmp_path / "passphrase"
    file.write_text("from a file, with spaces \n")
    assert passphrase_of(given, file) == "from a file, with spaces "
    file.write_text("\n")
    for wrong, words in ((file, "is empty"), (tmp_path / "none", "can't be read")):
        with pytest.raises(BackupProblem, match=words):
            passphrase_of(given, wrong)


@on_sqlite
def test_a_short_passphrase_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BackupProblem, match="12 characters"):
        backup(settings, tmp_path / "farm.backup", passphrase="short")
    assert not (tmp_path / "farm.backup").exists()


@on_sqlite
def test_the_restored_database_has_no_session_before_it_takes_its_place(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Path(settings.database_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO sessions (cookie_hash, created_at, last_seen_at, address, user_agent) "
            "VALUES (x'00', '2026-11-01', '2026-11-01', '', '')"
        )
        connection.commit()
    backup(settings, tmp_path / "farm.backup")

    class Killed(BaseException):
        """Stands for SIGKILL."""

    def kill(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("commander.backup.restore.mark", kill)
    with pytest.raises(Killed):
        restore(settings, tmp_path / "farm.backup", force=True)
    with closing(sqlite3.connect(database.with_name("commander.db.restored"))) as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
