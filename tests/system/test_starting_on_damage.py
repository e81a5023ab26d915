"""A commander on a data directory that has lost something, or that others may change: a sentence and a way on."""

import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from commander.migrations.revisions import HEAD

from tests.farm import CommanderProcess, commander_command, eventually, refusal, sentence_of
from tests.left_farm import LeftCommander, make_left_farm

pytestmark = pytest.mark.system


@pytest.fixture(scope="session")
def left_farm(tmp_path_factory: pytest.TempPathFactory) -> LeftCommander:
    return make_left_farm(tmp_path_factory.mktemp("left"))


@pytest.fixture
def left(left_farm: LeftCommander, tmp_path: Path) -> LeftCommander:
    """A commander with a farm of one rig, killed while its newest changes are in the WAL."""
    return left_farm.copied_to(tmp_path)


def test_a_farm_whose_database_is_gone_is_not_replaced_by_an_empty_one(left: LeftCommander) -> None:
    for suffix in ("", "-wal", "-shm"):
        left.database(suffix).unlink(missing_ok=True)
    said = refusal(left)
    assert "holds no farm" in said
    assert "commander restore --force FILE" in said
    assert "commander serve --new" in said
    assert "holds no farm" in refusal(left), "the first refusal has made nothing that looks like a farm"


def test_a_command_makes_no_empty_farm_in_place_of_one_that_is_lost(left: LeftCommander) -> None:
    for suffix in ("", "-wal", "-shm"):
        left.database(suffix).unlink(missing_ok=True)
    for command in (("set-password",), ("api-key", "create", "backup")):
        done = left.run(*command, text_in="another good password\n")
        assert done.returncode == 1
        assert done.stderr.startswith("commander: ")
        assert "holds no farm" in done.stderr
    assert not left.database().exists()
    assert "holds no farm" in refusal(left)


def test_a_command_does_not_lose_the_newest_changes(left: LeftCommander, tmp_path: Path) -> None:
    left.database("-wal").unlink()
    for command in (
        ("api-key", "list"),
        ("backup", str(tmp_path / "farm.backup")),
        ("migrate-data", "--to", "postgresql://nobody@127.0.0.1:1/farm"),
    ):
        assert "commander.db-wal is missing" in sentence_of(left.run(*command))
    assert "commander.db-wal is missing" in refusal(left)


def test_a_signing_key_that_is_lost_is_made_anew_and_a_backup_is_asked_for(left: LeftCommander) -> None:
    asked = "Earlier backups of this farm do not have the new key"
    left.start()
    assert asked not in left.log.read_text()
    assert left.stop() == 0
    (left.data_dir / "tls" / "playbook.key").unlink()
    left.start()
    assert left.stop() == 0
    assert asked in left.log.read_text()


def test_a_backup_is_made_where_the_disk_takes_no_lock(left: LeftCommander, tmp_path: Path) -> None:
    lock = left.data_dir / "serve.lock"
    lock.unlink()
    lock.mkdir()
    done = left.run("backup", str(tmp_path / "farm.backup"))
    assert done.returncode == 0, done.stderr


def test_changes_that_a_link_to_the_database_hides_are_missed_all_the_same(left: LeftCommander) -> None:
    elsewhere = left.data_dir.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    for suffix in ("", "-wal", "-shm", ".number"):
        left.database(suffix).rename(elsewhere / f"commander.db{suffix}")
    left.database().symlink_to(elsewhere / "commander.db")
    assert rigs_of(left) == ["rig-01"]
    (elsewhere / "commander.db-wal").unlink()
    assert "commander.db-wal is missing" in refusal(left)


def test_a_new_farm_is_begun_only_on_request(left: LeftCommander) -> None:
    for suffix in ("", "-wal", "-shm"):
        left.database(suffix).unlink(missing_ok=True)
    left.process = None
    with left.log.open("ab") as log:
        command = commander_command("serve", "--new")
        left.process = subprocess.Popen(command, env=left.environment, stdout=log, stderr=log)
    eventually(left._is_ready, within_s=60, what="the new farm")
    with left.client(left.printed_api_key("again")) as people:
        assert people.get("/api/v1/cpu-gpu-rigs").json() == []
    assert left.stop() == 0
    left.start()
    assert left.stop() == 0


