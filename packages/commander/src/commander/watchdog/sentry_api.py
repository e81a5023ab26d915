"""Reports of sentries about their watchdog's acts."""

from typing import Annotated

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import Body
from protocol.command_messages import LadderEvents

from commander.accounts.auth import OPEN
from commander.db import Database
from commander.registry.tokens import Tokens
from commander.watchdog.actions import take_events
from commander.web.api_docs import BEARER, problems


@post(
    "/api/v1/sentry/events",
    opt={OPEN: True},
    status_code=204,
    responses=problems(400, 401, 410, 413, 415, 422),
    tags=["sentries"],
    security=BEARER,
)
async def post_events(
    request: Request,  # type: ignore[type-arg]
    data: Annotated[LadderEvents, Body()],
    tokens: NamedDependency[Tokens],
    database: NamedDependency[Database],
) -> None:
    """Acts of the rig's watchdog. An event that is sent again is stored once."""
    rig_id = await tokens.rig_of(request.headers.get("authorization"))
    await take_events(database, rig_id, data.events)


HANDLERS = [post_events]
