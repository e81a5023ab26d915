"""Reasons why a playbook does not mine: those that a later try may solve, and those that it can't."""

import contextlib
import errno
from collections.abc import Iterator

from protocol import units
from protocol.reasons import reason
from sentry_kit.errors import SentryError


class Refused(SentryError):
    """The request is wrong or dangerous. It is not tried again until it is changed."""


class Trouble(SentryError):
    """The network, the disk or the mining software: tried again after a while."""


class Interrupted(Trouble):
    """A download was interrupted and will be resumed."""


@contextlib.contextmanager
def disk_trouble() -> Iterator[None]:
    """Turns an error of the disk into a sentence; the step is tried again."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Trouble("The disk is full; make room.") from error
        raise Trouble(f"This machine's disk does not work ({reason(error)}).") from error


def failure_text(error: BaseException) -> str:
    """Returns what went wrong as a sentence, for any exception."""
    if isinstance(error, SentryError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "This machine does not answer in time."
    return f"This machine's system reports an error: {reason(error)}."


def next_try_text(error: BaseException, pause_s: float) -> str:
    """ "Trying again in 30 s; what was downloaded is kept."."""
    kept = "; what was downloaded is kept" if isinstance(error, Interrupted) else ""
    return f"Trying again in {units.duration_text(pause_s)}{kept}."
