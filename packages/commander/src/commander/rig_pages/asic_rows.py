"""The ASICs' rows and totals: what templates see of them, and their HTML."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import NamedTuple

from jinja2.environment import TemplateModule
from protocol.asic_messages import AsicLog, AsicSpecs, PowerSource
from protocol.reading import Reader

from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import Health, RigState
from commander.live.totals import Totals
from commander.readings.asic import board_fault, energy_j, is_still
from commander.registry.kinds import RigKind
from commander.rig_pages.columns import Columns, ExtraCell, extra_cells
from commander.rig_pages.cpu_gpu_rows import (
    TAGS_SHOWN,
    TotalView,
    WorkView,
    coin_totals,
    farm_totals,
    part_text,
    work_views,
)
from commander.rig_pages.faults_view import FaultsView, faults_view
from commander.web import format as shown
from commander.web.format import Figure
from commander.web.shell import templates

_log = Reader(AsicLog)
_specs = Reader(AsicSpecs)


class Glance(NamedTuple):
    """The number of parts that work: "3 of 3"; empty if no part is known. `title` says it in words."""

    text: str
    title: str
    bad: bool


@dataclass(frozen=True, slots=True)
class AsicRowView:
    id: int
    name: str
    tags: list[str]
    more_tags: str
    model: str
    health: Health
    old: bool
    faults: FaultsView
    works: list[WorkView]
    temperature: Figure
    boards: Glance
    fan: Figure
    fans: Glance
    power: Figure
    entered: bool
    efficiency: Figure
    rejected: Figure
    uptime: Figure
    reported_at: datetime | None
    two_sentries: bool
    wrong_clock: bool
    extra: list[ExtraCell]


def log_of(state: RigState) -> AsicLog | None:
    return _log.decode(state.latest) if state.latest else None


def specs_of(state: RigState) -> AsicSpecs:
    return _specs.decode(state.specs) if state.specs else AsicSpecs()


def model_text(specs: AsicSpecs) -> str:
    """Make, model and variant, without a word twice: makers like to name themselves in the model too."""
    make, model = specs.make or "", specs.model or ""
    named = model if make.casefold() in model.casefold() else f"{make} {model}"
    return " ".join(filter(None, (named.strip(), specs.model_variant)))


def row_view(state: RigState, extra: Columns = ()) -> AsicRowView:
    figures, log = state.summary, log_of(state)
    return AsicRowView(
        id=state.id,
        name=state.name,
        tags=list(state.tags[:TAGS_SHOWN]),
        more_tags=", ".join(state.tags[TAGS_SHOWN:]),
        model=model_text(specs_of(state)),
        health=state.health,
        old=state.health in (Health.STALE, Health.OFFLINE),
        faults=faults_view(state, RigKind.ASIC),
        works=work_views(figures.hashrates_hs),
        temperature=shown.temperature(figures.temperature_c),
        boards=boards_glance(log),
        fan=shown.fan(None, figures.fan_rpm),
        fans=fans_glance(log),
        power=shown.power(figures.power_w),
        entered=log is not None and log.power_source is PowerSource.ENTERED,
        efficiency=shown.efficiency(energy_j(log) if log else None),
        rejected=shown.rejected(figures.accepted, figures.rejected, figures.rejected_percent),
        uptime=shown.duration(figures.uptime_s),
        reported_at=state.reported_at,
        two_sentries=state.two_sentries,
        wrong_clock=state.wrong_clock,
        extra=extra_cells(state, extra),
    )


def boards_glance(log: AsicLog | None) -> Glance:
    if log is None or not log.boards:
        return Glance("", "not known", False)
    wrong = [f"board {board.slot}: {fault}" for board in log.boards if (fault := board_fault(board, log))]
    good = len(log.boards) - len(wrong)
    return Glance(f"{good} of {len(log.boards)}", "; ".join(wrong) or "no fault is known", bool(wrong))


def fans_glance(log: AsicLog | None) -> Glance:
    if log is None or not log.fans_rpm:
        return Glance("", "not known", False)
    still = [number for number, rpm in enumerate(log.fans_rpm, start=1) if is_still(rpm, log)]
    each_fan = ", ".join(shown.turns(rpm).text for rpm in log.fans_rpm)
    return Glance(f"{len(log.fans_rpm) - len(still)} of {len(log.fans_rpm)}", each_fan, bool(still))


@cache
def _template() -> TemplateModule:
    """Returns the rows' macros. They are compiled for the first row, not at each start."""
    return templates.get_template("rig_pages/asic/row.html").module


def row_html(state: RigState, extra: Columns = ()) -> str:
    if state.health is Health.WAITING:
        return str(_template().waiting(state))  # type: ignore[attr-defined]  # a macro
    return str(_template().row(row_view(state, extra)))  # type: ignore[attr-defined]  # a macro


def total_views(index: OperationalIndex) -> list[TotalView]:
    totals = index.totals
    return farm_totals(index, "ASICs") + coin_totals(totals) + _efficiency(totals)


def _efficiency(totals: Totals) -> list[TotalView]:
    """Returns each coin's efficiency, over the ASICs that report both hashrate and power."""
    views = []
    for work in (each.work for each in totals.largest() if each.work in totals.measured):
        figure = shown.efficiency(totals.energy_j(work))
        note = part_text(totals.measured[work], totals.rigs[work], "ASICs")
        views.append(TotalView(f"{work.label}, efficiency", figure, f"efficiency-{work.label}", note=note))
    return views
