"""The form of an alert rule, as a browser sends it."""

import msgspec

from commander.alert_rules.actions import checked_rule
from commander.alert_rules.allowed_pools import MAX_LENGTH
from commander.alert_rules.domain import WITHOUT_LIMITS, AlertRule, BadAlertRule, RuleLimits, Sensor, comparison_of
from commander.alert_rules.words import TEXTS, text_of
from commander.readings.severity import Severity
from commander.selections.domain import BadSelection

OWN = "own"
MINUTE_S = 60.0
LONGEST_MIN = 1_440.0
Errors = dict[str, str]


class RuleFields(msgspec.Struct, frozen=True):
    """The fields as a person fills them in. `about` names a known rule, or is `own`; then `rule` is a comparison.

    `for_min` and `clear_min` are in minutes. `do` is save or preview.
    """

    about: str = OWN
    rule: str = ""
    select: str = ""
    warning: str = ""
    critical: str = ""
    severity: str = Severity.WARNING.value
    for_min: str = "5"
    clear_min: str = "5"
    allowed: str = ""
    enabled: str = "yes"
    do: str = "save"


def about_choices() -> list[tuple[str, str]]:
    """Returns the rules that a new rule can be about, as pairs of a value and its words."""
    known = [(about_of(rule, sensor), text.name) for (rule, sensor), text in TEXTS.items() if rule != "commander"]
    return [(OWN, "A comparison of your own"), *known]


def about_of(rule: str, sensor: Sensor | None) -> str:
    return f"{rule}:{sensor}" if sensor else rule


def fields_of(rule: AlertRule) -> RuleFields:
    limits = rule.limits
    is_own = comparison_of(limits.rule) is not None
    return RuleFields(
        about=OWN if is_own else about_of(limits.rule, limits.sensor),
        rule=limits.rule if is_own else "",
        select=limits.select,
        warning=_number_text(limits.warning),
        critical=_number_text(limits.critical),
        severity=limits.severity.value,
        for_min=_number_text(limits.for_s / MINUTE_S),
        clear_min=_number_text(limits.clear_for_s / MINUTE_S),
        allowed=limits.allowed,
        enabled="yes" if limits.enabled else "no",
    )


def unit_of(fields: RuleFields) -> str:
    """Returns the unit of the limits; empty for a rule without limits."""
    limits = RuleLimits(rule=_rule_of(fields), sensor=_sensor_of(fields))
    return text_of(limits).unit


def has_limits(fields: RuleFields) -> bool:
    return fields.about != OWN and _rule_of(fields) not in WITHOUT_LIMITS


def read_fields(fields: RuleFields) -> tuple[RuleLimits | None, Errors]:
    """Returns the rule, or the errors by the name of their field."""
    errors = Errors()
    if len(fields.allowed) > MAX_LENGTH:
        errors["allowed"] = f"Enter {MAX_LENGTH:,} characters at most."
    numbers = {name: _number(getattr(fields, name), name, errors) for name in ("warning", "critical")}
    waits = {name: _minutes(getattr(fields, name), name, errors) for name in ("for_min", "clear_min")}
    if fields.about == OWN and comparison_of(fields.rule) is None:
        errors["rule"] = "Write a comparison such as power<100 or temperature>80."
    if errors:
        return None, errors
    limits = RuleLimits(
        rule=_rule_of(fields),
        sensor=_sensor_of(fields),
        enabled=fields.enabled != "no",
        select=fields.select,
        warning=numbers["warning"],
        critical=numbers["critical"],
        severity=Severity.CRITICAL if fields.severity == Severity.CRITICAL else Severity.WARNING,
        for_s=waits["for_min"] * MINUTE_S,
        clear_for_s=waits["clear_min"] * MINUTE_S,
        allowed=fields.allowed.strip(),
    )
    try:
        return checked_rule(limits), errors
    except BadSelection as error:
        return None, {"select": str(error)}
    except BadAlertRule as error:
        return None, {error.field if error.field != "sensor" else "about": str(error)}


def _rule_of(fields: RuleFields) -> str:
    return fields.rule.strip() if fields.about == OWN else fields.about.partition(":")[0]


def _sensor_of(fields: RuleFields) -> Sensor | None:
    sensor = fields.about.partition(":")[2]
    return Sensor(sensor) if sensor in set(Sensor) else None


def _number(text: str, name: str, errors: Errors) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        errors[name] = "Enter a number, such as 85, or leave it empty."
    return value


def _minutes(text: str, name: str, errors: Errors) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= LONGEST_MIN:
        errors[name] = f"Enter minutes from 0 to {LONGEST_MIN:,.0f}, such as 5."
    return value


def _number_text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
