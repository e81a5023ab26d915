"""Actions of people on commands. Each is one transaction; then sentries and open pages are notified."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from protocol import units
from protocol.command_messages import CommandAction, CommandArguments
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.store import record
from commander.commands import store, target_store
from commander.commands.batches import Changed, advance
from commander.commands.domain import (
    REASON_MAX_LENGTH,
    RETRYABLE,
    VALID_FOR,
    WORDS,
    Batch,
    BatchState,
    NothingToRetry,
    TargetState,
    default_batch,
)
from commander.commands.store import NewCommand, Overlap, StoredCommand
from commander.commands.target_store import Target
from commander.db import Database
from commander.registry.approval import unapproved_among
from commander.selections.domain import NoTargets

Notify = Callable[[Changed], Awaitable[None]]
RIGS_NAMED = 20  # of an overlap
REFUSED_NAMED = 10


class Order(NamedTuple):
    """An order for rigs. The rigs have their turn in the order of `rig_ids`."""

    action: CommandAction
    rig_ids: Sequence[int]
    made_by: str
    arguments: CommandArguments = CommandArguments()
    reason: str = ""
    selection: str | None = None
    batch: Batch | None = None
    valid_for: timedelta = VALID_FOR


class Made(NamedTuple):
    """A new command. `overlaps` names other commands that are open for some of its rigs."""

    id: int
    targets: int
    overlaps: list[Overlap]


async def make_command(database: Database, notify: Notify, order: Order) -> Made:
    """Raises `NoTargets`."""
    rig_ids, now, changed = list(dict.fromkeys(order.rig_ids)), await database.now(), Changed()
    if not rig_ids:
        raise NoTargets("Choose at least one rig.")
    async with database.transaction() as db:
        names = await store.lock_rigs(db, rig_ids)
        _must_exist(rig_ids, names)
        _must_be_approved(await unapproved_among(db, rig_ids))
        others = await _open_for(db, rig_ids)
        overlaps = _overlaps(others)
        command_id = await store.insert_command(db, _new(order, rig_ids, names), overlaps, now=now)
        replaced = [
            (target, _is_delivered(target)) for target, command in others if _is_replaced(target, command, order)
        ]
        await target_store.take_over(db, command_id, replaced, due_at=now + order.valid_for, now=now)
        await advance(db, [command_id, *(target.command_id for target, _ in replaced)], changed, now=now)
        changed.rig_ids.update(target.rig_id for target, _ in replaced)
        await _record(db, "command sent", command_id, list(names.values()), now=now)
    await notify(changed)
    return Made(command_id, len(rig_ids), overlaps)


async def cancel(database: Database, notify: Notify, command_id: int, *, by: str) -> None:
    """Stops the command: rigs that have not begun never begin. Raises `CommandNotFound`."""
    now, changed = await database.now(), Changed()
    async with database.transaction() as db:
        await store.lock_commands(db, [command_id])
        command = await store.get_command(db, command_id)
        rig_ids = await target_store.cancel_waiting(db, command_id, f"Stopped by {by}."[:256], now=now)
        if command.state is BatchState.RUNNING:
            await store.set_state(db, command_id, BatchState.STOPPED, note=f"Stopped by {by}.")
        changed.command_ids.add(command_id)
        changed.rig_ids.update(rig_ids)
        names = [each.name for each in await target_store.targets_of(db, command_id)]
        await _record(db, "command stopped", command_id, names, now=now)
    await notify(changed)


async def retry(database: Database, notify: Notify, command_id: int) -> Made:
    """Lets the targets that failed, expired, were refused or were cancelled have another turn.

    A rig that was removed, or that waits for a newer command of the same kind, is left out. Raises `CommandNotFound` or
    `NothingToRetry`.
    """
    now, changed = await database.now(), Changed()
    async with database.transaction() as db:
        command = await store.get_command(db, command_id)
        failed = [each for each in await target_store.targets_of(db, command_id) if _may_retry(each)]
        names = await store.lock_rigs(db, [each.rig_id for each in failed])
        waits = await _rigs_that_wait(db, command, names)
        await store.lock_commands(db, [command_id])
        again = [each for each in await target_store.targets_of(db, command_id) if _may_retry(each)]
        again = [each for each in again if each.rig_id in names and each.rig_id not in waits]
        if not again:
            raise NothingToRetry("No rig of this command has failed, or none of them is still there.")
        command = await store.get_command(db, command_id)
        await target_store.reset_targets(db, [each.id for each in again], run=command.run + 1, now=now)
        await store.set_state(db, command_id, BatchState.RUNNING, run=command.run + 1)
        await advance(db, [command_id], changed, now=now)
        await _record(db, "command retried", command_id, [each.name for each in again], now=now)
    await notify(changed)
    return Made(command_id, len(again), [])


async def remove_rig(db: AsyncConnection, rig_id: int, changed: Changed, *, now: datetime) -> None:
    """Ends the rig's targets, in the transaction that removes the rig. The caller notifies afterwards."""
    mine = await target_store.open_targets_of_rigs(db, [rig_id])
    await store.lock_commands(db, [each.command_id for each in mine])
    await target_store.end_targets_of_rig(db, rig_id, now=now)
    await advance(db, [each.command_id for each in mine], changed, now=now)


