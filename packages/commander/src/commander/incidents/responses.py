"""Incidents as JSON, for scripts, the channel and webhooks."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from commander.incidents.domain import COMMANDER, Condition, Incident, InCommon
from commander.readings.severity import Severity


class IncidentRig(msgspec.Struct, frozen=True, kw_only=True):
    """A rig of an incident. `device` is null for the whole rig; `until` is null while it lasts."""

    kind: str
    rig_id: int
    name: str
    device: str | None
    since: datetime = msgspec.field(name="from")
    until: datetime | None
    value: str


class IncidentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An incident. `closed_at` is null while it is open; `in_common` is null if its rigs have no group in common."""

    id: int
    rule: str
    severity: Severity
    title: str
    opened_at: datetime
    closed_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    muted_until: datetime | None
    rigs: list[IncidentRig]
    in_common: InCommon | None


class IncidentsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Incidents, newest first; `cursor` asks for the next page, null: this is the last."""

    incidents: list[IncidentAnswer]
    cursor: str | None = None


def incident_answer(incident: Incident, conditions: Iterable[Condition]) -> IncidentAnswer:
    return IncidentAnswer(
        id=incident.id,
        rule=incident.rule,
        severity=incident.severity,
        title=incident.title,
        opened_at=incident.opened_at,
        closed_at=incident.closed_at,
        acknowledged_at=incident.acknowledged_at,
        acknowledged_by=incident.acknowledged_by,
        muted_until=incident.muted_until,
        rigs=[_rig(each) for each in conditions if each.key.kind != COMMANDER],
        in_common=incident.in_common,
    )


def incident_json(incident: Incident, conditions: Iterable[Condition]) -> bytes:
    return msgspec.json.encode(incident_answer(incident, conditions))


def _rig(condition: Condition) -> IncidentRig:
    return IncidentRig(
        kind=condition.key.kind,
        rig_id=condition.key.rig_id,
        name=condition.name,
        device=condition.key.device or None,
        since=condition.began_at,
        until=condition.ended_at,
        value=condition.value,
    )
