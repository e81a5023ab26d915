"""The newest changes of the farm: by people, and of rigs themselves."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from protocol import units
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.store import Entry, EntryFilter, read_entries
from commander.history.events import FarmEvent, RigEvent, newest_events
from commander.registry.kinds import PATHS, RigKind

CHANGES_SHOWN = 12
READ_AT_MOST = 200
TOGETHER = timedelta(minutes=1)
NAMED = 3
LOG_IN = "logged in"  # changes nothing
HAPPENED = {
    RigEvent.OFFLINE: "went offline",
    RigEvent.ONLINE: "back online",
    RigEvent.RESTARTED: "restarted",
}
NameOf = Callable[[RigKind, int], str | None]


class Change(NamedTuple):
    """One change, or several of the same kind within a minute. `subject` may be empty, `href` leads to the rig."""

    at: datetime
    what: str
    subject: str
    detail: str
    who: str
    href: str = ""


async def newest_changes(db: AsyncConnection, name_of: NameOf) -> list[Change]:
    """Returns the newest changes. Events of rigs that were removed are left out."""
    entries = await read_entries(db, EntryFilter(), before_id=None, limit=READ_AT_MOST)
    events = await newest_events(db, *HAPPENED, most=READ_AT_MOST)
    changes = [*(_of_entry(each) for each in entries if each.what != LOG_IN), *_of_events(events, name_of)]
    changes.sort(key=lambda change: change.at, reverse=True)
    return list(islice(together(changes), CHANGES_SHOWN))


def _of_entry(entry: Entry) -> Change:
    return Change(entry.at, entry.what, entry.subject, entry.detail, entry.who)


def _of_events(events: Iterable[FarmEvent], name_of: NameOf) -> Iterable[Change]:
    for kind, rig_id, at, event in events:
        if name := name_of(kind, rig_id):
            yield Change(at, HAPPENED[event], name, "", "", f"{PATHS[kind]}/{rig_id}")


def together(changes: Sequence[Change]) -> Iterable[Change]:
    """Yields changes, newest first; the same done to several within a minute is one.

    Four rigs that went offline at 3:12:05, 3:12:04, 3:12:04 and 3:12:01 become "went offline: 4, rig-01, rig-02 …".
    """
    groups: list[list[Change]] = []
    open_groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        group = open_groups.get((change.what, change.who))
        if group and group[0].at - change.at <= TOGETHER:
            group.append(change)
        else:
            open_groups[change.what, change.who] = [change]
            groups.append(open_groups[change.what, change.who])
    return map(_one, groups)


def _one(group: Sequence[Change]) -> Change:
    newest = group[0]
    if len(group) == 1:
        return newest
    names = list(dict.fromkeys(change.subject for change in group if change.subject))
    if len(names) < 2:
        return newest._replace(detail=f"{units.count_text(len(group))} times")
    return newest._replace(subject=units.listed(names, NAMED), detail="", href="")
