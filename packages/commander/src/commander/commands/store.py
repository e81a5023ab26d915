"""Queries about commands and their targets. None commits.

A transaction that changes targets locks their commands first, lowest id first (`lock_commands`): PostgreSQL then has
one change of a command at a time, and no two that wait for each other.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from protocol.command_messages import CommandAction, CommandArguments, FetchedLog, Finding
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.commands.domain import (
    OPEN,
    TAKES_OFFLINE,
    Batch,
    BatchState,
    CommandNotFound,
    Progress,
    TargetState,
)
from commander.commands.tables import command_results as results
from commander.commands.tables import command_targets as targets
from commander.commands.tables import commands
from commander.commands.target_store import parts_of
from commander.db import insert_for
from commander.registry.tables import cpu_gpu_rigs as rigs


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """Another command that was open for some of the same rigs when a command was made."""

    id: int
    action: CommandAction
    made_by: str
    rigs: list[str]


class NewCommand(NamedTuple):
    """A command as a person orders it. `rigs` are (id, name), in the order in which they are to have their turn."""

    action: CommandAction
    arguments: CommandArguments
    rigs: Sequence[tuple[int, str]]
    reason: str
    selection: str | None
    made_by: str
    batch: Batch
    valid_s: int


class StoredCommand(NamedTuple):
    id: int
    action: CommandAction
    arguments: CommandArguments
    reason: str
    selection: str | None
    made_at: datetime
    made_by: str
    state: BatchState
    batch: Batch
    valid_s: int
    run: int
    note: str
    overlaps: list[Overlap]


_COMMAND = [
    *(commands.c.id, commands.c.action, commands.c.arguments, commands.c.reason, commands.c.selection),
    *(commands.c.made_at, commands.c.made_by, commands.c.state, commands.c.size, commands.c.is_growing),
    *(commands.c.max_failures, commands.c.valid_s, commands.c.run, commands.c.note, commands.c.overlaps),
]
_arguments = msgspec.json.Decoder(CommandArguments)
_overlaps = msgspec.json.Decoder(list[Overlap])
_findings = msgspec.json.Decoder(list[Finding])
_logs = msgspec.json.Decoder(list[FetchedLog])


async def lock_rigs(db: AsyncConnection, rig_ids: Collection[int]) -> dict[int, str]:
    """The names of those of these rigs that exist. Locks them: until the commit none is removed or gets a command."""
    found: dict[int, str] = {}
    for part in parts_of(sorted(rig_ids)):
        query = sa.select(rigs.c.id, rigs.c.name).where(rigs.c.id.in_(part)).order_by(rigs.c.id)
        rows = await db.execute(query.with_for_update(key_share=True))
        found |= {row.id: row.name for row in rows}
    return found


async def lock_commands(db: AsyncConnection, command_ids: Iterable[int], *, shared: bool = False) -> None:
    """Locks the commands until the commit. Transactions with a `shared` lock don't wait for each other."""
    for part in parts_of(sorted(set(command_ids))):
        query = sa.select(commands.c.id).where(commands.c.id.in_(part)).order_by(commands.c.id)
        await db.execute(query.with_for_update(read=shared))


async def insert_command(db: AsyncConnection, new: NewCommand, overlaps: Sequence[Overlap], *, now: datetime) -> int:
    """The command with all its targets, which wait and are not released."""
    values = {
        "action": new.action,
        "arguments": msgspec.json.encode(new.arguments),
        "reason": new.reason,
        "selection": new.selection,
        "made_at": now,
        "made_by": new.made_by[:128],
        "state": BatchState.RUNNING,
        "size": new.batch.size,
        "is_growing": new.batch.growing,
        "max_failures": new.batch.max_failures,
        "valid_s": new.valid_s,
        "run": 1,
        "note": "",
        "overlaps": msgspec.json.encode(overlaps),
    }
    command_id: int = (await db.execute(sa.insert(commands).values(values).returning(commands.c.id))).scalar_one()
    waits = {"command_id": command_id, "state": TargetState.WAITING, "changed_at": now, "run": 1, "silent": False}
    rows = [
        waits | {"position": position, "rig_id": rig_id, "name": name}
        for position, (rig_id, name) in enumerate(new.rigs)
    ]
    await db.execute(sa.insert(targets), rows)
    return command_id


async def get_command(db: AsyncConnection, command_id: int) -> StoredCommand:
    """Raises `CommandNotFound`."""
    row = (await db.execute(sa.select(*_COMMAND).where(commands.c.id == command_id))).one_or_none()
    if row is None:
        raise CommandNotFound("There is no such command; old commands are deleted.")
    return _command(row)


