"""CPU/GPU rigs for people's scripts."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler
from protocol.messages import CpuGpuLog
from protocol.reading import Reader
from protocol.tokens import Token

from commander.accounts.domain import author_of
from commander.db import Database
from commander.live.responses import StatsAnswer, stats_answer
from commander.live.rigs import LiveRigs
from commander.raw_logs.pagination import Cursor, Limit, Since, Until, log_page
from commander.registry.names import enroll_command
from commander.rigs.actions import RigActions
from commander.rigs.changes import RigChange, Select, change_rig
from commander.rigs.cpu_gpu_responses import RigAnswer, rig_answer
from commander.selections.choice import chosen
from commander.settings import Settings
from commander.web.api_docs import BEARER, problems
from commander.web.names import NewName

_log = Reader(CpuGpuLog)


class RigWithToken(msgspec.Struct, frozen=True, kw_only=True):
    """A rig's token can be read here and never again; `enroll_command` is what to type on the rig."""

    id: int
    name: str
    token: str
    commander_url: str
    enroll_command: str


class LogPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Logs as they were sent, newest first; without `cursor` it is the last page."""

    logs: list[CpuGpuLog]
    cursor: str | None = None


class RigsApi(Controller):
    """A class only because that is how Litestar groups handlers under one path."""

    path = "/api/v1/cpu-gpu-rigs"
    tags = ("rigs",)
    security = BEARER

    @get(responses=problems(401, 422))
    async def list_rigs(self, live: NamedDependency[LiveRigs], select: Select = None) -> list[RigAnswer]:
        """All CPU/GPU rigs, by name."""
        return [rig_answer(state) for state in chosen(live, select)]

    @post(responses=problems(400, 401, 409, 413, 415, 422))
    async def add_rig(
        self,
        data: Annotated[NewName, Body()],
        rig_actions: NamedDependency[RigActions],
        settings: NamedDependency[Settings],
    ) -> RigWithToken:
        """Add a rig and get its token."""
        rig, token = await rig_actions.add(data.name)
        return with_token(rig.id, rig.name, token, settings)

    @get("/{rig_id:int}", responses=problems(400, 401, 404))
    async def show_rig(self, rig_id: FromPath[int], live: NamedDependency[LiveRigs]) -> RigAnswer:
        """One rig with its health, specs and last log."""
        return rig_answer(live.find(rig_id))

    @patch("/{rig_id:int}", responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def update_rig(
        self,
        rig_id: FromPath[int],
        data: Annotated[RigChange, Body()],
        request: Request[Any, Any, Any],
        rig_actions: NamedDependency[RigActions],
        live: NamedDependency[LiveRigs],
    ) -> RigAnswer:
        """Rename a rig, replace its tags, or both."""
        await change_rig(rig_actions, live.find(rig_id).id, data, author=author_of(request.user))
        return rig_answer(live.find(rig_id))

    @delete("/{rig_id:int}", responses=problems(400, 401, 404))
    async def remove_rig(
        self, rig_id: FromPath[int], rig_actions: NamedDependency[RigActions], live: NamedDependency[LiveRigs]
    ) -> None:
        """Remove a rig and all its data; its sentry stops mining."""
        await rig_actions.remove(live.find(rig_id).id)

    @post("/{rig_id:int}/token", responses=problems(400, 401, 404))
    async def replace_token(
        self,
        rig_id: FromPath[int],
        rig_actions: NamedDependency[RigActions],
        live: NamedDependency[LiveRigs],
        settings: NamedDependency[Settings],
    ) -> RigWithToken:
        """A new token; the old one stops working immediately."""
        rig = live.find(rig_id)
        return with_token(rig.id, rig.name, await rig_actions.new_token(rig.id), settings)

    @get("/{rig_id:int}/logs", responses=problems(400, 401, 404, 422))
    async def list_logs(
        self,
        rig_id: FromPath[int],
        live: NamedDependency[LiveRigs],
        database: NamedDependency[Database],
        since: Since = None,
        until: Until = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> LogPage:
        """The rig's raw logs with from <= taken_at < to, newest first."""
        rig = live.find(rig_id)
        page = await log_page(database, live.kind, rig.id, since=since, until=until, limit=limit, cursor=cursor)
        return LogPage(logs=[_log.decode(body) for body in page.logs], cursor=page.cursor)


@get("/api/v1/cpu-gpu-stats", responses=problems(401), tags=["rigs"], security=BEARER)
async def stats(live: NamedDependency[LiveRigs]) -> StatsAnswer:
    """The farm's totals, of the rigs that are alive."""
    return stats_answer(live.index)


def with_token(rig_id: int, name: str, token: Token, settings: Settings) -> RigWithToken:
    return RigWithToken(
        id=rig_id,
        name=name,
        token=str(token),
        commander_url=settings.public_url,
        enroll_command=enroll_command(settings.public_url, token),
    )


HANDLERS: list[ControllerRouterHandler] = [RigsApi, stats]
