"""The form of a rule, as a browser sends it."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_type_hints

import msgspec
from msgspec.structs import replace
from protocol.command_messages import LadderSettings

from commander.selections.domain import BadSelection
from commander.watchdog.actions import checked_selection
from commander.watchdog.domain import Rule
from commander.watchdog.words import USUAL

YesNo = Literal["yes", "no"]
_LABELS = {
    "low_percent": "Low hashrate, in % of the usual one",
    "critical_gpu_c": "Critical temperature of GPUs, in °C",
    "critical_memory_c": "Critical temperature of memory, in °C",
    "critical_cpu_c": "Critical temperature of CPUs, in °C",
}


class RuleForm(msgspec.Struct, frozen=True):
    """The fields as a person fills them in. An empty number means the usual one."""

    select: str = ""
    reboots: YesNo = "no"
    restarts: YesNo = "yes"
    low_percent: str = ""
    critical_gpu_c: str = ""
    critical_memory_c: str = ""
    critical_cpu_c: str = ""


class NumberField(NamedTuple):
    """A limit with its bounds."""

    name: str
    label: str
    usual: float
    least: float
    most: float

    @property
    def hint(self) -> str:
        return f"From {self.least:g} to {self.most:g}. Leave empty for the usual {self.usual:g}."


def _number_fields() -> Iterator[NumberField]:
    """Yields the fields with the bounds that the protocol has for them."""
    types = get_type_hints(LadderSettings, include_extras=True)
    for name, label in _LABELS.items():
        (bounds,) = types[name].__metadata__
        yield NumberField(name, label, getattr(USUAL, name), bounds.ge, bounds.le)


NUMBERS = tuple(_number_fields())


def form_of(rule: Rule) -> RuleForm:
    limits = rule.limits
    numbers = {each.name: getattr(limits, each.name) for each in NUMBERS}
    texts = {each.name: f"{numbers[each.name]:g}" for each in NUMBERS if numbers[each.name] != each.usual}
    return RuleForm(rule.select, "yes" if limits.reboots else "no", "yes" if limits.restarts else "no", **texts)


def read_form(form: RuleForm, before: LadderSettings) -> tuple[LadderSettings, dict[str, str]]:
    """Returns the limits, and what is wrong by field. Limits without a field stay as they were."""
    errors, numbers = dict[str, str](), dict[str, float]()
    try:
        checked_selection(form.select)
    except BadSelection as error:
        errors["select"] = str(error)
    for field in NUMBERS:
        text = str(getattr(form, field.name)).strip()
        value = _number(field, text) if text else field.usual
        if value is None:
            errors[field.name] = f"Enter a number from {field.least:g} to {field.most:g}, such as {field.usual:g}."
        else:
            numbers[field.name] = value
    return replace(before, reboots=form.reboots == "yes", restarts=form.restarts == "yes", **numbers), errors


def _number(field: NumberField, text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if field.least <= value <= field.most else None
