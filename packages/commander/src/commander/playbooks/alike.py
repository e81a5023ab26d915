"""The playbooks of a farm, those that differ only by their rig counted as one."""

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from protocol import units

from commander.live.playbooks import PlaybookNow
from commander.live.rig_state import RigState
from commander.registry.names import name_key


class AlikePlaybooks(NamedTuple):
    """One of the playbooks that are alike, by the rig whose name comes first; `others` says how many more have it."""

    playbook_id: int
    rig_id: int
    rig: str
    name: str
    software: str
    works: str
    others: str


def alike_playbooks(rigs: Iterable[RigState], search: str = "") -> list[AlikePlaybooks]:
    """Returns the most used first. `search` is a part of what a row shows."""
    groups: dict[Hashable, list[tuple[RigState, PlaybookNow]]] = {}
    for state in sorted(rigs, key=lambda rig: rig.name.casefold()):
        for playbook in state.playbooks:
            groups.setdefault(_what_it_is(state, playbook), []).append((state, playbook))
    rows = [_row(*members[0], len(members)) for members in sorted(groups.values(), key=len, reverse=True)]
    key = name_key(search.strip())
    return [row for row in rows if key in name_key(f"{row.name} {row.software} {row.works} {row.rig}")]


def _what_it_is(state: RigState, playbook: PlaybookNow) -> Hashable:
    """Returns the same for two playbooks that differ by their rig's name alone, which is the worker in the script."""
    wire = playbook.wire
    return wire.name, wire.package, wire.platform, wire.paused, wire.root, wire.script.replace(state.name, "{worker}")


def _row(state: RigState, playbook: PlaybookNow, rigs: int) -> AlikePlaybooks:
    wire = playbook.wire
    works = [" at ".join(filter(None, (work.coin or work.algorithm, work.pool))) for work in wire.works]
    return AlikePlaybooks(
        playbook.id,
        state.id,
        state.name,
        wire.name,
        f"{wire.package.software} {wire.package.version}",
        ", ".join(filter(None, works)) or units.UNKNOWN,
        f" and {units.count_text(rigs - 1)} more" if rigs > 1 else "",
    )
