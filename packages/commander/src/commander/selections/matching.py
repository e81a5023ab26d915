"""Comparison of a selection's value with a text: as a part of it, as the whole, by version or by network."""

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from commander.live.rig_state import Health
from commander.readings.algorithms import one_name
from commander.readings.coins import one_coin
from commander.registry.kinds import RigKind
from commander.registry.names import name_key
from commander.selections.domain import BadSelection, Key, Term, placed, proposal

Matcher = Callable[[str], bool]
_BEGINNING_OF_AN_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}\.?")
_CLOSED = {Key.HEALTH: tuple(Health), Key.KIND: tuple(RigKind), Key.APPROVED: ("yes", "no")}
folded = lru_cache(maxsize=2**16)(name_key)


def matcher_of(term: Term) -> Matcher:
    """Returns whether a folded text matches one of the term's values, as a function. Raises `BadSelection`."""
    return _one_of_them([_matcher(term, value) for value in term.values])


def line_finder_of(term: Term) -> Matcher:
    """Returns whether a line of a folded text matches one of the term's values, as a function."""
    return _one_of_them([_line_pattern(value) if "*" in value else _part(value) for value in term.values])


def _one_of_them(matchers: list[Matcher]) -> Matcher:
    if len(matchers) == 1:
        return matchers[0]
    return lambda text: any(matches(text) for matches in matchers)


def _matcher(term: Term, value: str) -> Matcher:
    if term.key in _CLOSED:
        return _one_of(term, value)
    if "*" in value:
        return _pattern(value)
    match term.key:
        case Key.IP:
            return _address(term, value)
        case Key.COIN:
            return _whole(one_coin(value))
        case Key.ALGORITHM:
            return _whole(one_name(value))
        case Key.TAG | Key.SOFTWARE:
            return _whole(value)
        case Key.SENTRY | Key.DRIVER:
            return _version(value)
        case _:
            return _part(value)


def _whole(value: str) -> Matcher:
    return folded(value).__eq__


def _part(value: str) -> Matcher:
    part = folded(value)
    return lambda text: part in text


def _pattern(value: str) -> Matcher:
    """Returns a matcher of whole texts in which `*` stands for any characters."""
    fullmatch = re.compile(_expression(value), re.DOTALL).fullmatch
    return lambda text: fullmatch(text) is not None


def _line_pattern(value: str) -> Matcher:
    search = re.compile(f"^{_expression(value)}$", re.MULTILINE).search
    return lambda text: search(text) is not None


def _expression(value: str) -> str:
    """Returns a regular expression of a value with `*`. Each part counts where it comes first (`(?>…)`): trying all
    other places would take hours for a value with many `*`."""
    first, *parts, last = [re.escape(part) for part in re.split(r"\*+", folded(value))]
    return f"{first}{''.join(f'(?>.*?{part})' for part in parts)}.*{last}"


def _version(value: str) -> Matcher:
    """Returns a matcher of the version and of those that begin with it: 535 is 535.104, but not 5350."""
    version = folded(value).rstrip(".")
    return lambda text: text == version or text.startswith(f"{version}.")


def _one_of(term: Term, value: str) -> Matcher:
    words = _CLOSED[term.key]
    if "*" in value:
        return _pattern(value)
    if folded(value) not in words:
        hint = proposal(value, words) or f" Write {', '.join(words)}."
        raise BadSelection(f"{placed(value, term.at)} is no value of {term.key}.{hint}", term.at)
    return _whole(value)


def _address(term: Term, value: str) -> Matcher:
    """Returns a matcher of one address, a network, or all addresses that begin with these numbers."""
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return _beginning(term, value)
    return lambda text: (address := _read_address(text)) is not None and address in network


def _beginning(term: Term, value: str) -> Matcher:
    if not _BEGINNING_OF_AN_ADDRESS.fullmatch(value):
        example = "Write ip:192.168.1.20, ip:192.168.1.0/24 or ip:192.168.1.*."
        raise BadSelection(f"{placed(value, term.at)} is no address and no network. {example}", term.at)
    numbers = value.rstrip(".")
    return lambda text: text.startswith(f"{numbers}.")


@lru_cache(maxsize=2**15)
def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
