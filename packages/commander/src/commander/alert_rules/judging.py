"""The rules as functions. Each gets one rig, and returns a judgement for each of its devices.

A device without a judgement is unknown, which changes nothing. If a rig has no condition (`is_full` is false), a
function may leave out good devices: it is called for each report of each rig, so it must be quick.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from commander.alert_rules.domain import RULES_AT_MOST, BadAlertRule, RuleLimits, RuleName, Sensor, comparison_of
from commander.alert_rules.judgement import GOOD, UNKNOWN, WHOLE_RIG, Judge, Judgement, bad, fault, lowest_of, rising
from commander.alert_rules.judging_parts import device_lost, fan, wallet
from commander.alert_rules.levels import Level
from commander.alert_rules.shares import note_counters
from commander.alert_rules.view import JudgedRig
from commander.readings.cpu_gpu import highest
from commander.readings.faults import surely_percent
from commander.registry.kinds import RigKind
from commander.selections.compiled import compiled
from commander.selections.parser import parse

COOLER_K = 5.0
CLEAR_PERCENT = 10.0  # above the limit, for a hashrate to be good again
MEAN_GAPS = 10
OPPOSITES = {"<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def offline(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    """Compares the time since the last report with the limits.

    A rig whose logs are refused because of its clock is not offline. A commander that has just started waits first.
    """
    if view.state.reported_at is None or view.state.wrong_clock:
        return UNKNOWN
    level = rising(view.silence_s, limits)
    if level is not Level.GOOD and view.listening_s < (lowest_of(limits) or 0):
        return UNKNOWN
    return (Judgement(WHOLE_RIG, level, "no report"),)


def two_sentries(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    return bad(limits, "two sentries report for it") if view.state.two_sentries else GOOD


def clock(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    if view.state.wrong_clock:
        return bad(limits, "its logs are refused because of their time")
    if view.memory.is_clock_slow(view.now_s):
        return bad(limits, f"its clock is {view.memory.lag_s / 60:.0f} min slow")
    return GOOD


def spool(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    """Compares the delay of the logs with the limits. A delay that stays the same is a slow clock, not a spool."""
    if view.memory.is_clock_slow(view.now_s):
        return GOOD
    lag_s = view.memory.lag_s
    return (Judgement(WHOLE_RIG, rising(lag_s, limits), f"its logs are {lag_s / 60:.0f} min late"),)


def watchdog_gave_up(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    """Returns bad while the rig does not mine as usual after its watchdog has given up."""
    return bad(limits, view.gave_up) if view.gave_up and not view.mines_as_usual else GOOD


def temperature(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    lowest = lowest_of(limits)
    if lowest is None or not (view.is_full or _may_be_hot(view, limits.sensor, lowest)):
        return UNKNOWN
    return [
        Judgement(device, rising(value_c, limits, near=COOLER_K), f"{value_c:.0f} °C")
        for device, value_c in _temperatures(view, limits.sensor)
    ]


def sensor_of(rule: str, kind: RigKind, device: str) -> Sensor | None:
    """Returns the sensor that a condition is about, by the name of its device."""
    if rule != RuleName.TEMPERATURE:
        return None
    if kind is RigKind.ASIC:
        return Sensor.BOARD
    if device == Sensor.CPU:
        return Sensor.CPU
    return Sensor.MEMORY if device.endswith(f" {Sensor.MEMORY}") else Sensor.GPU


def _may_be_hot(view: JudgedRig, sensor: Sensor | None, lowest_c: float) -> bool:
    """Returns whether the hottest device is hot enough to look at each."""
    summary = view.state.summary
    core_c = None if sensor is Sensor.MEMORY else summary.temperature_c
    memory_c = summary.memory_temperature_c if sensor in (Sensor.MEMORY, None) else None
    return (core_c is not None and core_c >= lowest_c) or (memory_c is not None and memory_c >= lowest_c)


def _temperatures(view: JudgedRig, sensor: Sensor | None) -> Iterator[tuple[str, float]]:
    """Yields each device with its temperature in °C. A memory has the name of its card and `memory`."""
    if view.kind is RigKind.ASIC:
        if sensor in (Sensor.BOARD, None):
            yield from _of_boards(view)
        return
    if sensor in (Sensor.CPU, None) and view.cpu_gpu_log.cpu and view.cpu_gpu_log.cpu.temperature_c is not None:
        yield "cpu", view.cpu_gpu_log.cpu.temperature_c
    for gpu in view.gpus if sensor is not Sensor.CPU else ():
        if sensor in (Sensor.GPU, None) and gpu.temperature_c is not None:
            yield gpu.pci_address, gpu.temperature_c
        if sensor in (Sensor.MEMORY, None) and gpu.memory_temperature_c is not None:
            yield f"{gpu.pci_address} memory", gpu.memory_temperature_c


def _of_boards(view: JudgedRig) -> Iterator[tuple[str, float]]:
    """Yields each board with its temperature in °C.

    That of its chips counts only if no other is known, because chips are much hotter. If no board has a temperature,
    the temperature of the ASIC counts.
    """
    boards = []
    for board in view.asic_log.boards:
        hottest_c = highest([board.inlet_temperature_c, board.outlet_temperature_c])
        if (value_c := board.chip_temperature_c if hottest_c is None else hottest_c) is not None:
            boards.append((f"board {board.slot}", value_c))
    if not boards and view.asic_log.temperature_c is not None:
        boards = [(WHOLE_RIG, view.asic_log.temperature_c)]
    yield from boards


def hashrate_low(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    """Compares each hashrate with the rig's usual one for the algorithm, in percent, while the rig mines."""
    usual_hs = view.usual.hashrates_hs
    if not usual_hs or not view.is_mining:
        return UNKNOWN
    found = []
    for work, hashrate_hs in view.state.summary.hashrates_hs.items():
        name = work.named.algorithm
        if hashrate_hs is not None and usual_hs.get(name):
            percent = 100 * hashrate_hs / usual_hs[name]
            device = WHOLE_RIG if len(usual_hs) == 1 else name
            found.append(Judgement(device, _falling(percent, limits), f"{percent:.0f} % of its usual hashrate"))
    return found


