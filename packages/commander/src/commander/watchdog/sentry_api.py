"""Reports of sentries about their watchdog's acts."""

from typing import Annotated

from litestar import post
from litestar.di import NamedDependency
from litestar.params import Body
from protocol.command_messages import LadderEvents

from commander.db import Database
from commander.registry.sentry_calls import report
from commander.watchdog.actions import take_events


@report(post, "/api/v1/sentry/events")
async def post_events(
    data: Annotated[LadderEvents, Body()],
    rig_id: NamedDependency[int],
    database: NamedDependency[Database],
) -> None:
    """Acts of the rig's watchdog. An event that is sent again is stored once."""
    await take_events(database, rig_id, data.events)


HANDLERS = [post_events]
