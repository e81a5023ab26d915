"""Why a playbook does not mine: what a try later may mend, and what it can't."""

import contextlib
import errno
from collections.abc import Iterator

from sentry_kit.errors import SentryError


class Refused(SentryError):
    """What is asked for is wrong or dangerous: the same thing is not tried again until it is changed."""


class Trouble(SentryError):
    """The network, the disk or the mining software: tried again after a while."""


@contextlib.contextmanager
def disk_trouble() -> Iterator[None]:
    """Whatever the disk refuses is a sentence, and tried again."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Trouble("The disk is full; make room. It goes on by itself then.") from error
        raise Trouble(f"This machine's disk can't be used as it should ({error.strerror or error}).") from error
