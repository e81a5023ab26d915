"""ASICs for people's scripts."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler
from protocol.asic_messages import AsicLog
from protocol.reading import Reader
from protocol.tokens import Token

from commander.accounts.domain import author_of
from commander.db import Database
from commander.live.responses import StatsAnswer, stats_answer
from commander.live.rigs import LiveRigs
from commander.raw_logs.pagination import Cursor, Limit, Since, Until, log_page
from commander.readings.asic import add_command, connect_command
from commander.rigs.actions import RigActions
from commander.rigs.asic_responses import AsicAnswer, asic_answer
from commander.rigs.changes import RigChange, Select, change_rig
from commander.selections.choice import chosen
from commander.settings import Settings
from commander.web.api_docs import BEARER, problems
from commander.web.names import NewName

_log = Reader(AsicLog)


class AsicWithToken(msgspec.Struct, frozen=True, kw_only=True):
    """An ASIC's token can be read here and never again.

    `connect_command` is typed once beside the ASIC sentry, `enroll_command` for this ASIC, with its address in place of
    `ASIC_IP`.
    """

    id: int
    name: str
    token: str
    commander_url: str
    connect_command: str
    enroll_command: str


class AsicLogPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Logs as they were sent, newest first; without `cursor` it is the last page."""

    logs: list[AsicLog]
    cursor: str | None = None


class AsicsApi(Controller):
    """`live` and `rig_actions` are those of the ASICs: `app.py` says so to the router of these handlers."""

    path = "/api/v1/asic-rigs"
    tags = ("asics",)
    security = BEARER

    @get(responses=problems(401, 422))
    async def list_asics(self, live: NamedDependency[LiveRigs], select: Select = None) -> list[AsicAnswer]:
        """All ASICs, by name."""
        return [asic_answer(state) for state in chosen(live, select)]

    @post(responses=problems(400, 401, 409, 413, 415, 422))
    async def add_asic(
        self,
        data: Annotated[NewName, Body()],
        rig_actions: NamedDependency[RigActions],
        settings: NamedDependency[Settings],
    ) -> AsicWithToken:
        """Add an ASIC and get its token."""
        rig, token = await rig_actions.add(data.name)
        return with_token(rig.id, rig.name, token, settings)

    @get("/{rig_id:int}", responses=problems(400, 401, 404))
    async def show_asic(self, rig_id: FromPath[int], live: NamedDependency[LiveRigs]) -> AsicAnswer:
        """One ASIC with its health, specs and last log."""
        return asic_answer(live.find(rig_id))

    @patch("/{rig_id:int}", responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def update_asic(
        self,
        rig_id: FromPath[int],
        data: Annotated[RigChange, Body()],
        request: Request[Any, Any, Any],
        rig_actions: NamedDependency[RigActions],
        live: NamedDependency[LiveRigs],
    ) -> AsicAnswer:
        """Rename an ASIC, replace its tags, or both."""
        await change_rig(rig_actions, live.find(rig_id).id, data, author=author_of(request.user))
        return asic_answer(live.find(rig_id))

    @delete("/{rig_id:int}", responses=problems(400, 401, 404))
    async def remove_asic(
        self, rig_id: FromPath[int], rig_actions: NamedDependency[RigActions], live: NamedDependency[LiveRigs]
    ) -> None:
        """Remove an ASIC and all its data; its sentry shows an invalid token. The machine itself is left as it is."""
        await rig_actions.remove(live.find(rig_id).id)

    @post("/{rig_id:int}/token", responses=problems(400, 401, 404))
    async def replace_asic_token(
        self,
        rig_id: FromPath[int],
        rig_actions: NamedDependency[RigActions],
        live: NamedDependency[LiveRigs],
        settings: NamedDependency[Settings],
    ) -> AsicWithToken:
        """A new token; the old one stops working immediately."""
        rig = live.find(rig_id)
        return with_token(rig.id, rig.name, await rig_actions.new_token(rig.id), settings)

    @get("/{rig_id:int}/logs", responses=problems(400, 401, 404, 422))
    async def list_asic_logs(
        self,
        rig_id: FromPath[int],
        live: NamedDependency[LiveRigs],
        database: NamedDependency[Database],
        since: Since = None,
        until: Until = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> AsicLogPage:
        """The ASIC's raw logs with from <= taken_at < to, newest first."""
        rig = live.find(rig_id)
        page = await log_page(database, live.kind, rig.id, since=since, until=until, limit=limit, cursor=cursor)
        return AsicLogPage(logs=[_log.decode(body) for body in page.logs], cursor=page.cursor)


@get("/api/v1/asic-stats", responses=problems(401), tags=["asics"], security=BEARER)
async def asic_stats(live: NamedDependency[LiveRigs]) -> StatsAnswer:
    """The totals of the ASICs that are alive."""
    return stats_answer(live.index)


def with_token(rig_id: int, name: str, token: Token, settings: Settings) -> AsicWithToken:
    return AsicWithToken(
        id=rig_id,
        name=name,
        token=str(token),
        commander_url=settings.public_url,
        connect_command=connect_command(settings.public_url),
        enroll_command=add_command(token),
    )


HANDLERS: list[ControllerRouterHandler] = [AsicsApi, asic_stats]
