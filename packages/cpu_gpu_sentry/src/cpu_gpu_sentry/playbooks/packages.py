"""The names of packages on this rig, and the packages that are refused. Pure."""

import hashlib
import re
import sys
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import msgspec
from protocol.playbook_messages import Archive, Playbook, SoftwarePackage

from cpu_gpu_sentry.playbooks.errors import Refused

_UNSAFE = re.compile(r"[^A-Za-z0-9.]+", re.ASCII)
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_PATH_LIMIT = 1024
_NAME_LIMIT_BYTES = 255


def package_key(package: SoftwarePackage) -> str:
    """Returns the name of what is downloaded. What is downloaded or unpacked otherwise has another one."""
    parts = [package.url, package.archive, package.sha256 or ""]
    if package.archive is Archive.NONE:
        parts.append(package.executable)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    return f"{_slug(package.software)}-{_slug(package.version)}-{digest}"


def software_key(playbook: Playbook) -> str:
    """Returns the name of the folder that a playbook's software runs in.

    What runs as root has a folder of its own: in the other one, miners without rights can change the software.
    """
    key = package_key(playbook.package)
    return f"{key}-root" if playbook.root else key


def package_fingerprint(package: SoftwarePackage) -> str:
    return hashlib.sha256(msgspec.json.encode(package)).hexdigest()


def _slug(text: str) -> str:
    return _UNSAFE.sub("-", text)[:40].strip("-.") or "x"


def check_package(package: SoftwarePackage) -> None:
    """Raises `Refused` for what is not even downloaded."""
    if package.archive is Archive.UNKNOWN:
        raise Refused("This version of the sentry can't unpack that kind of archive; update the sentry.")
    check_url(package.url, has_hash=package.sha256 is not None)
    safe_path(package.executable)


def check_url(url: str, *, has_hash: bool) -> None:
    """HTTPS proves who sends; without it the hash has to prove what was sent."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("https", "http"):
        raise Refused(f"“{url[:200]}” is no address to download from; give one that starts with https://.")
    if parts.scheme == "http" and not has_hash:
        raise Refused("Over http:// anybody on the way can change the download; use https:// or give the SHA-256.")


def safe_path(name: str, *, for_windows: bool = sys.platform == "win32") -> PurePosixPath:
    """`name` as a path inside a folder; raises `Refused` for any other."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    is_plain = name.isprintable() and "\\" not in name and len(name) <= _PATH_LIMIT and not name.startswith("/")
    if not is_plain or not parts or ".." in parts or (for_windows and any(map(_has_a_meaning, parts))):
        raise Refused(f"“{_shown(name)}” is no path inside the software's own folder.")
    if any(len(part.encode()) > _NAME_LIMIT_BYTES for part in parts):
        raise Refused(f"“{_shown(name)}…” has a name of more than {_NAME_LIMIT_BYTES} bytes, which no disk takes.")
    return PurePosixPath(*parts)


def _has_a_meaning(part: str) -> bool:
    """Windows drops dots and spaces at the end, takes some names for devices, and a colon for a drive or a stream."""
    return ":" in part or part != part.rstrip(". ") or _DEVICES.fullmatch(part) is not None


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name[:100])
