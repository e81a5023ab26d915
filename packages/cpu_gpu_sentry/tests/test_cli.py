"""The command line, through the door that people use."""

import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cpu_gpu_sentry.cli import command_line
from cpu_gpu_sentry.enrolment import SCHEMA
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.watches import load_watches
from free_ports import free_port
from protocol.tokens import TokenKind, new_token
from sentry_kit.settings import prepare_data_dir
from sentry_kit.store import Enrolment, State, open_store, save_enrolment

ANSWERS = Path(__file__).parent / "answers"


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("CPU_GPU_SENTRY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CPU_GPU_SENTRY_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def sentry(*argv: str) -> int:
    try:
        return command_line().run(argv)
    except SystemExit as error:
        return int(error.code or 0)


def test_parse_prints_the_element_of_miners(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(ANSWERS / "xmrig__summary.json"), str(ANSWERS / "xmrig__backends.json")]
    assert sentry("parse", "xmrig", *files) == 0
    miner = json.loads(capsys.readouterr().out)
    assert (miner["software"], miner["state"], len(miner["devices"])) == ("xmrig", "mining", 2)


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["parse", "teamredminer", str(ANSWERS / "teamredminer__pools.json")], 1, "lists no cards"),
        (["parse", "xmrig", str(ANSWERS / "lolminer__dual.json")], 1, "does not look like xmrig's summary"),
        (["parse", "xmrig", "/nowhere/at/all.json"], 1, "can't be read"),
        (["parse", "xmrig", "a", "b", "c"], 2, "/2/summary and /2/backends"),
        (["parse", "cpuminer", "a", "b", "c"], 2, "summary and threads"),
        (["parse", "doom", "a"], 2, "bminer, bzminer, ccminer"),
        (["watch", "doom", "--port", "1"], 2, "this version reads bminer, bzminer"),
        (["watch", "xmrig", "--port", "http"], 2, "from 1 to 65535"),
        (["watch", "xmrig", "--port", "1", "--host", "a b"], 2, "name or an address"),
        (["watch", "xmrig"], 2, "--port"),
        (["unwatch", "--port", "18080"], 1, "Nothing is watched on port 18080"),
        (["enroll", "--url", "https://farm.example"], 2, "--token -"),
        (["prepare-image", "--token", "x"], 2, "--url"),
        (["prepare-image", "--url", "https://farm.example"], 2, "--token -"),
        (["enroll", "--url", "http://farm.example", "--token", "x"], 1, "https://"),
        (["enroll", "--url", "https://farm.example", "--token", "x"], 1, "mw_rig_"),
        (["enroll", "--url", "https://127.0.0.1:1", "--token", "{rig}"], 1, "No commander can be reached"),
        (["enroll", "--url", "https://127.0.0.1:1", "--token", "{asic}"], 1, "starts with mw_rig_"),
    ],
)
def test_trouble_is_one_sentence_that_says_what_to_do(
    argv: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = {"{rig}": TokenKind.RIG, "{asic}": TokenKind.ASIC}
    argv = [str(new_token(tokens[each], pin=None)) if each in tokens else each for each in argv]
    assert sentry(*argv) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_wrong_setting_stops_the_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CPU_GPU_SENTRY_UI_PRT", "1")
    assert sentry("status") == 1
    assert "CPU_GPU_SENTRY_UI_PRT is not a setting" in capsys.readouterr().err


def test_watches_are_listed_replaced_and_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert sentry("watch", "XMRig", "--port", "18080") == 0
    assert sentry("watch", "lolminer", "--port", "18080", "--host", "rig.lan", "--coin", "Ergo") == 0
    assert sentry("watch", "xmrig", "--port", "18081") == 0
    assert sentry("unwatch", "--port", "18081") == 0
    capsys.readouterr()
    assert sentry("status", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert status["watches"] == [
        {"software": "lolminer", "host": "rig.lan", "port": 18080, "coin": "Ergo"}
        | {"has_access_token": False, "state": None, "word": None, "reason": None}
    ]


@pytest.mark.parametrize("from_file", [True, False])
def test_a_token_of_a_miner_s_api_is_stored_for_its_owner_alone_and_never_said(
    from_file: bool, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "token"
    secret.write_text("a-secret\nanother line\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a-secret\n"))
    file = str(secret) if from_file else "-"
    assert sentry("watch", "xmrig", "--port", "18080", "--access-token-file", file) == 0
    assert sentry("status", "--json") == 0
    assert sentry("status") == 0
    said = capsys.readouterr().out
    assert '"has_access_token": true' in said
    assert "a-secret" not in said
    with closing(open_store(data_dir / "sentry.db", SCHEMA)) as db:
        assert [each.access_token for each in load_watches(db)] == ["a-secret"]
        assert stat.S_IMODE((data_dir / "sentry.db").stat().st_mode) == 0o600
        assert sentry("watch", "xmrig", "--port", "18080") == 0
        assert [each.access_token for each in load_watches(db)] == [None]
        assert sentry("unwatch", "--port", "18080") == 0
        assert db.execute("SELECT count(*) FROM watch_token").fetchone() == (0,)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (None, 1, "can't be read"),
        ("\n", 1, "There is no access token"),
        ("a b", 2, "no spaces"),
        ("x" * 300, 2, "256"),
    ],
)
def test_a_token_that_is_none_is_said_without_it(
    content: str | None, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    assert sentry("watch", "xmrig", "--port", "18080", "--access-token-file", str(file)) == code
    assert words in capsys.readouterr().err


def test_every_software_that_is_read_can_be_watched(capsys: pytest.CaptureFixture[str]) -> None:
    for port, software in enumerate(SOFTWARE, start=18080):
        assert sentry("watch", software, "--port", str(port)) == 0
    capsys.readouterr()
    assert sentry("status", "--json") == 0
    assert [each["software"] for each in json.loads(capsys.readouterr().out)["watches"]] == list(SOFTWARE)


def test_a_new_sentry_says_that_it_is_not_enrolled(capsys: pytest.CaptureFixture[str]) -> None:
    assert sentry("status", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["state"], status["running"], status["rig"]) == ("not_enrolled", False, None)
    assert (status["spooled_logs"], status["last_stored_at"]) == (0, None)
    assert sentry("status") == 0
    assert "cpu-gpu-sentry enroll" in capsys.readouterr().out


def enrolled(data_dir: Path, state: State) -> None:
    """Stores an enrolment, as it is after a report."""
    token = new_token(TokenKind.RIG, pin=None)
    with closing(open_store(prepare_data_dir(data_dir) / "sentry.db", SCHEMA)) as db:
        save_enrolment(db, Enrolment("https://farm.example", token, None, 4, "rig-04", state))


@pytest.mark.parametrize(
    ("noted", "state", "word"),
    [
        (State.ONLINE, "spooling", "stopped"),
        (State.SPOOLING, "spooling", "stopped"),
        (State.INVALID_TOKEN, "invalid_token", "invalid token"),
    ],
)
def test_a_sentry_that_does_not_run_has_a_state_of_the_contract(
    noted: State, state: str, word: str, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enrolled(data_dir, noted)
    assert sentry("status", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["state"], status["running"]) == (state, False)
    assert sentry("status") == 0
    assert f"State: {word}: " in capsys.readouterr().out


@pytest.mark.parametrize("options", [[], ["--yes"]])
def test_leave_from_a_script_asks_nothing(
    options: list[str], data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enrolled(data_dir, State.SPOOLING)
    assert sentry("leave", *options) == 0
    capsys.readouterr()
    assert sentry("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "not_enrolled"


@pytest.mark.parametrize(("typed", "code", "state"), [("n", 1, "spooling"), ("y", 0, "not_enrolled")])
def test_leave_in_a_terminal_asks_first(
    typed: str, code: int, state: str, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enrolled(data_dir, State.SPOOLING)
    person, terminal = os.openpty()
    os.write(person, f"{typed}\n".encode())
    command = [sys.executable, "-m", "cpu_gpu_sentry", "leave"]
    done = subprocess.run(command, stdin=terminal, capture_output=True, text=True, timeout=60, check=False)
    os.close(person)
    os.close(terminal)
    assert done.returncode == code, done.stderr
    assert "[y/N]" in done.stdout
    assert sentry("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == state


def start(port: int, data: Path) -> "subprocess.Popen[str]":
    environ = {**os.environ, "CPU_GPU_SENTRY_DATA_DIR": str(data), "CPU_GPU_SENTRY_UI_PORT": str(port)}
    command = [sys.executable, "-m", "cpu_gpu_sentry", "run"]
    return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)


def wait_until_running(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    said = ""
    while " running " not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


@pytest.mark.system
def test_run_ends_cleanly_on_sigterm_and_refuses_a_second_one(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with start(free_port(), data_dir) as process:
        wait_until_running(process)
        assert sentry("status", "--json") == 0
        assert json.loads(capsys.readouterr().out)["running"] is True
        with start(free_port(), data_dir) as second:
            assert "already runs" in second.communicate(timeout=60)[1]
        assert second.returncode == 1
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert "Traceback" not in said


@pytest.mark.system
def test_a_busy_port_is_a_sentence(data_dir: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with start(busy.getsockname()[1], data_dir) as process:
            said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "choose another with CPU_GPU_SENTRY_UI_PORT" in said
    assert said.count("\n") == 1


@pytest.mark.system
@pytest.mark.parametrize("damage", ["no database", "broken pages"])
def test_a_damaged_file_is_moved_aside_with_a_sentence(data_dir: Path, damage: str) -> None:
    assert sentry("watch", "xmrig", "--port", "18080") == 0
    path = data_dir / "sentry.db"
    whole = path.read_bytes()
    path.write_bytes(b"not a database " * 500 if damage == "no database" else whole[:4096] + b"\xff" * len(whole))
    with start(free_port(), data_dir) as process:
        said = wait_until_running(process)
        process.send_signal(signal.SIGTERM)
        said += process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert "damaged" in said
    assert (data_dir / "sentry.db.damaged").exists()
