"""Reports of sentries about their commands."""

from typing import Annotated

from litestar import Request, put
from litestar.di import NamedDependency
from litestar.params import Body
from protocol.command_messages import CommandsStatus

from commander.accounts.auth import OPEN
from commander.commands import sentries
from commander.commands.actions import Notify
from commander.db import Database
from commander.registry.tokens import Tokens
from commander.web.api_docs import BEARER, problems


@put(
    "/api/v1/sentry/commands/status",
    opt={OPEN: True},
    status_code=204,
    responses=problems(400, 401, 410, 413, 415, 422),
    tags=["sentries"],
    security=BEARER,
)
async def put_commands_status(
    request: Request,  # type: ignore[type-arg]
    data: Annotated[CommandsStatus, Body()],
    tokens: NamedDependency[Tokens],
    database: NamedDependency[Database],
    notify_commands: NamedDependency[Notify],
) -> None:
    """The commands whose state is news, with the rig's present boot; a reboot is done when that is another one."""
    rig_id = await tokens.rig_of(request.headers.get("authorization"))
    await sentries.take_status(database, notify_commands, rig_id, data)


HANDLERS = [put_commands_status]
