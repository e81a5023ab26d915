"""An algorithm or coin is one line of history, however mining programs and people spell it."""

import csv
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest
from commander.history import farm as of_farm
from commander.history import store
from commander.history.buckets import Buckets, Counter, Gauge
from commander.history.packing import CODEC, pack
from commander.history.query import History, HistorySeries, farm_history, rig_history
from commander.history.roll_up import roll_up
from commander.history.tables import CHUNKS, HOURS, MINUTES, TEN_MINUTES, TIERS, Tier
from commander.partitions import add_missing_parts
from commander.readings.coins import one_coin
from commander.readings.series import Series
from commander.readings.summary import Work
from commander.rig_pages.sparkline_data import trend_lines
from commander_farm import RIGS, Farm, a_log, an_asic_log
from history_farm import KIND, START, START_S, Place, a_place
from protocol.messages import AlgorithmReading, CpuGpuLog, MinerDevice, MinerReading, MinerState

HOUR = timedelta(hours=1)
CARD = "0000:03:00.0"
KASPA = ("kHeavyHash", "Kaspa")


@dataclass(frozen=True)
class KaspaLog:
    """A log of a rig whose miners spell Kaspa's algorithm in these ways, each with its hashrate."""

    rig_id: int
    at_s: float
    miners: tuple[tuple[str, str, float], ...]  # algorithm, coin, hashrate

    @property
    def at_us(self) -> int:
        return START_S * 1_000_000 + round(self.at_s * 1_000_000)

    def body(self) -> bytes:
        miners = [
            MinerReading(
                software=f"miner{place}",
                state=MinerState.MINING,
                algorithms=[
                    AlgorithmReading(algorithm=algorithm, coin=coin, hashrate_hs=rate, accepted=int(self.at_s) // 10)
                ],
                devices=[MinerDevice(device=CARD, hashrates_hs=[rate])],
            )
            for place, (algorithm, coin, rate) in enumerate(self.miners)
        ]
        return msgspec.json.encode(CpuGpuLog(taken_at=START + timedelta(seconds=self.at_s), miners=miners))


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    async with a_place(database_url, rig_count=3) as place:
        yield place


def hashrates(history: History, device: str | None = None) -> list[HistorySeries]:
    return [each for each in history.series if (each.figure, each.device) == ("hashrate_hs", device)]


async def the_farm(place: Place, step_s: int, hours: int = 2) -> History:
    async with place.database.reading() as db:
        return await farm_history(db, KIND, since=START, until=START + hours * HOUR, points=hours * 3600 // step_s)


async def the_rig(place: Place, rig_id: int, step_s: int, hours: int = 2) -> History:
    async with place.database.reading() as db:
        return await rig_history(
            db, KIND, rig_id, since=START, until=START + hours * HOUR, points=hours * 3600 // step_s, may_be_raw=False
        )


def by_turns(at_s: int) -> float:
    return 1e9 * (at_s // 10 % 2)


async def test_two_spellings_of_the_demos_kaspa_are_one_line_of_farm_and_rig(place: Place) -> None:
    """The line is at 46.2 GH/s, not two at 14.2 and 32.0."""
    for at_s in range(0, 7200, 10):
        await place.send(
            [
                KaspaLog(1, at_s, (("kHeavyHash", "Kaspa", 14.2e9 + by_turns(at_s)),)),
                KaspaLog(2, at_s, (("kheavyhash", "KAS", 32.0e9),)),
                KaspaLog(3, at_s, (("KHEAVYHASH", "kaspa", 3e9 + by_turns(at_s)), ("heavyhash", "Kaspa", 2e9))),
            ]
        )
    for now in (START + HOUR, START + 3 * HOUR):  # from logs, then from every tier
        await roll_up(place.database, now=now)
        for step_s in (60, 600, 3600):
            [line] = hashrates(await the_rig(place, 3, step_s))
            assert (line.algorithm, line.coin) == KASPA
            assert (set(line.min), set(line.mean), set(line.max)) == ({5e9}, {5.5e9}, {6e9})
            [of_card] = hashrates(await the_rig(place, 3, step_s), CARD)
            assert set(of_card.mean) == {5.5e9}
            [shares] = [each for each in (await the_rig(place, 3, step_s)).series if each.figure == "accepted"]
            assert sum(value or 0 for value in shares.mean) == 2 * 719
    for step_s in (60, 600, 3600):
        history = await the_farm(place, step_s)
        [line] = hashrates(history)
        assert (line.algorithm, line.coin) == KASPA
        assert line.mean == pytest.approx([52.2e9] * (7200 // step_s))
        assert trend_lines(history)["hashrate-Kaspa"] == line.mean


def gauge(where: list[int], values: list[int], *, count: int, spread: int = 0) -> Gauge:
    low, high = [value - spread for value in values], [value + spread for value in values]
    return Gauge(-3, where, [count] * len(where), low, values, high, values)


def minutes_as_they_were(hour_s: int, parts: dict[tuple[str, str], list[int]], *, count: int = 1) -> Buckets:
    """Returns an hour of minutes with a series per spelling, as earlier versions wrote it."""
    where = list(range(60))
    series: dict[Series, Gauge] = {
        ("hashrate_hs", None, *work): gauge(where, values, count=count) for work, values in parts.items()
    }
    alive = Gauge(0, where, [3] * 60, [3] * 60, [3] * 60, [3] * 60, [3] * 60)
    return Buckets(hour_s, 60, where, [3] * 60, [1] * 60, {of_farm.ALIVE_SERIES: alive, **series})


async def put_farm(place: Place, minutes: Buckets) -> None:
    """Writes the farm's history to all tiers, as the roll-up of an hour did."""
    chunks = {MINUTES: minutes, TEN_MINUTES: of_farm.longer(minutes, 600), HOURS: of_farm.longer(minutes, 3600)}
    rows = [((tier, tier.chunk_of(START_S)), pack(moved_to_chunk(tier, buckets))) for tier, buckets in chunks.items()]
    async with place.database.transaction() as db:
        await store.write_farm_chunks(db, KIND, CODEC, rows)


def moved_to_chunk(tier: Tier, buckets: Buckets) -> Buckets:
    """Counts from the beginning of the chunk instead of the hour."""
    shift = (buckets.start_s - tier.chunk_of(buckets.start_s)) // tier.step_s
    for gauge_ in buckets.gauges.values():
        gauge_.where = [bucket + shift for bucket in gauge_.where]
    buckets.where = [bucket + shift for bucket in buckets.where]
    buckets.start_s = tier.chunk_of(buckets.start_s)
    return buckets


GHS = 10**12  # in thousandths of H/s


async def test_a_farms_history_that_was_split_is_read_as_one_line(place: Place) -> None:
    rising = [(14 + minute) * GHS for minute in range(60)]
    falling = [(92 - minute) * GHS for minute in range(60)]
    split = {("kHeavyHash", "Kaspa"): rising, ("kheavyhash", "KAS"): falling}
    await put_farm(place, minutes_as_they_were(START_S, split))
    [line] = hashrates(await the_farm(place, 60, hours=1))
    assert (line.algorithm, line.coin, line.mean, line.min, line.max) == (*KASPA, *[[106e9] * 60] * 3)
    for step_s in (600, 3600):
        [line] = hashrates(await the_farm(place, step_s, hours=1))
        minutes = step_s // 60
        assert line.mean == [106e9] * (60 // minutes)  # exact in every tier
        spread = (minutes - 1) * 1e9  # the truth lies within the sums of the lowest and of the highest
        assert (line.min[0], line.max[0]) == (106e9 - spread, 106e9 + spread)


async def test_an_hour_of_a_farm_in_which_one_spelling_follows_the_other_is_exact(place: Place) -> None:
    first, second = ([14 * GHS] * 30, list(range(30))), ([32 * GHS] * 30, list(range(30, 60)))
    minutes = minutes_as_they_were(START_S, {})
    for (values, where), work in zip((first, second), (("kHeavyHash", "Kaspa"), ("kheavyhash", "Kaspa")), strict=True):
        minutes.gauges["hashrate_hs", None, *work] = gauge(where, values, count=1)
    await put_farm(place, minutes)
    [line] = hashrates(await the_farm(place, 3600, hours=1))
    assert (line.min, line.mean, line.max) == ([14e9], [23e9], [32e9])


async def put_rig(place: Place, tier: Tier, chunk: Buckets) -> None:
    """Writes the history of rig 1."""
    if place.database.is_postgresql:
        await add_missing_parts(place.database, CHUNKS[KIND][tier], [chunk.start_s])
    async with place.database.transaction() as db:
        await store.write_chunks(db, KIND, CODEC, [(1, (tier, chunk.start_s), pack(chunk))])


def rig_hour(split: dict[tuple[str, str], Gauge], counts: dict[tuple[str, str], Counter]) -> Buckets:
    """Returns the hour at `START_S`, 360 logs, as a week's chunk of hours has it."""
    at = (START_S - HOURS.chunk_of(START_S)) // 3600
    hour = Buckets(HOURS.chunk_of(START_S), 3600, [at], [360], [60])
    hour.gauges = {("hashrate_hs", None, *work): each for work, each in split.items()}
    hour.counters = {("accepted", "*lolminer", *work): each for work, each in counts.items()}
    for split_gauge in hour.gauges.values():
        split_gauge.where = [at]
    for counter in hour.counters.values():
        counter.where = [at]
    return hour


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((360, 360), (44e9, 47e9, 50e9)),  # side by side: the mean is exact, the truth within 44 … 50
        ((180, 180), (13e9, 23.5e9, 34e9)),  # one after the other: all three are exact
        ((360, 90), (13e9, 22.25e9, 50e9)),  # the second for a part of the hour
    ],
)
async def test_a_rigs_history_that_was_split_is_read_as_one_line(
    place: Place, counts: tuple[int, int], expected: tuple[float, float, float]
) -> None:
    one, other = gauge([0], [14 * GHS], count=counts[0], spread=GHS), gauge([0], [33 * GHS], count=counts[1])
    other.low, other.high = [31 * GHS], [34 * GHS]
    one.high = [16 * GHS]
    shares = {
        ("kHeavyHash", "Kaspa"): Counter([0], [100], [40], [140]),
        ("kheavyhash", "KAS"): Counter([0], [7], [2], [9]),
    }
    hour = rig_hour({("kHeavyHash", "Kaspa"): one, ("kheavyhash", "KAS"): other}, shares)
    await put_rig(place, HOURS, hour)
    history = await the_rig(place, 1, 3600, hours=1)
    [line] = hashrates(history)
    assert (line.min[0], line.mean[0], line.max[0]) == pytest.approx(expected)
    [accepted] = [each for each in history.series if each.figure == "accepted"]
    assert accepted.mean == [42]


async def test_late_logs_join_the_history_that_was_split_and_the_farm_stays_right(place: Place) -> None:
    """A new roll-up subtracts exactly what the old one added to the farm under two names."""
    logs = [KaspaLog(1, at_s, (("kheavyhash", "KAS", 32.0e9),)) for at_s in range(0, 3600, 10)]
    await place.send(logs)
    old = Buckets(START_S, 60, list(range(60)), [6] * 60, [1] * 60)
    for work, value in ((("kHeavyHash", "Kaspa"), 14 * GHS), (("kheavyhash", "KAS"), 18 * GHS)):
        old.gauges["hashrate_hs", None, *work] = gauge(list(range(60)), [value] * 60, count=6)
    await put_farm(
        place,
        minutes_as_they_were(
            START_S, {("kHeavyHash", "Kaspa"): [14 * GHS] * 60, ("kheavyhash", "KAS"): [(18 + 5) * GHS] * 60}
        ),
    )
    await put_rig(place, MINUTES, old)
    await roll_up(place.database, now=START + 2 * HOUR)
    for tier in TIERS:
        [line] = hashrates(await the_farm(place, tier.step_s, hours=1))
        assert set(line.mean) == set(line.min) == set(line.max) == {37e9}  # 32, and 5 of other rigs


async def test_pages_files_and_answers_show_one_kaspa(farm: Farm) -> None:
    rig, other = await farm.add("one"), await farm.add("two")
    miner = a_log()["miners"][0]  # type: ignore[index]
    for each, algorithm, coin in ((rig, "kHeavyHash", "Kaspa"), (other, "kheavyhash", "KAS")):
        reading = {"algorithm": algorithm, "coin": coin, "hashrate_hs": 16e9}
        await farm.report(each, {**a_log(5), "miners": [{**miner, "algorithms": [reading], "devices": []}]})
    stats = (await farm.get("/api/v1/cpu-gpu-stats")).json()
    assert [(each["coin"], each["algorithm"], each["rigs"]) for each in stats["coins"]] == [("Kaspa", "kHeavyHash", 2)]
    for each in (rig, other):
        history = (await farm.get(f"{RIGS}/{each.id}/history?figures=hashrate_hs")).json()
        assert {(line["algorithm"], line["coin"]) for line in history["series"]} == {KASPA}
        await farm.log_in()
        text = (await farm.client.get(f"/cpu-gpu/{each.id}/log.csv?figures=hashrate")).text
        assert next(csv.reader(text.splitlines())) == ["taken_at", "hashrate_hs Kaspa kHeavyHash"]


async def test_an_asics_history_has_the_names_of_the_totals(farm: Farm) -> None:
    asic = await farm.add_asic()
    await farm.report_asic(asic, {**an_asic_log(5), "algorithm": "KHeavyHash", "coin": "KAS"})
    history = (await farm.get(f"/api/v1/asic-rigs/{asic.id}/history?figures=hashrate_hs,accepted")).json()
    assert {(line["algorithm"], line["coin"]) for line in history["series"]} == {KASPA}
    [coin] = (await farm.get("/api/v1/asic-stats")).json()["coins"]
    assert (coin["algorithm"], coin["coin"]) == KASPA


def test_a_coin_has_one_name() -> None:
    assert [one_coin(word) for word in ("KAS", "kaspa", "Kaspa", "my coin")] == ["Kaspa"] * 3 + ["my coin"]
    assert Work("xmr", "RandomX").named == Work("Monero", "rx/0")
    known = Work(None, "unknown")
    assert known.named == known