def rigs_of(left: LeftCommander) -> list[str]:
    """Starts the commander, and returns the names of its rigs."""
    left.start()
    with left.client(left.key) as people:
        names = [str(rig["name"]) for rig in people.get("/api/v1/cpu-gpu-rigs").raise_for_status().json()]
    left.kill()
    return names


def overwrite(path: Path, at: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(size))


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("the WAL", "-wal is missing"),
        ("its content", "-wal is damaged"),
        ("its header", "-wal is damaged"),
        ("a frame in the middle", "-wal is damaged"),
        ("its end", "-wal is damaged"),
        ("the WAL and its index", "is older than the database that the commander last wrote"),
        ("an earlier copy took its place", "is older than the database that the commander last wrote"),
    ],
)
def test_without_the_newest_changes_it_does_not_go_on_in_silence(
    left: LeftCommander, tmp_path: Path, lost: str, words: str
) -> None:
    database, wal, index = (left.database(suffix) for suffix in ("", "-wal", "-shm"))
    size = wal.stat().st_size
    match lost:
        case "the WAL":
            wal.unlink()
        case "its content":
            wal.write_bytes(os.urandom(size))
        case "its header":
            overwrite(wal, 16, 16)
        case "a frame in the middle":
            overwrite(wal, size // 2, 100)
            index.unlink()
        case "its end":
            os.truncate(wal, size - 5_000)
        case "the WAL and its index":
            wal.unlink()
            index.unlink()
        case _:
            copy = tmp_path / "earlier.db"
            shutil.copy(database, copy)
            assert rigs_of(left) == ["rig-01"]
            shutil.copy(copy, database)
            wal.unlink()
            index.unlink()
    said = refusal(left)
    assert words in said
    assert "commander restore --force FILE" in said
    assert said == refusal(left), "the first refusal has changed nothing"
    files = re.findall(re.escape(str(database)) + r"[-.a-z]*(?= and |\.$)", said[said.rindex("remove ") :])
    assert files
    for file in files:
        Path(file).unlink()
    assert rigs_of(left) == [], "it goes on without the newest changes, as the sentence says"


@pytest.mark.parametrize("end", ["kill", "kill, then a command", "power cut", "clean stop", "restored backup"])
def test_after_every_usual_end_it_starts_again(left: LeftCommander, tmp_path: Path, end: str) -> None:
    wal, index = left.database("-wal"), left.database("-shm")
    expected = ["rig-01"]
    match end:
        case "kill, then a command":
            assert left.run("api-key", "list").returncode == 0
            assert not wal.exists()
        case "power cut":  # the newest transaction was not written to its end, and the index is an old one
            with wal.open("ab") as file:
                file.write(wal.read_bytes()[32:5_000])
            index.write_bytes(bytes(index.stat().st_size))
        case "clean stop":
            left.start()
            assert left.stop() == 0
            assert not wal.exists()
        case "restored backup":
            backup = tmp_path / "farm.backup"
            assert left.run("backup", str(backup)).returncode == 0
            assert rigs_of(left) == expected
            done = left.run("restore", "--force", "--keep-keys", str(backup))
            assert done.returncode == 0, done.stderr
    assert rigs_of(left) == expected


def test_a_damaged_database_names_the_way_to_a_backup(left: LeftCommander) -> None:
    for suffix in ("-wal", "-shm"):
        left.database(suffix).unlink(missing_ok=True)
    left.database().write_bytes(os.urandom(64 * 1024))
    said = refusal(left)
    assert "can't be read" in said
    assert "commander restore" in said


SECRETS = (
    'password = "not for everybody"',
    '"password" = "not for everybody"',
    "heartbeat_url = 'https://h.example/secret'",
)


@pytest.mark.parametrize(
    ("name", "mode", "line"),
    [
        (".", 0o777, SECRETS[0]),
        ("commander.toml", 0o666, SECRETS[0]),
        *(("commander.toml", 0o644, line) for line in (*SECRETS, 'backup_passphrase = "not for everybody"')),
    ],
)
def test_what_every_user_of_the_machine_may_change_or_read_is_refused(
    tmp_path: Path, name: str, mode: int, line: str
) -> None:
    commander = CommanderProcess(tmp_path / "data")
    commander.data_dir.mkdir(mode=0o755)
    file = commander.data_dir / "commander.toml"
    file.write_text(f"# of the farm\n{line}\n")
    file.chmod(0o600)
    (commander.data_dir / name).chmod(mode)
    said = refusal(commander)
    assert "Every user of this machine may" in said
    assert "chmod" in said


def test_a_key_that_everybody_may_read_is_refused_unless_its_folder_is_closed(left: LeftCommander) -> None:
    key = left.data_dir / "tls" / "ca.key"
    key.chmod(0o644)
    key.parent.chmod(0o755)
    left.data_dir.chmod(0o755)
    assert f"chmod 600 {key}" in refusal(left)
    left.data_dir.chmod(0o700)
    key.parent.chmod(0o700)
    left.start()
    assert left.stop() == 0


def test_one_unreadable_newest_row_keeps_nobody_from_starting(tmp_path: Path) -> None:
    commander = CommanderProcess(tmp_path / "data")
    commander.start()
    tokens, key = {}, commander.api_key()
    with commander.client(key) as people:
        for name in ("damaged", "whole"):
            made = people.post("/api/v1/cpu-gpu-rigs", json={"name": name}).raise_for_status().json()
            tokens[made["id"]] = made["token"]
        for token in tokens.values():
            with commander.client(token) as sentry:
                log = {"taken_at": _iso(people.get("/healthz").headers["date"]), "uptime_s": 5}
                assert sentry.post("/api/v1/sentry/logs", json={"logs": [log]}).json()["stored"] == 1
    assert commander.stop() == 0
    damaged = next(iter(tokens))
    with closing(sqlite3.connect(commander.data_dir / "commander.db")) as database:
        database.execute("UPDATE cpu_gpu_logs SET body = x'00112233' WHERE rig_id = ?", (damaged,))
        database.commit()
    commander.start()
    with commander.client(key) as people:
        latest = {rig["id"]: rig["latest"] for rig in people.get("/api/v1/cpu-gpu-rigs").json()}
        assert latest[damaged] is None
        assert all(latest[rig_id] for rig_id in tokens if rig_id != damaged)
        assert people.get(f"/api/v1/cpu-gpu-rigs/{damaged}/logs").status_code == 200
    assert commander.stop() == 0
    assert "Traceback" not in commander.log.read_text()


def _iso(http_date: str) -> str:
    return parsedate_to_datetime(http_date).isoformat()


def test_the_tables_change_only_after_a_copy_and_never_under_a_running_commander(left: LeftCommander) -> None:
    left.start()
    _set_revision(left, "0012")  # as if an older commander ran
    done = left.run("api-key", "list")
    assert done.returncode == 1
    assert "A commander of an older version runs on this database" in done.stderr
    assert _revision(left.database()) == "0012"
    _set_revision(left, HEAD)
    assert left.stop() == 0
    assert left.run("api-key", "list").returncode == 0


def _set_revision(left: LeftCommander, revision: str) -> None:
    with closing(sqlite3.connect(left.database(), timeout=15)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        database.commit()


def _revision(path: Path) -> str:
    with closing(sqlite3.connect(path, timeout=15)) as database:
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_two_commanders_on_one_database_file_are_refused(left: LeftCommander, tmp_path: Path) -> None:
    left.start()
    link = tmp_path / "other name.db"
    link.symlink_to(left.database())
    for path in (left.database(), link):
        second = CommanderProcess(tmp_path / "second", more={"COMMANDER_DATABASE_URL": f"sqlite:///{path}"})
        said = refusal(second)
        assert f"Another commander already runs on {left.database()}" in said
        assert "COMMANDER_DATABASE_URL" in said
    assert left.stop() == 0
