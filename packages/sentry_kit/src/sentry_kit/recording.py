"""Recordings: the answers of one device or mining software, without what identifies its owner.

An owner attaches a recording to a bug report; a test replays it. Only texts are replaced, at their places, so that an
answer keeps its form, also its mistakes (a missing comma, a control character). The same text is replaced by the same
word everywhere.
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
from protocol.reasons import reason

from sentry_kit.errors import SentryError

_PAIR = re.compile(r'("(?P<key>[^"\\]{1,64})"\s*:\s*")(?P<value>(?:[^"\\]|\\.)*)(?=")')
# Keys whose whole text is replaced, by the word that replaces it.
_KEYS = (
    ("secret", re.compile(r"(?i)(pass(word|wd)?|psw|token|salt|secret|ssid|wifi.*pass.*|api_?key)")),
    ("account.worker", re.compile(r"(?i)(.*user(name)?|.*worker(_?id|_?name)?|account|login|wallet|email|rig_?name)")),
    ("serial", re.compile(r"(?i)(.*serial.*|.*[_ -]?sn\d*|.*dna|uid|.*_sn_.*|pcbsn\d*|chipdata\d*)")),
    ("host", re.compile(r"(?i)(.*hostname|host|miner_name|worker-id|id)")),
)
_ADDRESS_KEY = re.compile(r"(?i)(.*url|.*addr(ess)?|.*ip|gateway|dns.*|pool|server\d?|netmask|ipv[46])")
_MAC = re.compile(r"(?i)\b[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}\b")
_BARE_MAC_KEY = re.compile(r"(?i)(.*mac.*|miner_id)")
_BARE_MAC = re.compile(r"(?i)\b[0-9a-f]{12}\b")
_IPV4 = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
_BRACKETED_DNA = re.compile(r"\b(H?DNA)\[[^\]]*\]")
# Wallets, and serial numbers in lists. Git's hashes, in lower case and hexadecimal, are versions.
_LONG = re.compile(
    r"\b(?:0x[0-9a-fA-F]{40}|(?=\w*\d)(?=\w*[A-Za-z])\w{25,}|(?=[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{12,})\b"
)
_LONG_ENOUGH = 6  # a shorter text may be a part of an ordinary word
_GIT_HASH = re.compile(r"[0-9a-f]{25,40}")


class RecordedAnswer(msgspec.Struct, frozen=True):
    """The answer to one question, or why there was none. `question` is its name in a list of questions."""

    question: str
    answer: str | None = None
    failure: str | None = None


class Recording(msgspec.Struct, frozen=True):
    """The answers of one device. `of` is `asic` or `miner`, `speaks` its dialect or software; None: not recognised."""

    of: str
    speaks: str | None
    version: str
    answers: tuple[RecordedAnswer, ...]
    minewarden_recording: int = 1


class Masker:
    """Replaces what identifies an owner. The same text becomes the same word in all answers of a recording."""

    def __init__(self) -> None:
        self._words: dict[tuple[str, str], str] = {}

    def masked(self, answer: bytes) -> str:
        """Returns the answer as text, masked. An answer that is not UTF-8 is read as Latin-1."""
        try:
            text = answer.decode()
        except UnicodeDecodeError:
            text = answer.decode("latin-1")
        text = _PAIR.sub(self._pair, text)
        text = _MAC.sub(lambda match: self._mac(match[0], match[1]), text)
        text = _BRACKETED_DNA.sub(r"\1[0000000000000000]", text)
        text = _IPV4.sub(lambda match: self._ip(match[0]) if _is_private(match[0]) else match[0], text)
        return self._everywhere(_LONG.sub(self._long, text))

    def _everywhere(self, text: str) -> str:
        """Replaces what is known by now also inside of other texts, such as an account in a pool's address."""
        for (kind, value), made in self._words.items():
            if len(value) >= _LONG_ENOUGH and kind not in ("ip", "mac"):
                text = text.replace(value, made)
        return text

    def _pair(self, match: re.Match[str]) -> str:
        key, value = match["key"], match["value"]
        return match[1] + self._value(key, value) if value else match[0]

    def _value(self, key: str, value: str) -> str:
        for word, pattern in _KEYS:
            if pattern.fullmatch(key):
                return self._numbered(word, value)
        if _BARE_MAC_KEY.fullmatch(key):
            value = _BARE_MAC.sub(lambda match: self._mac(match[0], ""), value)
        if _ADDRESS_KEY.fullmatch(key):
            value = _IPV4.sub(lambda match: self._ip(match[0]), value)
        return value

    def _numbered(self, word: str, value: str) -> str:
        """Returns "account.worker", for another value "account.worker2"."""
        return self._known(word, value, lambda number: word if number == 1 else f"{word}{number}")

    def _ip(self, address: str) -> str:
        return self._known("ip", address, lambda number: f"192.0.2.{number % 255}")

    def _mac(self, mac: str, between: str) -> str:
        plain = mac.replace(":", "").replace("-", "").upper()
        digits = self._known("mac", plain, lambda number: f"02005E{number:06X}")
        return between.join(digits[at : at + 2] for at in range(0, 12, 2))

    def _long(self, match: re.Match[str]) -> str:
        if _GIT_HASH.fullmatch(match[0]):
            return match[0]
        return self._known("long", match[0], lambda number: f"MASKED{number:06}")

    def _known(self, kind: str, value: str, make: Callable[[int], str]) -> str:
        found = self._words.get((kind, value))
        if found is not None:
            return found
        made = make(1 + sum(1 for known, _ in self._words if known == kind))
        if value in self._words.values():
            return value  # it is a replacement already
        self._words[kind, value] = made
        return made


def _is_private(address: str) -> bool:
    """Returns whether it is an address of a home or a farm. 0.0.1.3 is a version."""
    try:
        return not address.startswith("0.") and ipaddress.ip_address(address).is_private
    except ValueError:
        return False


def write_recording(path: Path, recording: Recording) -> None:
    """Writes a new file. Raises `SentryError` if it is there already, or can't be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(msgspec.json.format(msgspec.json.encode(recording)).decode() + "\n")
    except FileExistsError as error:
        raise SentryError(f"{path} exists already. Give another name.") from error
    except OSError as error:
        raise SentryError(f"{path} can't be written ({reason(error)}).") from error


def read_recording(path: Path) -> Recording:
    """Raises `SentryError` if the file is no recording."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Recording)
    except OSError as error:
        raise SentryError(f"{path} can't be read ({reason(error)}).") from error
    except msgspec.DecodeError as error:
        raise SentryError(f"{path} is not a recording. Give a file that the command record has written.") from error
