"""Installs mining software: downloads, proves and unpacks it, and puts it into its place by one rename.

Killed at any moment it leaves the whole folder or none; what it had begun is used again or cleaned up.
"""

import hashlib
import secrets
import shutil
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from protocol.playbook_messages import PlaybookState, SoftwarePackage
from sentry_kit.worker import Worker

from cpu_gpu_sentry.playbooks.download import DownloadSpec, download
from cpu_gpu_sentry.playbooks.errors import Refused, Trouble, disk_trouble
from cpu_gpu_sentry.playbooks.folders import NEW, Folders, make
from cpu_gpu_sentry.playbooks.packages import check_package, package_key
from cpu_gpu_sentry.playbooks.unpack import Limits, unpack

_LONGEST_S = 3600
_HASH_S = 600
Progress = Callable[[PlaybookState, float | None], None]


@dataclass(frozen=True, slots=True)
class Pins:
    """The hashes of what was first downloaded from an address that came without one."""

    get: Callable[[str], Awaitable[str | None]]
    put: Callable[[str, str], Awaitable[None]]


class _GivenUp(Exception):
    """The playbook that needed this installation is gone."""


async def install(
    package: SoftwarePackage,
    folders: Folders,
    disk: Worker,
    pins: Pins,
    progress: Progress,
    limits: Limits,
    *,
    key: str,
) -> None:
    """Returns when it is there; raises `Refused` or `Trouble`. `key` is the name of its folder."""
    check_package(package)
    target = folders.software / key
    if target.exists():
        return
    with disk_trouble():
        archive = await _archive(package, folders, disk, pins, progress, limits)
        progress(PlaybookState.INSTALLING, None)
        await _put_in_place(package, archive, target, disk, limits)


async def _archive(
    package: SoftwarePackage, folders: Folders, disk: Worker, pins: Pins, progress: Progress, limits: Limits
) -> Path:
    """The whole archive, with the right hash."""
    whole = folders.downloads / f"{package_key(package)}.whole"
    part = whole.with_suffix(".part")
    is_continued = False
    if not whole.exists():
        progress(PlaybookState.DOWNLOADING, None)
        spec = DownloadSpec(package.url, package.sha256, limits.archive_bytes)
        fetched = await download(spec, part, disk, lambda percent: progress(PlaybookState.DOWNLOADING, percent))
        sha256, is_continued = fetched.sha256, fetched.is_continued
    else:
        sha256 = await disk.call(lambda: _sha256_of(whole), timeout_s=_HASH_S)
    reason = await _why_not(package, sha256, pins)
    if reason is not None:
        await disk.call(lambda: _throw_away(whole, part, part.with_suffix(".json")), timeout_s=_HASH_S)
        raise Trouble(f"{reason} It is downloaded again.") if is_continued else Refused(reason)
    if part.exists():
        part.rename(whole)
        part.with_suffix(".json").unlink(missing_ok=True)
    return whole


async def _why_not(package: SoftwarePackage, sha256: str, pins: Pins) -> str | None:
    """Returns why a download with this hash is not the right one. The first without a known hash is pinned."""
    if package.sha256 is not None:
        if sha256 == package.sha256:
            return None
        return (
            f"The download's SHA-256 is {sha256}, and the software's entry says {package.sha256}: "
            "they differ, so nothing was unpacked."
        )
    pinned = await pins.get(package.url)
    if pinned is None:
        await pins.put(package.url, sha256)
    if pinned in (None, sha256):
        return None
    return (
        f"The download's SHA-256 is {sha256}, and what was first downloaded from there had {pinned}; nothing of it "
        "was unpacked. If the new one is right, give its SHA-256 in the software's entry."
    )


async def _put_in_place(package: SoftwarePackage, archive: Path, target: Path, disk: Worker, limits: Limits) -> None:
    given_up = threading.Event()

    def check() -> None:
        if given_up.is_set():
            raise _GivenUp

    try:
        await disk.call(lambda: _unpack_beside(package, archive, target, limits, check), timeout_s=_LONGEST_S)
    except TimeoutError as error:
        raise Trouble("Unpacking takes longer than an hour; see what slows this machine's disk.") from error
    finally:
        given_up.set()


def _unpack_beside(
    package: SoftwarePackage, archive: Path, target: Path, limits: Limits, check: Callable[[], None]
) -> None:
    new = make(target.parent).joinpath(f"{NEW}{target.name}-{secrets.token_hex(4)}")
    new.mkdir(mode=0o700)
    try:
        unpack(archive, package.archive, package.executable, new, limits, check)
        new.rename(target)
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)
        if isinstance(error, Refused):
            archive.unlink(missing_ok=True)
        raise
    archive.unlink(missing_ok=True)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _throw_away(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
