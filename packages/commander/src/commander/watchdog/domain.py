"""Rules of the watchdog's ladder, and which of them holds for a rig."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from protocol.command_messages import LadderAct, LadderEvent, LadderSettings

from commander.problems import CommanderError, ErrorKind

RULES_AT_MOST = 200
WORDS = {
    LadderAct.RESTARTED_PLAYBOOK: "watchdog restarted a playbook",
    LadderAct.REBOOTED: "watchdog rebooted the rig",
    LadderAct.CARD_LOST: "watchdog gave up a card",
    LadderAct.STOPPED_HOT: "watchdog stopped mining: too hot",
    LadderAct.RESUMED_COOL: "watchdog resumed mining",
    LadderAct.GAVE_UP: "watchdog gave up",
    LadderAct.FAILED: "watchdog failed",
    LadderAct.UNKNOWN: "watchdog acted",
}


class RuleNotFound(CommanderError):
    """There is no such rule."""

    kind = ErrorKind(404, "not_found", "Not found")


class TooManyRules(CommanderError):
    """There is no room for another rule."""

    kind = ErrorKind(422, "too_many_rules", "Too many rules", field="select")


class Rule(NamedTuple):
    """Limits for the rigs of a selection. Of all rules that match a rig, the newest holds."""

    id: int
    select: str
    limits: LadderSettings


class ActOfRig(NamedTuple):
    """An act of a rig's watchdog. `at` is by the commander's clock."""

    at: datetime
    rig_id: int
    rig: str
    event: LadderEvent


class GivenUp(NamedTuple):
    """The reason for which a rig's watchdog gave up, and since when."""

    reason: str
    at: datetime


def check_room(rules: Sequence[Rule]) -> None:
    """Raises `TooManyRules`."""
    if len(rules) >= RULES_AT_MOST:
        raise TooManyRules(f"There are {RULES_AT_MOST} watchdog rules, and no more can be made; remove one first.")
