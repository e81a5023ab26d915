"""The index page's rows and totals: what templates see of them, and their HTML."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import islice
from typing import NamedTuple

from jinja2.environment import TemplateModule
from protocol import units

from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import Health, RigState
from commander.live.totals import Totals
from commander.live.trends import Trends
from commander.readings.summary import Work
from commander.registry.kinds import RigKind
from commander.rig_pages.columns import Columns, ExtraCell, extra_cells
from commander.rig_pages.faults_view import FaultsView, faults_view
from commander.web import format as shown
from commander.web.format import Figure
from commander.web.shell import templates
from commander.web.sparkline import sparkline

WORKS_SHOWN = 8
TAGS_SHOWN = 3
HEALTH_WORDS = {
    Health.WAITING: "Waiting for its sentry",
    Health.ONLINE: "Online",
    Health.STALE: "Stale",
    Health.OFFLINE: "Offline",
}
HEALTH_TONES = {Health.WAITING: "idle", Health.ONLINE: "good", Health.STALE: "warning", Health.OFFLINE: "bad"}


@dataclass(frozen=True, slots=True)
class WorkView:
    label: str
    hashrate: Figure


@dataclass(frozen=True, slots=True)
class CpuGpuRowView:
    id: int
    name: str
    tags: list[str]
    more_tags: str
    health: Health
    old: bool
    works: list[WorkView]
    temperature: Figure
    fan: Figure
    power: Figure
    rejected: Figure
    uptime: Figure
    reported_at: datetime | None
    approved: bool
    two_sentries: bool
    wrong_clock: bool
    faults: FaultsView
    extra: list[ExtraCell]


@dataclass(frozen=True, slots=True)
class TotalView:
    """One cell of the totals; `name` is its `data-total`, `note` a line beneath the figure."""

    label: str
    figure: Figure
    name: str
    spark: str = ""
    note: str = ""


def row_view(state: RigState, extra: Columns = ()) -> CpuGpuRowView:
    figures = state.summary
    return CpuGpuRowView(
        id=state.id,
        name=state.name,
        tags=list(state.tags[:TAGS_SHOWN]),
        more_tags=", ".join(state.tags[TAGS_SHOWN:]),
        health=state.health,
        old=state.health in (Health.STALE, Health.OFFLINE),
        works=work_views(figures.hashrates_hs),
        temperature=shown.temperature(figures.temperature_c),
        fan=shown.fan(figures.fan_percent, figures.fan_rpm),
        power=shown.power(figures.power_w),
        rejected=shown.rejected(figures.accepted, figures.rejected, figures.rejected_percent),
        uptime=shown.duration(figures.uptime_s),
        reported_at=state.reported_at,
        approved=state.approved,
        two_sentries=state.two_sentries,
        wrong_clock=state.wrong_clock,
        faults=faults_view(state, RigKind.CPU_GPU),
        extra=extra_cells(state, extra),
    )


def work_views(hashrates_hs: dict[Work, float | None], *, at_most: int = WORKS_SHOWN) -> list[WorkView]:
    """Returns a line per work; if there are very many, the last line says how many are left out."""
    views = [WorkView(work.label, shown.hashrate(value)) for work, value in islice(hashrates_hs.items(), at_most + 1)]
    if len(hashrates_hs) <= at_most + 1:
        return views
    return [*views[:at_most], WorkView(f"{len(hashrates_hs) - at_most} more", Figure(""))]


@cache
def _template() -> TemplateModule:
    """Returns the row's macro. It is compiled for the first row, not at each start."""
    return templates.get_template("rig_pages/cpu_gpu/row.html").module


def row_html(state: RigState, extra: Columns = ()) -> str:
    return str(_template().row(row_view(state, extra)))  # type: ignore[attr-defined]  # a macro


class RenderedRow(NamedTuple):
    """A row as HTML, and the same in UTF-8."""

    changed_at: int
    html: str
    utf8: bytes


