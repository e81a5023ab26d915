"""The playbooks that depend on an address or a mining software, as these two packages see them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
from protocol import units
from protocol.messages import FieldError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.problems import CommanderError, ErrorKind

USES_NAMED = 10


@dataclass(frozen=True, slots=True)
class Use:
    """A playbook that uses an address or a mining software."""

    playbook_id: int
    playbook: str
    rig_id: int
    rig: str


class UseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook that uses something, and its rig."""

    playbook_id: int
    playbook: str
    rig_id: int
    rig: str


@dataclass(frozen=True, slots=True)
class ChangedPlaybooks:
    """The outcome of a change: the rigs whose sentries have news, and the playbooks that restart."""

    rig_ids: set[int] = field(default_factory=set)
    restarting: list[Use] = field(default_factory=list)


class _AboutUses(CommanderError):
    uses: list[Use]

    def field_errors(self) -> list[FieldError]:
        """The playbooks that the error is about."""
        return [
            FieldError(field=f"playbooks.{use.playbook_id}", message=f"{use.playbook} on {use.rig}")
            for use in self.uses
        ]


class InUse(_AboutUses):
    """Playbooks use what somebody wants to remove."""

    kind = ErrorKind(409, "in_use", "In use")

    def __init__(self, what: str, uses: list[Use]) -> None:
        named = units.listed([f"{use.playbook} on {use.rig}" for use in uses], USES_NAMED)
        super().__init__(f"{what} is used by {named}. Let them use another one first, or remove them.")
        self.uses = uses


class NotConfirmed(_AboutUses):
    """Rigs would restart their miners, and the request does not confirm that."""

    kind = ErrorKind(409, "not_confirmed", "Not confirmed")

    def __init__(self, uses: list[Use]) -> None:
        super().__init__("Rigs will restart their mining software with this change.")
        self.uses = uses


class Dependents(Protocol):
    """The playbooks that use one kind of thing. All but `notify` run in the transaction of that thing's change."""

    async def all(self, db: AsyncConnection) -> dict[int, list[Use]]:
        """The playbooks by the id of what they use."""

    async def of(self, db: AsyncConnection, used_id: int) -> list[Use]:
        """The playbooks that use this thing."""

    async def rerender(self, db: AsyncConnection, used_id: int, *, author: str, what: str) -> ChangedPlaybooks:
        """Renders the playbooks that use this thing again. Raises the noun's error if one of them can't take it."""

    async def notify(self, changed: ChangedPlaybooks) -> None:
        """Sends the change to the rigs' sentries, after the commit."""


def must_be_meant(changed: ChangedPlaybooks, *, confirmed: bool) -> None:
    """Raises `NotConfirmed` if the restarts are not confirmed. The transaction is then rolled back."""
    if changed.restarting and not confirmed:
        raise NotConfirmed(changed.restarting)


def use_answers(uses: Iterable[Use]) -> list[UseAnswer]:
    return [
        UseAnswer(playbook_id=use.playbook_id, playbook=use.playbook, rig_id=use.rig_id, rig=use.rig) for use in uses
    ]
