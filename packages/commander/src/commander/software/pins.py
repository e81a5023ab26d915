"""Compares the downloads of rigs: without a checksum each rig keeps to what it got first, which may be another file."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from commander.live.rig_state import RigState

NAMED = 3


@dataclass(frozen=True, slots=True)
class OddPin:
    """Rigs that hold another file from an address than most rigs do. `rigs` are some of their names."""

    url: str
    sha256: str
    rigs: tuple[str, ...]
    more: int
    usual_sha256: str
    usual_rigs: int


def odd_pins(states: Iterable[RigState]) -> list[OddPin]:
    """Returns the files that differ from the one that most rigs have from the same address."""
    holders: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for state in states:
        for playbook in state.playbooks:
            if playbook.status and playbook.status.pinned_sha256:
                holders[playbook.wire.package.url][playbook.status.pinned_sha256].add(state.name)
    return [odd for url, by_hash in sorted(holders.items()) for odd in _odd(url, by_hash)]


def _odd(url: str, by_hash: dict[str, set[str]]) -> Iterable[OddPin]:
    counts = Counter({sha256: len(rigs) for sha256, rigs in sorted(by_hash.items())})
    (usual, count), *others = counts.most_common()
    for sha256, _ in others:
        rigs = sorted(by_hash[sha256])
        yield OddPin(url, sha256, tuple(rigs[:NAMED]), max(0, len(rigs) - NAMED), usual, count)
