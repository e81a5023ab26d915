"""Decides whether a machine is the rig that it says it is. Pure.

A rig is one machine. People may copy its data folder to another machine, or change its network card. In both cases a
machine with new MACs sends the rig's token. Only time tells the two cases apart: if the rig reports while the new
machine waits for its answer, there are two machines.

    t = 0 s   rig-07 (MAC …:01) reports
    t = 5 s   a machine with MAC …:02 sends rig-07's identity   -> UNCLEAR, it waits
    t = 10 s  rig-07 reports                                    -> two machines: …:02 is a CLONE
    t = 65 s  or rig-07 has reported nothing since t = 5 s      -> ACCEPTED: a new network card
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from protocol.enrolment_messages import Identity

from commander.problems import CommanderError, ErrorKind

ASK_HOLDS = timedelta(minutes=5)  # a machine that was away for longer asks for the first time again
SEEN_LATELY = timedelta(minutes=10)


class IsClone(CommanderError):
    """Another machine is this rig."""

    kind = ErrorKind(409, "clone", "Copy of another rig")


class MachineUnclear(CommanderError):
    """It is not clear yet whether the rig has another network card, or whether there are two machines."""

    kind = ErrorKind(503, "machine_unclear", "Not clear yet", retry_after_s=5)


class Verdict(StrEnum):
    KNOWN = "known"
    ACCEPTED = "accepted"
    UNCLEAR = "unclear"
    CLONE = "clone"


class KnownMachine(NamedTuple):
    """A machine that has sent a rig's identity, for the first time at `asked_at`. If `is_accepted`, it is the rig."""

    id: int
    macs: frozenset[str]
    machine_id: str | None
    board_serial: str | None
    asked_at: datetime
    seen_at: datetime
    is_accepted: bool


class RigNow(NamedTuple):
    """The rig as its newest log shows it. `has_two`: two sentries have sent logs in turns."""

    reported_at: datetime | None
    has_two: bool


class Decision(NamedTuple):
    """`machine` is the known one that asks, if it is known."""

    verdict: Verdict
    machine: KnownMachine | None = None


def decide(
    asking: Identity, known: Sequence[KnownMachine], rig: RigNow, *, now: datetime, silence: timedelta
) -> Decision:
    """Returns what the machine is to the rig. `known` are the rig's machines, the first one first.

    `silence`: a rig that has not reported for so long is not alive.
    """
    accepted = [each for each in known if each.is_accepted]
    mine = next((each for each in known if is_same(asking, each)), None)
    if not known:
        return Decision(Verdict.ACCEPTED)
    if mine is not None and mine.is_accepted:
        is_later = any(each.id < mine.id and now - each.seen_at < SEEN_LATELY for each in accepted)
        return Decision(Verdict.CLONE if rig.has_two and is_later else Verdict.KNOWN, mine)
    if not rig.has_two and any(_has_board(asking, each) for each in accepted):
        return Decision(Verdict.ACCEPTED, mine)
    return Decision(_by_time(mine, rig, now, silence), mine)


def _by_time(mine: KnownMachine | None, rig: RigNow, now: datetime, silence: timedelta) -> Verdict:
    if mine is None or now - mine.seen_at > ASK_HOLDS:
        return Verdict.UNCLEAR
    if rig.reported_at is not None and rig.reported_at > mine.asked_at:
        return Verdict.CLONE
    return Verdict.ACCEPTED if now - mine.asked_at >= silence else Verdict.UNCLEAR


def is_same(asking: Identity, known: KnownMachine) -> bool:
    """Returns whether they have a MAC in common. Where one has none: whether nothing else tells them apart."""
    if asking.macs and known.macs:
        return not known.macs.isdisjoint(asking.macs)
    pairs = ((asking.machine_id, known.machine_id), (asking.board_serial, known.board_serial))
    return all(one == other for one, other in pairs if one and other)


def _has_board(asking: Identity, known: KnownMachine) -> bool:
    return asking.board_serial is not None and asking.board_serial == known.board_serial


def error_of(verdict: Verdict, rig: str) -> CommanderError | None:
    """Returns the answer to a machine that is not the rig; None to one that is."""
    if verdict is Verdict.CLONE:
        return IsClone(
            f"This machine has a copy of the data of {rig}, and {rig} runs on another machine. The sentry makes an "
            "identity of its own."
        )
    if verdict is Verdict.UNCLEAR:
        return MachineUnclear(
            f"{rig} was on a machine with other network cards. The commander waits until it is clear whether that "
            "machine still reports."
        )
    return None
