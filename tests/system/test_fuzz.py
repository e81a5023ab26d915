"""`make fuzz`, with a program in the place of Schemathesis."""

from pathlib import Path

import fuzz
import pytest

pytestmark = pytest.mark.system


def a_schemathesis(
    folder: Path, *, cases: int = fuzz.FEWEST_CASES, line: str = "INFO all is well", status: int = 0
) -> Path:
    """Notes how it was called, and says that it asked so many cases. It runs beside the commander's log."""
    program = folder / "schemathesis"
    program.write_text(
        f"""#!/bin/sh
printf '%s ' "$@" >>"$0.called"
echo '2026-01-01 {line}' >>commander.log
echo '{{"test_cases": {{"generated": {cases}}}}}' >report.json
exit {status}
"""
    )
    program.chmod(0o700)
    return program


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr("sys.argv", ["fuzz.py", *map(str, arguments)])
    return fuzz.main()


@pytest.mark.parametrize(
    ("status", "line", "failures"),
    [
        (0, "INFO all is well", ()),
        (0, "ERROR a fault", ("errors in the log, above",)),
        (1, "ERROR a fault", ("wrong answers, above", "errors in the log, above")),
    ],
)
def test_errors_in_the_log_are_shown_also_if_an_answer_was_wrong(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], status: int, line: str, failures: tuple[str, ...]
) -> None:
    outcome = fuzz.fuzz(a_schemathesis(tmp_path, line=line, status=status), "view", 1)
    assert outcome == fuzz.Outcome("view", fuzz.FEWEST_CASES, failures)
    assert ("ERROR a fault" in capfd.readouterr().out) is ("ERROR" in line)


def test_a_sender_with_few_cases_fails_and_the_table_has_the_number_of_each(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = a_schemathesis(tmp_path, cases=9_999)
    assert run(monkeypatch, asker, "--role", "none", "--role", "rig", "--cases", "7") == 1
    assert capfd.readouterr().out.splitlines()[-2:] == [
        "none        9,999 cases: fewer than 10,000 cases; give a larger CASES",
        "rig         9,999 cases: fewer than 10,000 cases; give a larger CASES",
    ]
    none, rig = (tmp_path / "schemathesis.called").read_text().split("run /")[1:]
    assert "--max-examples 7" in none
    assert "Authorization" not in none + rig.partition("--header")[0]
    assert "--include-path-regex ^/api/v1/sentry --exclude-path /api/v1/sentry/enrol --header" in rig
    assert "Authorization: Bearer mw_rig_" in rig
    assert run(monkeypatch, a_schemathesis(tmp_path), "--role", "farm") == 0


def test_a_key_that_the_commander_does_not_know_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer to it is 401, which is right."""
    monkeypatch.setattr(fuzz, "_secret", lambda *_: "mw_site_" + 64 * "0")
    outcome = fuzz.fuzz(a_schemathesis(tmp_path), "site")
    assert outcome.failures == ("its key or token is not valid any more",)


def test_no_number_is_not_enough(tmp_path: Path) -> None:
    program = a_schemathesis(tmp_path)
    program.write_text("#!/bin/sh\n")
    outcome = fuzz.fuzz(program, "none")
    assert (outcome.cases, len(outcome.failures)) == (None, 1)
