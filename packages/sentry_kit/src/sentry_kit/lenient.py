"""Reads invalid JSON of miners and ASICs: unquoted words, leading zeros, NaN, a comma too many, no value, no end.

A word without quotes is a text, also `004`. NaN, infinities and missing values are None. If the end is missing, only
the complete members of the outermost object count, if at all: a list that is cut off would give a total that is too
low, and a number at the very end may continue.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_DEPTH_LIMIT = 32
_EXACT_DIGITS = 20
_LATIN_1 = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}  # from "surrogateescape"
_SPACE = re.compile(r"[\s\ufeff]*")
_WORD = re.compile(r"[^\s,:\[\]{}\"][^,\[\]{}\"\r\n]*")
_NAME = re.compile(r"\w+")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_CONSTANTS = {"true": True, "false": False, "null": None}
_NO_FIGURES = re.compile(r"[-+]?(nan|inf|infinity|1\.#\w*)(\(.*\))?", re.IGNORECASE)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)


class NotJson(ValueError):
    """The text can't be read as JSON, not even leniently."""


class Incomplete(dict[str, Any]):
    """The outermost object of a text whose end is missing: it may have had more members."""


class _CutOff(Exception):
    """The text ends within a value. `members` are the complete ones of the outermost object."""

    members: Mapping[str, Any] = {}


def decoded(reply: bytes) -> str:
    """Returns the reply's text. A byte that is not UTF-8 is read as Latin-1, in which every byte is a letter."""
    return reply.decode(errors="surrogateescape").translate(_LATIN_1)


def read_json(text: str, *, may_end_early: bool = True) -> Any:
    """Returns the value in `text`; raises `ValueError`. If the end may be missing, the result may be `Incomplete`."""
    text = text.rstrip()
    start = _after_space(text, 0)
    if text[start : start + 1] not in ("{", "["):
        raise NotJson("It begins neither with { nor with [.")
    try:
        if text[start] == "[":
            return _list(text, start, 1)[0]
        return _object(text, start, 1)[0]
    except _CutOff as error:
        if may_end_early and error.members:
            return Incomplete(error.members)
        raise NotJson("It ends too early.") from error


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth > _DEPTH_LIMIT:
        raise NotJson("It is nested too deep.")
    match text[at : at + 1]:
        case "":
            raise _CutOff
        case "{":
            return _object(text, at, depth)
        case "[":
            return _list(text, at, depth)
        case "," | "}" | "]":
            return None, at
        case '"':
            return _string(text, at)
    return _word(text, at)


def _object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    """Returns the object that begins at `at`, and its end."""
    members: dict[str, Any] = {}
    at = _after_space(text, at + 1)
    try:
        while text[at : at + 1] != "}":
            key, value, at = _member(text, at, depth)
            members[key] = value
            at = _after_comma(text, at, "}")
    except _CutOff as error:
        error.members = members if depth == 1 else {}
        raise
    return members, at + 1


def _member(text: str, at: int, depth: int) -> tuple[str, Any, int]:
    key, at = _value(text, at, depth + 1) if text[at : at + 1] == '"' else _key(text, at)
    at = _after_space(text, at)
    if at >= len(text):
        raise _CutOff
    if text[at] != ":":
        raise NotJson("A name is not followed by a colon.")
    value, at = _value(text, _after_space(text, at + 1), depth + 1)
    return str(key), value, at


def _key(text: str, at: int) -> tuple[str, int]:
    match = _NAME.match(text, at)
    if match is None:
        raise NotJson("A name is missing.") if at < len(text) else _CutOff
    return match[0], match.end()


def _list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    at = _after_space(text, at + 1)
    while text[at : at + 1] != "]":
        value, at = _value(text, at, depth + 1)
        at = _after_comma(text, at, "]")
        values.append(value)
    return values, at + 1


def _after_comma(text: str, at: int, end: str) -> int:
    """Returns where the next member begins, or the end. A comma before the end is allowed."""
    at = _after_space(text, at)
    if at >= len(text):
        raise _CutOff
    if text[at] == ",":
        return _after_space(text, at + 1)
    if text[at] != end:
        raise NotJson("A comma is missing.")
    return at


def _string(text: str, at: int) -> tuple[str, int]:
    match = _STRING.match(text, at)
    if match is None:
        raise _CutOff
    content = match[1]
    if "\\" in content:  # a character beyond U+FFFF is two escapes
        pairs = _ESCAPE.sub(_unescaped, content).encode("utf-16", "surrogatepass")
        content = pairs.decode("utf-16", "replace")
    return content, match.end()


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    return chr(int(escape[1:], 16)) if len(escape) == 5 else _ESCAPES.get(escape, escape)


def _word(text: str, at: int) -> tuple[Any, int]:
    """Returns a number, a constant, or an unquoted text."""
    match = _WORD.match(text, at)
    if match is None:
        raise NotJson("A value can't be read.")
    if match.end() == len(text):
        raise _CutOff  # it may continue
    word = match[0].strip()
    if word in _CONSTANTS:
        return _CONSTANTS[word], match.end()
    if _NO_FIGURES.fullmatch(word):
        return None, match.end()
    return (_number(word) if _NUMBER.fullmatch(word) else word), match.end()


def _number(word: str) -> int | float:
    """Returns the number. One of thousands of digits is infinite; Python refuses to read it as an int."""
    number: int | float = json.loads(word) if len(word) <= _EXACT_DIGITS else float(word)
    return number
