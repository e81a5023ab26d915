"""Rows of incidents, written as the engine writes them."""

from datetime import datetime, timedelta

from commander.db import Database
from commander.incidents import store
from commander.incidents.domain import Condition, ConditionKey, Incident, Phase
from commander.readings.severity import Severity


def an_incident(at: datetime, **changes: object) -> Incident:
    values: dict[str, object] = {
        "rule": "temperature",
        "severity": Severity.CRITICAL,
        "title": "2 rigs are too hot",
        "opened_at": at,
        "joined_at": at,
    }
    return Incident(**{**values, **changes})  # type: ignore[arg-type]  # a test may set any field


def a_condition(rig_id: int, at: datetime, *, name: str = "rig-07", **changes: object) -> Condition:
    values: dict[str, object] = {
        "key": ConditionKey("cpu-gpu", rig_id, "temperature", "0000:03:00.0"),
        "name": name,
        "severity": Severity.CRITICAL,
        "phase": Phase.FIRING,
        "value": "97 °C",
        "began_at": at - timedelta(minutes=2),
    }
    return Condition(**{**values, **changes})  # type: ignore[arg-type]  # likewise


async def insert(database: Database, incident: Incident, *conditions: Condition) -> int:
    async with database.transaction() as db:
        incident_id = await store.insert_incident(db, incident)
        for each in conditions:
            each.incident_id = incident_id
        await store.insert_conditions(db, conditions)
    return incident_id
