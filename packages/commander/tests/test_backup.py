"""A farm into one file and back, on both databases; and what is refused on the way."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from itertools import count
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from commander.backup import BackupProblem, swap, tools
from commander.backup.archive import Manifest
from commander.backup.make import backup, copy_database
from commander.backup.progress import CopyProgress
from commander.backup.restore import finish_pending, restore
from commander.backup.tools import without_password
from commander.db import connect_sqlite, open_database
from commander.lock import only_commander
from commander.settings import Settings
from commander_farm import RIGS, Farm, a_log, on_postgresql, on_sqlite, running
from msgspec.structs import replace

_numbers = count(1)


async def names_of(settings: Settings) -> list[str]:
    async with a_farm(settings) as farm:
        return [rig["name"] for rig in (await farm.get(RIGS)).json()]


@asynccontextmanager
async def a_farm(settings: Settings) -> AsyncIterator[Farm]:
    """As often as the test starts the commander."""
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key(f"key {next(_numbers)}")
        yield farm


async def saved(farm: Farm, path: Path) -> None:
    await asyncio.to_thread(backup, farm.settings, path)


async def restored(settings: Settings, path: Path, *, force: bool = True) -> None:
    await asyncio.to_thread(restore, settings, path, force=force)


async def test_a_restored_farm_is_the_farm_of_the_backup(settings: Settings, tmp_path: Path) -> None:
    key_file = settings.data_dir / "tls" / "ca.key"
    key_file.parent.mkdir()
    key_file.write_text("the farm's key")
    async with a_farm(settings) as farm:
        rig = await farm.add("kept")
        assert (await farm.report(rig, a_log(20), a_log(10))).status_code == 200
        await saved(farm, tmp_path / "farm.backup")
        await farm.report(await farm.add("later"), a_log())
    key_file.write_text("another key")
    with pytest.raises(BackupProblem, match="--force"):
        await restored(settings, tmp_path / "farm.backup", force=False)
    await restored(settings, tmp_path / "farm.backup")
    assert key_file.read_text() == "the farm's key"
    async with a_farm(settings) as farm:
        assert [each["name"] for each in (await farm.get(RIGS)).json()] == ["kept"]
        assert len((await farm.get(f"{RIGS}/{rig.id}/logs")).json()["logs"]) == 2
        assert (await farm.report(rig, a_log())).json()["stored"] == 1, "its token is the same as before"
        assert (await farm.add("next")).id > rig.id
    assert left_in(settings.data_dir, "restore") == []


def left_in(folder: Path, word: str) -> list[str]:
    return [file.name for file in folder.iterdir() if word in file.name]


async def test_a_backup_is_for_its_owner_only_and_overwrites_nothing(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "farm.backup"
    async with a_farm(settings) as farm:
        await saved(farm, path)
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(BackupProblem, match="exists already"):
            await saved(farm, path)
    assert left_in(tmp_path, "farm.backup") == ["farm.backup"]


@pytest.mark.parametrize("damage", ["cut", "changed", "other"])
async def test_a_damaged_backup_is_refused_and_everything_stays(
    settings: Settings, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "farm.backup"
    async with a_farm(settings) as farm:
        await farm.add("kept")
        await saved(farm, path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[-300:]
    elif damage == "changed":
        content[4_000:4_004] = b"oops"
    else:
        content = bytearray(b"something else")
    path.write_bytes(content)
    with pytest.raises(BackupProblem, match="damaged"):
        await restored(settings, path)
    assert await names_of(settings) == ["kept"]
    assert left_in(settings.data_dir, "restore") == []


async def test_a_backup_of_a_newer_commander_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "farm.backup"
    async with a_farm(settings) as farm:
        await saved(farm, path)
    rewrite(path, revision="9999")
    with pytest.raises(BackupProblem, match="newer commander"):
        await restored(settings, path)


def rewrite(path: Path, **changes: object) -> None:
    """Another manifest for the same content."""
    with zipfile.ZipFile(path) as archive:
        manifest = msgspec.json.decode(archive.read("manifest.json"), type=Manifest)
        contents = {member.name: archive.read(member.name) for member in manifest.files}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", msgspec.json.encode(replace(manifest, **changes)))


@on_postgresql
async def test_a_backup_goes_back_to_its_own_kind_of_database(settings: Settings, tmp_path: Path) -> None:
    async with a_farm(settings) as farm:
        await saved(farm, tmp_path / "farm.backup")
    elsewhere = replace(settings, database_url=f"sqlite:///{tmp_path / 'farm.db'}")
    with pytest.raises(BackupProblem, match="migrate-data"):
        await restored(elsewhere, tmp_path / "farm.backup")


@on_postgresql
async def test_postgresql_is_not_restored_under_a_running_commander(settings: Settings, tmp_path: Path) -> None:
    async with a_farm(settings) as farm:
        await saved(farm, tmp_path / "farm.backup")
        with pytest.raises(BackupProblem, match="stop it first"):
            await restored(settings, tmp_path / "farm.backup")
        assert (await farm.client.get("/healthz")).status_code == 200


@on_postgresql
async def test_what_postgresql_refuses_leaves_everything_as_it_was(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "farm.backup"
    async with a_farm(settings) as farm:
        await farm.add("kept")
        await saved(farm, path)
        await farm.add("later")
    async with open_database(settings.database_url) as database, database.transaction() as db:
        await db.execute(sa.text("CREATE VIEW somebodys AS SELECT id FROM cpu_gpu_rigs"))
    with pytest.raises(BackupProblem, match=r"nothing was changed.+depend"):
        await restored(settings, path)
    assert await names_of(settings) == ["kept", "later"]
    assert left_in(settings.data_dir, "restore") == []


@on_postgresql
async def test_a_program_of_postgresql_that_is_missing_or_too_old_is_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_farm(settings) as farm:
        for there, words in (([], "pg_dump is missing: install"), (["/bin/true"], "pg_dump is version 9 and the")):
            monkeypatch.setattr(tools, "_candidates", lambda _, there=there: there)
            monkeypatch.setattr(tools, "_major", lambda _: 9)
            with pytest.raises(BackupProblem, match=words):
                await saved(farm, tmp_path / "farm.backup")
    assert left_in(tmp_path, "farm.backup") == []


@on_sqlite
def test_a_restore_beside_a_running_commander_is_refused(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "farm.backup")
    with only_commander(settings), pytest.raises(BackupProblem, match="stop it first"):
        restore(settings, tmp_path / "farm.backup", force=True)


@on_sqlite
def test_a_copy_is_of_one_moment_though_others_write_between_its_steps(settings: Settings, tmp_path: Path) -> None:
    """SQLite's own online backup would begin again at each of these writes, for ever."""
    source = Path(settings.database_url.removeprefix("sqlite:///"))
    with closing(connect_sqlite(source)) as writer:
        writer.execute("CREATE TABLE filler (id INTEGER PRIMARY KEY, body BLOB)")
        writer.executemany("INSERT INTO filler (body) VALUES (?)", [(os.urandom(4_000),) for _ in range(1_000)])

        class Writing(CopyProgress):
            def bytes(self, done: int, total: int | None = None) -> None:
                writer.execute("INSERT INTO filler (body) VALUES (x'00')")

        copy_database(source, tmp_path / "copy.db", Writing("copy"))
        assert writer.execute("SELECT count(*) FROM filler").fetchone()[0] > 1_002
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM filler").fetchone() == (1_000,)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


