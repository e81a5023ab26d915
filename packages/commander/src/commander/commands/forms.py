"""The form that makes a command for many rigs, as a browser sends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from protocol.command_messages import CommandAction, CommandArguments

from commander.accounts.domain import Role, is_enough
from commander.commands.actions import Order
from commander.commands.domain import (
    REASON_MAX_LENGTH,
    TAKES_OFFLINE,
    WORDS,
    BadBatch,
    Batch,
    BatchNotConfirmed,
    checked_action,
    default_batch,
    least_role_for,
)
from commander.commands.targets import chosen_rigs
from commander.commands.updates import with_wheels
from commander.live.rigs import LiveRigs
from commander.web.ids import id_in
from commander.wheels.store import WheelStore

MOST = 10_000


@dataclass(frozen=True, slots=True)
class CommandForm:
    """The fields as a person sees them. `rig_ids` is None where a selection chooses the rigs."""

    action: str
    select: str | None
    rig_ids: list[int] | None
    reason: str
    size: str
    max_failures: str
    confirmed: str
    version: str

    @property
    def has_rigs(self) -> bool:
        return bool(self.rig_ids) or bool((self.select or "").strip())

    @property
    def address(self) -> str:
        """The form's own address, with what was chosen."""
        rigs = {"rigs": ",".join(map(str, self.rig_ids))} if self.rig_ids else {"select": self.select or ""}
        return f"/commands/new?{urlencode({'action': self.action, **rigs})}"

    async def order(self, live: LiveRigs, wheel_store: WheelStore, *, made_by: str) -> Order:
        """Raises `UnknownAction`, `NoTargets`, `BadSelection`, `BadBatch`, `BatchNotConfirmed` or `BadArguments`."""
        action = checked_action(self.action)
        select = None if self.rig_ids else self.select
        rig_ids = chosen_rigs(live, select=select, rig_ids=self.rig_ids or None)
        if action is CommandAction.SHUTDOWN and self.confirmed.strip() != str(len(rig_ids)):
            raise BatchNotConfirmed(f"Type how many rigs are to be switched off: {len(rig_ids)}.")
        return Order(
            action=action,
            rig_ids=rig_ids,
            made_by=made_by,
            arguments=await with_wheels(action, CommandArguments(version=self.version.strip() or None), wheel_store),
            reason=self.reason,
            selection=select,
            batch=self._batch(default_batch(len(rig_ids), action)),
        )

    def _batch(self, usual: Batch) -> Batch:
        """An update grows unless somebody enters how many rigs are to have their turn at a time."""
        size = _number("size", self.size, usual.size)
        failures = _number("max_failures", self.max_failures, usual.max_failures)
        return Batch(size, failures, growing=usual.growing and not self.size.strip())


def form_of(fields: Mapping[str, str]) -> CommandForm:
    """`rigs` has the ids of rigs that were named one by one, in one field: a form has few of them."""
    rig_ids = [each for text in fields.get("rigs", "").split(",") if (each := id_in(text)) is not None][:MOST]
    return CommandForm(
        action=fields.get("action", ""),
        select=None if rig_ids else fields.get("select", ""),
        rig_ids=rig_ids or None,
        reason=fields.get("reason", "")[:REASON_MAX_LENGTH],
        size=fields.get("size", "")[:8],
        max_failures=fields.get("max_failures", "")[:8],
        confirmed=fields.get("confirmed", "")[:8],
        version=fields.get("version", "")[:64],
    )


def options(role: Role) -> list[tuple[str, str]]:
    """Returns the actions that this role may order, in the order of their harm, for a list to choose from."""
    order = sorted(WORDS, key=lambda action: (action in TAKES_OFFLINE, action is CommandAction.SHUTDOWN))
    return [
        (action, f"{WORDS[action].title}: {WORDS[action].effect}")
        for action in order
        if is_enough(role, least_role_for(action))
    ]


def _number(field: str, text: str, usual: int) -> int:
    """An empty field means the usual number."""
    if not text.strip():
        return usual
    number = id_in(text.strip())
    if not number or number > MOST:
        raise BadBatch(field, f"Enter a whole number from 1 to {MOST:,}, or leave it empty.")
    return number
