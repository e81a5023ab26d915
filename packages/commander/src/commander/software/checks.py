"""Checks of mining software. Its address, path and script run as root on every rig that uses it."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from protocol.playbook_messages import Archive

from commander.software.domain import NAME_MAX_LENGTH, SCRIPT_MAX_LENGTH, BadSoftware, Download, MiningSoftware

_NAME = re.compile(r"\w[\w .:#()+@/-]*")
_SOFTWARE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_STEP = re.compile(r"[A-Za-z0-9_.+()-][A-Za-z0-9_.+() -]*")
Check = Callable[[str], str]


def checked_software(about: MiningSoftware) -> MiningSoftware:
    """Trimmed and checked. Raises `BadSoftware` with every field that is wrong."""
    errors: dict[str, str] = {}
    texts = {
        name: _tried(errors, name, check, getattr(about, name))
        for name, check in (("name", _name), ("software", _software), ("version", _version), ("note", _note))
    }
    if about.algorithms not in (1, 2):
        errors["algorithms"] = "It mines one or two algorithms at once."
    downloads = {side: _download(errors, side, getattr(about, side)) for side in ("linux", "windows")}
    if not any(downloads.values()):
        errors["linux.url"] = "Say where it is downloaded, for Linux or for Windows."
    if errors:
        raise BadSoftware(errors)
    return replace(
        about,
        name=texts["name"],
        software=texts["software"],
        version=texts["version"],
        note=texts["note"],
        linux=downloads["linux"],
        windows=downloads["windows"],
    )


def _download(errors: dict[str, str], side: str, download: Download | None) -> Download | None:
    if download is None:
        return None
    texts = {
        name: _tried(errors, f"{side}.{name}", check, getattr(download, name) or "")
        for name, check in (("url", _url), ("executable", _executable), ("script", checked_script), ("sha256", _sha256))
    }
    if download.archive is Archive.UNKNOWN:
        errors[f"{side}.archive"] = "An archive is tar.gz, tar.xz, tar.bz2, zip or none."
    if texts["url"].startswith("http://") and not texts["sha256"]:
        errors[f"{side}.sha256"] = "Over http:// anybody on the way can change the download: give its SHA-256."
    return replace(
        download,
        url=texts["url"],
        executable=texts["executable"],
        script=texts["script"],
        sha256=texts["sha256"] or None,
    )


def _tried(errors: dict[str, str], field: str, check: Check, text: str) -> str:
    try:
        return check(text.strip(" "))
    except ValueError as error:
        errors[field] = str(error)
        return text


def _name(text: str) -> str:
    name = unicodedata.normalize("NFC", text)
    if not _NAME.fullmatch(name) or len(name) > NAME_MAX_LENGTH:
        raise ValueError("A name has 1 to 64 letters, digits, spaces or . _ - : # ( ) + @ / in it.")
    return name


def _software(text: str) -> str:
    if not _SOFTWARE.fullmatch(text):
        raise ValueError("Small letters, digits and . _ - only: xmrig, lolminer, trex, or a name of your own.")
    return text


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise ValueError("A version has 1 to 32 letters, digits or . _ + - in it, such as 6.26.0.")
    return text


def _note(text: str) -> str:
    if len(text) > 500:
        raise ValueError("A note has 500 characters at most.")
    return text.replace("\r\n", "\n")


def _url(text: str) -> str:
    if not text:
        raise ValueError("Give the address to download it from.")
    if (
        len(text) > 2048
        or not text.isascii()
        or not text.isprintable()
        or any(each in text for each in " \"'<>\\^`{|}")
    ):
        raise ValueError("An address has no spaces, quotes or brackets in it, and 2,048 characters at most.")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("This is no address: write https://host/path.") from error
    if parts.scheme not in ("https", "http") or not host or parts.username is not None or len(parts.path) < 2:
        raise ValueError("This is no address of a download: write https://host/path.")
    return text


def _executable(text: str) -> str:
    """A path inside the archive, with forward slashes on every platform."""
    steps = text.split("/")
    if len(text) > 256 or not all(_STEP.fullmatch(step) and step.strip(". ") for step in steps):
        raise ValueError("Give the path of the program inside the archive, such as xmrig-6.26.0/xmrig.")
    return text


def _sha256(text: str) -> str:
    digest = text.lower()
    if digest and not _SHA256.fullmatch(digest):
        raise ValueError("A SHA-256 has 64 hexadecimal digits; leave it empty if you do not know it.")
    return digest


def checked_script(text: str) -> str:
    """A script with plain line ends. Raises `ValueError`."""
    script = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n ")
    if not script:
        raise ValueError("Write the script that starts the program.")
    if len(script) > SCRIPT_MAX_LENGTH:
        raise ValueError(f"A script has {SCRIPT_MAX_LENGTH:,} characters at most; this one has {len(script):,}.")
    if any(ord(each) < 32 and each not in "\n\t" for each in script) or not _can_be_sent(script):
        raise ValueError("The script holds a character that can't be printed; delete it.")
    return script + "\n"


def _can_be_sent(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
