"""An ASIC's page: what its templates see of it, as texts that are ready to be read."""

from dataclasses import dataclass

from protocol import units
from protocol.asic_messages import AsicBoard, AsicLog, AsicPool, PoolState, PowerSource

from commander.live.rig_state import Health, RigState
from commander.readings.asic import board_fault, energy_j, is_still, lacks_chips, nominal_energy_j
from commander.rig_pages.asic_rows import log_of, specs_of
from commander.rig_pages.cpu_gpu_rows import work_views
from commander.web import format as shown
from commander.web.format import NOT_KNOWN, Figure

POOL_STATES = {
    PoolState.CONNECTED: ("Connected", "good"),
    PoolState.STANDBY: ("Standby", "idle"),
    PoolState.DISCONNECTED: ("Disconnected", "bad"),
    PoolState.UNKNOWN: ("Unknown", "idle"),
    None: ("Unknown", "idle"),
}


@dataclass(frozen=True, slots=True)
class SummaryView:
    """One cell of the strip at the top; `name` is its `data-figure`."""

    label: str
    figure: Figure
    name: str


@dataclass(frozen=True, slots=True)
class BoardView:
    slot: int
    word: str
    tone: str
    hashrate: Figure
    chips: str
    lacks_chips: bool
    inlet: Figure
    outlet: Figure
    chip: Figure


@dataclass(frozen=True, slots=True)
class FanView:
    number: int
    turns: Figure
    still: bool


@dataclass(frozen=True, slots=True)
class PoolView:
    url: str
    word: str
    tone: str
    user: Figure
    accepted: Figure
    rejected: Figure
    stale: Figure


@dataclass(frozen=True, slots=True)
class AsicStatusView:
    """The readings of an ASIC that has reported."""

    old: bool
    summary: list[SummaryView]
    boards: list[BoardView]
    fans: list[FanView]
    pools: list[PoolView]


def status_view(state: RigState) -> AsicStatusView | None:
    """None for an ASIC that waits for its sentry."""
    log = log_of(state)
    if log is None:
        return None
    old = state.health in (Health.STALE, Health.OFFLINE)
    return AsicStatusView(
        old=old,
        summary=[*_hashrates(state, log), *_others(state, log)],
        boards=[_board(board, log) for board in log.boards],
        fans=[FanView(at, shown.turns(rpm), is_still(rpm, log)) for at, rpm in enumerate(log.fans_rpm, start=1)],
        pools=[_pool(pool, old=old) for pool in log.pools],
    )


def _hashrates(state: RigState, log: AsicLog) -> list[SummaryView]:
    window = "" if log.hashrate_window_s is None else f" ({units.duration_text(log.hashrate_window_s)})"
    now = [
        SummaryView(f"{view.label}{window}", view.hashrate, "hashrate")
        for view in work_views(state.summary.hashrates_hs)
    ]
    return [
        *(now or [SummaryView(f"Hashrate{window}", NOT_KNOWN, "hashrate")]),
        SummaryView("Average", shown.hashrate(log.average_hashrate_hs), "average-hashrate"),
        SummaryView("Nominal", shown.hashrate(_expected(state, log)), "expected-hashrate"),
        SummaryView("Of nominal", _reached(state, log), "reached"),
    ]


def _expected(state: RigState, log: AsicLog) -> float | None:
    """Returns the hashrate that the ASIC expects of itself, or else the nominal one of its model."""
    return log.expected_hashrate_hs or specs_of(state).nominal_hashrate_hs


def _reached(state: RigState, log: AsicLog) -> Figure:
    expected_hs = _expected(state, log)
    if log.hashrate_hs is None or not expected_hs:
        return NOT_KNOWN
    return shown.percent(100 * log.hashrate_hs / expected_hs)


def _against_nominal(nominal_j: float | None, now_j: float | None) -> Figure:
    """Returns by how much more energy the ASIC needs for a hash than its model by the maker; negative: less."""
    if nominal_j is None or now_j is None:
        return NOT_KNOWN
    exact = f"{shown.efficiency(now_j).text}, nominal {shown.efficiency(nominal_j).text}"
    return Figure(f"{100 * (now_j / nominal_j - 1):+.0f} %", exact)


def _others(state: RigState, log: AsicLog) -> list[SummaryView]:
    figures, entered = state.summary, log.power_source is PowerSource.ENTERED
    rejected = shown.rejected(figures.accepted, figures.rejected, figures.rejected_percent)
    nominal_j = nominal_energy_j(specs_of(state))
    return [
        SummaryView("Power, entered" if entered else "Power", shown.power(log.power_w), "power"),
        SummaryView("Efficiency", shown.efficiency(energy_j(log)), "efficiency"),
        SummaryView("Nominal efficiency", shown.efficiency(nominal_j), "nominal-efficiency"),
        SummaryView("Against nominal", _against_nominal(nominal_j, energy_j(log)), "against-nominal"),
        SummaryView("Hottest", shown.temperature(log.temperature_c), "temperature"),
        SummaryView("Fastest fan", shown.fan(None, figures.fan_rpm), "fan"),
        SummaryView("Shares rejected", rejected, "rejected"),
        SummaryView("Up for", shown.duration(log.uptime_s), "uptime"),
    ]


def _board(board: AsicBoard, log: AsicLog) -> BoardView:
    fault = board_fault(board, log)
    silent = board.hashrate_hs is None and board.chips is None
    word, tone = ("Unknown", "idle") if silent else ("Good", "good")
    if board.hashrate_hs == 0 and not fault:  # nothing here mines
        word, tone = "Idle", "idle"
    return BoardView(
        slot=board.slot,
        word=fault[:1].upper() + fault[1:] if fault else word,
        tone="bad" if fault else tone,
        hashrate=shown.hashrate(board.hashrate_hs),
        chips=_chips(board),
        lacks_chips=lacks_chips(board),
        inlet=shown.temperature(board.inlet_temperature_c),
        outlet=shown.temperature(board.outlet_temperature_c),
        chip=shown.temperature(board.chip_temperature_c),
    )


def _chips(board: AsicBoard) -> str:
    if board.expected_chips is None:
        return units.count_text(board.chips)
    return f"{units.count_text(board.chips)} of {units.count_text(board.expected_chips)}"


def _pool(pool: AsicPool, *, old: bool) -> PoolView:
    word, tone = POOL_STATES[pool.state]
    if old:  # its state now is unknown
        word, tone = f"{word} at the last report", "idle"
    return PoolView(
        url=pool.url or units.UNKNOWN,
        word=word,
        tone=tone,
        user=Figure(units.shortened(pool.user), pool.user) if pool.user else NOT_KNOWN,
        accepted=shown.count(pool.accepted),
        rejected=shown.count(pool.rejected),
        stale=shown.count(pool.stale),
    )


def spec_rows(state: RigState) -> list[tuple[str, str]]:
    """Returns the facts of the ASIC as (name, text), without unknown ones."""
    specs, log = specs_of(state), log_of(state)
    facts = [
        ("Make", specs.make),
        ("Model", specs.model),
        ("Variant", specs.model_variant),
        ("Algorithm", log.algorithm if log else None),
        ("Coin", log.coin if log else None),
        ("Firmware", specs.firmware_version),
        ("Software", specs.software_version),
        ("LAN address", log.lan_ip if log else None),
        ("MAC", specs.mac),
        ("Serial number", specs.serial_number),
        ("Host name", specs.hostname),
    ]
    return [(what, text) for what, text in facts if text]
