"""Incidents for people's scripts."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter
from litestar.types import ControllerRouterHandler

from commander.accounts.domain import author_of
from commander.db import Database
from commander.incidents import store
from commander.incidents.actions import MUTE_MINUTES_AT_MOST, IncidentActions
from commander.incidents.responses import IncidentAnswer, IncidentsAnswer, incident_answer
from commander.raw_logs.pagination import Cursor
from commander.web.api_docs import BEARER, problems

AnyRequest = Request[Any, Any, Any]
_AT_MOST = 200


class IncidentState(StrEnum):
    """The state by which incidents are listed."""

    OPEN = "open"
    CLOSED = "closed"


class MuteBody(msgspec.Struct, frozen=True, kw_only=True):
    """The time of a mute in minutes."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=MUTE_MINUTES_AT_MOST)]


class IncidentsApi(Controller):
    """Incidents, and what people do with them."""

    path = "/api/v1/incidents"
    tags = ("incidents",)
    security = BEARER

    @get(responses=problems(400, 401, 422))
    async def list_incidents(
        self,
        database: NamedDependency[Database],
        listed: Annotated[IncidentState, QueryParameter(name="state")] = IncidentState.OPEN,
        limit: Annotated[int, QueryParameter(ge=1, le=_AT_MOST)] = 50,
        cursor: Cursor = None,
    ) -> IncidentsAnswer:
        """Open or closed incidents, newest first."""
        async with database.reading() as db:
            before_id = int(cursor) if cursor else None
            is_open = listed is IncidentState.OPEN
            rows = await store.read_incidents(db, is_open=is_open, before_id=before_id, limit=limit + 1)
            page = rows[:limit]
            conditions = await store.conditions_of_incidents(db, [each.id for each in page])
        return IncidentsAnswer(
            incidents=[incident_answer(each, conditions[each.id]) for each in page],
            cursor=str(page[-1].id) if len(rows) > limit else None,
        )

    @get("/{incident_id:int}", responses=problems(400, 401, 404))
    async def show_incident(self, incident_id: FromPath[int], database: NamedDependency[Database]) -> IncidentAnswer:
        """One incident with its rigs."""
        async with database.reading() as db:
            incident = await store.get_incident(db, incident_id)
            conditions = await store.conditions_of_incidents(db, [incident_id])
        return incident_answer(incident, conditions[incident_id])

    @post("/{incident_id:int}/acknowledge", status_code=204, responses=problems(400, 401, 404, 409))
    async def acknowledge_incident(
        self, incident_id: FromPath[int], request: AnyRequest, incident_actions: NamedDependency[IncidentActions]
    ) -> None:
        """Say that somebody takes care of it: no reminders until it closes or gets worse."""
        await incident_actions.acknowledge(incident_id, by=author_of(request.user))

    @post("/{incident_id:int}/mute", status_code=204, responses=problems(400, 401, 404, 409, 413, 415, 422))
    async def mute_incident(
        self,
        incident_id: FromPath[int],
        data: Annotated[MuteBody, Body()],
        incident_actions: NamedDependency[IncidentActions],
    ) -> None:
        """Stop the messages about it for some minutes, except the one that it is closed."""
        await incident_actions.mute(incident_id, data.minutes)

    @post("/{incident_id:int}/unmute", status_code=204, responses=problems(400, 401, 404, 409))
    async def unmute_incident(
        self, incident_id: FromPath[int], incident_actions: NamedDependency[IncidentActions]
    ) -> None:
        """End the mute."""
        await incident_actions.unmute(incident_id)


HANDLERS: list[ControllerRouterHandler] = [IncidentsApi]
