"""Raw logs for scripts, a page at a time."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

from litestar.params import QueryParameter

from commander.db import Database, to_us
from commander.raw_logs import store as logs
from commander.registry.kinds import RigKind

LOGS_A_PAGE = 1_000
Since = Annotated[datetime | None, QueryParameter(name="from")]
Until = Annotated[datetime | None, QueryParameter(name="to")]
Limit = Annotated[int, QueryParameter(ge=1, le=LOGS_A_PAGE)]
Cursor = Annotated[str | None, QueryParameter(pattern="^[0-9]{1,18}$")]


class RawLogPage(NamedTuple):
    """Logs as they were sent, newest first; `cursor` asks for the next page, None: this is the last."""

    logs: list[bytes]
    cursor: str | None


async def log_page(
    database: Database,
    kind: RigKind,
    rig_id: int,
    *,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: str | None,
) -> RawLogPage:
    """The rig's logs with since <= taken_at < until."""
    before_us = int(cursor) if cursor else to_us(_aware(until or datetime.now(UTC) + timedelta(minutes=10)))
    since_us = to_us(_aware(since)) if since else 0
    async with database.reading() as db:
        rows = await logs.read_logs(db, kind, rig_id, from_us=since_us, before_us=before_us, limit=limit + 1)
    more = len(rows) > limit
    return RawLogPage([log.body for log in rows[:limit]], str(to_us(rows[limit - 1].taken_at)) if more else None)


def _aware(moment: datetime) -> datetime:
    """A time without a zone is taken as UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
