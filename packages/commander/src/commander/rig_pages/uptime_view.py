"""Uptime on a rig's page: its share over a day, a week and a month, and a strip of the last day."""

from itertools import groupby
from typing import NamedTuple

from protocol import units

from commander.history.uptime import DAY_CELLS, Activity, Uptime
from commander.registry.kinds import RigKind

WORDS = {
    Activity.MINING: "Mining",
    Activity.PARTLY: "Partly mining",
    Activity.IDLE: "Online, not mining",
    Activity.OFFLINE: "Offline",
    Activity.UNKNOWN: "Unknown",
}


class Run(NamedTuple):
    """Cells of the strip that are alike: `start` and `width` in cells."""

    activity: Activity
    start: int
    width: int


class UptimeView(NamedTuple):
    """`shares` are pairs of a span and its share; `legend` has what the strip shows; `about` is the strip in words.

    `incidents` is the address of the rig's incidents."""

    shares: list[tuple[str, str]]
    runs: list[Run]
    cells: int
    legend: list[tuple[Activity, str]]
    about: str
    incidents: str


def uptime_view(uptime: Uptime, kind: RigKind, rig_id: int) -> UptimeView:
    spans = (("24 h", uptime.day), ("7 d", uptime.week), ("30 d", uptime.month))
    found = [activity for activity in Activity if activity in uptime.cells]
    parts = [f"{WORDS[activity].lower()} {100 * uptime.cells.count(activity) / DAY_CELLS:.0f} %" for activity in found]
    return UptimeView(
        shares=[(label, share_text(share)) for label, share in spans],
        runs=runs_of(uptime.cells),
        cells=DAY_CELLS,
        legend=[(activity, WORDS[activity]) for activity in found],
        about=f"Last 24 hours: {', '.join(parts)}",
        incidents=f"/incidents?rig={kind}-{rig_id}",
    )


def runs_of(cells: list[Activity]) -> list[Run]:
    runs, start = [], 0
    for activity, group in groupby(cells):
        width = len(list(group))
        runs.append(Run(activity, start, width))
        start += width
    return runs


def share_text(share: float | None) -> str:
    """Returns "99.4 %". Only a rig that always mined has 100 %, and only one that never did has 0 %."""
    if share is None:
        return units.UNKNOWN
    percent = 100 * share
    if percent >= 99.95 and share < 1:
        return "99.9 %"
    return f"{percent:.0f} %" if percent in (0, 100) else f"{max(0.1, percent):.1f} %"