def _falling(percent: float, limits: RuleLimits) -> Level:
    if limits.critical is not None and percent < limits.critical:
        return Level.CRITICAL
    if limits.warning is not None:
        return Level.WARNING if percent < limits.warning else Level.GOOD
    is_good = limits.critical is None or percent > limits.critical + CLEAR_PERCENT
    return Level.GOOD if is_good else Level.NEAR


def no_shares(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    memory = view.memory
    if memory.accepted is None or not view.is_mining:
        return UNKNOWN
    wait_s = view.now_s - memory.accepted_s
    gap_s = memory.mean_gap_s() or 0.0
    level = rising(wait_s, limits) if wait_s >= MEAN_GAPS * gap_s else Level.GOOD
    if level is Level.GOOD and memory.accepted_s == memory.since_s:
        return UNKNOWN  # none was accepted since the memory began
    return (Judgement(WHOLE_RIG, level, f"none for {wait_s / 60:.0f} min"),)


def rejected(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    """Compares the lower bound of the Wilson interval of the last 30 min with the limits, in percent."""
    memory = view.memory
    if memory.is_sample_due(view.now_s, spread=view.state.id):
        note_counters(view)
    elif not view.is_full:
        return UNKNOWN  # the last answer holds until the counters are read again
    counted = memory.refused_in_window()
    if counted is None or not sum(counted):
        return UNKNOWN
    accepted, refused = counted
    level = rising(surely_percent(refused, accepted + refused), limits)
    percent = 100 * refused / (accepted + refused)
    return (Judgement(WHOLE_RIG, level, f"{percent:.0f} % rejected"),)


def power(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    """Compares the power with the rig's usual power, in percent."""
    power_w, usual_w = view.state.summary.power_w, view.usual.power_w
    if power_w is None or not usual_w:
        return UNKNOWN
    percent = 100 * power_w / usual_w
    value = f"{power_w:.0f} W, {percent:.0f} % of its usual power"
    return (Judgement(WHOLE_RIG, rising(percent, limits, near=COOLER_K), value),)


@lru_cache(maxsize=RULES_AT_MOST)
def own(rule: str) -> Judge:
    """Returns the judge of a comparison, such as `power<100`. If its value is unknown, so is the judgement.

    Raises `BadAlertRule` or `BadSelection`.
    """
    comparison = comparison_of(rule)
    if comparison is None:
        raise BadAlertRule("rule", f"This version of the commander knows no rule “{rule}”.")
    is_broken = compiled(parse(rule), RigKind.CPU_GPU)
    opposite = comparison._replace(operator=OPPOSITES[comparison.operator])
    is_kept = compiled(parse(opposite.text), RigKind.CPU_GPU)

    def judge(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
        if is_broken(view.state):
            return bad(limits, rule)
        return GOOD if is_kept(view.state) else UNKNOWN

    return judge


JUDGES: Mapping[str, Judge] = {
    RuleName.OFFLINE: offline,
    RuleName.TWO_SENTRIES: two_sentries,
    RuleName.CLOCK: clock,
    RuleName.SPOOL: spool,
    RuleName.HASHRATE_LOW: hashrate_low,
    RuleName.NO_HASHRATE: fault(RuleName.NO_HASHRATE),
    RuleName.NO_SHARES: no_shares,
    RuleName.REJECTED: rejected,
    RuleName.TEMPERATURE: temperature,
    RuleName.FAN: fan,
    RuleName.POWER: power,
    RuleName.DEVICE_LOST: device_lost,
    RuleName.ASIC_FAULT: fault(RuleName.ASIC_FAULT),
    RuleName.WALLET: wallet,
    RuleName.PLAYBOOK_FAILED: fault(RuleName.PLAYBOOK_FAILED),
    RuleName.WATCHDOG_GAVE_UP: watchdog_gave_up,
    RuleName.DISK: fault(RuleName.DISK),
}
