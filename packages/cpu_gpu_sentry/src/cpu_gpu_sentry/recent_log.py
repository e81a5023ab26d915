"""The newest lines of the sentry's own log, kept in memory for the command `fetch_log`."""

import logging
from collections import deque

from sentry_kit.masking import MaskingFormatter

_KEPT_LINES = 2000
_LINE_LENGTH = 2000


class RecentLog(logging.Handler):
    """Keeps lines as they go to standard error; tokens are masked."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.extend(line[:_LINE_LENGTH] for line in self.format(record).splitlines())
