"""The audit log for people's scripts."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from commander.audit.store import Entry, EntryFilter, read_entries
from commander.db import Database
from commander.raw_logs.pagination import Cursor, Limit, Since, Until
from commander.web.api_docs import BEARER, problems

Part = Annotated[str, QueryParameter(max_length=256)]


class EntryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A change: `who` did `what` to `subject`. `address` is null where no request came over the network."""

    at: datetime
    who: str
    address: str | None
    what: str
    subject: str
    detail: str


class AuditAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, newest first; on the last page `cursor` is null."""

    entries: list[EntryAnswer]
    cursor: str | None


@get("/api/v1/audit", responses=problems(400, 401, 422), tags=["audit"], security=BEARER)
async def list_audit(
    database: NamedDependency[Database],
    since: Since = None,
    until: Until = None,
    subject: Part = "",
    who: Part = "",
    what: Part = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AuditAnswer:
    """The audit log with from <= at < to, newest first; `subject`, `who` and `what` are parts of the entry's texts."""
    wanted = EntryFilter(_aware(since), _aware(until), who=who, what=what, subject=subject)
    async with database.reading() as db:
        entries = await read_entries(db, wanted, before_id=int(cursor) if cursor else None, limit=limit + 1)
    more = len(entries) > limit
    return AuditAnswer(
        entries=[_entry_answer(entry) for entry in entries[:limit]],
        cursor=str(entries[limit - 1].id) if more else None,
    )


def _entry_answer(entry: Entry) -> EntryAnswer:
    return EntryAnswer(
        at=entry.at,
        who=entry.who,
        address=entry.address,
        what=entry.what,
        subject=entry.subject,
        detail=entry.detail,
    )


def _aware(moment: datetime | None) -> datetime | None:
    """Returns the time with a zone; one without it is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment and not moment.tzinfo else moment


HANDLERS: list[ControllerRouterHandler] = [list_audit]
