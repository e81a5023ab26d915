"""The folder with wheels: `packages` in the data directory. A file is there in whole or not at all."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

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


class WheelStore:
    """Reads the folder at each call. A file's hash is kept for as long as its size and time of change stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes: dict[tuple[str, int, int], str] = {}

    def projects(self) -> list[str]:
        """Returns the normalized names of all projects, sorted."""
        return sorted({project for _, project, _ in self._names()})

    def wheels_of(self, project: str, version: str | None = None) -> list[Wheel]:
        """Returns the wheels of a project, the newest version last; or those of one version. It reads them."""
        wanted, only = canonicalize_name(project), None if version is None else Version(version)
        found = [(each, path) for path, name, each in self._names() if name == wanted and only in (None, each)]
        return [self._wheel(path, wanted, each) for each, path in sorted(found)]

    def versions_of(self, project: str) -> set[str]:
        """Returns the versions of a project, without reading its wheels."""
        wanted = canonicalize_name(project)
        return {str(version) for _, name, version in self._names() if name == wanted}

    def has(self, project: str, version: str) -> bool:
        """Returns whether there is a wheel of this version, without reading it."""
        wanted = (canonicalize_name(project), Version(version))
        return any((name, each) == wanted for _, name, each in self._names())

    def file(self, file_name: str) -> Path | None:
        """Returns the path of a wheel; None if the store has no wheel of exactly this name."""
        return next((path for path, _, _ in self._names() if path.name == file_name), None)

    def file_names(self) -> list[str]:
        return [path.name for path, _, _ in self._names()]

    def _names(self) -> list[tuple[Path, str, Version]]:
        found = []
        for path in sorted(self._folder.glob("*.whl")):
            try:
                name, version, _, _ = parse_wheel_filename(path.name)
            except InvalidWheelFilename:  # a person put it there
                continue
            found.append((path, str(name), version))
        return found

    def _wheel(self, path: Path, project: str, version: Version) -> Wheel:
        facts = path.stat()
        key = (path.name, facts.st_size, facts.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        return Wheel(path.name, project, str(version), self._hashes[key])
