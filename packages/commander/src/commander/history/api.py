"""History for people's scripts and the pages' charts: of one rig, and of all rigs of a kind."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

import sqlalchemy as sa
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.types import ControllerRouterHandler
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database
from commander.history.query import POINTS_AT_MOST, BadRange, History, check_range, farm_history, rig_history
from commander.registry.kinds import RigKind
from commander.registry.names import RigNotFound
from commander.registry.tables import RIGS
from commander.web.api_docs import BEARER, problems

LAST = timedelta(hours=24)  # the range where the request names none
POINTS = 500
MOST_RIGS = 2**31
NOTHING = History(step_s=60, times=[], series=[])

From = Annotated[datetime | None, QueryParameter(name="from", description="default: 24 hours before `to`")]
To = Annotated[datetime | None, QueryParameter(name="to", description="default: now")]
PointCount = Annotated[int, QueryParameter(name="points", ge=2, le=POINTS_AT_MOST)]
ChosenFigures = Annotated[
    str | None,
    QueryParameter(description="only these, with commas between: hashrate_hs,power_w", pattern="^[a-z_]+(,[a-z_]+)*$"),
]


@get(
    "/api/v1/cpu-gpu-rigs/{rig_id:int}/history", responses=problems(400, 401, 404, 422), tags=["rigs"], security=BEARER
)
async def cpu_gpu_rig_history(
    rig_id: FromPath[int],
    database: NamedDependency[Database],
    since: From = None,
    until: To = None,
    points: PointCount = POINTS,
    figures: ChosenFigures = None,
) -> History:
    """A CPU/GPU rig's figures over time, per device and in total; from <= time < to, evenly spaced, a gap is null."""
    return await _of_rig(database, RigKind.CPU_GPU, rig_id, question_of(since, until, points, figures))


@get("/api/v1/asic-rigs/{rig_id:int}/history", responses=problems(400, 401, 404, 422), tags=["rigs"], security=BEARER)
async def asic_rig_history(
    rig_id: FromPath[int],
    database: NamedDependency[Database],
    since: From = None,
    until: To = None,
    points: PointCount = POINTS,
    figures: ChosenFigures = None,
) -> History:
    """An ASIC's figures over time, per board and fan and in total; from <= time < to, evenly spaced, a gap is null."""
    return await _of_rig(database, RigKind.ASIC, rig_id, question_of(since, until, points, figures))


@get("/api/v1/cpu-gpu-stats/history", responses=problems(400, 401, 422), tags=["rigs"], security=BEARER)
async def cpu_gpu_stats_history(
    database: NamedDependency[Database],
    since: From = None,
    until: To = None,
    points: PointCount = POINTS,
    figures: ChosenFigures = None,
) -> History:
    """All CPU/GPU rigs over time: hashrate per coin, power, rigs alive."""
    return await _of_farm(database, RigKind.CPU_GPU, question_of(since, until, points, figures))


@get("/api/v1/asic-stats/history", responses=problems(400, 401, 422), tags=["rigs"], security=BEARER)
async def asic_stats_history(
    database: NamedDependency[Database],
    since: From = None,
    until: To = None,
    points: PointCount = POINTS,
    figures: ChosenFigures = None,
) -> History:
    """All ASICs over time: hashrate per coin, power, rigs alive."""
    return await _of_farm(database, RigKind.ASIC, question_of(since, until, points, figures))


class HistoryQuestion(NamedTuple):
    since: datetime
    until: datetime
    points: int
    figures: frozenset[str] | None


def question_of(since: datetime | None, until: datetime | None, points: int, figures: str | None) -> HistoryQuestion:
    """Reads the query, with the defaults. Raises `BadRange`."""
    end = aware(until) if until else datetime.now(UTC)
    try:
        start = aware(since) if since else end - LAST
    except OverflowError as error:
        raise BadRange("The range begins before the calendar does; ask for a later `to`.") from error
    check_range(start, end)
    return HistoryQuestion(start, end, points, frozenset(figures.split(",")) if figures else None)


def aware(moment: datetime) -> datetime:
    """A time without a zone is taken as UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _of_rig(database: Database, kind: RigKind, rig_id: int, question: HistoryQuestion) -> History:
    async with database.reading() as db:
        await _must_exist(db, kind, rig_id)
        if (until := _until_now(question)) <= question.since:
            return NOTHING
        return await rig_history(
            db, kind, rig_id, since=question.since, until=until, points=question.points, figures=question.figures
        )


async def _of_farm(database: Database, kind: RigKind, question: HistoryQuestion) -> History:
    if (until := _until_now(question)) <= question.since:
        return NOTHING
    async with database.reading() as db:
        return await farm_history(
            db, kind, since=question.since, until=until, points=question.points, figures=question.figures
        )


def _until_now(question: HistoryQuestion) -> datetime:
    """Nothing is known of the future."""
    return min(question.until, datetime.now(UTC))


async def _must_exist(db: AsyncConnection, kind: RigKind, rig_id: int) -> None:
    rigs = RIGS[kind]
    row = rig_id < MOST_RIGS and (await db.execute(sa.select(rigs.c.id).where(rigs.c.id == rig_id))).one_or_none()
    if not row:
        raise RigNotFound("There is no such rig; it may have been removed.")


HANDLERS: list[ControllerRouterHandler] = [
    cpu_gpu_rig_history,
    asic_rig_history,
    cpu_gpu_stats_history,
    asic_stats_history,
]
