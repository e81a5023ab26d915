"""Reads the line of a selection: `tag:hall:2 gpu:3080,3090 -health:offline temperature>80 "rig 7"`.

Blanks separate words, which all must be true. Commas separate values, of which one is enough. `-` before a word negates
it. Quotes hold blanks, commas and colons.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from commander.selections.domain import (
    LINE_MAX_LENGTH,
    BadSelection,
    Key,
    Operator,
    Selection,
    Term,
    placed,
    proposal,
    quoted,
)

COMPARED = (
    *(Key.HASHRATE, Key.TEMPERATURE, Key.MEMORY_TEMPERATURE, Key.POWER),
    *(Key.FAN, Key.REJECTED, Key.UPTIME),
)
KEYS = tuple(key.value for key in Key if key)

_QUOTES = str.maketrans("“”„", '"""')  # keyboards of phones write these
_WORD = re.compile(r'(?:"[^"]*"|[^\s"])+')
_VALUE = re.compile(r'(?:"[^"]*"|[^",])+')
_PARTS = re.compile(r"(-?)(?:([^\W\d]\w*)(:|<=|>=|=|<|>))?(.*)", re.DOTALL)
_NOT_A_KEY = re.compile(r"[0-9a-f]+:[0-9a-f:.]*|\w+://.*", re.IGNORECASE)


class Word(NamedTuple):
    """A word of the line in its parts; `key` and `operator` are empty if it has none."""

    text: str
    at: int
    negated: bool
    key: str
    operator: str
    rest: str


@lru_cache(maxsize=1024)
def parse(line: str) -> Selection:
    """Raises `BadSelection`."""
    if len(line) > LINE_MAX_LENGTH:
        raise BadSelection(
            f"A selection has {LINE_MAX_LENGTH:,} characters at most; this one has {len(line):,}. Use tags instead."
        )
    plain = line.translate(_QUOTES)
    if plain.count('"') % 2:
        at = plain.rindex('"')
        raise BadSelection(f"The quote {placed(line[at + 1 :], at + 1)} is not closed.", at + 1)
    return Selection(line.strip(), tuple(_term(word) for word in _words(plain)))


def _words(line: str) -> Iterator[Word]:
    for found in _WORD.finditer(line):
        text, at = found[0], found.start() + 1
        minus, key, operator, rest = _PARTS.fullmatch(text).groups("")  # type: ignore[union-attr]  # it matches any text
        if key and operator == ":" and key.lower() not in KEYS and _NOT_A_KEY.fullmatch(text.lstrip("-")):
            key, operator, rest = "", "", text.removeprefix("-")
        yield Word(text, at, bool(minus), key, operator, rest)


def _term(word: Word) -> Term:
    key = _key(word)
    if word.operator == "=" or (word.operator in ("", ":")) is (key in COMPARED):
        raise BadSelection(_other_operator(word, key), word.at)
    values = tuple(value for part in _VALUE.findall(word.rest) if (value := part.replace('"', "").strip()))
    if not values:
        raise BadSelection(f"Nothing stands after {placed(word.text, word.at)}.", word.at)
    if key in COMPARED and len(values) > 1:
        raise BadSelection(f"{placed(word.text, word.at)} compares with several numbers. Write one.", word.at)
    return Term(key, Operator(word.operator or ":"), values, word.negated, word.at)


def _key(word: Word) -> Key:
    if not word.key:
        return Key.ANYTHING
    if (name := word.key.lower()) in KEYS:
        return Key(name)
    plain = quoted(word.text.lstrip("-")).strip("“”")
    hint = proposal(name, KEYS) or f' Write tag:{plain} for a tag, or "{plain}" for a text.'
    raise BadSelection(f"{placed(word.key, word.at)} is not a key.{hint}", word.at)


def _other_operator(word: Word, key: Key) -> str:
    """Returns the error of a word that compares what can't be compared, or does not compare what can."""
    if key in COMPARED:
        return f"{placed(word.text, word.at)} compares nothing. Write {key}>80 or {key}<80."
    return f"{placed(word.text, word.at)} compares what has no number. Write {key}:VALUE."
