"""Counters of shares in a rig's newest log."""

from collections.abc import Iterable

from commander.alert_rules.view import WINDOW_S, JudgedRig
from commander.registry.kinds import RigKind


def note_counters(view: JudgedRig) -> None:
    """Notes the counters of the newest log. They began at 0 within the window if the mining software did."""
    accepted, refused = _counters(view)
    if accepted is None or refused is None:
        return
    uptimes = [miner.uptime_s for miner in view.cpu_gpu_log.miners] if view.kind is RigKind.CPU_GPU else []
    started_s = None
    if uptimes and all(each is not None for each in uptimes):
        oldest_s = max(each or 0 for each in uptimes)
        started_s = view.now_s - oldest_s if oldest_s < WINDOW_S else None
    view.memory.note_counters(accepted, refused, view.now_s, started_s=started_s)


def _counters(view: JudgedRig) -> tuple[int | None, int | None]:
    if view.kind is RigKind.ASIC:
        pools = view.asic_log.pools
        return _sum(each.accepted for each in pools), _sum(each for p in pools for each in (p.rejected, p.stale))
    readings = [each for miner in view.cpu_gpu_log.miners for each in miner.algorithms]
    refused = (each for reading in readings for each in (reading.rejected, reading.stale, reading.invalid))
    return _sum(each.accepted for each in readings), _sum(refused)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
