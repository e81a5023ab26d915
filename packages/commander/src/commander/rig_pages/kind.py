"""The differences between the pages of the two kinds of rigs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocol.tokens import Token

from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import RigState
from commander.registry.kinds import PATHS, RigKind
from commander.rig_pages.columns import Columns
from commander.rig_pages.cpu_gpu_rows import TotalView
from commander.rig_pages.navigation import Heading
from commander.web.shell import Fragments, Section
from commander.wheels.line import Installing


class MenuItem(NamedTuple):
    """An entry of a row's menu. In its path, `{path}` stands for the index's and `{id}` for the rig's.

    `dialog`: it opens in the page.
    """

    label: str
    path: str
    dialog: bool = False


class BulkAction(NamedTuple):
    """A button for the rigs that are ticked.

    A POST to `path`, below the index's, answers with a page whose dialog says what would happen, or leads to a page
    that does. `chosen_rigs` reads which rigs are meant.
    """

    label: str
    path: str


MENU = (
    MenuItem("Open", "{path}/{id}"),
    MenuItem("History", "{path}/{id}/log"),
    MenuItem("Edit tags", "{path}?dialog=tags&rig={id}", dialog=True),
    MenuItem("Rename", "{path}?dialog=edit&rig={id}", dialog=True),
    MenuItem("Remove", "{path}?dialog=remove&rig={id}", dialog=True),
)
BULK_ACTIONS = (BulkAction("Change tags…", "tags"),)


@dataclass(frozen=True, slots=True)
class Display:
    """`view` is what sockets call a rig's page (and, with an s, the index); `folder` holds the templates that differ.

    `row` and `sections` are a rig's line in the index, with some more columns, and the live parts of its page, as
    HTML. `enrolment` is what the panel with a new token shows: of a rig, for this commander, with the token.
    `menu_items` stand in the menu of a row, `bulk_actions` in the bar that appears when rows are ticked.
    """

    kind: RigKind
    section: Section
    title: str
    noun: str
    view: str
    folder: str
    headings: Sequence[Heading]
    row: Callable[[RigState, Columns], str]
    totals: Callable[[OperationalIndex], list[TotalView]]
    sections: Callable[[RigState], Fragments]
    enrolment: Callable[[RigState, Installing, Token], object]
    menu_items: Sequence[MenuItem] = MENU
    bulk_actions: Sequence[BulkAction] = BULK_ACTIONS

    @property
    def path(self) -> str:
        return PATHS[self.kind]
