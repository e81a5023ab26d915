"""Conditions of a rig over time, for the bands in its charts and for scripts."""

from datetime import datetime

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from commander.db import Database
from commander.history.api import From, To, question_of
from commander.incidents.domain import Condition
from commander.incidents.store import conditions_of_rig
from commander.incidents.words import text_of
from commander.live.rigs import Lives
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind
from commander.web.api_docs import BEARER, problems

_POINTS = 2


class ConditionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A condition of a rig. `device` is null for the whole rig, `until` while it lasts; `text` is for people."""

    rule: str
    severity: Severity
    device: str | None
    value: str
    text: str
    since: datetime = msgspec.field(name="from")
    until: datetime | None
    incident_id: int | None


class ConditionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions that held at some moment of the range, newest first, 500 at most."""

    conditions: list[ConditionAnswer]


@get(
    "/api/v1/cpu-gpu-rigs/{rig_id:int}/conditions",
    responses=problems(400, 401, 404, 422),
    tags=["incidents"],
    security=BEARER,
)
async def cpu_gpu_rig_conditions(
    rig_id: FromPath[int],
    database: NamedDependency[Database],
    lives: NamedDependency[Lives],
    since: From = None,
    until: To = None,
) -> ConditionsAnswer:
    """The conditions of a CPU/GPU rig, from <= time < to."""
    return await _of_rig(database, lives, RigKind.CPU_GPU, rig_id, since, until)


@get(
    "/api/v1/asic-rigs/{rig_id:int}/conditions",
    responses=problems(400, 401, 404, 422),
    tags=["incidents"],
    security=BEARER,
)
async def asic_rig_conditions(
    rig_id: FromPath[int],
    database: NamedDependency[Database],
    lives: NamedDependency[Lives],
    since: From = None,
    until: To = None,
) -> ConditionsAnswer:
    """The conditions of an ASIC, from <= time < to."""
    return await _of_rig(database, lives, RigKind.ASIC, rig_id, since, until)


HANDLERS: list[ControllerRouterHandler] = [cpu_gpu_rig_conditions, asic_rig_conditions]


async def _of_rig(
    database: Database, lives: Lives, kind: RigKind, rig_id: int, since: datetime | None, until: datetime | None
) -> ConditionsAnswer:
    """Raises `RigNotFound` or `BadRange`."""
    lives[kind].find(rig_id)
    asked = question_of(since, until, _POINTS, None)
    async with database.reading() as db:
        found = await conditions_of_rig(db, kind, rig_id, since=asked.since, until=asked.until)
    return ConditionsAnswer(conditions=[_answer(each) for each in found])


def _answer(condition: Condition) -> ConditionAnswer:
    device = condition.key.device
    return ConditionAnswer(
        rule=condition.key.rule,
        severity=condition.severity,
        device=device or None,
        value=condition.value,
        text=text_of(condition),
        since=condition.began_at,
        until=condition.ended_at,
        incident_id=condition.incident_id,
    )
