"""The folder with wheels: `packages` in the data directory. A file is there in whole or not at all."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

FOLDER = "packages"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel in the store. `project` is its normalized name, as PEP 503 defines it; `sha256` is in hex."""

    file_name: str
    project: str
    version: str
    sha256: str


class WheelFile(NamedTuple):
    """A wheel's file, of which only the name was read. `project` is as in `Wheel`."""

    path: Path
    project: str
    version: Version


class WheelStore:
    """Reads the folder at each call. A file's hash is kept for as long as its size and time of change stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes: dict[tuple[str, int, int], str] = {}

    def files(self) -> list[WheelFile]:
        """Returns the wheels by their file names, without reading them."""
        found = []
        for path in sorted(self._folder.glob("*.whl")):
            try:
                name, version, _, _ = parse_wheel_filename(path.name)
            except InvalidWheelFilename:  # a person put it there
                continue
            found.append(WheelFile(path, str(name), version))
        return found

    def read(self, file: WheelFile) -> Wheel:
        facts = file.path.stat()
        key = (file.path.name, facts.st_size, facts.st_mtime_ns)
        if key not in self._hashes:
            with file.path.open("rb") as opened:
                self._hashes[key] = hashlib.file_digest(opened, "sha256").hexdigest()
        return Wheel(file.path.name, file.project, str(file.version), self._hashes[key])

    def projects(self) -> list[str]:
        """Returns the normalized names of all projects, sorted."""
        return sorted({each.project for each in self.files()})

    def wheels_of(self, project: str, version: str | None = None) -> list[Wheel]:
        """Returns the wheels of a project, the newest version last; or those of one version. It reads them."""
        wanted, only = canonicalize_name(project), None if version is None else Version(version)
        found = [each for each in self.files() if each.project == wanted and only in (None, each.version)]
        return [self.read(each) for each in sorted(found, key=lambda file: file.version)]

    def versions_of(self, project: str) -> set[str]:
        """Returns the versions of a project, without reading its wheels."""
        wanted = canonicalize_name(project)
        return {str(each.version) for each in self.files() if each.project == wanted}

    def has(self, project: str, version: str) -> bool:
        """Returns whether there is a wheel of this version, without reading it."""
        wanted = (canonicalize_name(project), Version(version))
        return any((each.project, each.version) == wanted for each in self.files())

    def file(self, file_name: str) -> Path | None:
        """Returns the path of a wheel; None if the store has no wheel of exactly this name."""
        return next((each.path for each in self.files() if each.path.name == file_name), None)

    def file_names(self) -> list[str]:
        return [each.path.name for each in self.files()]
