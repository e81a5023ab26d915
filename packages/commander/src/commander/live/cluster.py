"""Telling the farm's other web nodes what has changed. The database knows it; this says where to look, and how soon.

A change names what is to be read again, not what it is now: whoever hears of two changes in the wrong order, or twice,
still ends with what the database says.
"""

from typing import Protocol

import msgspec

from commander.registry.kinds import RigKind


class RigChanged(msgspec.Struct, frozen=True, tag="rig"):
    """A rig came, went, was renamed or has other specs."""

    kind: RigKind
    rig_id: int


class RunSeen(msgspec.Struct, frozen=True, tag="run"):
    """A sentry reports for a rig that was not the last one to do so."""

    kind: RigKind
    rig_id: int
    run: str


class TokenDied(msgspec.Struct, frozen=True, tag="token"):
    """A sentry's token was replaced, or its rig or site removed."""

    token_hash: bytes


class SessionEnded(msgspec.Struct, frozen=True, tag="session"):
    session: str


class PlaybooksChanged(msgspec.Struct, frozen=True, tag="playbooks"):
    """What a CPU/GPU rig is to run, or what it tells of that."""

    rig_id: int


Change = RigChanged | RunSeen | TokenDied | SessionEnded | PlaybooksChanged


class OtherNodes(Protocol):
    """All web nodes of this farm but this one."""

    def tell(self, change: Change) -> None:
        """Soon, and in order; never waits. What is told while they can't be reached is told afterwards."""


class NoOtherNodes:
    """The embedded form: there is one node."""

    def tell(self, change: Change) -> None:
        return None
