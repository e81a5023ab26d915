"""Batches over 300 rigs whose sentries report side by side: never too many at once, each rig exactly once."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from command_farm import CommandFarm
from commander.commands import actions
from commander.commands.domain import Batch, BatchState
from commander.db import Database
from protocol.command_messages import CommandAction, CommandState

RIGS, SIZE, MAX_FAILURES, SENTRIES_AT_ONCE = 300, 30, 5, 12


@dataclass
class Sentries:
    """The sentries of all rigs: a few ask at a time, each carries out a command once."""

    farm: CommandFarm
    failing: set[int]
    carried_out: Counter[str] = field(default_factory=Counter)
    working: set[int] = field(default_factory=set)
    most_at_once: int = 0

    async def go_round(self, rig_ids: list[int]) -> int:
        """Each sentry asks once; returns how many had something to do."""
        free, done = asyncio.Semaphore(SENTRIES_AT_ONCE), Counter[str]()

        async def one(rig_id: int) -> None:
            async with free:
                for command in await self.farm.commands(rig_id):
                    done["commands"] += await self._carry_out(rig_id, command.id, command.valid_s)

        async with asyncio.TaskGroup() as group:
            for rig_id in rig_ids:
                group.create_task(one(rig_id))
        return done["commands"]

    async def _carry_out(self, rig_id: int, key: str, valid_s: float) -> int:
        if key in self.carried_out or valid_s <= 0:
            return 0
        self.carried_out[key] += 1
        self.working.add(rig_id)
        self.most_at_once = max(self.most_at_once, len(self.working))
        await self.farm.report(rig_id, key, CommandState.BEGUN)
        self.working.discard(rig_id)  # the next one may begin as soon as this result is taken
        await self.farm.report(rig_id, key, CommandState.FAILED if rig_id in self.failing else CommandState.DONE)
        return 1


@pytest.mark.timeout(300)
async def test_a_batch_with_failing_rigs_stops_and_retry_finishes_it(database: Database) -> None:
    farm = CommandFarm(database)
    rig_ids = await farm.add_rigs(RIGS)
    chance = random.Random(20_261_128)  # noqa: S311 - which rigs fail, no secret
    sentries = Sentries(farm, failing=set(chance.sample(rig_ids, RIGS // 10)))
    batch = Batch(size=SIZE, max_failures=MAX_FAILURES)
    made = await farm.order(CommandAction.RESTART_PLAYBOOK, rig_ids, batch=batch)
    while await sentries.go_round(chance.sample(rig_ids, RIGS)):
        pass
    assert await farm.state(made.id) is BatchState.STOPPED
    states = Counter(await farm.states(made.id))
    assert MAX_FAILURES <= states["failed"] < MAX_FAILURES + SIZE
    assert states["cancelled"] > RIGS / 3
    assert states["waiting"] == states["begun"] == 0
    assert sentries.most_at_once <= SIZE

    sentries.failing.clear()
    again = await actions.retry(farm.database, farm.notify, made.id)
    assert again.targets == states["failed"] + states["cancelled"]
    while await sentries.go_round(chance.sample(rig_ids, RIGS)):
        pass
    assert await farm.state(made.id) is BatchState.DONE
    assert Counter(await farm.states(made.id)) == {"done": RIGS}
    assert set(sentries.carried_out.values()) == {1}
    assert sentries.carried_out.total() == RIGS + states["failed"]


@pytest.mark.timeout(120)
async def test_two_operators_at_once_never_leave_two_waiting_commands_of_one_kind(database: Database) -> None:
    farm = CommandFarm(database)
    rig_ids = await farm.add_rigs(20)
    async with asyncio.TaskGroup() as group:
        orders = [
            group.create_task(farm.order(CommandAction.REBOOT, rig_ids, batch=Batch(size=20, max_failures=2)))
            for _ in range(6)
        ]
    targets = [target for order in orders for target in await farm.targets(order.result().id)]
    waiting = Counter(target.rig_id for target in targets if target.state == "waiting")
    assert waiting == {rig_id: 1 for rig_id in rig_ids}
    assert [len(await farm.commands(rig_id)) for rig_id in rig_ids] == [1] * 20
