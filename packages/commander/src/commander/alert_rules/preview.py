"""Counts how often a rule would have fired in the last 7 days, from the ten-minute tier."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from commander.alert_rules.domain import BadAlertRule, Comparison, RuleLimits, RuleName, Sensor, comparison_of
from commander.alert_rules.judgement import lowest_of
from commander.alert_rules.usual import FEWEST_MEANS
from commander.db import Database
from commander.history.ten_minutes import STEP_S, TenMinutes, Values, read_ten_minutes
from commander.live.rig_state import RigState
from commander.live.rigs import Lives
from commander.readings.faults import surely_percent
from commander.readings.series import HASHRATE, POWER
from commander.registry.kinds import RigKind
from commander.selections.choice import chosen
from commander.selections.domain import Key
from commander.selections.parser import parse
from commander.selections.quantities import quantity_of

RANGE = timedelta(days=7)
RIGS_AT_MOST = 300
STEPS_OF_SHARES = 3  # 30 min
Broken = list[bool | None]  # for each ten minutes whether the rule was broken; None: unknown

FIGURES = {
    RuleName.TEMPERATURE: ("temperature_c", "memory_temperature_c"),
    RuleName.NO_HASHRATE: (HASHRATE,),
    RuleName.HASHRATE_LOW: (HASHRATE,),
    RuleName.OFFLINE: (HASHRATE, POWER, "temperature_c", "uptime_s"),
    RuleName.POWER: (HASHRATE, POWER),
    RuleName.FAN: ("fan_percent", "temperature_c"),
    RuleName.REJECTED: ("accepted", "rejected", "stale", "invalid"),
}
COMPARED = {
    Key.HASHRATE: HASHRATE,
    Key.POWER: POWER,
    Key.TEMPERATURE: "temperature_c",
    Key.MEMORY_TEMPERATURE: "memory_temperature_c",
    Key.FAN: "fan_percent",
}
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


class RigFirings(NamedTuple):
    name: str
    firings: int


class PreviewResult(NamedTuple):
    """`rigs` are those for which the rule fired, most firings first. `looked_at` of `matching` rigs were evaluated."""

    firings: int
    rigs: list[RigFirings]
    matching: int
    looked_at: int


async def preview(database: Database, lives: Lives, limits: RuleLimits, *, now: datetime) -> PreviewResult:
    """Raises `BadAlertRule` for a rule whose subject is not in the history. `limits` are checked already."""
    figures = _figures_of(limits)
    rigs = [(kind, state) for kind, live in lives.items() for state in chosen(live, limits.select)]
    found = []
    for kind, state in rigs[:RIGS_AT_MOST]:
        count = await _firings_of(database, kind, state, limits, figures, now)
        if count:
            found.append(RigFirings(state.name, count))
    found.sort(key=lambda each: (-each.firings, each.name))
    return PreviewResult(sum(each.firings for each in found), found, len(rigs), min(len(rigs), RIGS_AT_MOST))


def _figures_of(limits: RuleLimits) -> tuple[str, ...]:
    comparison = comparison_of(limits.rule)
    figure = COMPARED.get(Key(comparison.key)) if comparison else None
    figures = (figure,) if figure else next((names for rule, names in FIGURES.items() if rule == limits.rule), ())
    if not figures:
        raise BadAlertRule(
            "rule", "There is no preview of this rule: the history does not have the values that it needs."
        )
    return figures


async def _firings_of(
    database: Database, kind: RigKind, state: RigState, limits: RuleLimits, figures: Sequence[str], now: datetime
) -> int:
    async with database.reading() as db:
        values = await read_ten_minutes(db, kind, state.id, since=now - RANGE, until=now, figures=figures)
    return firings(values, limits)


def firings(values: TenMinutes, limits: RuleLimits) -> int:
    """Returns how often the rule would have fired for a rig, each device by itself."""
    steps = max(1, -(-int(limits.for_s) // STEP_S))
    return sum(_runs(broken, steps) for broken in _broken(values, limits))


def _runs(broken: Broken, steps: int) -> int:
    """Counts the times in which a rule was broken for at least so many steps. Unknown changes nothing."""
    runs = length = 0
    for is_broken in broken:
        if is_broken is None:
            continue
        length = length + 1 if is_broken else 0
        runs += length == steps
    return runs


def _broken(values: TenMinutes, limits: RuleLimits) -> Iterable[Broken]:
    bound = lowest_of(limits)
    if comparison := comparison_of(limits.rule):
        return [_compared(values, comparison)]
    match limits.rule:
        case RuleName.TEMPERATURE:
            return [_above(line, bound) for line in _temperatures(values, limits.sensor)]
        case RuleName.NO_HASHRATE:
            return [[None if value is None else value == 0 for value in _hashrate(values)]]
        case RuleName.HASHRATE_LOW:
            bounds = [each for each in (limits.warning, limits.critical) if each is not None]
            return [_below_usual(_hashrate(values), max(bounds))]
        case RuleName.POWER:
            return [_above_usual(_line(values, POWER), bound)]
        case RuleName.OFFLINE:
            return [_silent(values)]
        case RuleName.FAN:
            return list(_fans(values, bound))
        case _:
            return [_rejected(values, bound)]


def _compared(values: TenMinutes, comparison: Comparison) -> Broken:
    term = parse(comparison.text).terms[0]
    figure, bound, compare = COMPARED[term.key], quantity_of(term).number, COMPARE[comparison.operator]
    line = _hashrate(values) if figure == HASHRATE else _line(values, figure)
    return [None if value is None else compare(value, bound) for value in line]


def _line(values: TenMinutes, figure: str) -> Values:
    """Returns the figure of the whole rig."""
    lines = [line for (name, device, _, _), line in values.means.items() if (name, device) == (figure, None)]
    return lines[0] if lines else [None] * values.steps


def _hashrate(values: TenMinutes) -> Values:
    """Returns the largest hashrate of the rig, by which pages sort too."""
    lines = [line for (name, device, _, _), line in values.means.items() if (name, device) == (HASHRATE, None)]
    return [max((value for value in step if value is not None), default=None) for step in zip(*lines, strict=True)] or [
        None
    ] * values.steps


def _temperatures(values: TenMinutes, sensor: Sensor | None) -> list[Values]:
    """Returns the lines of the devices with this sensor.

    The history has no lines of an ASIC's boards, so the ASIC's line stands for them.
    """
    found = []
    for (figure, device, _, _), line in values.means.items():
        of_device = Sensor.BOARD if device is None else Sensor.CPU if device == "cpu" else Sensor.GPU
        of_line = Sensor.MEMORY if figure == "memory_temperature_c" else of_device
        is_whole_of_many = device is None and any(other for (_, other, _, _) in values.means)
        if not is_whole_of_many and sensor in (of_line, None):
            found.append(line)
    return found


def _above(line: Values, bound: float | None) -> Broken:
    return [None if value is None or bound is None else value >= bound for value in line]


def _below_usual(line: Values, percent: float) -> Broken:
    known = [value for value in line if value]
    if len(known) < FEWEST_MEANS:
        return []
    usual = median(known)
    return [value < usual * percent / 100 if value else None for value in line]


def _above_usual(line: Values, percent: float | None) -> Broken:
    known = [value for value in line if value]
    if len(known) < FEWEST_MEANS or percent is None:
        return []
    usual = median(known)
    return [None if value is None else value >= usual * percent / 100 for value in line]


def _silent(values: TenMinutes) -> Broken:
    """Returns when the rig was silent, from its first value to its last: later hours are not rolled up yet."""
    known = [any(line[at] is not None for line in values.means.values()) for at in range(values.steps)]
    if True not in known:
        return []
    first, last = known.index(True), values.steps - 1 - known[::-1].index(True)
    return [not known[at] for at in range(first, last + 1)]


def _fans(values: TenMinutes, bound: float | None) -> Iterable[Broken]:
    for (figure, device, algorithm, coin), line in values.means.items():
        core = values.means.get(("temperature_c", device, algorithm, coin))
        if figure == "fan_percent" and device is not None and core is not None and bound is not None:
            yield [
                None if fan is None or core_c is None else fan == 0 and core_c > bound
                for fan, core_c in zip(line, core, strict=True)
            ]


def _rejected(values: TenMinutes, bound: float | None) -> Broken:
    counts = {name: [0.0] * values.steps for name in FIGURES[RuleName.REJECTED]}
    for (figure, device, _, _), line in values.means.items():
        for at, value in enumerate(line if device is None else ()):
            counts[figure][at] += value or 0
    found: Broken = []
    for at in range(values.steps):
        window = slice(max(0, at - STEPS_OF_SHARES + 1), at + 1)
        accepted = round(sum(counts["accepted"][window]))
        refused = round(sum(sum(counts[name][window]) for name in ("rejected", "stale", "invalid")))
        is_known = accepted + refused > 0 and bound is not None
        found.append(surely_percent(refused, accepted + refused) >= (bound or 0) if is_known else None)
    return found