@on_sqlite
@pytest.mark.parametrize("moment", range(12))
def test_an_exchange_that_is_killed_at_any_moment_is_finished_by_the_next_start(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    database = settings.data_dir / "commander.db"
    tls = settings.data_dir / "tls"
    tls.mkdir()
    (tls / "ca.key").write_text("new")
    backup(settings, tmp_path / "farm.backup")
    (tls / "ca.key").write_text("old")
    with closing(connect_sqlite(database)) as connection:
        connection.execute("CREATE TABLE old (id)")
        connection.execute("INSERT INTO old VALUES (1)")
        left = moment

        def kill_in_time(*_: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(swap, "sync_folder", kill_in_time)
            patched.setattr("commander.backup.restore.finish_pending", lambda _: swap.finish(settings.data_dir))
            with suppress(Killed):
                restore(settings, tmp_path / "farm.backup", force=True)
    finish_pending(settings)
    with closing(connect_sqlite(database)) as connection:
        is_old = bool(connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'old'").fetchone()[0])
    assert (tls / "ca.key").read_text() == ("old" if is_old else "new")
    assert not is_old or moment == 0
    assert {file.name for file in settings.data_dir.iterdir()} <= {
        "commander.db",
        "commander.db.lock",
        "tls",
        "serve.lock",
    } | ({"commander.db.restored", "tls.restored", "restore.json.new"} if is_old else set())


def test_the_password_stays_off_the_command_line() -> None:
    url, environment = without_password("postgresql://farm:p%40ss@db.lan:5433/farm?sslmode=require")
    assert url == "postgresql://farm@db.lan:5433/farm?sslmode=require"
    assert environment["PGPASSWORD"] == "p@ss"


KILLED = """
import os, sys
from pathlib import Path
from commander.backup import make
from commander.settings import load_settings
class Killed(make.CopyProgress):
    def bytes(self, done, total=None):
        print("at work", flush=True)
        sys.stdin.read(1)
        os.kill(os.getpid(), 9)
make.CopyProgress = Killed
make.backup(load_settings(os.environ), Path(sys.argv[1]), passphrase=sys.argv[2] or None)
"""


@on_sqlite
@pytest.mark.parametrize("passphrase", ["", "correct horse battery staple"])
def test_what_a_killed_backup_has_left_is_removed_by_the_next_one_and_a_running_one_is_not_disturbed(
    settings: Settings, tmp_path: Path, passphrase: str
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir(mode=0o700)
    foreign = folder / f".film.{'0' * 16}.part"
    foreign.write_bytes(b"another program's")
    environment = os.environ | {
        "COMMANDER_DATA_DIR": str(settings.data_dir),
        "COMMANDER_DATABASE_URL": settings.database_url,
    }
    command = [sys.executable, "-c", KILLED, str(folder / "monday.backup"), passphrase]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdin is not None
        assert killed.stdout.readline() == b"at work\n"
        during = unfinished(folder, settings.data_dir)
        assert len(during) >= 2
        backup(settings, folder / "tuesday.backup", passphrase=passphrase or None)
        assert unfinished(folder, settings.data_dir) == during, "it still works"
        killed.stdin.write(b"x")
        killed.stdin.flush()
        assert killed.wait(timeout=60) == -9
    backup(settings, folder / "wednesday.backup", passphrase=passphrase or None)
    assert unfinished(folder, settings.data_dir) == set()
    assert {path.name for path in folder.iterdir()} == {foreign.name, "tuesday.backup", "wednesday.backup"}


def unfinished(*folders: Path) -> set[str]:
    names = {path.name for folder in folders for path in folder.iterdir()}
    return {name for name in names if ".part" in name or ".copy" in name} - {f".film.{'0' * 16}.part"}
