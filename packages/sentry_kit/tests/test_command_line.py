import argparse
import io
import logging

import pytest
from sentry_kit.command_line import CommandLine, token_of
from sentry_kit.errors import BadUse, SentryError
from sentry_kit.masking import MaskingFormatter, mask, mask_account

TOKEN = "mw_rig_" + "ab" * 32 + "_" + "cd" * 32


def a_command_line() -> CommandLine:
    line = CommandLine("example", "minewarden-sentry-kit", "An example.")
    line.command("fail", _fail, "fail with a sentence")
    line.command("work", lambda _arguments: 0, "work").add_argument("--port", type=int, required=True)
    return line


def _fail(_arguments: argparse.Namespace) -> int:
    raise SentryError(f"No, not with {TOKEN}.")


def test_success_is_0_and_trouble_is_1_with_one_masked_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    line = a_command_line()
    assert line.run(["work", "--port", "1"]) == 0
    assert line.run(["fail"]) == 1
    assert capsys.readouterr().err == "No, not with mw_rig_abab….\n"


@pytest.mark.parametrize("argv", [[], ["dance"], ["work"], ["work", "--port", "x"], ["--what"]])
def test_wrong_usage_is_2_with_one_sentence(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        a_command_line().run(argv)
    said = capsys.readouterr()
    assert caught.value.code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "--help" in said.err


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["work", "--help"], ["work", "--version"]])
def test_every_command_has_help_and_version(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        a_command_line().run(argv)
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(("example 0.", "usage: example"))


def test_a_token_is_masked_wherever_it_is_logged() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "token %s refused", (TOKEN,), None)
    assert MaskingFormatter("%(message)s").format(record) == "token mw_rig_abab… refused"
    assert mask("nothing secret") == "nothing secret"


def test_of_a_wallet_its_ends_are_shown() -> None:
    assert mask_account("49gTabcdefghijkl") == "49gT…ijkl"
    assert mask_account("me") == "me"
    assert mask_account(None) is None


def test_a_token_comes_from_the_argument_or_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("mw_rig_from_stdin \n"))
    assert token_of("mw_rig_typed") == "mw_rig_typed"
    with pytest.raises(BadUse, match="--token -"):
        token_of(None)
    assert token_of("-") == "mw_rig_from_stdin"


def _end_of_input(_arguments: argparse.Namespace) -> int:
    raise EOFError


def test_ctrl_d_in_place_of_an_answer_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    line = CommandLine("example", "minewarden-sentry-kit", "An example.")
    line.command("ask", _end_of_input, "ask for a token")
    assert line.run(["ask"]) == 1
    assert capsys.readouterr().err == "Nothing was typed, and nothing was changed.\n"
