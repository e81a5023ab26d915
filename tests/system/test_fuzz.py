"""`make fuzz`, with a program in the place of Schemathesis."""

from argparse import Namespace
from pathlib import Path

import pytest
from fuzz import fuzz

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("status", "line", "is_right"),
    [(0, "INFO all is well", True), (0, "ERROR a fault", False), (1, "ERROR a fault", False)],
)
def test_errors_in_the_log_are_shown_also_if_an_answer_was_wrong(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], status: int, line: str, is_right: bool
) -> None:
    asker = tmp_path / "schemathesis"
    asker.write_text(f"#!/bin/sh\necho '2026-01-01 {line}' >> commander.log\nexit {status}\n")  # it runs beside the log
    asker.chmod(0o700)
    assert fuzz(Namespace(schemathesis=asker, cases=1), "view") is is_right
    assert ("ERROR a fault" in capfd.readouterr().out) is ("ERROR" in line)
