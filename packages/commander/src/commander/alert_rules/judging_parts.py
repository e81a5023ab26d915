"""Rules about parts of a rig: its fans, cards and boards, and the pools that are set in an ASIC."""

from collections.abc import Iterable

from protocol.messages import GpuReading

from commander.alert_rules.allowed_pools import allowed_pools, difference
from commander.alert_rules.domain import RuleLimits, RuleName
from commander.alert_rules.judgement import GOOD, UNKNOWN, WHOLE_RIG, Judgement, bad, fault
from commander.alert_rules.levels import Level
from commander.alert_rules.view import JudgedRig
from commander.registry.kinds import RigKind


def fan(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    """Finds a card above the limit whose fan stands still, or an ASIC's fan that stands still while others turn."""
    if view.kind is RigKind.ASIC:
        return _asic_fan(view)
    limit_c = limits.warning if limits.critical is None else limits.critical
    hottest_c = view.state.summary.temperature_c
    if limit_c is None or not (view.is_full or (hottest_c is not None and hottest_c > limit_c)):
        return UNKNOWN
    level = Level.WARNING if limits.critical is None else Level.CRITICAL
    return [
        Judgement(gpu.pci_address, level if _stands(gpu, limit_c) else Level.GOOD, "fan 0 %")
        for gpu in view.gpus
        if gpu.temperature_c is not None and (gpu.fan_percent, gpu.fan_rpm) != (None, None)
    ]


def _asic_fan(view: JudgedRig) -> Iterable[Judgement]:
    texts = [each.text for each in view.state.faults if each.rule == RuleName.FAN]
    if texts:
        return (Judgement(WHOLE_RIG, Level.CRITICAL, texts[0]),)
    fans, usual = view.state.summary.fans, view.usual.fans
    if fans is None:
        return UNKNOWN if usual else GOOD  # it may be cooled by water
    is_missing = usual is not None and fans < usual
    return (Judgement(WHOLE_RIG, Level.CRITICAL, f"{fans} of {usual} fans"),) if is_missing else GOOD


def device_lost(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    """Finds what pages show as a fault of the newest log, and an ASIC with fewer boards than usual."""
    judged = fault(RuleName.DEVICE_LOST)(view, limits)
    boards, usual = view.state.summary.boards, view.usual.boards
    if judged is not GOOD or not usual or (boards is not None and boards >= len(usual)):
        return judged
    if boards is None:
        return UNKNOWN
    there = {board.slot for board in view.asic_log.boards}
    missing = ", ".join(str(slot) for slot in usual if slot not in there)
    return bad(limits, f"Board {missing} is missing") if missing else GOOD


def wallet(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
    """Finds what pages show as a fault of the wallet; in an ASIC, a pool or account that the rule does not allow.

    An ASIC that reports no pool is unknown. If the rule allows none by name, all pools of ASICs are allowed.
    """
    allowed = allowed_pools(limits.allowed)
    if view.kind is not RigKind.ASIC or not allowed:
        return fault(RuleName.WALLET)(view, limits)
    if not view.state.summary.mining.pools:
        return UNKNOWN
    text = difference(view.asic_log.pools, allowed)
    return bad(limits, text) if text else GOOD


def _stands(gpu: GpuReading, limit_c: float) -> bool:
    return gpu.temperature_c is not None and gpu.temperature_c > limit_c and 0 in (gpu.fan_percent, gpu.fan_rpm)
