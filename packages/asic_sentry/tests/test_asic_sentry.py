import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from asic_sentry.commands import command_line
from free_ports import free_port
from protocol.tokens import TokenKind, new_token


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("ASIC_SENTRY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASIC_SENTRY_DATA_DIR", str(tmp_path))
    return tmp_path


def test_an_empty_list_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert sentry("list") == 0
    assert "asic-sentry add, or scan" in capsys.readouterr().out
    assert sentry("list", "--json") == 0
    assert capsys.readouterr().out == "[]\n"


def sentry(*argv: str) -> int:
    try:
        return command_line().run(argv)
    except SystemExit as error:
        return int(error.code or 0)


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["connect"], 2, "--url"),
        (["connect", "--url", "farm"], 1, "looks like https://"),
        (["connect", "--url", "https://127.0.0.1:1"], 1, "No commander can be reached"),
        (["add", "--ip", "192.0.2.1"], 2, "--token"),
        (["add", "--ip", "here", "--token", "x"], 2, "is not an IP"),
        (["remove", "--ip", "192.0.2.1"], 1, "No ASIC is listed at 192.0.2.1"),
        (["set", "--power-w", "3"], 2, "--ip, or which model"),
        (["set", "--ip", "192.0.2.1"], 2, "Give --power-w"),
        (["set", "--ip", "192.0.2.1", "--power-w", "3"], 1, "No ASIC is listed"),
        (["set", "--model", "S19", "--power-w", "much"], 2, "is no wattage"),
        (["set", "--model", "S19", "--power-w", "-3"], 2, "is no wattage"),
        (["set", "--model", "?", "--coin", "Bitcoin"], 2, "Give a model"),
        (["scan", "10.0.0.0/8"], 2, "/16 at most"),
        (["scan", "farm"], 2, "is not a network"),
        (["scan", "192.0.2.0/30", "--port", "0"], 2, "is not a port"),
        (["scan", "192.0.2.0/30", "--name", "{ip}"], 2, "--name is for --adopt"),
        (["scan", "192.0.2.0/30", "--adopt", "--name", "{password}"], 2, "it may hold {model}"),
        (["scan", "192.0.2.0/30", "--adopt", "--name", "{ip"], 2, "is no pattern"),
        (["connect", "--url", "https://127.0.0.1:1", "--site-token", "mw_x"], 1, "A token looks like"),
        (["connect", "--url", "https://127.0.0.1:1", "--site-token", "{rig}"], 1, "starts with mw_site_"),
    ],
)
def test_trouble_is_one_sentence(argv: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [each.replace("{rig}", str(new_token(TokenKind.RIG, pin=None))) for each in argv]
    assert sentry(*argv) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


@pytest.mark.system
def test_run_shows_its_page_and_ends_on_sigterm(data_dir: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "asic_sentry", "run"]
    environ = {**os.environ, "ASIC_SENTRY_UI_PORT": str(port)}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert " running " in process.stderr.readline()
        address = subprocess.check_output([*command[:-1], "page"], env=environ, text=True).strip()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(address, timeout=60) as answer:
            page = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert "None yet. Add one below" in page
    assert "Not connected" in page
    assert process.returncode == 0
    assert "Traceback" not in said
