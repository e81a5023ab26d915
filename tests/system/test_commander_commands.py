"""The commander's commands as a person types them: what they print, and how they end."""

import asyncio
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from commander import VERSION
from commander.__main__ import run
from commander.accounts.actions import AccountActions
from commander.db import open_database

from tests.farm import PASSWORD, CommanderProcess, eventually, running_commander, simulated_farm

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
        eventually(lambda: ledger.exists() and ledger.stat().st_size > 5_000, within_s=60, what="many reports")
        assert commander.process is not None
        commander.process.send_signal(signal.SIGTERM)
        assert commander.process.wait(timeout=10) == 0
        farm.send_signal(signal.SIGTERM)
        farm.communicate(timeout=60)
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


@pytest.mark.parametrize("text", ["", "x", "eleven sign"])
def test_a_password_that_can_be_guessed_is_refused(stopped: CommanderProcess, text: str) -> None:
    done = stopped.run("set-password", text_in=f"{text}\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "A password has 12 characters or more" in one_sentence(done.stderr)


def test_a_short_configured_password_is_refused_unless_it_is_that_of_an_earlier_version(tmp_path: Path) -> None:
    commander = CommanderProcess(tmp_path / "data", more={"COMMANDER_PASSWORD": "hunter22"})
    done = commander.run("serve")
    assert done.returncode == 1
    assert "COMMANDER_PASSWORD is too short." in one_sentence(done.stderr)
    set_directly(commander, "hunter22")
    commander.start()
    with commander.client() as browser:
        assert browser.post("/login", data={"password": "hunter22"}).status_code == 303
    assert commander.stop() == 0
    assert "COMMANDER_PASSWORD is short and may be guessed" in commander.log.read_text()


def set_directly(commander: CommanderProcess, password: str) -> None:
    """Sets a password without a check, as earlier versions did."""

    async def work() -> None:
        async with open_database(f"sqlite:///{commander.data_dir / 'commander.db'}") as database:
            await AccountActions(database).set_password(password)

    asyncio.run(work())


def test_an_address_without_https_is_warned_of_at_the_start(tmp_path: Path) -> None:
    more = {"COMMANDER_TLS": "off", "COMMANDER_PUBLIC_URL": "http://farm.example"}
    with running_commander(tmp_path, **more) as commander:
        assert "COMMANDER_PUBLIC_URL is http://farm.example, which is not HTTPS" in commander.log.read_text()


def test_a_printed_api_key_works_until_it_is_revoked(commander: CommanderProcess) -> None:
    key = commander.printed_api_key("for a script")
    with commander.client(key) as script:
        assert script.get("/api/v1/cpu-gpu-rigs").json() == []
        assert "for a script" in commander.run("api-key", "list").stdout
        assert key not in commander.run("api-key", "list").stdout
        assert commander.run("api-key", "revoke", "for a script").returncode == 0
        assert script.get("/api/v1/cpu-gpu-rigs").status_code == 401
        assert "for a script" not in commander.run("api-key", "list").stdout


def test_a_key_is_printed_with_its_role_and_its_end(commander: CommanderProcess) -> None:
    done = commander.run("api-key", "create", "prometheus", "--role", "metrics", "--days", "30")
    assert done.returncode == 0
    listed = commander.run("api-key", "list").stdout
    assert "role metrics" in listed
    assert "valid until 20" in listed
    with commander.client(done.stdout.split()[-1]) as script:
        assert script.get("/metrics").status_code == 200
        assert script.get("/api/v1/cpu-gpu-rigs").status_code == 403


def test_a_key_that_may_do_everything_is_printed_with_a_warning(commander: CommanderProcess) -> None:
    done = commander.run("api-key", "create", "all")
    assert done.stdout.split()[-1].startswith("mw_key_")
    assert done.stderr.startswith("WARNING: this key may do everything and has no end")
    assert "may do everything: " in commander.run("api-key", "create", "a week", "--days", "7").stderr
    for role in ("view", "own"):
        assert commander.run("api-key", "create", role, "--role", role).stderr == "", "somebody chose that role"


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
    stopped.printed_api_key("twice")
    done = stopped.run("api-key", "create", "twice")
    assert done.returncode == 1
    assert "twice" in one_sentence(done.stderr)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        *((), ("no-such-command",), ("serve", "--no-such-option"), ("api-key",), ("api-key", "create")),
        *(("api-key", "create", "a", "--role", "root"), ("api-key", "create", "a", "--days", "0")),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(*arguments) == 2
    said = one_sentence(capsys.readouterr().err)
    assert said.startswith("commander")
    assert said.endswith(" --help.")


COMMANDS = [
    *(("serve",), ("ingest",), ("set-password",), ("backup",), ("restore",), ("migrate-data",)),
    *(("fetch-packages",), ("install-service",), ("uninstall-service",)),
    *(("api-key",), ("api-key", "create"), ("api-key", "list"), ("api-key", "revoke")),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_its_version(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(*command, "--version") == 0
    assert capsys.readouterr().out == f"commander {VERSION}\n"


def test_no_command_is_left_out_above(capsys: pytest.CaptureFixture[str]) -> None:
    for group in ((), ("api-key",)):
        assert typed(*group, "--help") == 0
        listed = capsys.readouterr().out.partition("Commands:")[2].splitlines()
        names = {line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "}
        assert names == {command[len(group)] for command in COMMANDS if command[: len(group)] == group != command}


def typed(*arguments: str) -> int:
    """Runs a command in this process and returns its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["commander", *arguments])
        return run()


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
    """Returns the text of standard error, which has to be one line."""
    assert "Traceback" not in stderr
    lines = stderr.strip().splitlines()
    assert len(lines) == 1, stderr
    return lines[0]
