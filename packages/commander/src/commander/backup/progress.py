"""Shows a long command's progress on standard error: one moving line on a terminal, a line now and then elsewhere."""

import sys
import time

_TERMINAL_EVERY_S, _ELSEWHERE_EVERY_S = 0.2, 10.0


class CopyProgress:
    def __init__(self, what: str) -> None:
        self._what = what
        self._started_s = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._every_s = _TERMINAL_EVERY_S if self._is_terminal else _ELSEWHERE_EVERY_S
        self._due_s = self._started_s

    def show(self, text: str, *, now: bool = False) -> None:
        if now or time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + self._every_s
            sys.stderr.write(f"\r\x1b[K{self._what}: {text}" if self._is_terminal else f"{self._what}: {text}\n")
            sys.stderr.flush()

    def bytes(self, done: int, total: int | None = None) -> None:
        of = f" of {mebibytes(total)}, {100 * done // max(1, total)} %" if total is not None else ""
        self.show(f"{mebibytes(done)}{of}")

    def end(self, text: str) -> None:
        took_s = time.monotonic() - self._started_s
        self.show(f"{text} in {took_s:.1f} s", now=True)
        if self._is_terminal:
            sys.stderr.write("\n")


def mebibytes(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB"
