"""The poller: its loop against fake ASICs, with all their faults."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from asic_sentry.access import Login
from asic_sentry.asics import store
from asic_sentry.asics.asic import AsicState, state_of
from asic_sentry.asics.logins import ip_key
from asic_sentry.asics.store import SCHEMA, STORE
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.poller import Clocks, Poller
from fake_asics import FakeAsic, make_asics, running
from protocol.asic_messages import AsicLog
from sentry_farm import BASE, put
from sentry_kit import store as kit
from sentry_kit.timestamps import SharedTimestamps


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(kit.open_store(tmp_path / STORE, SCHEMA)) as connection:
        yield connection


class Seen:
    """Notes what the poller reports, and waits for it."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.samples: list[tuple[str, AsicLog]] = []
        self.late_s: list[float] = []
        self.most_in_flight = 0
        self._news = asyncio.Event()
        poller.listeners.sampled = lambda device, log: self._note(lambda: self.samples.append((device.asic.ip, log)))
        poller.listeners.failing = lambda _device: self._note(lambda: None)
        poller.listeners.late = self._begun

    def _note(self, note: Callable[[], None]) -> None:
        note()
        self._news.set()

    def _begun(self, late_s: float) -> None:
        self.late_s.append(late_s)
        self.most_in_flight = max(self.most_in_flight, self.poller.schedule.in_flight)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await self._news.wait()
                self._news.clear()


@asynccontextmanager
async def polling(
    db: sqlite3.Connection,
    asics: list[FakeAsic],
    *,
    every_s: float = 0.1,
    at_once: int = 500,
    clocks: Clocks | None = None,
) -> AsyncIterator[Seen]:
    for asic in asics:
        put(db, asic)
    poller = Poller(every_s, at_once=at_once, clocks=clocks)
    poller.take(store.load_asics(db), {})
    seen = Seen(poller)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(poller.poll_for_ever())
        try:
            yield seen
        finally:
            task.cancel()


async def test_every_asic_is_polled_again_and_again_one_poll_at_a_time(db: sqlite3.Connection, network: str) -> None:
    async with running(make_asics(20, network, ["iceriver"], port_base=BASE), latency_s=0.05) as farm:
        async with polling(db, list(farm.asics), at_once=3) as seen:
            await seen.until(lambda: len(seen.samples) >= 80)
        assert seen.most_in_flight <= 3
        assert {ip for ip, _ in seen.samples} == {asic.ip for asic in farm.asics}
        assert not farm.violations
        moments = [(ip, log.taken_at) for ip, log in seen.samples]
    assert len(moments) == len(set(moments))


def test_another_password_has_the_asic_identified_again_and_polled_at_once(db: sqlite3.Connection) -> None:
    (fake,) = make_asics(1, "127.0.0.0/24", ["iceriver"], port_base=BASE)
    asic = put(db, fake)
    poller = Poller(600.0, clocks=Clocks(monotonic_s=lambda: 1000.0))
    poller.take([asic], {})
    device = poller.devices[asic.id]
    poller.schedule.take_due(1000.0 + 600, 1)
    poller.schedule.done(asic.id, 1600.0, 9)  # it fails: its next poll is late
    poller.take([asic], {})
    assert device.identify_due_s > 1600
    assert (poller.schedule.next_due_s() or 0) > 1600
    poller.take([asic], {}, {ip_key(asic.ip): Login("root", "x")})
    assert device.login == Login("root", "x")
    assert device.identify_due_s == 1000
    assert poller.schedule.next_due_s() == 1000


async def test_the_dead_and_the_broken_do_not_hold_up_the_others(db: sqlite3.Connection, network: str) -> None:
    faults = [(fault, 5) for fault in ("refused", "black_hole", "silent", "half", "garbage", "closed", "error_status")]
    async with running(make_asics(60, network, ["iceriver"], faults, BASE)) as farm:
        healthy = {asic.ip for asic in farm.asics if asic.fault is None}
        async with polling(db, list(farm.asics)) as seen:
            await seen.until(lambda: len(seen.samples) > 10 * len(healthy))
            await seen.until(lambda: all(device.asic.failure or device.asic.answered for device in seen.poller))
            states = {device.asic.ip: state_of(device.asic) for device in seen.poller}
    assert {ip for ip, _ in seen.samples} == healthy
    assert {ip for ip, state in states.items() if state is AsicState.ONLINE} == healthy
    assert set(states.values()) == {AsicState.ONLINE, AsicState.NOT_ANSWERING}


