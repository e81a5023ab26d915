"""Permission to reboot the rig now: at most twice in 24 h, and only if the settings allow it. Pure."""

from protocol.command_messages import LadderSettings
from protocol.units import counted

from cpu_gpu_sentry.ladder.facts import Facts
from cpu_gpu_sentry.ladder.history import History
from cpu_gpu_sentry.ladder.steps import RIG, GiveUp, Reboot, Step

REBOOTS_A_DAY = 2
UNDER_WAY_S = 600.0  # so long a reboot may take; a boot that is older still was not ended by it


def is_rebooting(facts: Facts, history: History, now_s: float) -> bool:
    """Returns whether a reboot was begun in this boot a short time ago."""
    return _was_begun(facts, history) and now_s - history.reboots[-1].at_s < UNDER_WAY_S


def _was_begun(facts: Facts, history: History) -> bool:
    return bool(history.reboots) and history.reboots[-1].boot_id == facts.boot_id


def why_no_reboot(facts: Facts, history: History, limits: LadderSettings) -> str | None:
    """Returns the reason why a reboot is out of the question here, as the end of a sentence."""
    if not limits.reboots:
        return "rebooting is not allowed in this rig's settings"
    if facts.reboot_veto is not None:
        return facts.reboot_veto
    if facts.boot_id is None:
        return "this system does not tell its boots apart, so reboots could not be counted"
    return "the rig could not be rebooted" if _was_begun(facts, history) else None


def reboot_or_give_up(reboot: Reboot, history: History, now_s: float) -> Step:
    """Returns the reboot, or that the rig has been rebooted too often."""
    count = history.reboots_in_a_day(now_s)
    if count < REBOOTS_A_DAY:
        return reboot
    reason = reboot.reason.removeprefix("rebooted: ")
    return GiveUp(RIG, f"gave up: {reason}, after {counted(count, 'reboot')} in 24 h", reboot.device)
