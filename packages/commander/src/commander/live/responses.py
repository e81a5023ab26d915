"""The live state as JSON, for scripts and channels."""

from datetime import datetime

import msgspec

from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import Health, RigState
from commander.live.totals import WorkTotal


class CoinAnswer(msgspec.Struct, frozen=True, kw_only=True):
    coin: str | None
    algorithm: str
    hashrate_hs: float
    rigs: int


class StatsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The farm's totals. `power_w` is the sum of those `power_rigs` that report their power; null where none does."""

    rigs_alive: int
    rigs_total: int
    power_w: float | None
    power_rigs: int
    coins: list[CoinAnswer]


class HashrateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    coin: str | None
    algorithm: str
    hashrate_hs: float | None


class RigFiguresAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One rig's line of `…-mining-rig-index-operation-stats`."""

    id: int
    health: Health
    taken_at: datetime | None
    hashrates: list[HashrateAnswer]
    power_w: float | None
    temperature_c: float | None
    fan_percent: float | None
    fan_rpm: float | None
    accepted: int | None
    rejected: int | None
    uptime_s: int | None
    faults: list[str]


class IndexStatsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    rigs: list[RigFiguresAnswer]
    totals: StatsAnswer


def stats_answer(index: OperationalIndex) -> StatsAnswer:
    totals = index.totals
    return StatsAnswer(
        rigs_alive=totals.alive,
        rigs_total=len(index.rigs),
        power_w=totals.power_w,
        power_rigs=totals.power_known,
        coins=[_coin(each) for each in totals.largest()],
    )


def _coin(total: WorkTotal) -> CoinAnswer:
    coin, algorithm = total.work
    return CoinAnswer(coin=coin, algorithm=algorithm, hashrate_hs=total.hashrate_hs, rigs=total.rigs)


def figures_answer(state: RigState) -> RigFiguresAnswer:
    summary = state.summary
    return RigFiguresAnswer(
        id=state.id,
        health=state.health,
        taken_at=state.taken_at,
        hashrates=[
            HashrateAnswer(coin=work.coin, algorithm=work.algorithm, hashrate_hs=hashrate_hs)
            for work, hashrate_hs in summary.hashrates_hs.items()
        ],
        power_w=summary.power_w,
        temperature_c=summary.temperature_c,
        fan_percent=summary.fan_percent,
        fan_rpm=summary.fan_rpm,
        accepted=summary.accepted,
        rejected=summary.rejected,
        uptime_s=summary.uptime_s,
        faults=[fault.text for fault in state.faults],
    )
