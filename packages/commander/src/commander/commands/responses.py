"""Commands as JSON, for scripts and the channel `commands`."""

from datetime import datetime

import msgspec
from protocol.command_messages import CommandAction, CommandArguments, FetchedLog, Finding

from commander.commands.domain import BatchState, TargetState
from commander.commands.store import Overlap, StoredCommand
from commander.commands.target_store import Target


class TargetResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A command for one rig; `result` is a sentence, null while there is none. `name` is the rig's when it was made."""

    rig_id: int
    name: str
    state: TargetState
    result: str | None
    changed_at: datetime


class BatchResponse(msgspec.Struct, frozen=True, kw_only=True):
    """`size` rigs at a time; no further ones after `max_failures` failures.

    `growing`: 1 rig first; when that is done, `size` more; when those are done, all others.
    """

    size: int
    max_failures: int
    growing: bool


class CommandResponse(msgspec.Struct, frozen=True, kw_only=True):
    """`selection` is the line that chose the rigs, null if they were named. `note` says why it was stopped."""

    id: int
    action: CommandAction
    arguments: CommandArguments
    state: BatchState
    made_at: datetime
    made_by: str
    reason: str
    selection: str | None
    batch: BatchResponse
    note: str
    overlaps: list[Overlap]
    targets: list[TargetResponse]


class CommandsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    commands: list[CommandResponse]


class MadeResponse(msgspec.Struct, frozen=True, kw_only=True):
    """`targets` is the number of rigs. `overlaps` names other commands that were open for some of them."""

    id: int
    targets: int
    overlaps: list[Overlap] = []


class ResultResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a rig: `findings` of `diagnose`, worst first, and `logs` of `fetch_log`."""

    command_id: int
    rig_id: int
    name: str
    changed_at: datetime
    findings: list[Finding]
    logs: list[FetchedLog]


def command_response(command: StoredCommand, targets: list[Target]) -> CommandResponse:
    return CommandResponse(
        id=command.id,
        action=command.action,
        arguments=command.arguments,
        state=command.state,
        made_at=command.made_at,
        made_by=command.made_by,
        reason=command.reason,
        selection=command.selection,
        batch=BatchResponse(
            size=command.batch.size, max_failures=command.batch.max_failures, growing=command.batch.growing
        ),
        note=command.note,
        overlaps=command.overlaps,
        targets=[target_response(each) for each in targets],
    )


def target_response(target: Target) -> TargetResponse:
    return TargetResponse(
        rig_id=target.rig_id,
        name=target.name,
        state=target.state,
        result=target.result,
        changed_at=target.changed_at,
    )


def command_json(command: StoredCommand, targets: list[Target]) -> bytes:
    return msgspec.json.encode(command_response(command, targets))
