"""The words of incidents: titles, and the lines of a message."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from protocol import units

from commander.incidents.domain import COMMANDER, Condition, Incident
from commander.readings.faults import card_name

NAMED = 20  # rigs by name in a message
SPAN_AT_MOST = timedelta(minutes=10)  # of "within …" in a title


class TitleWords(NamedTuple):
    """The words after the name of one rig, and after a number of rigs."""

    one: str
    many: str


class Extent(NamedTuple):
    """All conditions of an incident: how many they are, of how many rigs, and when the first and the last began.

    `name` and `value` are those of the only rig or condition, if there is one.
    """

    conditions: int
    rigs: int
    name: str
    value: str
    is_of_commander: bool
    first_at: datetime
    last_at: datetime


TITLES = {
    "offline": TitleWords("stopped reporting", "stopped reporting"),
    "hashrate_low": TitleWords("has a low hashrate", "have a low hashrate"),
    "no_hashrate": TitleWords("reports no hashrate", "report no hashrate"),  # it may mine: its API may want a token
    "no_shares": TitleWords("gets no shares accepted", "get no shares accepted"),
    "rejected": TitleWords("has many rejected shares", "have many rejected shares"),
    "temperature": TitleWords("is too hot", "are too hot"),
    "fan": TitleWords("has a fan that stands still", "have fans that stand still"),
    "power": TitleWords("draws more power than usual", "draw more power than usual"),
    "device_lost": TitleWords("has lost a card or board", "have lost cards or boards"),
    "asic_fault": TitleWords("reports a fault", "report a fault"),
    "wallet": TitleWords("mines to another wallet or pool", "mine to another wallet or pool"),
    "playbook_failed": TitleWords("has a failed playbook", "have failed playbooks"),
    "watchdog_gave_up": TitleWords("has a watchdog that gave up", "have watchdogs that gave up"),
    "two_sentries": TitleWords("has two sentries", "have two sentries"),
    "clock": TitleWords("has a wrong clock", "have wrong clocks"),
    "spool": TitleWords("sends its logs late", "send their logs late"),
    "disk": TitleWords("has a problem with its disk", "have problems with their disks"),
}
CONDITIONS = {  # the text of one condition, where its value says too little
    "offline": "Offline",
    "temperature": "Too hot: {}",
    "no_shares": "No share: {}",
    "fan": "Fan stands still: {}",
    "watchdog_gave_up": "Watchdog gave up: {}",
    "two_sentries": "Two sentries",
    "clock": "Wrong clock",
    "spool": "Late logs: {}",
}
NOTHING_RECEIVED = "The commander receives no reports"


def text_of(condition: Condition) -> str:
    """Returns a condition in the words of a rig's row: "Too hot: GPU 03:00 97 °C"."""
    text = CONDITIONS.get(condition.key.rule, "{}").replace("{}", _part(condition))
    return text[:1].upper() + text[1:]


def title_of(rule: str, extent: Extent) -> str:
    """Returns a sentence without its full stop: "38 rigs stopped reporting within 20 s"."""
    if extent.is_of_commander:
        return extent.value if extent.conditions == 1 else f"The commander has {extent.conditions} problems"
    words = TITLES.get(rule) or TitleWords(f"breaks the rule {rule}", f"break the rule {rule}")
    if extent.rigs == 1:
        return f"{extent.name} {words.one}"
    return f"{units.count_text(extent.rigs)} rigs {words.many}{_span(rule, extent.last_at - extent.first_at)}"


def _span(rule: str, span: timedelta) -> str:
    if rule != "offline" or span > SPAN_AT_MOST:
        return ""
    return f" within {units.duration_text(max(1, round(span.total_seconds())))}"


def lines_of(
    incident: Incident, conditions: Sequence[Condition], now: datetime, *, before: str = ""
) -> tuple[str, ...]:
    """Returns the sentences after the title of a message. `before`: what was changed before the incident."""
    of_commander = [each.value for each in conditions if each.key.kind == COMMANDER]
    if of_commander:
        return tuple(f"{text}." for text in dict.fromkeys(of_commander))
    lines = [f"In common: {incident.in_common.text}."] if incident.in_common else []
    if incident.closed_at is not None:
        lasted = units.duration_text(round((now - incident.opened_at).total_seconds()))
        return (*lines, f"It is over. It lasted {lasted}.", _names(conditions))
    ended = {each.key[:2] for each in conditions if each.ended_at is not None}
    lasting = [each for each in conditions if each.ended_at is None]
    recovered = len(ended - {each.key[:2] for each in lasting})
    if recovered:
        lines.append(f"It is over for {recovered} of these rigs.")
    return (*lines, _names(lasting), *([before] if before else []))


def _names(conditions: Sequence[Condition]) -> str:
    """Returns the rigs by name: those of one rig together, and the worst value of each device."""
    by_rig: dict[str, list[str]] = {}
    for each in conditions:
        by_rig.setdefault(each.name, []).append(_part(each))
    named = [f"{name} ({', '.join(parts)})" if any(parts) else name for name, parts in sorted(by_rig.items())]
    return f"{units.listed(named, NAMED)}."


def _part(condition: Condition) -> str:
    device = condition.key.device
    name = card_name(device) if ":" in device else device
    return f"{name} {condition.value}" if name else condition.value
