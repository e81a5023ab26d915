"""The next step of a batch, in the transaction of the change that makes it possible.

So a batch needs no process of its own: killed anywhere, it stands where the last commit has left it, and whichever
node takes the next status, or leads the jobs, goes on from there.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.actor import COMMANDER
from commander.audit.store import record
from commander.commands import store, target_store
from commander.commands.domain import WORDS, BatchState, next_step


@dataclass(frozen=True, slots=True)
class Changed:
    """The commands whose pages have news, and the rigs whose sentries have news."""

    command_ids: set[int] = field(default_factory=set)
    rig_ids: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.command_ids or self.rig_ids)


async def advance(db: AsyncConnection, command_ids: Iterable[int], changed: Changed, *, now: datetime) -> None:
    """Lets each running command take its next step. The commands are locked."""
    for command_id in sorted(set(command_ids)):
        changed.command_ids.add(command_id)
        command = await store.get_command(db, command_id)
        if command.state is BatchState.RUNNING:
            changed.rig_ids.update(await _take_step(db, command, now=now))


async def _take_step(db: AsyncConnection, command: store.StoredCommand, *, now: datetime) -> list[int]:
    """Returns the rigs whose sentries have news."""
    step = next_step(command.batch, await store.progress_of(db, command))
    if step.stop:
        await target_store.cancel_waiting(db, command.id, step.stop, now=now, held_only=True)
        await store.set_state(db, command.id, BatchState.STOPPED, note=step.stop)
        await _record_end(db, command, "command stopped", now=now)
    if step.done:
        await store.set_state(db, command.id, BatchState.DONE)
        await _record_end(db, command, "command ended", now=now)
    due_at = now + timedelta(seconds=command.valid_s)
    keys = [new_key() for _ in range(step.release)]
    return await target_store.release_next(db, command.id, keys, due_at=due_at, now=now)


async def _record_end(db: AsyncConnection, command: store.StoredCommand, what: str, *, now: datetime) -> None:
    """Writes the outcome into the audit log."""
    counts = (await store.counts_of(db, [command.id]))[command.id]
    outcome = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    await record(
        db, what, f"command {command.id}", f"{WORDS[command.action].title}: {outcome}", actor=COMMANDER, at=now
    )


def new_key() -> str:
    """The id by which a sentry knows a target. Random: after a backup is restored, no old id comes up again."""
    return secrets.token_hex(8)
