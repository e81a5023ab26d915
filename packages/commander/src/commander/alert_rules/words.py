"""Alert rules as sentences. Pure."""

from typing import NamedTuple

from protocol import units

from commander.alert_rules.domain import RuleLimits, RuleName, Sensor, comparison_of
from commander.readings.severity import Severity


class RuleText(NamedTuple):
    """A rule in words: its name, a sentence with a place for the limits, and the unit of the limits (empty: none)."""

    name: str
    sentence: str
    unit: str = ""


Slot = tuple[str, Sensor | None]
_HOT = "{} or hotter"
TEXTS: dict[Slot, RuleText] = {
    (RuleName.OFFLINE, None): RuleText("Offline", "A rig has not reported for {}", "s"),
    (RuleName.HASHRATE_LOW, None): RuleText(
        "Low hashrate", "A rig mines with less than {} of its usual hashrate for the same algorithm", "%"
    ),
    (RuleName.NO_HASHRATE, None): RuleText("Not mining", "A rig reports 0 H/s, or its miner gives no values"),
    (RuleName.NO_SHARES, None): RuleText(
        "No shares", "The pool has accepted no share for {}, or for ten times the usual gap if that is longer", "s"
    ),
    (RuleName.REJECTED, None): RuleText(
        "Rejected shares", "At least {} of the shares of the last 30 min were refused", "%"
    ),
    (RuleName.TEMPERATURE, Sensor.GPU): RuleText("GPU too hot", f"A GPU is at {_HOT}", "°C"),
    (RuleName.TEMPERATURE, Sensor.MEMORY): RuleText("GPU memory too hot", f"The memory of a GPU is at {_HOT}", "°C"),
    (RuleName.TEMPERATURE, Sensor.CPU): RuleText("CPU too hot", f"A CPU is at {_HOT}", "°C"),
    (RuleName.TEMPERATURE, Sensor.BOARD): RuleText("ASIC board too hot", f"A board of an ASIC is at {_HOT}", "°C"),
    (RuleName.TEMPERATURE, None): RuleText("Too hot", f"A device is at {_HOT}", "°C"),
    (RuleName.FAN, None): RuleText("Fan", "A card's fan stands still above {}, or an ASIC's fan stands still", "°C"),
    (RuleName.POWER, None): RuleText("Power", "A rig draws {} of its usual power or more", "%"),
    (RuleName.DEVICE_LOST, None): RuleText("Device lost", "A card, a board or a chip is missing"),
    (RuleName.ASIC_FAULT, None): RuleText("ASIC fault", "An ASIC reports a fault"),
    (RuleName.WALLET, None): RuleText("Wallet", "A rig mines to another wallet or pool than its playbook's"),
    (RuleName.PLAYBOOK_FAILED, None): RuleText("Playbook failed", "A playbook has failed"),
    (RuleName.WATCHDOG_GAVE_UP, None): RuleText("Watchdog gave up", "The watchdog of a rig has given up"),
    (RuleName.TWO_SENTRIES, None): RuleText("Two sentries", "Two sentries report with the token of one rig"),
    (RuleName.CLOCK, None): RuleText("Wrong clock", "The clock of a rig is wrong"),
    (RuleName.SPOOL, None): RuleText("Late logs", "The logs of a rig arrive {} late or later", "s"),
    (RuleName.DISK, None): RuleText("Disk", "The disk of a rig's sentry is nearly full, or can only be read"),
    (RuleName.COMMANDER, None): RuleText("Commander", "The commander itself has a problem"),
}


def text_of(limits: RuleLimits) -> RuleText:
    """Returns the words of a rule; those of a comparison of the operator's own repeat it."""
    known = TEXTS.get((limits.rule, limits.sensor)) or TEXTS.get((limits.rule, None))
    return known or RuleText(limits.rule, f"A rig has {_comparison_text(limits.rule)}")


def _comparison_text(rule: str) -> str:
    parts = comparison_of(rule)
    return f"{parts.key.replace('_', ' ')} {parts.operator} {parts.value}" if parts else rule


def sentence(limits: RuleLimits) -> str:
    """Returns "A GPU is at 80 °C (critical: 85 °C) or hotter, for 2 min."."""
    text = text_of(limits)
    hold = f", for {units.duration_text(limits.for_s)}" if limits.for_s else ""
    allowed = f", or an ASIC to others than {limits.allowed}" if limits.allowed else ""
    return f"{text.sentence.replace('{}', _limits_text(limits, text.unit))}{allowed}{hold}."


def _limits_text(limits: RuleLimits, unit: str) -> str:
    warning, critical = (
        None if value is None else value_text(value, unit) for value in (limits.warning, limits.critical)
    )
    if warning and critical:
        return f"{warning} (critical: {critical})"
    return warning or critical or units.UNKNOWN


def value_text(value: float, unit: str) -> str:
    return units.duration_text(value) if unit == "s" else f"{value:g} {unit}"


def severities(limits: RuleLimits) -> list[Severity]:
    """Returns the severities that a rule may have, the worst first."""
    if limits.warning is None and limits.critical is None:
        return [limits.severity]
    pairs = ((Severity.CRITICAL, limits.critical), (Severity.WARNING, limits.warning))
    return [severity for severity, value in pairs if value is not None]


def rigs_text(select: str) -> str:
    return select or "all rigs"