class Rows:
    """Rows, rendered once for each change of their rig and shared by everybody who looks."""

    def __init__(
        self, index: OperationalIndex, render: Callable[[RigState, Columns], str], extra: Columns = ()
    ) -> None:
        self._index = index
        self._extra = extra
        self._rendered: dict[int, RenderedRow] = {}
        self._render = render

    def of(self, rig_id: int) -> RenderedRow:
        state = self._index.rigs[rig_id]
        row = self._rendered.get(rig_id)
        if row is None or row.changed_at != state.changed_at:
            html = self._render(state, self._extra)
            row = self._rendered[rig_id] = RenderedRow(state.changed_at, html, html.encode())
        return row

    def forget_removed(self) -> None:
        """Drop the rows of rigs that are gone."""
        if len(self._rendered) > len(self._index.rigs):
            self._rendered = {key: row for key, row in self._rendered.items() if key in self._index.rigs}


def placed(row: str, place: str, before: int | None, *, same: bool) -> str:
    """`row` with the order to put it into the element `place`, before that rig's row.

    `same`: it is only moved, its content need not travel again.
    """
    marks = f'<div data-in="{place}" data-before="{"" if before is None else f"rig-{before}"}"'
    if same:
        return f"{marks} data-same{row[4 : row.index(' ', 5)]}></div>"
    return marks + row[4:]


def gone(rig_id: int) -> str:
    return f'<div id="rig-{rig_id}" data-gone></div>'


def total_views(index: OperationalIndex) -> list[TotalView]:
    totals = index.totals
    return farm_totals(index, "rigs") + coin_totals(totals) + _efficiency(totals, totals.rigs)


def with_sparks(views: list[TotalView], trends: Trends) -> list[TotalView]:
    """Each with what it did in the last day, as far as that is known."""
    return [replace(view, spark=sparkline(trends.line(view.name), f"{view.label}, last 24 hours")) for view in views]


def farm_totals(index: OperationalIndex, noun: str) -> list[TotalView]:
    """Returns the totals of the farm. `noun` is the plural name of this kind of rig within a sentence."""
    alive = Figure(f"{units.count_text(index.totals.alive)} of {units.count_text(len(index.rigs))}")
    return [TotalView("Reporting", alive, "alive"), _total_power(index.totals, noun)]


def coin_totals(totals: Totals) -> list[TotalView]:
    by_label: Counter[str] = Counter()
    for each in totals.largest():
        by_label[each.work.label] += each.hashrate_hs  # type: ignore[assignment]  # a Counter of floats
    return [TotalView(label, shown.hashrate(by_label[label]), f"hashrate-{label}") for label in sorted(by_label)]


def _total_power(totals: Totals, noun: str) -> TotalView:
    """Returns the sum of the rigs that report their power: the farm draws at least this much."""
    figure, note = shown.power(totals.power_w), part_text(totals.power_known, totals.alive, noun)
    if note:
        figure = Figure(f"≥ {figure.text}", figure.exact)
    return TotalView("Power", figure, "power", note=note)


def part_text(reporting: int, of: int, noun: str) -> str:
    """ "1,715 of 1,985 rigs"; empty where a total is of all of them, or of none."""
    if not reporting or reporting >= of:
        return ""
    return f"{units.count_text(reporting)} of {units.count_text(of)} {noun}"


def _efficiency(totals: Totals, works: Iterable[Work]) -> list[TotalView]:
    """Returns the efficiency if there is only one coin, over the rigs that report both hashrate and power."""
    single = list(works)
    energy_j = totals.energy_j(single[0]) if len(single) == 1 else None
    if not energy_j:
        return []
    exact = units.exact_text(1 / energy_j, "hashes per second and watt")
    figure = Figure(units.with_prefix(1 / energy_j, "H/W"), exact)
    note = part_text(totals.measured[single[0]], totals.rigs[single[0]], "rigs")
    return [TotalView("Efficiency", figure, "efficiency", note=note)]
