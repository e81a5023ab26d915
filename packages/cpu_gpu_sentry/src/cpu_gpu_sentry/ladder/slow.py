"""The steps for a slow playbook: restart it, then reboot, then give up. Pure."""

from protocol.command_messages import LadderSettings

from cpu_gpu_sentry.ladder.facts import Facts, PlaybookFacts, Rate, device_name
from cpu_gpu_sentry.ladder.history import History
from cpu_gpu_sentry.ladder.reboots import reboot_or_give_up, why_no_reboot
from cpu_gpu_sentry.ladder.steps import RIG, GiveUp, Reboot, RestartPlaybook, Step

RESTARTS_BEFORE_REBOOT = 2


def slow_step(facts: Facts, history: History, limits: LadderSettings, now_s: float) -> Step | None:
    """Returns the step for the first playbook that needs one."""
    if history.has_given_up(RIG):
        return None
    for playbook in facts.playbooks:
        reason = _reason_to_act(playbook, history, limits, now_s)
        if reason is not None:
            return _step(playbook, reason, facts, history, limits, now_s)
    return None


def _reason_to_act(playbook: PlaybookFacts, history: History, limits: LadderSettings, now_s: float) -> str | None:
    """Returns the reason as the second half of a sentence."""
    if playbook.excuse or history.is_held(playbook.id) or history.has_given_up(playbook.id) or not limits.restarts:
        return None
    if playbook.exhausted:
        return playbook.exhausted
    if playbook.running_s is None or playbook.running_s < limits.grace_s:
        return None
    since_s = history.slow_since_s.get(playbook.id)
    slow = slowness(playbook, limits)
    if slow is None or since_s is None or now_s - since_s < limits.low_for_s:
        return None
    return f"{slow} for {_minutes(now_s - since_s)}"


def _step(
    playbook: PlaybookFacts, reason: str, facts: Facts, history: History, limits: LadderSettings, now_s: float
) -> Step | None:
    text = f"“{playbook.name}” {reason}"
    if not playbook.exhausted and _restarts(playbook.id, history, limits, now_s) < RESTARTS_BEFORE_REBOOT:
        return RestartPlaybook(playbook.id, f"restarted: {text}")
    tried = "" if playbook.exhausted else f", and {RESTARTS_BEFORE_REBOOT} restarts did not help"
    if (why_not := why_no_reboot(facts, history, limits)) is not None:
        return GiveUp(playbook.id, f"gave up: {text}{tried}; {why_not}")
    if facts.boot_age_s < limits.grace_s:
        return None
    return reboot_or_give_up(Reboot(f"rebooted: {text}{tried}", playbook_id=playbook.id), history, now_s)


def _restarts(name: str, history: History, limits: LadderSettings, now_s: float) -> int:
    """Counts restarts that have not cured it. A long grace stretches the time in which they count."""
    window_s = max(limits.cure_within_s, (RESTARTS_BEFORE_REBOOT + 1) * max(limits.grace_s, limits.low_for_s))
    return sum(1 for each in history.restarts if each.playbook_id == name and now_s - each.at_s <= window_s)


def slowness(playbook: PlaybookFacts, limits: LadderSettings) -> str | None:
    """Returns what is wrong with its hashrate, as the second half of a sentence; None: nothing, or unknown."""
    for rate in playbook.rates:
        if (text := _slow_text(rate, limits)) is not None:
            return text
    idle = sorted(playbook.idle_devices)
    if idle:
        names = " and ".join(device_name(each) for each in idle)
        return f"has had {names} at 0 H/s"
    return None


def is_good(playbook: PlaybookFacts, limits: LadderSettings) -> bool:
    """Returns whether every hashrate is known, and none is below its limit."""
    known = [each for each in playbook.rates if each.now_hs is not None]
    return bool(known) and len(known) == len(playbook.rates) and slowness(playbook, limits) is None


def _slow_text(rate: Rate, limits: LadderSettings) -> str | None:
    minimum_hs = next((each.hashrate_hs for each in limits.minimum_hashrates if each.algorithm == rate.algorithm), None)
    if rate.now_hs is None:
        return None
    if minimum_hs is not None:
        return f"has done less than the entered minimum of {rate.algorithm}" if rate.now_hs < minimum_hs else None
    if not rate.usual_hs or rate.now_hs >= rate.usual_hs * limits.low_percent / 100:
        return None
    percent = 100 * rate.now_hs / rate.usual_hs
    return f"has done {percent:.0f} % of its usual hashrate ({rate.algorithm})"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