async def _record(db: AsyncConnection, what: str, command_id: int, names: Sequence[str], *, now: datetime) -> None:
    """Writes the audit log's entry."""
    command = await store.get_command(db, command_id)
    chosen = f", selection {command.selection}" if command.selection else ""
    reason = f", reason: {command.reason}" if command.reason else ""
    named = ", ".join(names[:RIGS_NAMED])
    subject = named if len(names) <= RIGS_NAMED else f"{len(names):,} rigs: {named} …"
    version = f" to {command.arguments.version}" if command.arguments.version else ""
    detail = f"{WORDS[command.action].title}{version}, command {command_id}{chosen}{reason}"
    await record(db, what, subject, detail, at=now)


async def _open_for(db: AsyncConnection, rig_ids: Collection[int]) -> list[tuple[Target, StoredCommand]]:
    """Open targets of these rigs with their commands, which are locked now."""
    before = await target_store.open_targets_of_rigs(db, rig_ids)
    await store.lock_commands(db, [each.command_id for each in before])
    after = await target_store.open_targets_of_rigs(db, rig_ids)
    known = {each: await store.get_command(db, each) for each in {target.command_id for target in after}}
    return [(target, known[target.command_id]) for target in after]


async def _rigs_that_wait(db: AsyncConnection, command: StoredCommand, rig_ids: Collection[int]) -> set[int]:
    order = Order(command.action, [], "", command.arguments)
    others = await _open_for(db, rig_ids)
    return {target.rig_id for target, other in others if other.id != command.id and _is_replaced(target, other, order)}


def _must_exist(rig_ids: Sequence[int], names: Collection[int]) -> None:
    missing = [str(rig_id) for rig_id in rig_ids if rig_id not in names]
    if missing:
        named = units.listed(missing, REFUSED_NAMED)
        what = "CPU/GPU rig" if len(missing) == 1 else "CPU/GPU rigs"
        raise NoTargets(f"There is no {what} {named}; it may have been removed. No rig got the command.")


def _must_be_approved(waiting: Mapping[int, str]) -> None:
    if waiting:
        names = list(waiting.values())
        named = units.listed(names, REFUSED_NAMED)
        wait, them = ("waits", "it") if len(names) == 1 else ("wait", "them")
        raise NoTargets(f"{named} {wait} for approval. Approve {them} first. No rig got the command.")


def _new(order: Order, rig_ids: Sequence[int], names: dict[int, str]) -> NewCommand:
    return NewCommand(
        action=order.action,
        arguments=order.arguments,
        rigs=[(rig_id, names[rig_id]) for rig_id in rig_ids],
        reason=order.reason.strip()[:REASON_MAX_LENGTH],
        selection=order.selection,
        made_by=order.made_by,
        batch=order.batch or default_batch(len(rig_ids), order.action),
        valid_s=int(order.valid_for.total_seconds()),
    )


def _overlaps(others: Sequence[tuple[Target, StoredCommand]]) -> list[Overlap]:
    """Newest command first."""
    by_command: dict[int, list[str]] = {}
    commands = {command.id: command for _, command in others}
    for target, command in others:
        by_command.setdefault(command.id, []).append(target.name)
    return [
        Overlap(id=each, action=commands[each].action, made_by=commands[each].made_by, rigs=names[:RIGS_NAMED])
        for each, names in sorted(by_command.items(), reverse=True)
    ]


def _is_replaced(target: Target, command: StoredCommand, order: Order) -> bool:
    """Returns whether a new order replaces a waiting target.

    Restarts of two playbooks are two different things, and so are updates to two versions.
    """
    before, now = command.arguments, order.arguments
    is_same = (before.playbook_id, before.wheels) == (now.playbook_id, now.wheels)
    return is_same and command.action is order.action and target.state is TargetState.WAITING


def _is_delivered(target: Target) -> bool:
    return target.key is not None and target.delivered_at is not None


def _may_retry(target: Target) -> bool:
    return target.state in RETRYABLE and target.replaced_by is None
