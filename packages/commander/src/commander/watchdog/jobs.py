"""Forgets old events of the watchdog; the audit log keeps its own."""

from datetime import datetime, timedelta

from commander.db import Database
from commander.watchdog import store

KEPT = timedelta(days=90)
EVERY = timedelta(hours=6)


async def delete_old_events(database: Database, now: datetime) -> None:
    async with database.transaction() as db:
        await store.delete_events_before(db, now - KEPT)
