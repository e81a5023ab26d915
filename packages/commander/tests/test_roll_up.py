"""Roll-up against a plain recomputation, with logs in any order, sent again, and kills in between."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from commander.db import Database
from commander.history import rolling, store
from commander.history.query import History, farm_history, rig_history
from commander.history.retention import Kept, drop_old, forget_removed
from commander.history.roll_up import roll_up
from commander.history.sampling import take_sample
from commander.history.tables import HOURS, MINUTES, TEN_MINUTES, TIERS
from commander.live.operational_index import OperationalIndex
from commander.problems import DatabaseProblem
from commander.readings.summary import RigSummary, Work
from commander.registry import store as rigs
from commander_farm import on_sqlite
from full_database import PagesLimit
from history_farm import KIND, START, START_S, Moment, Place, PlainBuckets, a_place, farm_plainly, kept, plainly, steady
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.exc import OperationalError

HOUR = timedelta(hours=1)
RIGS = 3
KEPT = Kept(raw=2 * HOUR)


class Killed(BaseException):
    """Stands for a SIGKILL, after which a transaction was never there."""


@contextmanager
def killed_at(database: Database, statement: int) -> Iterator[None]:
    """Raises `Killed` before the database's `statement`-th statement."""
    left = statement

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    engine = database._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    except (Killed, DatabaseProblem):
        if left >= 0:  # nobody was killed: something is wrong
            raise
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)


@dataclass
class Run:
    """A job that is run at an hour, and dies before its `killed_at`-th statement if it comes so far."""

    job: str
    hour: int
    killed_at: int

    async def happen(self, database: Database) -> None:
        now = START + self.hour * HOUR
        with killed_at(database, self.killed_at):
            if self.job == "roll-up":
                await roll_up(database, now=now)
            else:
                await drop_old(database, KEPT, now=now)


async def happen(place: Place, story: Iterable[list[Moment] | Run]) -> list[Moment]:
    """Returns every log that was sent, once."""
    sent: list[Moment] = []
    known: set[tuple[int, int]] = set()
    for step in story:
        if isinstance(step, Run):
            await step.happen(place.database)
        else:
            await place.send(step)
            sent += _first_of_each(step, known)
    return sent


def _first_of_each(moments: Iterable[Moment], known: set[tuple[int, int]]) -> Iterator[Moment]:
    for moment in moments:
        if (key := (moment.rig_id, moment.at_us)) not in known:
            known.add(key)
            yield moment


moments = some.builds(
    Moment,
    rig_id=some.integers(1, RIGS),
    at_s=some.one_of(some.integers(0, 4 * 3600 - 1), some.integers(0, 400)).map(float),
    power_w=some.one_of(some.none(), some.floats(0, 5000)),
    hashrate_hs=some.one_of(some.none(), some.just(0.0), some.floats(0, 1e16), some.floats(1.6e8, 1.7e8)),
    accepted=some.one_of(some.none(), some.integers(0, 50)),
    coin=some.sampled_from(["Monero", "Kaspa"]),
)
never = some.just(10**9)
sends = some.lists(moments, min_size=1, max_size=30)
rolls = some.builds(Run, some.just("roll-up"), some.integers(1, 8), some.one_of(never, some.integers(0, 80)))
drops = some.builds(Run, some.just("drop"), some.integers(1, 5), some.one_of(never, some.integers(0, 30)))


def told(url: str, tell: Callable[[Place], Awaitable[None]]) -> None:
    async def run() -> None:
        async with a_place(url, rig_count=RIGS) as place:
            await tell(place)

    asyncio.run(run())


