"""The folders of playbooks and their software in the sentry's data directory. Everything here can be deleted."""

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cpu_gpu_sentry.playbooks.errors import Refused

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
NEW, OLD = ".new-", ".old-"


def is_plain_id(playbook_id: str) -> bool:
    return _PLAIN.fullmatch(playbook_id) is not None


@dataclass(frozen=True, slots=True)
class Folders:
    data_dir: Path

    @property
    def playbooks(self) -> Path:
        return self.data_dir / "playbooks"

    @property
    def software(self) -> Path:
        return self.data_dir / "software"

    @property
    def downloads(self) -> Path:
        return self.data_dir / "downloads"

    def of(self, playbook_id: str) -> Path:
        """Returns the folder of one playbook. An id that could lead elsewhere has been refused before."""
        if not is_plain_id(playbook_id):
            raise Refused("The playbook's id is not made of letters, digits, - and _.")
        return self.playbooks / playbook_id


def clean(folders: Folders) -> None:
    """Removes what a killed installation or removal left."""
    for each in _in(folders.software):
        if each.name.startswith((NEW, OLD)):
            shutil.rmtree(each, ignore_errors=True)


def installed(folders: Folders) -> list[str]:
    return [each.name for each in _in(folders.software) if not each.name.startswith(".")]


def playbooks_with_folder(folders: Folders) -> list[str]:
    """Returns the playbooks that have a folder here."""
    return [each.name for each in _in(folders.playbooks) if each.is_dir()]


def _in(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def is_anything(folders: Folders) -> bool:
    return any(_in(each) for each in (folders.playbooks, folders.software, folders.downloads))


def forget_playbook(folders: Folders, name: str) -> None:
    shutil.rmtree(folders.playbooks / name)


def discard_software(folders: Folders, key: str) -> None:
    """Renamed first: killed in between, no half of it looks installed."""
    old = folders.software / f"{OLD}{key}"
    shutil.rmtree(old, ignore_errors=True)
    (folders.software / key).rename(old)
    shutil.rmtree(old, ignore_errors=True)


def discard_downloads(folders: Folders, needed: Collection[str]) -> None:
    """Deletes downloads that no wanted playbook needs."""
    for each in _in(folders.downloads):
        if each.stem not in needed:
            each.unlink(missing_ok=True)


def make(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def delete_all(folders: Folders) -> None:
    """Raises `OSError` if something is left."""
    for folder in (folders.playbooks, folders.software, folders.downloads):
        if folder.exists():
            shutil.rmtree(folder)
