"""Rolls one rig's due hours up into buckets of every tier. It needs no database, so it blocks none."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from commander.history import farm
from commander.history.buckets import Buckets, put_together, within, without
from commander.history.late import with_late
from commander.history.moments import pack_moments, unpack_moments
from commander.history.names import IN_A_CHUNK, IN_AN_HOUR, Names, in_turn
from commander.history.opening import Packed, opened
from commander.history.packing import pack, unpack
from commander.history.summing import Summed, Summing, coarser, in_buckets
from commander.history.tables import HOURS, MINUTES, TIERS, Tier
from commander.raw_logs.codec import unpack as unpack_log
from commander.raw_logs.tables import HOUR_S
from commander.readings.series import READINGS
from commander.registry.kinds import RigKind

log = logging.getLogger(__name__)
ChunkKey = tuple[Tier, int]
StoredRow = tuple[int, int, bytes]  # taken at, in microseconds; codec and body


@dataclass(frozen=True, slots=True)
class Horizons:
    """The moments (seconds since 1970) before which raw logs and each tier were deleted."""

    raw_s: int = 0
    tiers_s: Mapping[Tier, int] = field(default_factory=dict)

    def of(self, tier: Tier) -> int:
        return self.tiers_s.get(tier, 0)


@dataclass(slots=True)
class RigWork:
    """A rig's due hours without their logs: their marks, and the earlier roll-up."""

    rig_id: int
    marks: dict[int, int]
    rolled: dict[int, bytes] = field(default_factory=dict)
    chunks: dict[ChunkKey, Packed] = field(default_factory=dict)


@dataclass(slots=True)
class RigRolled:
    """The rows to write for a rig, and what they add to the farm."""

    rig_id: int
    marks: dict[int, int]
    chunks: dict[ChunkKey, bytes]
    rolled: dict[int, bytes]
    farm: farm.Sums


def chunks_of(hours_s: Iterable[int], horizons: Horizons) -> set[ChunkKey]:
    """The chunks that these hours belong to, of the tiers that still keep them."""
    return {(tier, tier.chunk_of(hour_s)) for hour_s in hours_s for tier in TIERS if hour_s >= horizons.of(tier)}


