"""A line that is typed in a terminal, and what the terminal then shows."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(['sh', '-c', sys.argv[1]])))"
PROMPT = b"Token: "


@dataclass(frozen=True)
class Typed:
    """The exit status of a line, and all that the terminal has shown."""

    code: int
    shown: str


def in_a_terminal(line: str, token: str, environment: Mapping[str, str] | None = None) -> Typed:
    """Types the line, and the token as soon as it is asked for."""
    terminal = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, line], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with terminal:
        assert terminal.stdin
        assert terminal.stdout
        shown = b""
        while not shown.endswith(PROMPT) and (byte := terminal.stdout.read(1)):
            shown += byte
        if shown.endswith(PROMPT):
            terminal.stdin.write(f"{token}\n".encode())
            terminal.stdin.flush()
        shown += terminal.stdout.read()
    return Typed(terminal.returncode, shown.decode())
