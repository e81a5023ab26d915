"""One commander at a time on a data directory: two would each show half of the farm."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from commander.settings import Settings


class CommanderRuns(Exception):
    """A commander has this data directory."""


@contextmanager
def only_commander(settings: Settings) -> Iterator[None]:
    """Raises `CommanderRuns`."""
    lock = FileLock(settings.data_dir / "serve.lock")
    try:
        with lock.acquire(blocking=False):
            yield
    except Timeout as error:
        raise CommanderRuns from error
