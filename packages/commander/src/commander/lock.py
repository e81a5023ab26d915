"""One commander at a time on a data directory and on a database: two would each show half of the farm."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from commander.database_url import is_postgresql
from commander.db import sqlite_path
from commander.settings import Settings


class CommanderRuns(Exception):
    """A commander has `place`: this data directory, or this database file."""

    def __init__(self, place: Path) -> None:
        super().__init__(f"Another commander runs on {place}.")
        self.place = place


@contextmanager
def only_commander(settings: Settings) -> Iterator[None]:
    """Raises `CommanderRuns`. For PostgreSQL see `commander.farm_lease`."""
    with ExitStack() as stack:
        _take(stack, settings.data_dir / "serve.lock", settings.data_dir)
        if not is_postgresql(settings.database_url):
            database = sqlite_path(settings.database_url).resolve()
            _take(stack, database.with_name(f"{database.name}.lock"), database)
        yield


def _take(stack: ExitStack, path: Path, place: Path) -> None:
    try:
        stack.enter_context(FileLock(path).acquire(blocking=False))
    except Timeout as error:
        raise CommanderRuns(place) from error
