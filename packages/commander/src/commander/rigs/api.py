"""CPU/GPU rigs for people's scripts."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter
from litestar.types import ControllerRouterHandler
from protocol.messages import CpuGpuLog
from protocol.tokens import Token

from commander.db import Database, to_us
from commander.live.answers import StatsAnswer, stats_answer
from commander.live.operational_index import RigState
from commander.live.rigs import LiveRigs
from commander.rigs.answers import RigAnswer, rig_answer
from commander.rigs.domain import RigNotFound, enroll_command
from commander.rigs.kinds import RigKind
from commander.rigs.register import RigRegister
from commander.settings import Settings
from commander.telemetry import store as logs
from commander.web.api_docs import BEARER, problems

LOGS_A_PAGE = 1_000
_log = msgspec.json.Decoder(CpuGpuLog)


NAME_SCHEMA = {
    "description": "1 to 64 letters, digits, spaces and . _ - : # ( ) + @ / beginning with a letter or digit",
    "extra": {"minLength": 1, "maxLength": 64, "pattern": r"^ *\w[\w .:#()+@/-]*$"},
}


class NewName(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(extra_json_schema=NAME_SCHEMA)]


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

    @get(responses=problems(401))
    async def list_rigs(self, live: NamedDependency[LiveRigs]) -> list[RigAnswer]:
        """All CPU/GPU rigs, by name."""
        return [rig_answer(state) for state in sorted(live.index.rigs.values(), key=lambda rig: rig.name.casefold())]

    @post(responses=problems(400, 401, 409, 413, 415, 422))
    async def add_rig(
        self,
        data: Annotated[NewName, Body()],
        register: NamedDependency[RigRegister],
        settings: NamedDependency[Settings],
    ) -> RigWithToken:
        """Add a rig and get its token."""
        rig, token = await register.add(data.name)
        return with_token(rig.id, rig.name, token, settings)

    @get("/{rig_id:int}", responses=problems(400, 401, 404))
    async def show_rig(self, rig_id: FromPath[int], live: NamedDependency[LiveRigs]) -> RigAnswer:
        """One rig with its health, specs and last log."""
        return rig_answer(find(live, rig_id))

    @patch("/{rig_id:int}", responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def rename_rig(
        self,
        rig_id: FromPath[int],
        data: Annotated[NewName, Body()],
        register: NamedDependency[RigRegister],
        live: NamedDependency[LiveRigs],
    ) -> RigAnswer:
        """Rename a rig."""
        await register.rename(find(live, rig_id).id, data.name)
        return rig_answer(find(live, rig_id))

    @delete("/{rig_id:int}", responses=problems(400, 401, 404))
    async def remove_rig(
        self, rig_id: FromPath[int], register: NamedDependency[RigRegister], live: NamedDependency[LiveRigs]
    ) -> None:
        """Remove a rig and all its data; its sentry stops mining."""
        await register.remove(find(live, rig_id).id)

    @post("/{rig_id:int}/token", responses=problems(400, 401, 404))
    async def replace_token(
        self,
        rig_id: FromPath[int],
        register: NamedDependency[RigRegister],
        live: NamedDependency[LiveRigs],
        settings: NamedDependency[Settings],
    ) -> RigWithToken:
        """A new token; the old one is dead at once."""
        rig = find(live, rig_id)
        return with_token(rig.id, rig.name, await register.new_token(rig.id), settings)

    @get("/{rig_id:int}/logs", responses=problems(400, 401, 404, 422))
    async def list_logs(
        self,
        rig_id: FromPath[int],
        live: NamedDependency[LiveRigs],
        database: NamedDependency[Database],
        since: Annotated[datetime | None, QueryParameter(name="from")] = None,
        until: Annotated[datetime | None, QueryParameter(name="to")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=LOGS_A_PAGE)] = 100,
        cursor: Annotated[str | None, QueryParameter(pattern="^[0-9]{1,18}$")] = None,
    ) -> LogPage:
        """The rig's raw logs with from <= taken_at < to, newest first."""
        rig = find(live, rig_id)
        before_us = int(cursor) if cursor else to_us(_aware(until or datetime.now(UTC) + timedelta(minutes=10)))
        since_us = to_us(_aware(since)) if since else 0
        async with database.reading() as db:
            page = await logs.read_logs(
                db, RigKind.CPU_GPU, rig.id, from_us=since_us, before_us=before_us, limit=limit + 1
            )
        more = len(page) > limit
        return LogPage(
            logs=[_log.decode(log.body) for log in page[:limit]],
            cursor=str(to_us(page[limit - 1].taken_at)) if more else None,
        )


@get("/api/v1/cpu-gpu-stats", responses=problems(401), tags=["rigs"], security=BEARER)
async def stats(live: NamedDependency[LiveRigs]) -> StatsAnswer:
    """The farm's totals, of the rigs that are alive."""
    return stats_answer(live.index)


def find(live: LiveRigs, rig_id: int) -> RigState:
    state = live.index.rigs.get(rig_id)
    if state is None:
        raise RigNotFound("There is no such rig; it may have been removed.")
    return state


def with_token(rig_id: int, name: str, token: Token, settings: Settings) -> RigWithToken:
    return RigWithToken(
        id=rig_id,
        name=name,
        token=str(token),
        commander_url=settings.public_url,
        enroll_command=enroll_command(settings.public_url, token),
    )


def _aware(moment: datetime) -> datetime:
    """A time without a zone is taken as UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


HANDLERS: list[ControllerRouterHandler] = [RigsApi, stats]
