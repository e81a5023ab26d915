"""The changes by people in the hour before an incident. They may or may not be the cause."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.store import Entry, EntryFilter, count_matching, read_entries

BEFORE = timedelta(hours=1)
NAMED = 3
# Beginnings of what the audit log records of people. Sentries, watchdogs and the commander record nothing like them.
MAY_MATTER = (
    *("playbook", "mining software ", "pool ", "wallet ", "tags ", "command sent", "command retried"),
    *("watchdog rule ", "alert rule ", "maintenance ", "token ", "site token "),
)
NOTHING = (
    "In the hour before, no playbook, mining software, pool, wallet, tag, rule, maintenance or token was changed, and "
    "no command was sent."
)


async def changes_before(db: AsyncConnection, moment: datetime) -> str:
    """Returns a sentence about what people changed in the hour before, as far as it may matter to a rig or a rule."""
    wanted = EntryFilter(since=moment - BEFORE, until=moment, kinds=MAY_MATTER)
    newest = await read_entries(db, wanted, before_id=None, limit=NAMED)
    return sentence_of(newest, await count_matching(db, wanted))


def sentence_of(newest: Sequence[Entry], count: int) -> str:
    """Returns "Changed in the hour before: playbook changed (rig-07, 02:50 UTC) and 2 more."."""
    if not newest:
        return NOTHING
    named = [f"{each.what} ({_about(each)}{each.at:%H:%M} UTC)" for each in newest]
    more = f" and {count - len(newest):,} more" if count > len(newest) else ""
    return f"Changed in the hour before: {', '.join(named)}{more}."


def _about(entry: Entry) -> str:
    return f"{entry.subject[:40]}, " if entry.subject else ""
