"""The steps for a card that is gone or reports a fault that only a reboot repairs. Pure."""

from protocol.command_messages import LadderSettings

from cpu_gpu_sentry.ladder.facts import CardFault, Facts, device_name
from cpu_gpu_sentry.ladder.history import History
from cpu_gpu_sentry.ladder.reboots import reboot_or_give_up, why_no_reboot
from cpu_gpu_sentry.ladder.steps import RIG, MarkLost, Reboot, Step

GONE_FOR_S = 60.0  # a driver that is being loaded again takes its cards away for some seconds


def card_step(facts: Facts, history: History, limits: LadderSettings, now_s: float) -> Step | None:
    """Returns the step for the first card that needs one: reboot once, then go on without it."""
    if facts.boot_age_s < limits.grace_s:
        return None
    for fault in _faults(facts, history, now_s):
        if fault.device not in history.lost_cards:
            step = _step(fault, facts, history, limits, now_s)
            if step is not None:
                return step
    return None


def _faults(facts: Facts, history: History, now_s: float) -> list[CardFault]:
    """Returns one fault a card. A reported one explains more than that the card is gone."""
    gone = [
        CardFault(device, "is gone from the bus")
        for device in sorted(facts.missing_cards)
        if now_s - history.gone_since_s.get(device, now_s) >= GONE_FOR_S
    ]
    reported = {each.device for each in facts.card_faults}
    return [*facts.card_faults, *(each for each in gone if each.device not in reported)]


def _step(fault: CardFault, facts: Facts, history: History, limits: LadderSettings, now_s: float) -> Step | None:
    text = f"{device_name(fault.device)} {fault.text}"
    if (why_not := why_no_reboot(facts, history, limits)) is not None:
        return MarkLost(fault.device, f"lost: {text}; {why_not}", fault.xid)
    if history.rebooted_for(fault.device, now_s):
        return MarkLost(fault.device, f"lost: {text}, again within 24 h of a reboot; the others go on", fault.xid)
    if history.has_given_up(RIG):
        return None
    return reboot_or_give_up(Reboot(f"rebooted: {text}", fault.device, xid=fault.xid), history, now_s)
