"""The farm's totals, minute by minute, as the operational index has them: until the hour is rolled up exactly."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from commander.db import Database, to_us
from commander.history import store
from commander.history.buckets import Buckets, Gauge
from commander.history.farm import ALIVE_SERIES, EXPONENTS, POWER_RIGS, POWER_SERIES
from commander.live.operational_index import OperationalIndex
from commander.live.totals import Totals
from commander.readings.series import HASHRATE, Series, one_series
from commander.registry.kinds import RigKind


class FarmSample(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Whole numbers in the steps of the farm's series; hashrates as (algorithm, coin, thousandths of H/s)."""

    alive: int
    power: int | None
    hashrates: list[tuple[str, str | None, str]]
    power_rigs: int | None = None


_decode = msgspec.json.Decoder(FarmSample).decode


async def take_sample(database: Database, kind: RigKind, index: OperationalIndex, now: datetime) -> None:
    """Keep the farm's totals of this minute; of an hour in which nothing lives there is nothing to keep."""
    if index.totals.alive:
        async with database.transaction() as db:
            minute_s = to_us(now) // 60_000_000 * 60
            await store.put_sample(db, kind, minute_s, msgspec.json.encode(_sample(index.totals)))


def _sample(totals: Totals) -> FarmSample:
    return FarmSample(
        alive=totals.alive,
        power=totals.power_mw // 100 if totals.power_known else None,
        hashrates=[(each.work.algorithm, each.work.coin, str(each.hashrate_mhs)) for each in totals.largest()],
        power_rigs=totals.power_known or None,
    )


def in_minutes(hour_s: int, samples: Mapping[int, bytes]) -> Buckets:
    """Samples of one hour, by their minutes (seconds since 1970)."""
    values: dict[Series, dict[int, int]] = {}
    for minute_s, body in sorted(samples.items()):
        sample, bucket = _decode(body), (minute_s - hour_s) // 60
        values.setdefault(ALIVE_SERIES, {})[bucket] = sample.alive
        if sample.power is not None:
            values.setdefault(POWER_SERIES, {})[bucket] = sample.power
        if sample.power_rigs is not None:
            values.setdefault((POWER_RIGS, None, None, None), {})[bucket] = sample.power_rigs
        for algorithm, coin, rate in sample.hashrates:
            line = values.setdefault(one_series((HASHRATE, None, algorithm, coin)), {})
            line[bucket] = line.get(bucket, 0) + int(rate)
    minutes = Buckets(hour_s, 60)
    minutes.where = list(values.get(ALIVE_SERIES, {}))
    minutes.logs = minutes.minutes = [1] * len(minutes.where)
    for key, line in values.items():
        column = list(line.values())
        minutes.gauges[key] = Gauge(EXPONENTS[key[0]], list(line), [1] * len(line), column, column, column, column)
    return minutes
