"""Checks of the commander itself: jobs, disk, database, certificate, channels, and logs that could not be stored."""

import asyncio
import shutil
import time
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.certificates import RENEW_BEFORE, read_certificate
from commander.db import Database
from commander.jobs.tables import jobs
from commander.notifications import delivery_store
from commander.notifications.heartbeat import ROUNDS
from commander.raw_logs.tables import dead_letters
from commander.settings import Settings, TlsMode

CHECK_EVERY_S = 60.0
JOBS_ARE_LATE = timedelta(minutes=15)
LATE_AT_MOST = timedelta(days=7)  # jobs that are later belong to an earlier version
DEAD_LETTERS_OF = timedelta(hours=24)
DISK_LEFT = 0.05
SLOW_S = 2.0
RENEWED_LATE = timedelta(days=2)
FILES_END_SOON = timedelta(days=14)
CHANNEL_FAILS_FOR = timedelta(minutes=15)


class SelfChecks:
    """Checks the commander once a minute at most, and keeps the problems that it found."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._checked_s = time.monotonic()  # jobs that were late because the commander was down are done by then
        self._problems: dict[str, str] = {}

    async def problems(self, now: datetime) -> dict[str, str]:
        """Returns a sentence for each thing that is wrong, by its name."""
        if time.monotonic() - self._checked_s >= CHECK_EVERY_S:
            self._problems = await self._check(now)
            self._checked_s = time.monotonic()
        return dict(self._problems)

    async def _check(self, now: datetime) -> dict[str, str]:
        begin_s = time.monotonic()
        async with self._database.reading() as db:
            late = await _late_job(db, now)
            letters = await _dead_letters(db, now)
            failing = await delivery_store.failing_channels(db, made_before=now - CHANNEL_FAILS_FOR)
        took_s, s = time.monotonic() - begin_s, "" if letters == 1 else "s"
        found = {
            "disk": await asyncio.to_thread(disk_problem, self._settings.data_dir),
            "certificate": await asyncio.to_thread(certificate_problem, self._settings, now),
            "jobs": f"The commander's jobs are late: {late}" if late else "",
            "dead_letters": f"{letters:,} log{s} of the last day could not be stored" if letters else "",
            "database": f"The database is slow: a short query took {took_s:.1f} s" if took_s > SLOW_S else "",
        }
        found |= {f"channel {number}": f"The channel “{name}” accepts no messages" for number, name in failing.items()}
        return {name: text for name, text in found.items() if text}


def certificate_problem(settings: Settings, now: datetime) -> str:
    """Returns a sentence if the certificate ends soon and was not renewed; else an empty text.

    The commander renews its own one 60 days before its end; one of `COMMANDER_TLS=files` is renewed by somebody else.
    """
    path: Path | None
    match settings.tls:
        case TlsMode.OFF:
            return ""
        case TlsMode.AUTO:
            path, shown_before = settings.data_dir / "tls" / "server.pem", RENEW_BEFORE - RENEWED_LATE
            what = "The commander's certificate was not renewed"
        case TlsMode.FILES:
            path, shown_before = settings.tls_cert, FILES_END_SOON
            what = "The certificate of COMMANDER_TLS_CERT must be renewed"
    ends_at = _end_of(path)
    if ends_at is None or ends_at - now >= shown_before:
        return ""
    days = (ends_at - now) // timedelta(days=1)
    when = f"ends in {days} days" if days > 1 else "ends within two days" if days >= 0 else "has ended"
    return f"{what}: it {when}"


def _end_of(path: Path | None) -> datetime | None:
    """Returns when the certificate of a file ends; None if it can't be read."""
    try:
        certificate = read_certificate(path.read_bytes()) if path else None
    except OSError:
        return None
    return certificate.not_valid_after_utc if certificate else None


def disk_problem(data_dir: Path) -> str:
    """Returns a sentence if the disk of the data directory is nearly full; else an empty text."""
    try:
        usage = shutil.disk_usage(data_dir)
    except OSError:
        return ""
    if usage.free >= DISK_LEFT * usage.total:
        return ""
    return f"The commander's disk is nearly full: {usage.free / 1e9:.1f} GB of {usage.total / 1e9:.0f} GB are free"


async def _late_job(db: AsyncConnection, now: datetime) -> str | None:
    """Returns the name of the job that has waited longest, if that is too long."""
    is_late = jobs.c.due_at.between(now - LATE_AT_MOST, now - JOBS_ARE_LATE)
    query = sa.select(jobs.c.name).where(is_late, jobs.c.name != ROUNDS).order_by(jobs.c.due_at)
    name: str | None = (await db.execute(query.limit(1))).scalar()
    return name


async def _dead_letters(db: AsyncConnection, now: datetime) -> int:
    query = sa.select(sa.func.count()).select_from(dead_letters)
    count: int = (await db.execute(query.where(dead_letters.c.put_aside_at > now - DEAD_LETTERS_OF))).scalar_one()
    return count