async def test_one_that_comes_back_is_normal_at_once(db: sqlite3.Connection, network: str) -> None:
    asics = make_asics(1, network, ["iceriver"], port_base=BASE)
    async with polling(db, asics) as seen:
        device = next(iter(seen.poller))
        await seen.until(lambda: device.failures >= 3)
        assert device.asic.failure is not None
        assert device.asic.failure.kind is FailureKind.REFUSED
        async with running(asics):
            await seen.until(lambda: len(seen.samples) >= 3)
        assert device.failures == 0
        assert device.asic.failing_since is None


async def test_another_firmware_is_identified_after_three_bad_answers(db: sqlite3.Connection, network: str) -> None:
    """It was added as a Whatsminer V1 and answers as an IceRiver, at the same port."""
    asic = make_asics(1, network, ["iceriver"], port_base=BASE)[0]
    put(db, asic._replace(kind="axeos"))
    poller = Poller(0.05)
    poller.take(store.load_asics(db), {})
    seen, told = Seen(poller), []
    poller.listeners.identified = lambda device: told.append(device.asic.identity.dialect)
    async with running([asic]), asyncio.TaskGroup() as group:
        task = group.create_task(poller.poll_for_ever())
        await seen.until(lambda: bool(seen.samples))
        task.cancel()
    assert told == ["iceriver"]
    assert seen.samples[0][1].coin == "Kaspa"


async def test_the_figures_of_another_device_are_never_reported_as_this_one_s(
    db: sqlite3.Connection, network: str
) -> None:
    asic = make_asics(1, network, ["iceriver"], port_base=BASE)[0]
    put(db, asic, mac="02:00:00:00:00:99")
    db.execute("""UPDATE asic SET specs = '{"make":"IceRiver","model":"KS5L","mac":"02:00:00:00:00:99"}'""")
    poller = Poller(0.05)
    poller.take(store.load_asics(db), {})
    device = next(iter(poller))
    device.specs_due_s = 0.0  # the slow cycle is due
    seen = Seen(poller)
    async with running([asic]), asyncio.TaskGroup() as group:
        task = group.create_task(poller.poll_for_ever())
        await seen.until(lambda: device.failures >= 2)
        task.cancel()
    assert seen.samples == []
    assert isinstance(device.asic.failure, PollFailure)
    assert device.asic.failure.kind is FailureKind.OTHER_DEVICE
    assert device.other_mac == "02:FA:CE:00:00:00"


async def test_what_the_store_says_is_taken_over_while_it_runs(db: sqlite3.Connection, network: str) -> None:
    async with running(make_asics(2, network, ["iceriver"], port_base=BASE)) as farm:
        first, second = farm.asics
        async with polling(db, [first]) as seen:
            await seen.until(lambda: bool(seen.samples))
            put(db, second)
            seen.poller.take(store.load_asics(db), {})
            await seen.until(lambda: any(ip == second.ip for ip, _ in seen.samples))
            store.remove_asic(db, first.ip)
            seen.poller.take(store.load_asics(db), {})
            seen.samples.clear()
            await seen.until(lambda: len(seen.samples) > 3)
            assert {ip for ip, _ in seen.samples} <= {second.ip}
            assert len(seen.poller.schedule) == 1


async def test_a_clock_that_is_set_back_gives_no_moment_twice(db: sqlite3.Connection, network: str) -> None:
    moments = iter([1_000_000 + 10 * each for each in range(20)] * 50)
    asics = make_asics(1, network, ["iceriver"], port_base=BASE)
    clocks = Clocks(now_ms=lambda: next(moments))
    async with running(asics), polling(db, asics, every_s=0.01, clocks=clocks) as seen:
        await seen.until(lambda: len(seen.samples) >= 25)
    stamps = [log.taken_at for _, log in seen.samples]
    assert len(stamps) == len(set(stamps))


def test_stamps_are_within_ten_milliseconds_and_distinct_through_nine_jumps() -> None:
    stamps, given, last = SharedTimestamps(0), [], 0
    for _jump in range(10):
        for now in range(5_000_000, 5_030_000, 5_000):
            last = stamps.next_ms(now, last)
            assert abs(last - now) <= 10
            given.append(last)
    assert len(given) == len(set(given))


async def test_a_bug_in_a_parser_costs_one_asic_and_is_logged(
    db: sqlite3.Connection, network: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("asic_sentry.poller.ask", broken)
    async with polling(db, make_asics(1, network, ["iceriver"], port_base=BASE)) as seen:
        device = next(iter(seen.poller))
        await seen.until(lambda: device.failures >= 2)
    assert "poll_broken" in caplog.text
