"""A selection as it was written, and what can be wrong with it."""

from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

from commander.problems import CommanderError, ErrorKind

LINE_MAX_LENGTH = 2_000
SHOWN_OF_A_WORD = 40


class BadSelection(CommanderError):
    """The line is not a selection; the text names the word. `at` is the place of its first character, from 1."""

    kind = ErrorKind(422, "bad_selection", "Not a selection", field="select")

    def __init__(self, text: str, at: int = 1) -> None:
        super().__init__(text)
        self.at = at


class NoTargets(CommanderError):
    """No rig is chosen, or one of them does not exist."""

    kind = ErrorKind(422, "no_targets", "No rigs", field="rigs")


class Operator(StrEnum):
    IS = ":"
    MORE = ">"
    LESS = "<"
    AT_LEAST = ">="
    AT_MOST = "<="


class Key(StrEnum):
    """The subject of a term; `ANYTHING` belongs to a word without a key."""

    ANYTHING = ""
    NAME = "name"
    TAG = "tag"
    KIND = "kind"
    HEALTH = "health"
    COIN = "coin"
    ALGORITHM = "algorithm"
    SOFTWARE = "software"
    PLAYBOOK = "playbook"
    GPU = "gpu"
    MODEL = "model"
    FIRMWARE = "firmware"
    IP = "ip"
    SENTRY = "sentry"
    DRIVER = "driver"
    INCIDENT = "incident"
    APPROVED = "approved"
    HASHRATE = "hashrate"
    TEMPERATURE = "temperature"
    MEMORY_TEMPERATURE = "memory_temperature"
    POWER = "power"
    FAN = "fan"
    REJECTED = "rejected"
    UPTIME = "uptime"


class Term(NamedTuple):
    """One word of the line. One of the values is enough; a comparison has one value, which keeps its unit."""

    key: Key
    operator: Operator
    values: tuple[str, ...]
    negated: bool = False
    at: int = 1


class Selection(NamedTuple):
    """All terms must be true of a rig. A selection without terms is true of each."""

    line: str
    terms: tuple[Term, ...]


def quoted(word: str) -> str:
    """Returns the word as messages show it: a long one is cut."""
    return f"“{word if len(word) <= SHOWN_OF_A_WORD else f'{word[:SHOWN_OF_A_WORD]}…'}”"


def placed(word: str, at: int) -> str:
    """Returns the word with its place in the line."""
    return f"{quoted(word)} (character {at})"


def proposal(word: str, known: tuple[str, ...]) -> str:
    """Returns " Did you mean …?" with the nearest of the known words; empty if none is near."""
    plain = word.casefold()
    longer = [each for each in known if len(plain) > 1 and each.startswith(plain)]
    near = longer or get_close_matches(plain, known, n=1, cutoff=0.65)
    return f" Did you mean “{near[0]}”?" if near else ""
