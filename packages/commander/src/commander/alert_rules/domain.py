"""Alert rules as data: the table of those that are shipped, and what a person may enter. Pure."""

import re
from enum import StrEnum
from typing import NamedTuple

import msgspec

from commander.problems import CommanderError, ErrorKind
from commander.readings.severity import Severity

RULES_AT_MOST = 200
_COMPARISON = re.compile(r"\s*([a-z_]+)\s*(<=|>=|<|>)\s*(\S.*?)\s*")


class RuleName(StrEnum):
    """The rules that the commander knows. Any other rule is a comparison of the operator's own."""

    OFFLINE = "offline"
    HASHRATE_LOW = "hashrate_low"
    NO_HASHRATE = "no_hashrate"
    NO_SHARES = "no_shares"
    REJECTED = "rejected"
    TEMPERATURE = "temperature"
    FAN = "fan"
    POWER = "power"
    DEVICE_LOST = "device_lost"
    ASIC_FAULT = "asic_fault"
    WALLET = "wallet"
    PLAYBOOK_FAILED = "playbook_failed"
    WATCHDOG_GAVE_UP = "watchdog_gave_up"
    TWO_SENTRIES = "two_sentries"
    CLOCK = "clock"
    SPOOL = "spool"
    DISK = "disk"
    COMMANDER = "commander"


class Sensor(StrEnum):
    """A kind of temperature sensor. Each has limits of its own."""

    GPU = "gpu"
    MEMORY = "memory"
    CPU = "cpu"
    BOARD = "board"


class AlertRuleNotFound(CommanderError):
    """No alert rule has this id."""

    kind = ErrorKind(404, "alert_rule_not_found", "No such alert rule")


class ShippedAlertRule(CommanderError):
    """A shipped rule can be changed and switched off, not deleted."""

    kind = ErrorKind(409, "shipped_rule", "Shipped alert rule")


class BadAlertRule(CommanderError):
    """A rule that is not valid; `field` names what has to be changed."""

    kind = ErrorKind(422, "bad_alert_rule", "Not an alert rule", field="rule")

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class Comparison(NamedTuple):
    """A rule of the operator's own in its parts, such as `power`, `<` and `100`."""

    key: str
    operator: str
    value: str

    @property
    def text(self) -> str:
        return f"{self.key}{self.operator}{self.value}"


class RuleLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a rule that a person may change.

    `warning` and `critical` are limits in the rule's own unit (see docs/alerts.md); null: none. `severity` is that of a
    rule without limits. The rule must be broken for `for_s` before it fires, and kept for `clear_for_s` to clear.
    `allowed` are the pools that ASICs may mine to, for the rule wallet (see `allowed_pools.py`).
    """

    rule: str
    sensor: Sensor | None = None
    enabled: bool = True
    select: str = ""
    warning: float | None = None
    critical: float | None = None
    severity: Severity = Severity.WARNING
    for_s: float = 0.0
    clear_for_s: float = 300.0
    allowed: str = ""


class AlertRule(NamedTuple):
    """A rule in force. `shipped` is its name among the shipped rules; None: somebody added it.

    `unknown` says for people what another version has stored that this one does not know; empty: nothing.
    """

    id: int
    shipped: str | None
    limits: RuleLimits
    unknown: str = ""

    @property
    def slot(self) -> tuple[str, Sensor | None]:
        """The thing that the rule is about. Of all rules with one slot that match a rig, the newest counts."""
        return self.limits.rule, self.limits.sensor


def _rule(rule: RuleName, **values: object) -> RuleLimits:
    return RuleLimits(rule=rule, **values)  # type: ignore[arg-type]  # the table below has the right types


_CRITICAL = {"severity": Severity.CRITICAL}
SHIPPED: dict[str, RuleLimits] = {
    "offline": _rule(RuleName.OFFLINE, critical=180.0, clear_for_s=60.0),
    "hashrate_low": _rule(RuleName.HASHRATE_LOW, warning=90.0, critical=70.0, for_s=600.0),
    "no_hashrate": _rule(RuleName.NO_HASHRATE, for_s=300.0, **_CRITICAL),
    "no_shares": _rule(RuleName.NO_SHARES, critical=900.0, clear_for_s=60.0),
    "rejected": _rule(RuleName.REJECTED, warning=3.0, critical=8.0),
    "temperature": _rule(RuleName.TEMPERATURE, sensor=Sensor.GPU, warning=80.0, critical=85.0, for_s=120.0),
    "memory_temperature": _rule(RuleName.TEMPERATURE, sensor=Sensor.MEMORY, warning=100.0, critical=108.0, for_s=120.0),
    "cpu_temperature": _rule(RuleName.TEMPERATURE, sensor=Sensor.CPU, warning=90.0, critical=95.0, for_s=120.0),
    "board_temperature": _rule(RuleName.TEMPERATURE, sensor=Sensor.BOARD, warning=85.0, critical=95.0, for_s=120.0),
    "fan": _rule(RuleName.FAN, critical=60.0, for_s=120.0),
    "power": _rule(RuleName.POWER, warning=125.0, for_s=300.0),
    "device_lost": _rule(RuleName.DEVICE_LOST, for_s=60.0, **_CRITICAL),
    "asic_fault": _rule(RuleName.ASIC_FAULT, for_s=60.0, **_CRITICAL),
    "wallet": _rule(RuleName.WALLET, **_CRITICAL),
    "playbook_failed": _rule(RuleName.PLAYBOOK_FAILED, **_CRITICAL),
    "watchdog_gave_up": _rule(RuleName.WATCHDOG_GAVE_UP, **_CRITICAL),
    "two_sentries": _rule(RuleName.TWO_SENTRIES),
    "clock": _rule(RuleName.CLOCK, for_s=300.0),
    "spool": _rule(RuleName.SPOOL, warning=300.0, for_s=300.0),
    "disk": _rule(RuleName.DISK, for_s=300.0),
    "commander": _rule(RuleName.COMMANDER, for_s=60.0, **_CRITICAL),
}
_SEVERITIES = {each.rule: each.severity for each in SHIPPED.values()}
WITHOUT_LIMITS = frozenset(each.rule for each in SHIPPED.values() if each.warning is None and each.critical is None)
FALLING = frozenset({RuleName.HASHRATE_LOW})  # a rule that is broken below its limits


def limits_at_first(rule: str) -> RuleLimits:
    """Returns a new rule with the severity that the shipped one has, and nothing else."""
    return RuleLimits(rule=rule, severity=_SEVERITIES.get(rule, Severity.WARNING))


def comparison_of(rule: str) -> Comparison | None:
    """Returns a rule of the operator's own in its parts; None if it is not a comparison."""
    found = _COMPARISON.fullmatch(rule)
    return Comparison(*found.groups()) if found else None


def checked_limits(limits: RuleLimits) -> RuleLimits:
    """Returns the rule as it is stored. Raises `BadAlertRule`."""
    if comparison := comparison_of(limits.rule):
        return msgspec.structs.replace(limits, rule=comparison.text, sensor=None, warning=None, critical=None)
    if limits.rule not in set(RuleName):
        known = ", ".join(RuleName)
        raise BadAlertRule(
            "rule", f"“{limits.rule[:40]}” is no rule. Write a comparison such as power<100, or one of {known}."
        )
    if limits.sensor is not None and limits.rule != RuleName.TEMPERATURE:
        raise BadAlertRule("sensor", "Only the rule temperature has a sensor.")
    if limits.rule in WITHOUT_LIMITS:
        return msgspec.structs.replace(limits, warning=None, critical=None)
    _check_order(limits)
    return limits


def _check_order(limits: RuleLimits) -> None:
    warning, critical = limits.warning, limits.critical
    if warning is None and critical is None:
        raise BadAlertRule("critical", f"The rule {limits.rule} needs a limit: warning, critical, or both.")
    if warning is None or critical is None:
        return
    if limits.rule in FALLING and critical > warning:
        raise BadAlertRule("critical", "The critical limit must not be above that of the warning.")
    if limits.rule not in FALLING and critical < warning:
        raise BadAlertRule("critical", "The critical limit must not be below that of the warning.")
