"""A miner, or an attacker with a rig's token, whose names never repeat: nothing is lost, and memory is bounded."""

import csv
import random
import re
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from commander.db import Database
from commander.history import summing
from commander.history.buckets import Buckets, Gauge
from commander.history.names import IN_A_CHUNK, IN_AN_HOUR, Names, Room, folded
from commander.history.packing import CODEC, pack, unpack
from commander.history.query import farm_history, rig_history
from commander.history.roll_up import roll_up
from commander.history.store import write_chunks, write_farm_chunks
from commander.history.tables import CHUNKS, HOURS, MINUTES, TIERS, Tier
from commander.intake.sentry_runs import SentryRuns
from commander.live.totals import OTHERS, WORKS_OF_THE_FARM, Totals
from commander.partitions import add_missing_parts
from commander.raw_logs import store as logs
from commander.readings.series import Readings, Series
from commander.readings.summary import WORKS_OF_A_RIG, RigSummary, Work
from commander_farm import RIGS, Farm, on_sqlite
from history_farm import KIND, START, START_S, Place, a_place, kept, plainly, steady
from protocol.messages import AlgorithmReading, CpuGpuLog, MinerDevice, MinerReading, MinerState
from test_roll_up import assert_the_same

HOUR = timedelta(hours=1)
NAMES_A_LOG = 512
RATE_HS = 1_000.0
MEBIBYTE = 1024 * 1024
OTHER_SERIES: Series = ("hashrate_hs", None, "other", None)


