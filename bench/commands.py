"""The cost of commands, in this process, on SQLite: a batch over 10,000 rigs, and the inbox's answers to sentries."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from commander.commands import sentries
from commander.commands.actions import Order, make_command
from commander.commands.batches import Changed
from commander.commands.domain import Batch
from commander.commands.source import CommandInbox
from commander.db import Database, open_database
from commander.live.cluster import SingleNode
from commander.live.inbox import Inbox
from commander.live.long_poll import LongPoll
from commander.migrations import migrate
from commander.registry import store as registry
from commander.registry.kinds import RigKind
from protocol.command_messages import CommandAction, CommandsStatus, CommandState, CommandStatus

from bench.table import no_peer, row

RIGS, RELEASED, ASKED = 10_000, 500, 200
BATCH = Batch(size=RELEASED, max_failures=RIGS)


def command_rows() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "commander.db"
        migrate(path)
        asyncio.run(_rows(path))
    no_peer("no other product delivers once at most")


async def _rows(path: Path) -> None:
    async with open_database(f"sqlite:///{path}") as database:
        rig_ids = await _rigs(database)
        inbox = Inbox(LongPoll(), SingleNode())
        commands = CommandInbox(database, inbox, SingleNode())

        async def notify(changed: Changed) -> None:
            for rig_id in changed.rig_ids:
                commands.rig_changed(rig_id)

        without_us = 1e3 * await _median_ms(rig_ids[:ASKED], lambda rig_id: inbox.news(rig_id, {}))
        row("inbox answer to a rig without a command", f"{without_us:.0f} µs", "no query")
        order = Order(CommandAction.RESTART_PLAYBOOK, rig_ids, "the benchmark", batch=BATCH)
        begin = time.perf_counter()
        await make_command(database, notify, order)
        made_s = time.perf_counter() - begin
        each = f"{1e6 * made_s / RIGS:.0f} µs a rig"
        row(f"a command for {RIGS:,} rigs, {RELEASED} at a time", f"{made_s:.2f} s", each)
        await _delivery_rows(database, inbox, notify, rig_ids[:ASKED])
        begin = time.perf_counter()
        await sentries.settle_overdue(database, notify, await database.now() + timedelta(hours=1))
        row(f"{RELEASED} of them expire, the next ones begin", f"{1e3 * (time.perf_counter() - begin):.0f} ms", "once")


async def _delivery_rows(
    database: Database, inbox: Inbox, notify: Callable[[Changed], Awaitable[None]], rig_ids: list[int]
) -> None:
    async def status(rig_id: int, state: CommandState) -> None:
        (waiting,) = (await sentries.commands_for(database, rig_id)).commands
        about = CommandStatus(id=waiting.id, action=waiting.action, state=state, text="So.", boot_id="1")
        await sentries.take_status(database, notify, rig_id, CommandsStatus(boot_id="1", commands=[about]))

    remark = f"median of {ASKED}, with the commit that notes it"
    first_ms = await _median_ms(rig_ids, lambda rig_id: inbox.news(rig_id, {}))
    row("inbox answer that delivers a command", f"{first_ms:.1f} ms", remark)
    again_ms = await _median_ms(rig_ids, lambda rig_id: inbox.news(rig_id, {}))
    row("  and once more, before it has begun", f"{again_ms:.1f} ms", "no commit")
    for state in (CommandState.BEGUN, CommandState.DONE):
        taken_ms = await _median_ms(rig_ids, lambda rig_id, state=state: status(rig_id, state))  # type: ignore[misc]
        row(f"status “{state}” of a rig in the batch, committed", f"{taken_ms:.1f} ms", f"median of {ASKED}")


async def _rigs(database: Database) -> list[int]:
    now = await database.now()
    async with database.transaction() as db:
        added = [
            await registry.insert_rig(db, RigKind.CPU_GPU, f"rig-{n:05}", f"{n:032}".encode(), now=now)
            for n in range(RIGS)
        ]
    return [rig.id for rig in added]


async def _median_ms(rig_ids: list[int], ask: Callable[[int], Awaitable[object]]) -> float:
    waited_ms = []
    for rig_id in rig_ids:
        begin = time.perf_counter()
        await ask(rig_id)
        waited_ms.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(waited_ms)
