"""Keeps the farm's last day in memory: one query a minute and kind of rig, however many people look."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from commander.db import Database
from commander.history.query import History, HistorySeries, farm_history
from commander.jobs.loop import rest
from commander.live.rigs import LiveRigs
from commander.live.trends import Value
from commander.problems import DatabaseProblem
from commander.readings.series import HASHRATE, POWER, work_of
from commander.registry.kinds import RigKind
from commander.rig_pages.charts import ALIVE

log = logging.getLogger(__name__)
EVERY_S = 60
DAY = timedelta(hours=24)
SHORTEST_S = 3600  # a shorter line would be a dot at the right edge
POINTS = 73  # a day in steps of 20 minutes, wherever in one it begins


async def keep_trends(database: Database, lives: Mapping[RigKind, LiveRigs], stop: asyncio.Event) -> None:
    """Until `stop`."""
    while not stop.is_set():
        try:
            for kind, live in lives.items():
                live.trends.take(await day_of(database, kind, now=datetime.now(UTC)))
        except DatabaseProblem as error:
            log.warning("the farm's last day could not be read; it is tried again: %s", error)
        except Exception:  # the lines beside the totals are not worth more than a line in the log
            log.exception("the farm's last day could not be read; it is tried again")
        await rest(stop, EVERY_S)


async def day_of(database: Database, kind: RigKind, *, now: datetime) -> dict[str, list[Value]]:
    async with database.reading() as db:
        history = await farm_history(db, kind, since=now - DAY, until=now, points=POINTS)
    lines = from_first_value(trend_lines(history))
    return {name: line for name, line in lines.items() if known_for_s(line, history.step_s) >= SHORTEST_S}


def from_first_value(lines: Mapping[str, list[Value]]) -> dict[str, list[Value]]:
    """Begins all lines at the first value: a farm of two hours is not a dot at the right edge."""
    known = [at for line in lines.values() for at, value in enumerate(line) if value is not None]
    return {name: line[min(known, default=0) :] for name, line in lines.items()}


def known_for_s(line: Sequence[Value], step_s: int) -> int:
    """Returns the time that surely lies between the first and the last known value.

    A value may be from any moment of its step, so values of neighbouring steps may be seconds apart.
    """
    known = [at for at, value in enumerate(line) if value is not None]
    return max(0, known[-1] - known[0] - 1) * step_s if known else 0


def trend_lines(history: History) -> dict[str, list[Value]]:
    """By the total's name; hashrates of one coin are added up, as in its total."""
    lines: dict[str, list[Value]] = {}
    for series in history.series:
        if name := _name(series):
            lines[name] = _sum(lines.get(name), series.mean)
    return lines


def _name(series: HistorySeries) -> str:
    if series.figure == HASHRATE:
        return f"hashrate-{work_of((HASHRATE, None, series.algorithm, series.coin)).label}"
    return {POWER: "power", ALIVE: "alive"}.get(series.figure, "")


def _sum(before: list[Value] | None, more: Iterable[Value]) -> list[Value]:
    if before is None:
        return list(more)
    return [one if other is None else other + (one or 0) for one, other in zip(before, more, strict=True)]
