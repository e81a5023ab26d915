"""Reads numbers with the units that operators write: 100MH/s, 80°C, 1.2kW, 30%, 1200rpm, 3d12h."""

import re
from typing import NamedTuple

from commander.selections.domain import BadSelection, Key, Term, placed

_NUMBER = r"(-?\d{1,20}(?:\.\d{1,20})?)\s*"
_HASHRATE = re.compile(_NUMBER + r"([kmgtpe]?)(?:h|sol|g)?(?:/s)?")
_POWER = re.compile(_NUMBER + r"([km]?)w?")
_TEMPERATURE = re.compile(_NUMBER + r"°?c?")
_PERCENT = re.compile(_NUMBER + r"%?")
_TURNS = re.compile(_NUMBER + r"rpm")
_DURATION = re.compile(r"(?:\d{1,20}(?:\.\d{1,20})?\s*(?:days?|d|h|min|m|s)\s*)+")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m|s)")
_TIMES = {prefix: 1000.0**power for power, prefix in enumerate(("", "k", "m", "g", "t", "p", "e"))}
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_EXAMPLES = {
    Key.HASHRATE: "100MH/s",
    Key.TEMPERATURE: "80",
    Key.MEMORY_TEMPERATURE: "95",
    Key.POWER: "1200W or 1.2kW",
    Key.FAN: "30% or 1200rpm",
    Key.REJECTED: "3%",
    Key.UPTIME: "90s, 30min, 12h or 3d",
}


class Quantity(NamedTuple):
    """A number in the unit that the commander uses inside. `turns`: of a fan, in rpm instead of percent."""

    number: float
    turns: bool = False


def quantity_of(term: Term) -> Quantity:
    """Returns the number that the term compares with. Raises `BadSelection`."""
    text = term.values[0].casefold().strip()
    quantity = _read(term.key, text)
    if quantity is None:
        raise BadSelection(
            f"{placed(term.values[0], term.at)} is no value of {term.key}. Write {_EXAMPLES[term.key]}.",
            term.at,
        )
    return quantity


def _read(key: Key, text: str) -> Quantity | None:
    match key:
        case Key.HASHRATE:
            return _prefixed(_HASHRATE.fullmatch(text))
        case Key.POWER:
            return _prefixed(_POWER.fullmatch(text))
        case Key.TEMPERATURE | Key.MEMORY_TEMPERATURE:
            return _plain(_TEMPERATURE.fullmatch(text))
        case Key.FAN if turns := _TURNS.fullmatch(text):
            return Quantity(float(turns[1]), turns=True)
        case Key.FAN | Key.REJECTED:
            return _plain(_PERCENT.fullmatch(text))
        case _:
            return _duration(text)


def _prefixed(found: re.Match[str] | None) -> Quantity | None:
    return Quantity(float(found[1]) * _TIMES[found[2]]) if found else None


def _plain(found: re.Match[str] | None) -> Quantity | None:
    return Quantity(float(found[1])) if found else None


def _duration(text: str) -> Quantity | None:
    if not _DURATION.fullmatch(text):
        return None
    return Quantity(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