async def newest_commands(db: AsyncConnection, limit: int) -> list[StoredCommand]:
    """Newest first."""
    return [_command(row) for row in await db.execute(sa.select(*_COMMAND).order_by(commands.c.id.desc()).limit(limit))]


async def running_commands(db: AsyncConnection) -> list[int]:
    query = sa.select(commands.c.id).where(commands.c.state == BatchState.RUNNING)
    return list((await db.execute(query)).scalars())


async def counts_of(db: AsyncConnection, command_ids: Collection[int]) -> dict[int, dict[TargetState, int]]:
    """The number of targets in each state, by command."""
    found: dict[int, dict[TargetState, int]] = {command_id: {} for command_id in command_ids}
    for part in parts_of(sorted(command_ids)):
        query = sa.select(targets.c.command_id, targets.c.state, sa.func.count())
        query = query.where(targets.c.command_id.in_(part)).group_by(targets.c.command_id, targets.c.state)
        for command_id, state, count in await db.execute(query):
            found[command_id][TargetState(state)] = count
    return found


async def progress_of(db: AsyncConnection, command: StoredCommand) -> Progress:
    """The targets of a command, counted for `domain.next_step`."""
    here = targets.c.command_id == command.id
    released, silent, this_run = targets.c.key.is_not(None), targets.c.silent.is_(True), targets.c.run == command.run
    failed = sa.or_(targets.c.state == TargetState.FAILED, silent)
    takes_offline = sa.literal(command.action in TAKES_OFFLINE)
    counted = sa.select(
        _count(targets.c.state == TargetState.WAITING, sa.not_(released)),
        _count(targets.c.state.in_(OPEN), released),
        _count(silent, takes_offline),
        _count(failed, this_run),
        _count(targets.c.state == TargetState.DONE, this_run),
    ).where(here)
    return Progress(*(await db.execute(counted)).one())


async def set_state(
    db: AsyncConnection, command_id: int, state: BatchState, *, note: str = "", run: int | None = None
) -> None:
    values: dict[str, object] = {"state": state, "note": note[:256]}
    if run is not None:
        values["run"] = run
    await db.execute(sa.update(commands).where(commands.c.id == command_id).values(values))


async def put_result(
    db: AsyncConnection, target_id: int, findings: Sequence[Finding], logs: Sequence[FetchedLog]
) -> None:
    if not findings and not logs:
        return
    values = {"findings": msgspec.json.encode(findings), "logs": msgspec.json.encode(logs)}
    query = insert_for(db, results).values(target_id=target_id, **values)
    await db.execute(query.on_conflict_do_update(index_elements=[results.c.target_id], set_=values))


async def get_result(db: AsyncConnection, command_id: int, rig_id: int) -> tuple[list[Finding], list[FetchedLog]]:
    """Returns the answer of a rig to `diagnose` or `fetch_log`; empty lists while there is none."""
    query = sa.select(results.c.findings, results.c.logs).join(targets, targets.c.id == results.c.target_id)
    row = (await db.execute(query.where(targets.c.command_id == command_id, targets.c.rig_id == rig_id))).one_or_none()
    return (_findings.decode(row.findings), _logs.decode(row.logs)) if row else ([], [])


async def rigs_with_results(db: AsyncConnection, command_id: int) -> set[int]:
    query = sa.select(targets.c.rig_id).join(results, targets.c.id == results.c.target_id)
    return set((await db.execute(query.where(targets.c.command_id == command_id))).scalars())


async def delete_results_before(db: AsyncConnection, moment: datetime) -> None:
    old = sa.select(targets.c.id).where(targets.c.changed_at < moment)
    await db.execute(sa.delete(results).where(results.c.target_id.in_(old)))


async def delete_commands_before(db: AsyncConnection, moment: datetime) -> None:
    """Commands that have ended; their targets go with them."""
    where = (commands.c.made_at < moment, commands.c.state != BatchState.RUNNING)
    await db.execute(sa.delete(commands).where(*where))


def _count(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((sa.and_(*conditions), 1), else_=0)), 0)


def _command(row: sa.Row[tuple[object, ...]]) -> StoredCommand:
    it = row._mapping
    return StoredCommand(
        id=it["id"],
        action=CommandAction(it["action"]),
        arguments=_arguments.decode(it["arguments"]),
        reason=it["reason"],
        selection=it["selection"],
        made_at=it["made_at"],
        made_by=it["made_by"],
        state=BatchState(it["state"]),
        batch=Batch(it["size"], it["max_failures"], growing=it["is_growing"]),
        valid_s=it["valid_s"],
        run=it["run"],
        note=it["note"],
        overlaps=_overlaps.decode(it["overlaps"]),
    )
