"""Jobs wait as rows, have one leader, and outlive a restart."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commander.db import Database, open_database
from commander.jobs.loop import Job, lead, run_due
from commander.migrations import migrate

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "commander.db")
    async with open_database(f"sqlite:///{tmp_path / 'commander.db'}") as database:
        yield database


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
