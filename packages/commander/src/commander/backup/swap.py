"""Puts new files in the place of old ones: all or none, even if it is interrupted.

New files are written beside their places first. Then a marker is written. From then on the exchange is only
renaming, and the next `commander serve` or `commander restore` finishes it. Old files stay until then.
"""

import os
import shutil
from pathlib import Path

import msgspec

from commander.backup import BackupProblem
from commander.backup.archive import new_private_file, sync_folder
from commander.settings import Settings

_MARKER = "restore.json"


class Pending(msgspec.Struct, frozen=True):
    """The places in the order of their exchange. One without a new file is only cleared.

    `restore_id` stands in the PostgreSQL database too if its restore was committed; else these files are void.
    """

    places: list[str]
    restore_id: str = ""


def new_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.restored")


def old_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.before-restore")


def check_nothing_pending(settings: Settings) -> None:
    if (settings.data_dir / _MARKER).exists():
        raise BackupProblem(
            "A restore was interrupted half way: start the commander, or type the same `commander restore` again, and "
            "it is finished."
        )


def pending(data_dir: Path) -> Pending | None:
    try:
        return msgspec.json.decode((data_dir / _MARKER).read_bytes(), type=Pending)
    except FileNotFoundError:
        return None


def mark(data_dir: Path, exchange: Pending) -> None:
    """From here on the exchange will be finished."""
    new = data_dir / f"{_MARKER}.new"
    new.unlink(missing_ok=True)
    with new_private_file(new) as file:
        file.write(msgspec.json.encode(exchange))
        file.flush()
        os.fsync(file.fileno())
    new.replace(data_dir / _MARKER)
    sync_folder(data_dir)


def finish(data_dir: Path) -> None:
    """Does what is left to do; as often as it takes."""
    exchange = pending(data_dir)
    if exchange is None:
        return
    places = [Path(place) for place in exchange.places]
    for place in places:
        _exchange(place)
    for place in places:
        _remove(old_of(place))
    unmark(data_dir)


def abandon(data_dir: Path, places: list[Path]) -> None:
    """The new files are void."""
    for place in places:
        _remove(new_of(place))
    unmark(data_dir)


def unmark(data_dir: Path) -> None:
    (data_dir / _MARKER).unlink(missing_ok=True)
    sync_folder(data_dir)


def _exchange(place: Path) -> None:
    new, old = new_of(place), old_of(place)
    cleared = place.name.endswith(("-wal", "-shm", ".number"))
    if place.exists() and not old.exists() and (new.exists() or cleared):
        place.rename(old)
    if new.exists():
        _remove(place)
        new.rename(place)
    sync_folder(place.parent)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
