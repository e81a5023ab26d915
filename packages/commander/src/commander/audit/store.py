"""Writes and reads the audit log. None commits: an entry belongs to the transaction of its change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.actor import Actor, acting
from commander.audit.tables import audit_log

ALIKE_AN_HOUR = 10
_NO_MORE = "More of these in this hour are not listed."
_HOUR = timedelta(hours=1)
_ENTRY = (
    audit_log.c.id,
    audit_log.c.at,
    audit_log.c.who,
    audit_log.c.address,
    audit_log.c.what,
    audit_log.c.subject,
    audit_log.c.detail,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: `what` was done ("rig renamed") to `subject` ("rig-07"). `detail` may be empty."""

    id: int
    at: datetime
    who: str
    address: str | None
    what: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """since <= at < until. The texts are parts of what an entry says, in upper or lower case; empty: any.

    `kinds` are beginnings of `what`, of which one must fit; empty: any.
    """

    since: datetime | None = None
    until: datetime | None = None
    who: str = ""
    what: str = ""
    subject: str = ""
    kinds: tuple[str, ...] = ()


async def record(
    db: AsyncConnection,
    what: str,
    subject: str = "",
    detail: str = "",
    *,
    actor: Actor | None = None,
    at: datetime | None = None,
) -> None:
    """Adds an entry in the transaction of the change. Call it with words for people, and never with a secret.

    Without `actor` it is who sent the request (`commander.audit.actor`).
    """
    actor = actor or acting()
    values = {
        "at": at or datetime.now(UTC),
        "who": _cut(actor.who, 128),
        "address": _cut(actor.address, 64) if actor.address else None,
        "what": _cut(what, 64),
        "subject": _cut(subject, 256),
        "detail": _cut(detail, 2000),
    }
    await db.execute(sa.insert(audit_log).values(values))


async def record_some(db: AsyncConnection, what: str, subject: str, detail: str, *, actor: Actor, at: datetime) -> None:
    """Adds an entry about what a machine has done with its token, as `record`, but only a few in an hour.

    A thief of the token must not be able to fill the disk. Entries with the same `actor`, `what` and `subject` in the
    hour of `at` are counted. The last one says that further ones are not listed.
    """
    hour = at.replace(minute=0, second=0, microsecond=0)
    same = (
        audit_log.c.who == _cut(actor.who, 128),
        audit_log.c.what == what,
        audit_log.c.subject == _cut(subject, 256),
    )
    query = sa.select(sa.func.count()).where(audit_log.c.at >= hour, audit_log.c.at < hour + _HOUR, *same)
    listed = (await db.execute(query)).scalar_one()
    if listed < ALIKE_AN_HOUR:
        is_last = listed == ALIKE_AN_HOUR - 1
        await record(db, what, subject, f"{detail} {_NO_MORE}" if is_last else detail, actor=actor, at=at)


async def read_entries(db: AsyncConnection, wanted: EntryFilter, *, before_id: int | None, limit: int) -> list[Entry]:
    """Returns the newest entries first; with `before_id`, those before that entry."""
    query = sa.select(*_ENTRY).where(*_conditions(wanted)).order_by(audit_log.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(audit_log.c.id < before_id)
    return [Entry(*row) for row in await db.execute(query)]


async def count_matching(db: AsyncConnection, wanted: EntryFilter) -> int:
    query = sa.select(sa.func.count()).select_from(audit_log).where(*_conditions(wanted))
    return (await db.execute(query)).scalar_one()


async def count_entries(db: AsyncConnection, what: str, *, since: datetime) -> int:
    """Returns how many entries say exactly `what`, of a time or later."""
    query = sa.select(sa.func.count()).where(audit_log.c.at >= since, audit_log.c.what == what)
    return (await db.execute(query)).scalar_one()


async def count_by_address(db: AsyncConnection, what: str, *, since: datetime, until: datetime) -> dict[str, int]:
    """Returns how many entries of that time say exactly `what`, by the address that they name."""
    query = (
        sa.select(audit_log.c.address, sa.func.count())
        .where(audit_log.c.at >= since, audit_log.c.at <= until, audit_log.c.what == what)
        .group_by(audit_log.c.address)
    )
    return {address: count for address, count in await db.execute(query) if address}


def _conditions(wanted: EntryFilter) -> Sequence[sa.ColumnElement[bool]]:
    texts = ((audit_log.c.who, wanted.who), (audit_log.c.what, wanted.what), (audit_log.c.subject, wanted.subject))
    conditions = [column.icontains(text, autoescape=True) for column, text in texts if text]
    if wanted.kinds:
        conditions.append(sa.or_(*(audit_log.c.what.startswith(each, autoescape=True) for each in wanted.kinds)))
    if wanted.since:
        conditions.append(audit_log.c.at >= wanted.since)
    if wanted.until:
        conditions.append(audit_log.c.at < wanted.until)
    return conditions


async def delete_entries_before(db: AsyncConnection, moment: datetime, *, limit: int) -> int:
    """Removes the oldest entries, `limit` at most, and returns how many."""
    old = sa.select(audit_log.c.id).where(audit_log.c.at < moment).order_by(audit_log.c.at).limit(limit)
    return (await db.execute(sa.delete(audit_log).where(audit_log.c.id.in_(old)))).rowcount


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
