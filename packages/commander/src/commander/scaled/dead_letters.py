"""Messages of the queue that can't be stored. They are kept with the reason, and the queue goes on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.raw_logs.tables import dead_letters

KEPT = timedelta(days=30)
REASON_LENGTH = 500


class DeadLetter(NamedTuple):
    subject: str
    reason: str
    body: bytes


async def put_aside(db: AsyncConnection, letters: Sequence[DeadLetter], *, now: datetime) -> None:
    rows = [
        {"put_aside_at": now, "subject": subject[:255], "reason": reason[:REASON_LENGTH], "body": body}
        for subject, reason, body in letters
    ]
    await db.execute(sa.insert(dead_letters), rows)


async def delete_before(db: AsyncConnection, before: datetime) -> None:
    await db.execute(sa.delete(dead_letters).where(dead_letters.c.put_aside_at < before))
