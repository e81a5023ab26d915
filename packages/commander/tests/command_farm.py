"""A database with rigs, commands for them, and sentries that report the state of each."""

from dataclasses import dataclass, field

from commander.commands import actions, sentries, store, target_store
from commander.commands.actions import Made, Order
from commander.commands.batches import Changed
from commander.commands.domain import Batch, BatchState
from commander.commands.target_store import Target
from commander.db import Database
from commander.registry import store as registry
from commander.registry.kinds import RigKind
from protocol.command_messages import (
    Command,
    CommandAction,
    CommandsStatus,
    CommandState,
    CommandStatus,
    FetchedLog,
    Finding,
)


@dataclass
class CommandFarm:
    """Actions of a person and of the rigs' sentries; `notified` are the changes that the commander was notified of."""

    database: Database
    notified: list[Changed] = field(default_factory=list)

    async def notify(self, changed: Changed) -> None:
        self.notified.append(changed)

    async def add_rigs(self, count: int) -> list[int]:
        now = await self.database.now()
        async with self.database.transaction() as db:
            added = [
                await registry.insert_rig(db, RigKind.CPU_GPU, f"rig-{n:03}", f"{n:032}".encode(), now=now)
                for n in range(1, count + 1)
            ]
        return [rig.id for rig in added]

    async def order(self, action: CommandAction, rig_ids: list[int], **more: object) -> Made:
        order = Order(action, rig_ids, "a test", **more)  # type: ignore[arg-type]  # as each test names them
        return await actions.make_command(self.database, self.notify, order)

    async def commands(self, rig_id: int) -> list[Command]:
        """Returns the commands that the rig's sentry gets."""
        return (await sentries.commands_for(self.database, rig_id)).commands

    async def report(
        self,
        rig_id: int,
        key: str,
        state: CommandState,
        text: str = "It is so.",
        *,
        boot: str | None = "boot-1",
        began_in: str | None = None,
        findings: list[Finding] | None = None,
        logs: list[FetchedLog] | None = None,
    ) -> None:
        about = CommandStatus(
            id=key,
            action="any",
            state=state,
            text=text,
            boot_id=began_in or boot,
            findings=findings or [],
            logs=logs or [],
        )
        await sentries.take_status(self.database, self.notify, rig_id, CommandsStatus(boot_id=boot, commands=[about]))

    async def arrive(self, rig_id: int, *, boot: str) -> None:
        """The sentry has started: it reports its boot and no commands."""
        await sentries.take_status(self.database, self.notify, rig_id, CommandsStatus(boot_id=boot, commands=[]))

    async def targets(self, command_id: int) -> list[Target]:
        async with self.database.reading() as db:
            return await target_store.targets_of(db, command_id)

    async def states(self, command_id: int) -> list[str]:
        return [str(each.state) for each in await self.targets(command_id)]

    async def state(self, command_id: int) -> BatchState:
        async with self.database.reading() as db:
            return (await store.get_command(db, command_id)).state

    async def note(self, command_id: int) -> str:
        async with self.database.reading() as db:
            return (await store.get_command(db, command_id)).note

    async def finish(self, rig_id: int, state: CommandState = CommandState.DONE) -> list[str]:
        """The rig's sentry fetches its commands and gives this result for each; returns their keys."""
        fetched = [each for each in await self.commands(rig_id) if each.valid_s > 0]
        for each in fetched:
            if state is not CommandState.REFUSED:
                await self.report(rig_id, each.id, CommandState.BEGUN)
            await self.report(rig_id, each.id, state)
        return [each.id for each in fetched]


BY_TWO = Batch(size=2, max_failures=2)
