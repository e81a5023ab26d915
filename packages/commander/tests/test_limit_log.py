"""A limit that refuses something writes one line a minute into the log, however often it does."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import msgspec
import pytest
from commander import limit_log
from commander.accounts.domain import TooManyTries
from commander.accounts.login_guard import OF_ALL_STRANGERS, OF_ONE_SENDER, QUEUE, LoginGuard
from commander.db import Database, to_us
from commander.intake.group_commit import LOGS_WAITING, GroupCommit, Overloaded
from commander.limit_log import EVERY_S, LimitLog
from commander.live.open_sockets import OpenSockets, TooManySockets
from commander.raw_logs.store import NewLog
from commander.readings.cpu_gpu import summary_of
from commander.registry.budgets import MIB, Cost, OverBudget, RigBudgets
from commander.registry.kinds import RigKind
from commander.saved_views.domain import NoSuchLink
from commander.saved_views.links import ViewLinks
from commander.settings import Settings
from commander.web.body_budget import BodyBudget, TooManyBodies
from commander.web.connections import Connections, Limits
from commander_farm import Clock, Farm, on_sqlite, running
from msgspec.structs import replace
from protocol.messages import CpuGpuLog

STRANGER = "203.0.113.9"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == limit_log.__name__]


def test_each_limit_has_one_line_a_minute_that_counts_the_others(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    log = LimitLog(clock)
    for number in range(1_500):
        log.note("of one rig", f"rig {number}")
    log.note("of one site", "site 1")
    assert lines(caplog) == ["rig 0", "site 1"]
    assert {each.levelno for each in caplog.records} == {logging.WARNING}
    clock.now_s += EVERY_S
    log.note("of one rig", "rig 7")
    log.note("of one site", "site 1")
    assert lines(caplog)[2:] == ["rig 7 (1,499 more since the last line about this)", "site 1"]
    clock.now_s += EVERY_S
    log.note("of one rig", "rig 7")
    assert lines(caplog)[4:] == ["rig 7"], "each is counted once"


def too_many_connections() -> None:
    connections = Connections(Limits(total=8, of_strangers=4, of_one_stranger=2))
    for port in range(5):
        connections.admit((STRANGER, port))


def too_many_logs_of_a_rig() -> None:
    budgets = RigBudgets(report_every_s=10, mb_a_day=1, title="ASIC")
    budgets.charged(7, Cost(1, 2 * MIB))
    for _ in range(3):
        with pytest.raises(OverBudget):
            budgets.check(7)


def too_large_bodies(bodies: BodyBudget) -> None:
    for _ in range(3):
        with pytest.raises(TooManyBodies):
            bodies.take(2 * MIB, STRANGER)


def too_many_sockets() -> None:
    sockets = OpenSockets()
    with sockets.counted("key 7", most=1):
        for _ in range(3):
            with pytest.raises(TooManySockets), sockets.counted("key 7", most=1):
                pass


LIMITS: dict[str, Callable[[], None]] = {
    f"new connections are refused: {STRANGER} has 2 connections": too_many_connections,
    "reports are refused: more came with the token of ASIC 7 than one ASIC makes": too_many_logs_of_a_rig,
    "bodies of requests are refused: all bodies together may have 1 MiB": partial(
        too_large_bodies, BodyBudget(total=MIB)
    ),
    "refused: those of all strangers together may have 1 MiB": partial(too_large_bodies, BodyBudget(of_strangers=MIB)),
    f"refused: those of a stranger, here {STRANGER}, may have 1 MiB": partial(
        too_large_bodies, BodyBudget(of_one_address=MIB)
    ),
    "new WebSockets are refused: key 7 has 1 open": too_many_sockets,
}


@pytest.mark.parametrize("line", LIMITS)
def test_a_limit_that_refuses_something_says_so_once(line: str, caplog: pytest.LogCaptureFixture) -> None:
    LIMITS[line]()
    (written,) = lines(caplog)
    assert line in written


async def failed(guard: LoginGuard, address: str, device: str | None, *, times: int) -> None:
    for _ in range(times):
        async with guard.turn(address, device):
            pass


@pytest.mark.parametrize(
    ("device", "line"),
    [(None, f"too many wrong passwords came from {STRANGER}"), ("1a", f"a browser at {STRANGER} that has logged in")],
)
async def test_a_sender_that_guesses_is_one_line(
    clock: Clock, caplog: pytest.LogCaptureFixture, device: str | None, line: str
) -> None:
    guard = LoginGuard(clock)
    await failed(guard, STRANGER, device, times=OF_ONE_SENDER.free)
    for _ in range(3):
        with pytest.raises(TooManyTries):
            guard.check(STRANGER, device)
    (written,) = lines(caplog)
    assert line in written


async def test_many_senders_that_guess_are_one_line(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    guard = LoginGuard(clock)
    for number in range(OF_ALL_STRANGERS.free):
        await failed(guard, f"10.0.{number}.1", None, times=1)
    for number in range(3):
        with pytest.raises(TooManyTries):
            guard.check(f"10.1.{number}.1", None)
    (written,) = lines(caplog)
    assert "too many wrong passwords came from many addresses" in written


async def test_a_full_queue_before_the_passwords_is_one_line(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    guard = LoginGuard(clock)
    async with asyncio.TaskGroup() as group, guard.turn("10.0.0.1", None):
        for number in range(QUEUE):
            group.create_task(failed(guard, f"10.0.1.{number}", None, times=1))
        await asyncio.sleep(0)  # each of them has its place now
        for _ in range(3):
            with pytest.raises(TooManyTries):
                guard.check(STRANGER, None)
    assert lines(caplog) == [f"log-ins have to wait: {QUEUE + 1} are being checked already"]


async def test_guesses_of_view_links_are_one_line(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    links = ViewLinks(database, now_s=lambda: 100.0)
    for number in range(OF_ONE_SENDER.free + 3):
        with suppress(NoSuchLink, TooManyTries):
            await links.opened(f"mw_view_{number}", address=STRANGER)
    assert lines(caplog) == [f"view links have to wait: {STRANGER} has tried too many wrong ones"]


@on_sqlite
async def test_a_full_site_is_one_line(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    async with running(replace(settings, site_rigs=1)) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        site = await farm.site_token("hall 1")
        rigs = [{"name": f"asic-{number}", "key": f"02:00:5E:00:00:0{number}"} for number in range(2)]
        for _ in range(3):
            assert (await client.post("/api/v1/sentry/asic-rigs", json={"rigs": rigs}, headers=site)).status_code == 409
    assert lines(caplog) == ["ASICs are refused: the site hall 1 has 0 of at most 1"]


@on_sqlite
async def test_reports_that_have_to_wait_are_one_line(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    log = CpuGpuLog(taken_at=NOON)
    new = NewLog(RigKind.CPU_GPU, 1, to_us(NOON), msgspec.json.encode(log), summary_of(log))
    commit = GroupCommit(database, lambda stored: None)
    waiting = asyncio.create_task(commit.write([new] * LOGS_WAITING))
    await asyncio.sleep(0)  # it waits for a transaction now
    for _ in range(3):
        with pytest.raises(Overloaded):
            await commit.write([new])
    waiting.cancel()
    assert lines(caplog) == [f"reports have to wait: {LOGS_WAITING:,} logs are not stored yet"]
