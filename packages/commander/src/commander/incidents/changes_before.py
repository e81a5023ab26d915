"""The changes by people in the hour before an incident. They may or may not be the cause."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.store import Entry, EntryFilter, read_entries

BEFORE = timedelta(hours=1)
NAMED = 3
READ_AT_MOST = 200
_MAY_MATTER = ("playbook", "mining software", "pool", "wallet", "command", "watchdog rule", "alert rule", "token")
NOTHING = "Nothing was changed in the hour before."


async def changes_before(db: AsyncConnection, moment: datetime) -> str:
    """Returns a sentence about the audit log's entries of the hour before: those that may change how a rig works."""
    hour = EntryFilter(since=moment - BEFORE, until=moment)
    entries = await read_entries(db, hour, before_id=None, limit=READ_AT_MOST)
    return sentence_of([each for each in entries if each.what.startswith(_MAY_MATTER)])


def sentence_of(entries: Sequence[Entry]) -> str:
    """Returns "Changed in the hour before: playbook changed (rig-07, 02:50 UTC) and 2 more."."""
    if not entries:
        return NOTHING
    named = [f"{each.what} ({_about(each)}{each.at:%H:%M} UTC)" for each in entries[:NAMED]]
    more = f" and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return f"Changed in the hour before: {', '.join(named)}{more}."


def _about(entry: Entry) -> str:
    return f"{entry.subject[:40]}, " if entry.subject else ""
