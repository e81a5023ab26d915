"""Between commands and sentries: what a rig's sentry is given, what it reports, and what silence means."""

from collections.abc import Collection
from datetime import datetime

from protocol.command_messages import Command, Commands, CommandsStatus, CommandStatus
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.commands import store, target_store
from commander.commands.actions import Notify, remove_rig
from commander.commands.batches import Changed, advance
from commander.commands.domain import (
    RESULT_WITHIN,
    Known,
    Outcome,
    TargetState,
    outcome_of_boot,
    outcome_of_report,
    outcome_of_silence,
    seconds_valid,
)
from commander.commands.store import StoredCommand
from commander.commands.target_store import Target
from commander.db import Database

Pair = tuple[Target, StoredCommand]
# A target that begins in its turn is as open as before: its batch takes no step, so nothing needs to be counted.
BEGINS = (TargetState.WAITING, TargetState.BEGUN)


async def commands_for(database: Database, rig_id: int) -> Commands:
    """The commands that a rig's sentry is to have now, with the seconds that are left to begin each."""
    now = await database.now()
    async with database.reading() as db:
        pairs = await _released(db, rig_id)
    if any(target.delivered_at is None for target, _ in pairs):
        pairs = await _deliver(database, rig_id, pairs, now)
    return Commands(commands=[_wire(target, command, now) for target, command in pairs])


async def _released(db: AsyncConnection, rig_id: int) -> list[Pair]:
    released = await target_store.released_of_rig(db, rig_id)
    return [(each, await store.get_command(db, each.command_id)) for each in released]


async def _deliver(database: Database, rig_id: int, pairs: list[Pair], now: datetime) -> list[Pair]:
    """Notes the delivery. Returns the commands without those that were stopped or replaced since they were read."""
    ids = {target.id for target, _ in pairs}
    async with database.transaction() as db:
        await store.lock_commands(db, [command.id for _, command in pairs], shared=True)
        pairs = [pair for pair in await _released(db, rig_id) if pair[0].id in ids]
        await target_store.note_delivery(db, [target.id for target, _ in pairs], now)
    return pairs


async def take_status(database: Database, notify: Notify, rig_id: int, status: CommandsStatus) -> None:
    """Takes a rig's status; committed before it returns. The ids of other rigs, and ended ones, are passed over."""
    reported = {each.id: each for each in status.commands}
    async with database.reading() as db:
        if not await _concerned(db, rig_id, reported.keys()):
            return
    now, changed = await database.now(), Changed()
    async with database.transaction() as db:
        before = await _concerned(db, rig_id, reported.keys())
        await store.lock_commands(db, [each.command_id for each in before])
        for target in await _concerned(db, rig_id, reported.keys()):
            command = await store.get_command(db, target.command_id)
            state = await _write(db, target, command, reported.get(target.key or ""), status.boot_id, now)
            if state is None:
                continue
            changed.command_ids.add(command.id)
            changed.rig_ids.add(rig_id)
            if (target.state, state) != BEGINS:
                await advance(db, [command.id], changed, now=now)
    if changed:
        await notify(changed)


async def refuse_for_old_sentry(database: Database, notify: Notify, rig_id: int) -> None:
    """The rig's sentry has asked in the way of a version that knows no commands."""
    async with database.reading() as db:
        if not await target_store.released_of_rig(db, rig_id):
            return
    now, changed = await database.now(), Changed()
    async with database.transaction() as db:
        before = await target_store.released_of_rig(db, rig_id)
        await store.lock_commands(db, [each.command_id for each in before])
        for target in await target_store.released_of_rig(db, rig_id):
            text = f"The sentry of {target.name} is too old for commands; update it."
            outcome = Outcome(TargetState.REFUSED, text)
            if target.state is TargetState.WAITING and await target_store.write_outcome(db, target, outcome, now=now):
                await advance(db, [target.command_id], changed, now=now)
    if changed:
        await notify(changed)


async def settle_overdue(database: Database, notify: Notify, now: datetime) -> None:
    """Ends the targets whose time is over or whose rig was removed, and lets each running batch take its next step."""
    await end_removed(database, notify, now)
    async with database.reading() as db:
        overdue = await target_store.overdue(db, now)
        running = await store.running_commands(db)
    for command_id in sorted({each.command_id for each in overdue} | set(running)):
        changed = Changed()
        async with database.transaction() as db:
            await store.lock_commands(db, [command_id])
            ended = await _end_overdue(db, command_id, now)
            await advance(db, [command_id], changed, now=now)
        if ended or changed.rig_ids:
            changed.rig_ids.update(ended)
            await notify(changed)


async def end_removed(database: Database, notify: Notify, now: datetime) -> None:
    """Ends the targets of rigs that were removed."""
    async with database.reading() as db:
        removed = await target_store.removed_rigs(db)
    for rig_id in sorted(removed):
        changed = Changed()
        async with database.transaction() as db:
            await remove_rig(db, rig_id, changed, now=now)
        await notify(changed)


async def _end_overdue(db: AsyncConnection, command_id: int, now: datetime) -> list[int]:
    """Returns the ids of the rigs."""
    command, ended = await store.get_command(db, command_id), []
    for target in await target_store.overdue(db, now, command_id=command_id):
        delivered = target.delivered_at is not None
        outcome = outcome_of_silence(command.action, target.state, delivered=delivered)
        await target_store.write_outcome(db, target, outcome, now=now, silent=delivered)
        ended.append(target.rig_id)
    return ended


async def _concerned(db: AsyncConnection, rig_id: int, keys: Collection[str]) -> list[Target]:
    """The rig's targets that a status names, and the reboots that its boot may confirm."""
    named = await target_store.targets_of_keys(db, rig_id, keys)
    return sorted({*named, *await target_store.unconfirmed_reboots(db, rig_id)})


async def _write(
    db: AsyncConnection,
    target: Target,
    command: StoredCommand,
    reported: CommandStatus | None,
    boot_id: str | None,
    now: datetime,
) -> TargetState | None:
    """Writes what a status makes of one target, and returns its new state. None: nothing new."""
    outcome, began_in = _outcome(target, command, reported, boot_id)
    if outcome is None:
        return None
    due_at = now + RESULT_WITHIN if outcome.state is TargetState.BEGUN else None
    if reported and outcome.state is not TargetState.BEGUN:
        await store.put_result(db, target.id, reported.findings, reported.logs)
    is_news = await target_store.write_outcome(db, target, outcome, now=now, due_at=due_at, boot_id=began_in)
    return outcome.state if is_news else None


def _outcome(
    target: Target, command: StoredCommand, reported: CommandStatus | None, boot_id: str | None
) -> tuple[Outcome | None, str | None]:
    """The outcome, with the boot in which the command began."""
    began_in = (reported.boot_id if reported else None) or target.boot_id
    known = Known(command.action, target.state, target.silent, began_in)
    outcome = outcome_of_report(known, reported.state, reported.text) if reported else None
    if outcome and outcome.state is TargetState.BEGUN:
        began_in = began_in or boot_id
        known = Known(command.action, TargetState.BEGUN, False, began_in)
    return outcome_of_boot(known, boot_id) or outcome, began_in


def _wire(target: Target, command: StoredCommand, now: datetime) -> Command:
    waits = target.state is TargetState.WAITING and target.due_at is not None
    return Command(
        id=target.key or "",
        action=command.action,
        valid_s=seconds_valid(target.due_at, now) if waits and target.due_at else 0,
        arguments=command.arguments,
        reason=command.reason or None,
        made_by=command.made_by or None,
    )
