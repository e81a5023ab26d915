"""Jobs wait as rows, have one leader, and outlive a restart."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from commander.db import Database
from commander.jobs import loop
from commander.jobs.loop import Job, lead, run_due, run_jobs

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def test_a_job_runs_at_once_and_then_when_it_is_due(database: Database) -> None:
    ran: list[datetime] = []

    async def note(now: datetime) -> None:
        ran.append(now)

    for minutes in (0, 5, 9, 10, 15, 45):
        await run_due(database, {"note": Job(10 * MINUTE, note)}, now=NOON + minutes * MINUTE)
    assert ran == [NOON, NOON + 10 * MINUTE, NOON + 45 * MINUTE]


async def test_a_clock_that_is_set_back_puts_no_job_off(database: Database) -> None:
    ran: list[datetime] = []

    async def note(now: datetime) -> None:
        ran.append(now)

    a_year_ahead = NOON + timedelta(days=365)
    for now in (a_year_ahead, NOON, NOON + MINUTE):
        await run_due(database, {"note": Job(10 * MINUTE, note)}, now=now)
    assert ran == [a_year_ahead, NOON]
    assert await lead(database, "a", now=a_year_ahead)
    assert await lead(database, "b", now=NOON)


async def test_a_failed_job_is_tried_again_soon_and_stops_no_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    async def fail(now: datetime) -> None:
        ran.append("fail")
        raise RuntimeError("no luck")

    async def work(now: datetime) -> None:
        ran.append("work")

    table = {"fail": Job(timedelta(days=1), fail), "work": Job(timedelta(days=1), work)}
    for minutes in (0, 1, 6):
        await run_due(database, table, now=NOON + minutes * MINUTE)
    assert ran == ["fail", "work", "fail"]
    assert "the job fail failed" in caplog.text


async def test_only_one_process_leads_until_its_lease_runs_out(database: Database) -> None:
    assert await lead(database, "a", now=NOON)
    assert not await lead(database, "b", now=NOON + MINUTE)
    assert await lead(database, "a", now=NOON + MINUTE)
    assert await lead(database, "b", now=NOON + 4 * MINUTE)
    assert not await lead(database, "a", now=NOON + 4 * MINUTE)


async def test_who_stops_gives_the_lease_back(database: Database) -> None:
    stop = asyncio.Event()

    async def end(now: datetime) -> None:
        stop.set()

    await run_jobs(database, {"end": Job(timedelta(days=1), end)}, stop, holder="a")
    assert await lead(database, "b", now=await database.now())


async def test_a_job_that_takes_longer_than_the_lease_keeps_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, stop = NOON, asyncio.Event()
    turn = asyncio.Lock()  # while "b" asks, no time passes: its moment would be an old one
    others: list[bool] = []

    async def the_clock() -> datetime:
        return now

    async def rest(_: asyncio.Event, seconds: float) -> None:
        nonlocal now
        async with turn:
            now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    async def take_long(started: datetime) -> None:
        while now < started + 4 * loop.LEASE:
            async with turn:
                others.append(await lead(database, "b", now=now))
        stop.set()

    monkeypatch.setattr(database, "now", the_clock)
    monkeypatch.setattr(loop, "rest", rest)
    await run_jobs(database, {"long": Job(timedelta(days=1), take_long)}, stop, holder="a")
    assert set(others) == {False}


async def test_a_leader_that_was_killed_is_replaced_when_its_lease_ends(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LEASE", timedelta(seconds=0.2))
    taken_at = await database.now()
    assert await lead(database, "killed", now=taken_at)
    async with asyncio.timeout(10):
        while not await lead(database, "b", now=await database.now()):
            pass
    assert await database.now() > taken_at + timedelta(seconds=0.2)


@pytest.mark.parametrize("table", ["jobs", "leases"])
async def test_a_database_that_fails_under_the_jobs_is_a_line_and_no_traceback(
    database: Database, table: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing table fails as a missing server does."""
    stop = asyncio.Event()

    async def rest(end: asyncio.Event, _seconds: float) -> None:
        if end is stop:  # the loop has looked once; the lease is kept until the work has ended
            stop.set()
        await end.wait()

    monkeypatch.setattr(loop, "rest", rest)
    async with database.transaction() as db:
        await db.execute(sa.text(f"DROP TABLE {table}"))
    with caplog.at_level("WARNING"):
        await run_jobs(database, {}, stop, holder="a")
    (record,) = [record for record in caplog.records if record.name == "commander.jobs.loop"]
    assert record.message.startswith("jobs wait for the database: ")
    assert record.exc_info is None
