"""Incidents as pages show them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from protocol import units

from commander.db import Database
from commander.incidents import store
from commander.incidents.domain import COMMANDER, Condition, Incident
from commander.incidents.page_store import ShownConditions, incidents_of_rig, shown_conditions
from commander.incidents.words_of_devices import device_text
from commander.live.source import Query
from commander.readings.severity import Severity
from commander.registry.kinds import PATHS, RigKind
from commander.web.ids import id_in
from commander.web.shell import Fragments, macro

PATH = "/incidents"
TEMPLATE = "incidents/live.html"
RIGS_OF_CARD = 8
RIGS_OF_PAGE = 1_000
OPEN_AT_MOST = 100
CLOSED_A_PAGE = 50
TONES = {Severity.CRITICAL: "bad", Severity.WARNING: "warning"}


class RigLine(NamedTuple):
    """A rig of an incident. `href` is empty for the commander itself, `until` is None while it lasts."""

    name: str
    href: str
    value: str
    since: datetime
    until: datetime | None


class IncidentView(NamedTuple):
    """An incident. `muted_until` is None unless it is muted now; `more` rigs are not among `rigs`.

    `each` is the value that all rigs have in common, if there are several.
    """

    id: int
    title: str
    word: str
    tone: str
    opened_at: datetime
    closed_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    muted_until: datetime | None
    in_common: str
    rigs: list[RigLine]
    more: str
    each: str

    @property
    def href(self) -> str:
        return f"{PATH}/{self.id}"


class ListView(NamedTuple):
    """The lists of a page. `rig` names the rig whose incidents they are, empty for all."""

    open: list[IncidentView]
    closed: list[IncidentView]
    rig: str
    newest: str
    older: str


class RigChoice(NamedTuple):
    """The rig whose incidents are listed, as in the address: `rig=cpu-gpu-7`."""

    kind: RigKind
    rig_id: int

    @property
    def parameter(self) -> str:
        return f"{self.kind}-{self.rig_id}"


def rig_choice(text: str) -> RigChoice | None:
    """Returns None for an empty text. Raises `ValueError` for a text that no link of the commander has."""
    if not text:
        return None
    kind, _, number = text.rpartition("-")
    rig_id = id_in(number)
    if rig_id is None:
        raise ValueError("no rig has this number")
    return RigChoice(RigKind(kind), rig_id)


def check_list(query: Query) -> None:
    """Raises `ValueError` for an address that no link of the commander has."""
    rig_choice(query.get("rig", ""))
    if query.get("before") and id_in(query["before"]) is None:
        raise ValueError("no incident has this number")


def check_incident(query: Query) -> None:
    """Raises `ValueError`."""
    if id_in(query.get("incident", "")) is None:
        raise ValueError("no incident has this number")


async def list_fragments(database: Database, query: Query, *, now: datetime) -> Fragments:
    """Returns the live parts of the list. Raises `ValueError` for an address that no link has."""
    check_list(query)
    rig, before = rig_choice(query.get("rig", "")), id_in(query.get("before", ""))
    async with database.reading() as db:
        if rig:
            opened = await incidents_of_rig(db, *rig, is_open=True, before_id=None, limit=OPEN_AT_MOST)
            closed = await incidents_of_rig(db, *rig, is_open=False, before_id=before, limit=CLOSED_A_PAGE + 1)
        else:
            opened = await store.read_incidents(db, is_open=True, limit=OPEN_AT_MOST)
            closed = await store.read_incidents(db, is_open=False, before_id=before, limit=CLOSED_A_PAGE + 1)
        shown, more = closed[:CLOSED_A_PAGE], len(closed) > CLOSED_A_PAGE
        found = await shown_conditions(db, [each.id for each in (*opened, *shown)], each_most=RIGS_OF_CARD)
    back = f"{PATH}?rig={rig.parameter}" if rig else PATH
    older = f"{back}{'&' if rig else '?'}before={shown[-1].id}" if more else ""
    view = ListView(
        open=worst_first(incident_view(each, found[each.id], now=now) for each in opened),
        closed=[incident_view(each, found[each.id], now=now) for each in shown],
        rig=rig.parameter if rig else "",
        newest=back if before else "",
        older=older,
    )
    return {"open": macro(TEMPLATE, "open_list", view), "closed": macro(TEMPLATE, "closed_list", view)}


async def incident_fragments(database: Database, incident_id: int, *, now: datetime) -> Fragments:
    """Returns the live part of one incident's page; none if it is gone."""
    async with database.reading() as db:
        incident = await store.find_incident(db, incident_id)
        if incident is None:
            return {}
        found = await shown_conditions(db, [incident_id], each_most=RIGS_OF_PAGE)
    return {"incident": macro(TEMPLATE, "incident", incident_view(incident, found[incident_id], now=now))}


async def open_views(database: Database, *, now: datetime) -> list[IncidentView]:
    """Returns the open incidents, newest first, with some of their rigs."""
    async with database.reading() as db:
        found = await store.read_incidents(db, is_open=True, limit=OPEN_AT_MOST)
        conditions = await shown_conditions(db, [each.id for each in found], each_most=RIGS_OF_CARD)
    return worst_first(incident_view(each, conditions[each.id], now=now) for each in found)


def worst_first(views: Iterable[IncidentView]) -> list[IncidentView]:
    """Returns incidents with critical ones first, and muted ones last."""
    return sorted(views, key=lambda view: (view.muted_until is not None, view.tone != TONES[Severity.CRITICAL]))


def incident_view(incident: Incident, conditions: ShownConditions, *, now: datetime) -> IncidentView:
    left_out = conditions.total - len(conditions.first)
    rigs = list(_lines(conditions.first))
    values = {rig.value for rig in rigs}
    is_muted = incident.muted_until is not None and incident.muted_until > now
    return IncidentView(
        id=incident.id,
        title=incident.title or incident.rule,
        word="Closed" if incident.closed_at else incident.severity.value.capitalize(),
        tone="idle" if incident.closed_at else TONES[incident.severity],
        opened_at=incident.opened_at,
        closed_at=incident.closed_at,
        acknowledged_at=incident.acknowledged_at,
        acknowledged_by=incident.acknowledged_by or "",
        muted_until=incident.muted_until if is_muted else None,
        in_common=incident.in_common.text if incident.in_common else "",
        rigs=rigs,
        more=units.count_text(left_out) if left_out > 0 else "",
        each=values.pop() if len(rigs) > 1 and len(values) == 1 else "",
    )


def _lines(conditions: Iterable[Condition]) -> Iterable[RigLine]:
    for each in conditions:
        kind, rig_id, _, device = each.key
        href = "" if kind == COMMANDER else f"{PATHS[RigKind(kind)]}/{rig_id}"
        value = ": ".join(filter(None, (device_text(device), each.value)))
        yield RigLine(each.name, href, value, each.began_at, each.ended_at)
