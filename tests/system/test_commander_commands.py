"""The commander's commands as a person types them: what they print, and how they end."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.farm import PASSWORD, CommanderProcess, eventually, simulated_farm

pytestmark = pytest.mark.system


@pytest.fixture
def stopped(tmp_path: Path) -> CommanderProcess:
    """A commander that does not run, with an empty data directory."""
    return CommanderProcess(tmp_path / "data")


def test_sigterm_ends_it_cleanly_within_ten_seconds_while_fifty_rigs_report(
    commander: CommanderProcess, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    options = ("--rigs", "50", "--every", "0.5", "--drain", "1", "--ledger", str(ledger))
    with simulated_farm(commander, commander.api_key(), *options) as farm:
        eventually(lambda: ledger.exists() and ledger.stat().st_size > 5_000, within_s=30, what="many reports")
        assert commander.process is not None
        commander.process.send_signal(signal.SIGTERM)
        assert commander.process.wait(timeout=10) == 0
        farm.send_signal(signal.SIGTERM)
        farm.communicate(timeout=30)
    acknowledged = ledger.read_bytes().count(b"\n")
    with closing(sqlite3.connect(commander.data_dir / "commander.db")) as database:
        assert database.execute("SELECT count(*) FROM cpu_gpu_logs").fetchone()[0] >= acknowledged


def test_a_second_commander_on_the_same_port_says_so_in_one_sentence(
    commander: CommanderProcess, tmp_path: Path
) -> None:
    second = CommanderProcess(tmp_path / "second", port=commander.port)
    done = second.run("serve")
    assert done.returncode == 1
    assert str(commander.port) in one_sentence(done.stderr)


def test_a_password_set_by_command_logs_in_and_the_old_one_does_not(commander: CommanderProcess) -> None:
    done = commander.run("set-password", text_in="another good password\n")
    assert done.returncode == 0, done.stderr
    with commander.client() as browser:
        assert browser.post("/login", data={"password": PASSWORD}).status_code != 303
        assert browser.post("/login", data={"password": "another good password"}).status_code == 303


def test_an_empty_password_is_refused(stopped: CommanderProcess) -> None:
    done = stopped.run("set-password", text_in="\n")
    assert done.returncode == 1
    assert "password" in one_sentence(done.stderr)


def test_a_printed_api_key_works_until_it_is_revoked(commander: CommanderProcess) -> None:
    key = commander.api_key("for a script")
    with commander.client(key) as script:
        assert script.get("/api/v1/cpu-gpu-rigs").json() == []
        assert "for a script" in commander.run("api-key", "list").stdout
        assert key not in commander.run("api-key", "list").stdout
        assert commander.run("api-key", "revoke", "for a script").returncode == 0
        assert script.get("/api/v1/cpu-gpu-rigs").status_code == 401
        assert "for a script" not in commander.run("api-key", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("api-key", "revoke", "nobody"), "nobody"),
        (("api-key", "create", ""), "name"),
        (("api-key", "create", "x" * 1000), "name"),
    ],
)
def test_what_can_not_be_done_is_one_sentence_and_exit_1(
    stopped: CommanderProcess, arguments: tuple[str, ...], words: str
) -> None:
    done = stopped.run(*arguments)
    assert done.returncode == 1
    assert words in one_sentence(done.stderr).lower()


def test_an_api_keys_name_is_taken_once(stopped: CommanderProcess) -> None:
    stopped.api_key("twice")
    done = stopped.run("api-key", "create", "twice")
    assert done.returncode == 1
    assert "twice" in one_sentence(done.stderr)
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [("no-such-command",), ("serve", "--no-such-option"), ("api-key", "create")])
def test_wrong_usage_ends_with_2(stopped: CommanderProcess, arguments: tuple[str, ...]) -> None:
    done = stopped.run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        *((name, "--help") for name in ("serve", "set-password", "api-key", "backup", "restore", "migrate-data")),
    ],
)
def test_help_and_version_end_with_0(stopped: CommanderProcess, arguments: tuple[str, ...]) -> None:
    done = stopped.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMMANDER_PORTT", "8443"),
        ("COMMANDER_PORT", "eighty"),
        ("COMMANDER_PORT", "70000"),
        ("COMMANDER_TLS", "maybe"),
        ("COMMANDER_PUBLIC_URL", "farm.example"),
        ("COMMANDER_DATABASE_URL", "mysql://farm"),
        ("COMMANDER_OFFLINE_AFTER_S", "1"),
    ],
)
def test_a_wrong_setting_stops_it_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    done = CommanderProcess(tmp_path / "data", more={name: value}).run("serve")
    assert done.returncode == 1
    assert name in one_sentence(done.stderr)


def test_tls_by_files_needs_the_files(tmp_path: Path) -> None:
    done = CommanderProcess(tmp_path / "data", more={"COMMANDER_TLS": "files"}).run("serve")
    assert done.returncode == 1
    assert "COMMANDER_TLS_CERT" in one_sentence(done.stderr)


def test_plain_http_is_refused_on_anything_but_loopback(tmp_path: Path) -> None:
    more = {"COMMANDER_TLS": "off", "COMMANDER_HOST": "0.0.0.0"}  # noqa: S104 - it is refused
    done = CommanderProcess(tmp_path / "data", more=more).run("serve")
    assert done.returncode == 1
    assert "COMMANDER_TRUSTED_PROXIES" in one_sentence(done.stderr)


@pytest.mark.parametrize("content", ["report_every_s = [", "porrt = 1\n", 'report_every_s = "often"\n'])
def test_a_wrong_settings_file_stops_it_in_one_sentence(stopped: CommanderProcess, content: str) -> None:
    stopped.data_dir.mkdir()
    (stopped.data_dir / "commander.toml").write_text(content)
    done = stopped.run("serve")
    assert done.returncode == 1
    assert one_sentence(done.stderr)


def test_a_data_directory_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    for arguments in (("serve",), ("api-key", "list")):
        done = CommanderProcess(tmp_path / "data").run(*arguments)
        assert done.returncode == 1
        assert one_sentence(done.stderr)


def test_what_it_keeps_is_for_its_owner_only(commander: CommanderProcess) -> None:
    paths = [commander.data_dir, *commander.data_dir.rglob("*")]
    assert [path.name for path in paths if path.stat().st_mode & 0o077] == []


def one_sentence(stderr: str) -> str:
    """What was said on standard error, which is one line."""
    assert "Traceback" not in stderr
    lines = stderr.strip().splitlines()
    assert len(lines) == 1, stderr
    return lines[0]
