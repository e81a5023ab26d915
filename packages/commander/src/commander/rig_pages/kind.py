"""How the pages of one kind of rig differ from those of the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocol.tokens import Token

from commander.live.operational_index import OperationalIndex, RigState
from commander.registry.kinds import PATHS, RigKind
from commander.rig_pages.cpu_gpu_rows import TotalView
from commander.rig_pages.navigation import Heading
from commander.web.shell import Fragments, Section


@dataclass(frozen=True, slots=True)
class Display:
    """`view` is what sockets call a rig's page (and, with an s, the index); `folder` holds the templates that differ.

    `row` and `sections` are a rig's line in the index and the live parts of its page, as HTML. `enrolment` is what
    the panel with a new token shows: of a rig, for the commander's address, with the token.
    """

    kind: RigKind
    section: Section
    title: str
    noun: str
    view: str
    folder: str
    headings: Sequence[Heading]
    row: Callable[[RigState], str]
    totals: Callable[[OperationalIndex], list[TotalView]]
    sections: Callable[[RigState], Fragments]
    enrolment: Callable[[RigState, str, Token], object]

    @property
    def path(self) -> str:
        return PATHS[self.kind]
