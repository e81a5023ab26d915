"""Wheels of the commander's store: the index (PEP 503), and the choice among its files. Pure."""

import email
import re
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from html.parser import HTMLParser
from io import BytesIO
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from cpu_gpu_sentry.updates.installation import UpdateFailed

_SHA256 = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)


class IndexedWheel(NamedTuple):
    """A file of the index. `url` is absolute."""

    file_name: str
    url: str
    sha256: str


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def read_index(page: bytes, url: str) -> list[IndexedWheel]:
    """Returns the wheels of a project's page. Raises `UpdateFailed` for a link to another server."""
    links = _Links()
    links.feed(page.decode("utf-8", "replace"))
    found: list[IndexedWheel] = []
    for link in links.found:
        target, fragment = urldefrag(urljoin(url, link))
        if urlsplit(target)[:2] != urlsplit(url)[:2]:
            raise UpdateFailed("The commander's store names a file on another server. Nothing was installed.")
        file_name, sha256 = unquote(target.rsplit("/", 1)[-1]), _SHA256.fullmatch(fragment)
        if file_name.endswith(".whl") and sha256 is not None:
            found.append(IndexedWheel(file_name, target, sha256[1]))
    return found


def project_of(file_name: str) -> str:
    """Returns the normalized name of a wheel's project. Raises `UpdateFailed`."""
    try:
        return str(parse_wheel_filename(file_name)[0])
    except InvalidWheelFilename as error:
        raise UpdateFailed(f"{file_name[:100]} is not the name of a wheel.") from error


@lru_cache(maxsize=1)
def _tags() -> Mapping[Tag, int]:
    """Returns what this Python on this machine can use, the most special first. The new version has the same Python."""
    return {tag: place for place, tag in enumerate(sys_tags())}


def best(wheels: Iterable[IndexedWheel], requirement: Requirement) -> IndexedWheel:
    """Returns the newest wheel that fits the requirement and this machine. Raises `UpdateFailed`."""
    fitting: list[tuple[Version, int, IndexedWheel]] = []
    for wheel in wheels:
        try:
            _, version, _, tags = parse_wheel_filename(wheel.file_name)
        except InvalidWheelFilename:
            continue
        places = [_tags()[tag] for tag in tags if tag in _tags()]
        if places and requirement.specifier.contains(version, prereleases=bool(requirement.specifier.prereleases)):
            fitting.append((version, -min(places), wheel))
    if not fitting:
        raise UpdateFailed(
            f"The commander's store has no wheel of {requirement.name}{requirement.specifier} for this rig's Python; "
            "run commander fetch-packages on the commander."
        )
    return max(fitting)[2]


def needs(wheel: bytes, extras: Collection[str] = ()) -> list[Requirement]:
    """Returns the requirements of a wheel on this machine. Raises `UpdateFailed`."""
    try:
        with zipfile.ZipFile(BytesIO(wheel)) as archive:
            (name,) = [each for each in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", each)]
            metadata = email.message_from_bytes(archive.read(name))
        found = [Requirement(str(text)) for text in metadata.get_all("Requires-Dist", [])]
    except (zipfile.BadZipFile, ValueError, KeyError, InvalidRequirement) as error:
        raise UpdateFailed(f"A wheel of the commander's store can't be read ({error}).") from error
    return [each for each in found if _is_needed(each, extras)]


def _is_needed(requirement: Requirement, extras: Collection[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def name_of(requirement: Requirement) -> str:
    return str(canonicalize_name(requirement.name))


def fits(chosen: str, requirement: Requirement) -> bool:
    """Returns whether a file that was chosen already has a version that fits."""
    return requirement.specifier.contains(parse_wheel_filename(chosen)[1], prereleases=True)


def same_files(wheels: Sequence[IndexedWheel], file_name: str) -> IndexedWheel | None:
    return next((each for each in wheels if each.file_name == file_name), None)
