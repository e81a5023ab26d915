"""Reports of sentries about their commands."""

from typing import Annotated

from litestar import put
from litestar.di import NamedDependency
from litestar.params import Body
from protocol.command_messages import CommandsStatus

from commander.commands import sentries
from commander.commands.actions import Notify
from commander.db import Database
from commander.registry.sentry_calls import report


@report(put, "/api/v1/sentry/commands/status")
async def put_commands_status(
    data: Annotated[CommandsStatus, Body()],
    rig_id: NamedDependency[int],
    database: NamedDependency[Database],
    notify_commands: NamedDependency[Notify],
) -> None:
    """The commands whose state is news, with the rig's present boot; a reboot is done when that is another one."""
    await sentries.take_status(database, notify_commands, rig_id, data)


HANDLERS = [put_commands_status]
