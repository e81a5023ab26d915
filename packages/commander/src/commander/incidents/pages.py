"""The pages of incidents, and the forms by which people acknowledge and mute them."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from commander.accounts.domain import author_of
from commander.db import Database
from commander.incidents import store
from commander.incidents.actions import MUTE_MINUTES, MUTE_MINUTES_AT_MOST, IncidentActions
from commander.incidents.domain import IncidentClosed
from commander.incidents.source import IncidentSource
from commander.incidents.views import PATH, RigChoice, check_list, incident_fragments, list_fragments, rig_choice
from commander.live.rigs import Lives
from commander.registry.kinds import PATHS
from commander.web.shell import Html, Page, Section, page

SECTION = Section("Incidents", PATH, has_badge=True, icon="M12 4L3 20h18zM12 10v5M12 17v1")
BACK = ("/", PATH)
PageRequest = Request[Any, Any, Any]


class BackForm(msgspec.Struct, frozen=True):
    """`back` is the page that the button stands on."""

    back: str = PATH


class MuteForm(msgspec.Struct, frozen=True):
    back: str = PATH
    minutes: str = str(MUTE_MINUTES)


@get(PATH, include_in_schema=False)
async def show_incidents(
    request: PageRequest,
    database: NamedDependency[Database],
    incident_source: NamedDependency[IncidentSource],
    lives: NamedDependency[Lives],
) -> Html:
    """An address that somebody mistyped shows all incidents."""
    names = ("rig", "before")
    query = {name: str(request.query_params[name]) for name in names if request.query_params.get(name)}
    try:
        check_list(query)
    except ValueError:
        query = {}
    live = "/live?view=incidents" + "".join(f"&{name}={value}" for name, value in query.items())
    about = Page(title="Incidents", section=SECTION, live=live, seq=incident_source.stamp())
    parts = await list_fragments(database, query, now=datetime.now(UTC))
    rig = rig_choice(query.get("rig", ""))
    return page("incidents/list.html", about, sections=parts, rig=_rig_link(rig, lives) if rig else None)


@get(PATH + "/{incident_id:int}", include_in_schema=False)
async def show_incident(
    incident_id: FromPath[int], database: NamedDependency[Database], incident_source: NamedDependency[IncidentSource]
) -> Html:
    stamp = incident_source.stamp()
    async with database.reading() as db:
        incident = await store.get_incident(db, incident_id)
    live = f"/live?view=incident&incident={incident_id}"
    about = Page(title=incident.title or incident.rule, section=SECTION, live=live, seq=stamp)
    sections = await incident_fragments(database, incident_id, now=datetime.now(UTC))
    return page("incidents/incident.html", about, sections=sections)


@post(PATH + "/{incident_id:int}/acknowledge", include_in_schema=False)
async def acknowledge(
    incident_id: FromPath[int],
    data: URLEncodedBody[BackForm],
    request: PageRequest,
    incident_actions: NamedDependency[IncidentActions],
) -> Redirect:
    with suppress(IncidentClosed):  # it closed while the page was open
        await incident_actions.acknowledge(incident_id, by=author_of(request.user))
    return _back(data.back, incident_id)


@post(PATH + "/{incident_id:int}/mute", include_in_schema=False)
async def mute(
    incident_id: FromPath[int], data: URLEncodedBody[MuteForm], incident_actions: NamedDependency[IncidentActions]
) -> Redirect:
    minutes = int(data.minutes) if data.minutes.isdecimal() and len(data.minutes) < 6 else MUTE_MINUTES
    with suppress(IncidentClosed):
        await incident_actions.mute(incident_id, min(max(1, minutes), MUTE_MINUTES_AT_MOST))
    return _back(data.back, incident_id)


@post(PATH + "/{incident_id:int}/unmute", include_in_schema=False)
async def unmute(
    incident_id: FromPath[int], data: URLEncodedBody[BackForm], incident_actions: NamedDependency[IncidentActions]
) -> Redirect:
    with suppress(IncidentClosed):
        await incident_actions.unmute(incident_id)
    return _back(data.back, incident_id)


HANDLERS: list[HTTPRouteHandler] = [show_incidents, show_incident, acknowledge, mute, unmute]


def _back(page_path: str, incident_id: int) -> Redirect:
    own = f"{PATH}/{incident_id}"
    return Redirect(page_path if page_path in (*BACK, own) else own, status_code=303)


def _rig_link(rig: RigChoice, lives: Lives) -> tuple[str, str]:
    """Returns the name of the rig and the address of its page."""
    known = lives[rig.kind].name_of(rig.rig_id)
    return known.name if known else "a rig that was removed", f"{PATHS[rig.kind]}/{rig.rig_id}"
