"""Maintenance for people's scripts."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler

from commander.accounts.domain import author_of
from commander.maintenance.actions import MaintenanceActions
from commander.maintenance.domain import REASON_MAX_LENGTH, Maintenance
from commander.selections.domain import LINE_MAX_LENGTH
from commander.web.api_docs import BEARER, problems

AnyRequest = Request[Any, Any, Any]


class MaintenanceBody(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nothing is sent about the rigs of a selection; an empty one means all. Without `from`: from now.

    Times without a zone are UTC.
    """

    select: Annotated[str, msgspec.Meta(max_length=LINE_MAX_LENGTH)] = ""
    since: datetime | None = msgspec.field(name="from", default=None)
    until: datetime
    reason: Annotated[str, msgspec.Meta(max_length=REASON_MAX_LENGTH)] = ""


class MaintenanceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A maintenance, and who has entered it."""

    id: int
    select: str
    since: datetime = msgspec.field(name="from")
    until: datetime
    reason: str
    by: str


class MaintenancesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    maintenance: list[MaintenanceAnswer]


class MaintenanceApi(Controller):
    """Times in which nothing is sent about some rigs."""

    path = "/api/v1/maintenance"
    tags = ("maintenance",)
    security = BEARER

    @get(responses=problems(401))
    async def list_maintenance(self, maintenance_actions: NamedDependency[MaintenanceActions]) -> MaintenancesAnswer:
        """All maintenance that is not over, the first to begin first."""
        return MaintenancesAnswer(maintenance=[_answer(each) for each in await maintenance_actions.current()])

    @post(responses=problems(400, 401, 413, 415, 422))
    async def add_maintenance(
        self,
        data: Annotated[MaintenanceBody, Body()],
        request: AnyRequest,
        maintenance_actions: NamedDependency[MaintenanceActions],
    ) -> MaintenanceAnswer:
        """Add a maintenance. Conditions of its rigs are recorded, and nothing is sent."""
        added = await maintenance_actions.add(
            data.select, since=data.since, until=data.until, reason=data.reason, by=author_of(request.user)
        )
        return _answer(added)

    @delete("/{maintenance_id:int}", responses=problems(400, 401, 404))
    async def remove_maintenance(
        self, maintenance_id: FromPath[int], maintenance_actions: NamedDependency[MaintenanceActions]
    ) -> None:
        """End a maintenance, or call it off."""
        await maintenance_actions.remove(maintenance_id)


def _answer(each: Maintenance) -> MaintenanceAnswer:
    return MaintenanceAnswer(
        id=each.id, select=each.select, since=each.since, until=each.until, reason=each.reason, by=each.made_by
    )


HANDLERS: list[ControllerRouterHandler] = [MaintenanceApi]
