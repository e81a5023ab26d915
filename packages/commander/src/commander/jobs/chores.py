"""The jobs: what is deleted when, and the certificate's renewal."""

from collections.abc import Callable
from datetime import datetime, timedelta

from commander.accounts import store as accounts
from commander.accounts.domain import SESSION_LIFE, TRIES_WITHIN
from commander.db import Database, to_us
from commander.jobs.loop import Job
from commander.partitions import make_parts_ahead
from commander.rigs.kinds import RigKind
from commander.telemetry import store as logs
from commander.telemetry.tables import bucket_of

BITE = 5_000  # logs deleted in one transaction: about 50 ms in which the intake waits


def chores(database: Database, *, raw_kept: timedelta, renew_certificate: Callable[[datetime], None]) -> dict[str, Job]:
    async def drop_old_logs(now: datetime) -> None:
        oldest_kept = bucket_of(to_us(now - raw_kept))
        for kind in RigKind:
            gone = 1
            while gone:
                async with database.transaction() as db:
                    gone = await logs.delete_bucket_part(db, kind, older_than_bucket=oldest_kept, limit=BITE)

    async def drop_old_sessions(now: datetime) -> None:
        async with database.transaction() as db:
            await accounts.delete_sessions_before(db, now - SESSION_LIFE)
            await accounts.delete_failed_logins_before(db, now - TRIES_WITHIN)

    async def renew(now: datetime) -> None:
        renew_certificate(now)

    async def make_parts(now: datetime) -> None:
        async with database.transaction() as db:
            await make_parts_ahead(db, now=now)

    ahead = {"make-parts": Job(timedelta(hours=1), make_parts)} if database.is_postgresql else {}
    return ahead | {
        "drop-old-logs": Job(timedelta(minutes=10), drop_old_logs),
        "drop-old-sessions": Job(timedelta(hours=1), drop_old_sessions),
        "renew-certificate": Job(timedelta(hours=12), renew),
    }