class Rolling:
    """Rolls up a rig's hours: from all logs while they are kept, later by adding the new ones.

    For each hour: `begin`, then `take` its logs slice by slice in the order of time, then `end`. Memory is bounded for
    any number and size of logs and any number of names: one log, the readings that `Summing` holds, and the series that
    there is room for.
    """

    def __init__(self, kind: RigKind, work: RigWork, horizons: Horizons) -> None:
        self._readings_of = READINGS[kind]
        self._work = work
        self._horizons = horizons
        self._open: dict[ChunkKey, Buckets] = {}
        self._names: dict[int, Names] = {}
        self._rolled: dict[int, bytes] = {}
        self._farm: list[tuple[farm.Sums, int]] = []

    def begin(self, hour_s: int) -> None:
        self._hour_s, self._taken, self._rolled_before = hour_s, list[int](), list[int]()
        if hour_s < self._horizons.raw_s and hour_s in self._work.rolled:
            self._rolled_before = unpack_moments(self._work.rolled[hour_s])
        self._not_again = set(self._rolled_before)
        names = in_turn(Names(IN_AN_HOUR).named, self._names_of(hour_s).named)
        self._summing = Summing(hour_s, MINUTES.step_s, names)

    def take(self, logs: Iterable[StoredRow]) -> None:
        for taken_at_us, codec, body in logs:
            if taken_at_us in self._not_again:
                continue
            self._taken.append(taken_at_us)
            try:
                readings = self._readings_of(unpack_log(codec, body))
            except (msgspec.DecodeError, ValueError) as error:  # an unreadable log must not stop the others
                log.error("a log of rig %d is left out of the history: %s", self._work.rig_id, error)
                continue
            self._summing.add(taken_at_us, readings)

    def end(self) -> None:
        hour_s, sums = self._hour_s, self._summing.result()
        if not sums.where:
            return
        if hour_s >= self._horizons.raw_s:
            for tier, part in self._in_tiers(hour_s, sums):
                self._replace(tier, hour_s, part)
            self._rolled[hour_s] = pack_moments(self._taken)
        else:
            self._add(hour_s, sums)

    def _add(self, hour_s: int, sums: Summed) -> None:
        rolled_before, late = self._rolled_before, self._taken
        moments = sorted([*rolled_before, *late])
        if hour_s < self._horizons.of(MINUTES):
            self._add_unseen_minutes(in_buckets(sums), rolled_before)
        for tier, part in self._in_tiers(hour_s, sums):
            kept = within(self._chunk(tier, hour_s), hour_s, hour_s + HOUR_S)
            both = with_late(kept, part, _newer_than(rolled_before, late, hour_s, tier.step_s))
            both.minutes = _minutes_with_logs(both, moments)
            self._replace(tier, hour_s, both)
        self._rolled[hour_s] = pack_moments(moments)

    def _in_tiers(self, hour_s: int, sums: Summed) -> Iterable[tuple[Tier, Buckets]]:
        for tier in TIERS:
            sums = coarser(sums, step_s=tier.step_s) if tier.step_s > sums.step_s else sums
            if hour_s >= self._horizons.of(tier):
                yield tier, in_buckets(sums)

    def _replace(self, tier: Tier, hour_s: int, part: Buckets) -> None:
        chunk = self._chunk(tier, hour_s)
        if tier is MINUTES:
            self._farm += [(farm.contribution(part), 1), (farm.contribution(self._as_written(hour_s)), -1)]
        key = (tier, tier.chunk_of(hour_s))
        self._open[key] = put_together(without(chunk, hour_s, hour_s + HOUR_S), part)

    def _chunk(self, tier: Tier, hour_s: int) -> Buckets:
        key = (tier, tier.chunk_of(hour_s))
        if key not in self._open:
            self._open[key] = self._opened(key, self._names_of(hour_s))
        return self._open[key]

    def _names_of(self, hour_s: int) -> Names:
        """Returns the names of the week that the hour is in. They hold in the finer tiers, too."""
        key = (HOURS, HOURS.chunk_of(hour_s))
        if key[1] not in self._names:
            names = self._names[key[1]] = Names(IN_A_CHUNK)
            self._open[key] = self._opened(key, names)
        return self._names[key[1]]

    def _opened(self, key: ChunkKey, names: Names) -> Buckets:
        packed, (tier, start_s) = self._work.chunks.get(key), key
        if packed is None:
            return Buckets(start_s, tier.step_s)
        return opened(packed, start_s=start_s, step_s=tier.step_s, names=names.named)

    def _as_written(self, hour_s: int) -> Buckets:
        """Returns the hour's minutes as they were added to the farm's sums."""
        packed = self._work.chunks.get((MINUTES, hour_s))
        if packed is None:
            return Buckets(hour_s, MINUTES.step_s)
        return unpack(*packed, start_s=hour_s, step_s=MINUTES.step_s, chosen=farm.is_part_of_farm)

    def _add_unseen_minutes(self, late: Buckets, rolled_before: list[int]) -> None:
        """The rig's own minutes are gone: those in which it had logs before are in the farm's sums already."""
        seen = {moment // 60_000_000 * 60 for moment in rolled_before}
        added = farm.contribution(late)
        unseen = {
            key: {minute_s: value for minute_s, value in by_minute.items() if minute_s not in seen}
            for key, by_minute in added.items()
        }
        self._farm.append((unseen, 1))

    def result(self) -> RigRolled:
        chunks = {key: pack(buckets) for key, buckets in self._open.items() if buckets.where}
        return RigRolled(self._work.rig_id, self._work.marks, chunks, self._rolled, farm.summed_up(self._farm))


def _newer_than(rolled_before: list[int], late: list[int], hour_s: int, step_s: int) -> Callable[[int], bool]:
    """Returns a function that returns whether a bucket's late logs are newer than its others."""
    last_known, last_late = (
        {(moment - hour_s * 1_000_000) // (step_s * 1_000_000): moment for moment in moments}
        for moments in (rolled_before, late)
    )
    return lambda bucket: last_late.get(bucket, 0) > last_known.get(bucket, 0)


def _minutes_with_logs(buckets: Buckets, moments: list[int]) -> list[int]:
    minutes = {moment // 60_000_000 * 60 for moment in moments}
    counts: dict[int, int] = {}
    for minute_s in minutes:
        bucket = (minute_s - buckets.start_s) // buckets.step_s
        counts[bucket] = counts.get(bucket, 0) + 1
    return [counts.get(bucket, 0) for bucket in buckets.where]