def numbers(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same names in each run


def random_miners(number: random.Random, *, devices: int = 1) -> list[MinerReading]:
    """Returns 64 mining programs with 8 algorithms each; all names are new."""
    return [
        MinerReading(
            software=f"miner{place}",
            state=MinerState.MINING,
            algorithms=[
                AlgorithmReading(
                    algorithm=f"{number.getrandbits(60):x}",
                    coin=f"{number.getrandbits(60):x}",
                    hashrate_hs=RATE_HS,
                    accepted=1,
                )
                for _ in range(8)
            ],
            devices=[MinerDevice(device=f"{number.getrandbits(60):x}", hashrates_hs=[1.0] * 8)] * devices,
        )
        for place in range(64)
    ]


@dataclass(frozen=True)
class RandomLog:
    rig_id: int
    at_s: float
    seed: int

    @property
    def at_us(self) -> int:
        return START_S * 1_000_000 + round(self.at_s * 1_000_000)

    def body(self) -> bytes:
        miners = random_miners(numbers(self.seed))
        return msgspec.json.encode(CpuGpuLog(taken_at=START + timedelta(seconds=self.at_s), miners=miners))


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    async with a_place(database_url, rig_count=3) as place:
        yield place


@on_sqlite
async def test_the_memory_of_a_roll_up_does_not_grow_with_names(place: Place) -> None:
    await place.send(RandomLog(1, number * 200.0, number) for number in range(15))
    tracemalloc.start()
    try:
        assert await roll_up(place.database, now=START + 2 * HOUR, at_most=timedelta(minutes=2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * MEBIBYTE
    assert len({series for series, _ in (await kept(place.database, 1, MINUTES)).gauges}) <= IN_AN_HOUR.series


async def packed_sizes(database: Database, tier: Tier) -> list[Buckets]:
    chunks = CHUNKS[KIND][tier]
    async with database.reading() as db:
        rows = await db.execute(chunks.select().where(chunks.c.rig_id == 1))
        return [unpack(row.codec, row.body, start_s=row.start_s, step_s=tier.step_s) for row in rows]


async def test_names_are_bounded_across_logs_hours_and_restarts_and_no_hashrate_is_lost(place: Place) -> None:
    hours = 6
    for hour in range(hours):
        await place.send(RandomLog(1, hour * 3600 + minute * 1200.0, hour * 100 + minute) for minute in range(3))
        await roll_up(place.database, now=START + (hour + 2) * HOUR)  # each time as if the commander had just started
    for tier, works_most in ((MINUTES, IN_AN_HOUR.works), (HOURS, IN_A_CHUNK.works)):
        for chunk in await packed_sizes(place.database, tier):
            of_rig = [key for key in chunk.gauges if key[:2] == ("hashrate_hs", None)]
            assert len(of_rig) <= works_most + 1
            assert len({key[1] for key in chunk.gauges}) <= IN_A_CHUNK.devices + 2
            assert len(chunk.gauges) + len(chunk.counters) <= 2 * IN_A_CHUNK.series
    for tier in TIERS:
        async with place.database.reading() as db:
            of_rig_history = await rig_history(
                db, KIND, 1, since=START, until=START + hours * HOUR, points=hours * 3600 // tier.step_s
            )
            of_farm = await farm_history(
                db, KIND, since=START, until=START + hours * HOUR, points=hours * 3600 // tier.step_s
            )
        of_rig_history = msgspec.structs.replace(
            of_rig_history, series=[each for each in of_rig_history.series if each.device is None]
        )
        for history in (of_rig_history, of_farm):
            rates = [each for each in history.series if each.figure == "hashrate_hs"]
            assert len(rates) <= WORKS_OF_A_RIG + 1
            if tier is MINUTES:
                sums = {
                    sum(values)
                    for column in zip(*(each.mean for each in rates), strict=True)
                    if (values := [value for value in column if value is not None])
                }
                assert sums == {NAMES_A_LOG * RATE_HS}


@pytest.mark.parametrize("of_farm", [False, True])
async def test_what_is_stored_already_with_too_many_names_is_read_with_few(place: Place, of_farm: bool) -> None:
    minutes = Buckets(START_S, 60, list(range(60)), [6] * 60, [1] * 60)
    for number in range(3_000):
        column = [10**6] * 60
        minutes.gauges["hashrate_hs", None, f"a{number}", f"c{number}"] = Gauge(
            -3, list(range(60)), [6 if not of_farm else 1] * 60, column, column, column, column
        )
    if place.database.is_postgresql and not of_farm:
        await add_missing_parts(place.database, CHUNKS[KIND][MINUTES], [START_S])
    async with place.database.transaction() as db:
        if of_farm:
            await write_farm_chunks(db, KIND, CODEC, [((MINUTES, START_S), pack(minutes))])
        else:
            await write_chunks(db, KIND, CODEC, [(1, (MINUTES, START_S), pack(minutes))])
    async with place.database.reading() as db:
        until = START + HOUR
        if of_farm:
            history = await farm_history(db, KIND, since=START, until=until, points=60)
        else:
            history = await rig_history(db, KIND, 1, since=START, until=until, points=60)
    rates = [each for each in history.series if each.figure == "hashrate_hs"]
    assert len(rates) == WORKS_OF_A_RIG + 1
    assert {sum(value or 0 for value in column) for column in zip(*(each.mean for each in rates), strict=True)} == {
        3_000 * RATE_HS
    }


async def test_an_hour_in_slices_is_the_same_hour(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summing, "VALUES_AT_ONCE", 25)
    monkeypatch.setattr(logs, "SLICE_BYTES", 700)
    sent = steady(1, 0, 7200)
    await place.send(sent)
    await roll_up(place.database, now=START + 3 * HOUR)
    for tier in TIERS:
        assert_the_same(await kept(place.database, 1, tier), plainly(sent, tier.step_s), rel=1e-12, within=1e-12)


async def test_pages_and_answers_stay_small(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    number, now = numbers(7), datetime.now(UTC)
    for part in range(2):
        bodies = [
            CpuGpuLog(taken_at=now - timedelta(seconds=10 * (part * 20 + at)), miners=random_miners(number))
            for at in range(20)
        ]
        answer = await farm.report(rig, *(msgspec.to_builtins(body) for body in bodies))
        assert answer.json()["stored"] == 20
    stats = (await farm.get("/api/v1/cpu-gpu-stats")).json()
    assert len(stats["coins"]) == WORKS_OF_A_RIG + 1
    assert sum(coin["hashrate_hs"] for coin in stats["coins"]) == NAMES_A_LOG * RATE_HS
    answer = await farm.get(f"{RIGS}/{rig.id}/history")
    assert len({(line["algorithm"], line["coin"]) for line in answer.json()["series"]}) <= IN_AN_HOUR.works + 2
    for path, bytes_most in (
        (f"{RIGS}/{rig.id}/history", 20 * MEBIBYTE),
        ("/cpu-gpu", 200_000),
        (f"/cpu-gpu/{rig.id}", 1_000_000),
        (f"/cpu-gpu/{rig.id}/log", 2 * MEBIBYTE),
        (f"/cpu-gpu/{rig.id}/log.csv", MEBIBYTE),
        ("/metrics", 100_000),
    ):
        answer = await (person.get(path) if path.startswith("/cpu-gpu") else farm.get(path))
        assert answer.status_code == 200
        assert len(answer.content) < bytes_most, path
    file = list(csv.reader((await person.get(f"/cpu-gpu/{rig.id}/log.csv?figures=hashrate")).text.splitlines()))
    assert len(file[0]) <= WORKS_OF_A_RIG + 2
    assert {sum(float(cell) for cell in line[1:] if cell) for line in file[1:]} == {NAMES_A_LOG * RATE_HS}


async def test_the_rigs_page_says_that_some_names_are_other(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    for number in range(3):
        miners = random_miners(numbers(number))[:5]
        body = CpuGpuLog(taken_at=datetime.now(UTC) - timedelta(seconds=30 - 10 * number), miners=miners)
        await farm.report(rig, msgspec.to_builtins(body))
        page = (await person.get(f"/cpu-gpu/{rig.id}")).text
        assert ("reports too many algorithms" in page) is (number > 0)  # 40 names, then 80
    assert re.search("More than 64 different algorithms", page)


def test_the_farm_has_the_works_of_most_rigs_and_other() -> None:
    totals = Totals()
    for rig in range(100):
        totals.count(RigSummary(hashrates_hs={Work("Monero", "rx/0"): 1.0, Work(f"coin {rig}", "x"): 5.0}), +1)
    shown = totals.largest()
    assert len(shown) == WORKS_OF_THE_FARM + 1
    assert shown[-1] == (OTHERS, (100 - 63) * 5_000, 100 - 63)
    assert (Work("Monero", "rx/0"), 100_000, 100) in shown


def readings_of(number: int) -> Readings:
    return {
        ("hashrate_hs", None, f"a{number}", None): 5.0,
        ("hashrate_hs", f"gpu{number}", f"a{number}", None): 5.0,
        ("temperature_c", f"gpu{number}", None, None): 50.0 + number,
        ("power_w", f"gpu{number}", None, None): 100.0,
        ("accepted", f"*miner{number}", f"a{number}", None): 7,
        ("accepted", f"gpu{number}", None, None): 7 + number,
    }


def test_what_there_is_no_room_for_is_other_and_counts_of_it_are_left_out() -> None:
    names = Names(Room(works=2, devices=4, series=100))
    together = {key: value for number in range(4) for key, value in readings_of(number).items()}
    found = folded(together, names.named)
    assert names.folded
    assert found["hashrate_hs", None, "a1", None] == 5.0
    assert found[OTHER_SERIES] == 10.0
    assert found["hashrate_hs", "other", "other", None] == 10.0
    assert found["power_w", "other", None, None] == 200.0
    assert found["temperature_c", "other", None, None] == 53.0
    assert {key for key in found if key[0] == "accepted"} == {
        ("accepted", "*miner0", "a0", None),
        ("accepted", "*miner1", "a1", None),
        ("accepted", "gpu0", None, None),
        ("accepted", "gpu1", None, None),
    }


def test_a_run_id_that_is_no_sentrys_is_not_kept() -> None:
    new: list[tuple[int, str]] = []
    runs = SentryRuns(lambda rig_id, run: new.append((rig_id, run)))
    for run in ("a" * 32, "b" * 65, "a" * 32):
        assert not runs.two_sentries(1, run, 0.0)
    assert new == [(1, "a" * 32)]


def test_series_are_bounded_whatever_their_names_are() -> None:
    names, found = Names(Room(works=8, devices=8, series=20)), set[Series | None]()
    for number in range(10_000):
        found |= {names.named(series) for series in readings_of(number)}
        found.add(names.named(("hashrate_hs", f"gpu{number % 8}", f"a{number}", None)))
    assert len(found) < 20 + 9 * 9 + 5
