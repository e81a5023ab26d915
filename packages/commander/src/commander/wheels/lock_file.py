"""Reads `requirements.lock`: which exact version of each library the tests have passed with, and its hashes."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from packaging.utils import canonicalize_name

_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
_VIA = re.compile(r"^ {4}#(?: via)?\s+(?P<name>[A-Za-z0-9._-]+)")


@dataclass(frozen=True, slots=True)
class Locked:
    """One library. `needed_by` are the names of those that require it; `marker` says where it is needed."""

    name: str
    version: str
    marker: str | None
    hashes: tuple[str, ...]
    needed_by: frozenset[str]

    def line(self) -> str:
        """Returns the line of a requirements file, without the marker: pip would read that for its own machine."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={each}" for each in self.hashes)])


def read_lock(text: str) -> list[Locked]:
    entries: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        if match := _ENTRY.match(line):
            entries.append((match, []))
        elif entries:
            entries[-1][1].append(line)
    return [_locked(match, lines) for match, lines in entries]


def needed(lock: Collection[Locked], roots: Collection[str]) -> list[Locked]:
    """Returns the libraries that the projects `roots` require, and those that these require."""
    known = set(roots)
    found: dict[str, Locked] = {}
    while new := [each for each in lock if each.name not in found and (each.name in known or each.needed_by & known)]:
        found |= {each.name: each for each in new}
        known |= {each.name for each in new}
    return sorted(found.values(), key=lambda each: each.name)


def _locked(match: re.Match[str], lines: list[str]) -> Locked:
    hashes = tuple(found[1] for line in lines if (found := _HASH.search(line)))
    via = frozenset(canonicalize_name(found["name"]) for line in lines if (found := _VIA.match(line)))
    return Locked(canonicalize_name(match["name"]), match["version"], match["marker"], hashes, via)