@given(some.lists(some.one_of(sends, rolls), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_tier_equals_a_plain_recomputation(database_url: str, story: list[list[Moment] | Run]) -> None:
    async def tell(place: Place) -> None:
        sent = await happen(place, story)
        await roll_up(place.database, now=START + 9 * HOUR)
        await assert_tiers_are_plain(place.database, sent)

    told(database_url, tell)


async def assert_tiers_are_plain(database: Database, sent: list[Moment]) -> None:
    for tier in TIERS:
        for rig_id in range(1, RIGS + 1):
            plain = plainly([moment for moment in sent if moment.rig_id == rig_id], tier.step_s)
            assert_the_same(await kept(database, rig_id, tier), plain, rel=1e-12, within=1e-12)
    history = await farm(database, START, START + 5 * HOUR, 2000)
    assert history.step_s == 60
    found, expected = lines(history), farm_plainly(sent)
    assert found.keys() == expected.keys()
    for key, line in expected.items():
        assert found[key] == pytest.approx(line, rel=1e-9, abs=0.06), key


def assert_the_same(found: PlainBuckets, plain: PlainBuckets, *, rel: float, within: float) -> None:
    assert (found.logs, found.minutes, found.counters) == (plain.logs, plain.minutes, plain.counters)
    assert found.gauges.keys() == plain.gauges.keys()
    for key, gauge in plain.gauges.items():
        assert tuple(found.gauges[key]) == pytest.approx(tuple(gauge), rel=rel, abs=within), key


@given(some.lists(some.one_of(sends, rolls, drops), min_size=1, max_size=10))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_log_is_lost_or_counted_twice_when_raw_ones_are_dropped(
    database_url: str, story: list[list[Moment] | Run]
) -> None:
    async def tell(place: Place) -> None:
        sent = await happen(place, story)
        await roll_up(place.database, now=START + 9 * HOUR)
        for tier in TIERS:
            for rig_id in range(1, RIGS + 1):
                plain = plainly([moment for moment in sent if moment.rig_id == rig_id], tier.step_s)
                found = await kept(place.database, rig_id, tier)
                assert (found.logs, found.minutes) == (plain.logs, plain.minutes)
                for key, gauge in plain.gauges.items():
                    assert found.gauges[key][:4:3] == pytest.approx(gauge[:4:3])
                    assert found.gauges[key].mean == pytest.approx(gauge.mean, rel=1e-3, abs=0.3)
                    assert found.gauges[key].low == pytest.approx(gauge.low)
        alive = lines(await farm(place.database, START, START + 5 * HOUR, 2000)).get(("rigs_alive", None), {})
        assert alive == farm_plainly(sent).get(("rigs_alive", None), {})

    told(database_url, tell)


async def farm(database: Database, since: datetime, until: datetime, points: int) -> History:
    async with database.reading() as db:
        return await farm_history(db, KIND, since=since, until=until, points=points)


async def rig(database: Database, rig_id: int, since: datetime, until: datetime, points: int) -> History:
    async with database.reading() as db:
        return await rig_history(db, KIND, rig_id, since=since, until=until, points=points)


def lines(history: History) -> dict[tuple[str, str | None], dict[int, float]]:
    """By figure and coin, then by time, of the whole rig or farm."""
    times = [int(time.timestamp()) for time in history.times]
    return {
        (series.figure, series.coin): {
            at: value for at, value in zip(times, series.mean, strict=True) if value is not None
        }
        for series in history.series
        if series.device is None
    }


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    async with a_place(database_url, rig_count=RIGS) as place:
        yield place


@pytest.mark.parametrize("step", [60, 600, 3600])
async def test_the_open_hour_joins_the_rolled_ones_without_a_seam(place: Place, step: int) -> None:
    logs = steady(1, 0, 9_000)
    await place.send(logs)
    before = await rig(place.database, 1, START, START + 3 * HOUR, 3 * 3600 // step)
    await roll_up(place.database, now=START + 2.6 * HOUR)
    after = await rig(place.database, 1, START, START + 3 * HOUR, 3 * 3600 // step)
    assert (before.times, before.step_s) == (after.times, after.step_s)
    for was, became in zip(before.series, after.series, strict=True):
        assert (was.figure, was.device, was.coin) == (became.figure, became.device, became.coin)
        gaps = [value is None for value in was.mean]
        assert [value is None for value in became.mean] == gaps
        assert [each or 0 for each in became.mean] == pytest.approx(
            [each or 0 for each in was.mean], abs=0.11, rel=1e-4
        )
        assert became.max == was.max
        assert became.min == was.min
    shares = [series for series in after.series if series.figure == "accepted"]
    assert sum(value or 0 for value in shares[0].mean) == 8_990 // 15


async def test_late_logs_are_added_when_the_raw_ones_are_gone_and_counted_once(place: Place) -> None:
    first, spooled = steady(1, 0, 1_800), steady(1, 1_800, 7_200)
    await place.send(first)
    await roll_up(place.database, now=START + 5 * HOUR)
    await place.send(steady(2, 10 * 3600, 10 * 3600 + 60))
    await drop_old(place.database, KEPT, now=START + 10 * HOUR)
    for late in (spooled[:100], spooled[:150], spooled[100:], first[-50:] + spooled[:50]):
        await place.send(late)
        await roll_up(place.database, now=START + 10 * HOUR)
        await drop_old(place.database, KEPT, now=START + 10 * HOUR)
    for tier in TIERS:
        found, plain = await kept(place.database, 1, tier), plainly(first + spooled, tier.step_s)
        assert_the_same(found, plain, rel=2e-4, within=0.11)
    alive = lines(await farm(place.database, START, START + 2 * HOUR, 120))["rigs_alive", None]
    assert list(alive.values()) == [1.0] * 120


async def test_late_logs_correct_the_farm_when_the_rigs_minutes_are_gone_too(place: Place) -> None:
    first, spooled = steady(1, 0, 1_800), steady(1, 1_800, 3_600)
    await place.send(first)
    await roll_up(place.database, now=START + 5 * HOUR)
    later = START + timedelta(days=9)
    await place.send([Moment(2, 9 * 86_400.0)])
    await drop_old(place.database, KEPT, now=later)
    await place.send(spooled + first)
    await roll_up(place.database, now=later)
    assert (await kept(place.database, 1, MINUTES)).logs == {}
    for tier in (TEN_MINUTES, HOURS):
        found, plain = await kept(place.database, 1, tier), plainly(first + spooled, tier.step_s)
        assert (found.logs, found.counters) == (plain.logs, plain.counters)
    power = lines(await farm(place.database, START, START + HOUR, 60))["power_w", None]
    assert power == pytest.approx(farm_plainly(first + spooled)["power_w", None])


async def test_raw_logs_stay_until_their_hour_is_rolled_up(place: Place) -> None:
    await place.send([Moment(1, 0.0), Moment(1, 50 * 3600.0)])
    await drop_old(place.database, KEPT, now=START + 50 * HOUR)
    await roll_up(place.database, now=START + 50 * HOUR)
    assert (await kept(place.database, 1, HOURS)).logs == {int(START.timestamp()): 1}


async def test_a_clock_that_jumps_ahead_takes_no_history_with_it(place: Place) -> None:
    await place.send(steady(1, 0, 600))
    a_year_on = START + timedelta(days=365)
    await roll_up(place.database, now=a_year_on)
    await drop_old(place.database, KEPT, now=a_year_on)
    for tier in TIERS:
        assert sum((await kept(place.database, 1, tier)).logs.values()) == 60
    await place.send(steady(1, 600, 1200))
    await roll_up(place.database, now=START + 5 * HOUR)
    for tier in TIERS:
        assert sum((await kept(place.database, 1, tier)).logs.values()) == 120


async def test_tiers_are_kept_for_their_time(place: Place) -> None:
    await place.send(steady(1, 0, 600))
    await roll_up(place.database, now=START + 5 * HOUR)
    for days, kept_tiers in ((6, TIERS), (9, TIERS[1:]), (100, TIERS[2:]), (900, TIERS[2:])):
        now = START + timedelta(days=days)
        await place.send([Moment(2, days * 86_400.0)])
        await drop_old(place.database, KEPT, now=now)
        for tier in TIERS:
            assert bool((await kept(place.database, 1, tier)).logs) == (tier in kept_tiers), (days, tier.name)
        history = await rig(place.database, 1, START, START + HOUR, 100)
        assert history.step_s == kept_tiers[0].step_s
        assert history.series
    of_farm = await farm(place.database, START, START + HOUR, 100)
    assert (of_farm.step_s, lines(of_farm)["rigs_alive", None]) == (3600, {START_S: 1.0})


async def test_a_removed_rigs_history_goes_and_what_it_gave_to_the_farm_stays(place: Place) -> None:
    await place.send(steady(1, 0, 3_600) + steady(2, 0, 3_600))
    await roll_up(place.database, now=START + 2 * HOUR)
    await place.send(steady(1, 7_200, 7_300))
    before = lines(await farm(place.database, START, START + HOUR, 60))
    async with place.database.transaction() as db:
        await rigs.delete_rig(db, KIND, 1)
        await store.forget_rig(db, KIND, 1)
    await forget_removed(place.database)
    await place.send(steady(2, 3_600, 3_700))
    await roll_up(place.database, now=START + 5 * HOUR)
    for tier in TIERS:
        assert (await kept(place.database, 1, tier)).logs == {}
        assert (await kept(place.database, 2, tier)).logs != {}
    assert lines(await farm(place.database, START, START + HOUR, 60)) == before


@on_sqlite
async def test_a_full_disk_puts_the_roll_up_off_and_nothing_else(place: Place) -> None:
    chance = random.Random(1)  # noqa: S311 - figures, not secrets
    hours = steady(1, 0, 10 * 3_600)
    await place.send([each._replace(power_w=chance.uniform(0, 5_000), hashrate_hs=chance.random()) for each in hours])
    full = PagesLimit(place.database)
    full.pages = 1  # none more than there are
    with pytest.raises(OperationalError, match="full"):
        await roll_up(place.database, now=START + 11 * HOUR)
    assert (await rig(place.database, 1, START, START + HOUR, 60)).series
    full.pages = 1_000_000
    await roll_up(place.database, now=START + 11 * HOUR)
    assert sum((await kept(place.database, 1, HOURS)).logs.values()) == 3_600


async def test_the_open_hour_of_the_farm_is_sampled_until_it_is_rolled_up(place: Place) -> None:
    index = OperationalIndex(stale_after_s=45, offline_after_s=60)
    for rig_id in (1, 2):
        index.add(rig_id, f"rig-{rig_id}")
    logs = steady(1, 3_600, 7_200) + steady(2, 3_600, 7_200)
    await place.send(logs)
    figures = RigSummary(power_w=120.0, hashrates_hs={Work("Monero", "rx/0"): 17_000.5})
    for minute in range(60, 120):
        at = START + minute * timedelta(minutes=1)
        for rig_id in (1, 2):
            index.report(rig_id, b"{}", figures, taken_at=at, reported_at=at, now_s=minute * 60.0)
        await take_sample(place.database, KIND, index, at)
        await take_sample(place.database, KIND, index, at + timedelta(seconds=40))
    sampled = lines(await farm(place.database, START, START + 2 * HOUR, 120))
    assert list(sampled["rigs_alive", None].values()) == [2.0] * 60
    assert list(sampled["power_w", None].values()) == [240.0] * 60
    assert list(sampled["hashrate_hs", "Monero"].values()) == [34_001.0] * 60
    assert await roll_up(place.database, now=START + 2.5 * HOUR)
    exact = lines(await farm(place.database, START, START + 2 * HOUR, 120))
    assert exact == {key: pytest.approx(line) for key, line in farm_plainly(logs).items()}


async def test_a_round_that_has_no_time_left_goes_on_the_next_time(place: Place) -> None:
    await place.send([*steady(1, 0, 60), *steady(1, 100 * 3600, 100 * 3600 + 60)])
    late = [Moment(1, hour * 3600.0) for hour in range(60)]
    await place.send(late)
    rounds = 0
    while not await roll_up(place.database, now=START + 200 * HOUR, at_most=timedelta()):
        rounds += 1
    assert rounds >= 2
    assert sum((await kept(place.database, 1, MINUTES)).logs.values()) == 6 + 6 + 59


async def test_a_log_that_comes_during_the_roll_up_leaves_its_hour_due(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.send(steady(1, 0, 600))
    real = rolling.Rolling.result
    loop = asyncio.get_running_loop()

    def interrupted(self: rolling.Rolling) -> rolling.RigRolled:
        monkeypatch.setattr(rolling.Rolling, "result", real)
        asyncio.run_coroutine_threadsafe(place.send([Moment(1, 1234.0)]), loop).result(timeout=60)
        return real(self)

    monkeypatch.setattr(rolling.Rolling, "result", interrupted)
    await roll_up(place.database, now=START + 2 * HOUR)
    assert sum((await kept(place.database, 1, MINUTES)).logs.values()) == 61
