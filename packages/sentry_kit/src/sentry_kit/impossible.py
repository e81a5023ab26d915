"""Leaves out impossible values before they are shown or sent, and logs each once.

A broken sensor would otherwise log 4,294,948 °C every ten seconds.
"""

import logging
from typing import TypeVar

import msgspec
from protocol import figures
from protocol.reading import Dropped, Reader

from sentry_kit.masking import mask

log = logging.getLogger(__name__)

_LOGGED_LIMIT = 256  # invented names of a device must not fill the memory
_logged: set[tuple[str, str]] = set()

T = TypeVar("T")


def possible(figure: str, value: float | None, of: str) -> float | None:
    """Returns the value; None if it is impossible for this metric. `of` is the device that reported it."""
    if value is None or figures.possible(figure, value) is not None:
        return value
    log_once([Dropped(figure, f"{value:g}")], of)
    return None


def left_out(reader: Reader[T], message: T, of: str) -> T:
    """Returns the message without impossible values."""
    try:
        read = reader.checked(message)
    except msgspec.DecodeError:
        return message  # nothing of it can stay; sending it reports that
    log_once(read.dropped, of)
    return read.message


def log_once(dropped: list[Dropped], of: str) -> None:
    """Logs each metric of each device the first time."""
    for each in dropped:
        key = of, each.figure
        if key not in _logged and len(_logged) < _LOGGED_LIMIT:
            _logged.add(key)
            log.warning("figure_left_out %s: %s", mask(of), mask(str(each)))
