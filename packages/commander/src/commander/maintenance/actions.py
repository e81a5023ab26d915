"""Adds and removes maintenance: one transaction each, then open pages are notified."""

from collections.abc import Callable
from datetime import UTC, datetime

from commander.audit.store import record
from commander.db import Database
from commander.maintenance import store
from commander.maintenance.domain import REASON_MAX_LENGTH, Maintenance, check_time
from commander.registry.kinds import RigKind
from commander.selections.compiled import compiled
from commander.selections.parser import parse


class MaintenanceActions:
    """`changed` is called after each commit."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database = database
        self._changed = changed

    async def current(self) -> list[Maintenance]:
        """Returns all that is not over, the first to begin first."""
        now = await self._database.now()
        async with self._database.reading() as db:
            return await store.read_maintenance(db, until_after=now)

    async def add(self, select: str, *, since: datetime | None, until: datetime, reason: str, by: str) -> Maintenance:
        """Without `since` it begins now. Raises `BadSelection` or `BadMaintenance`."""
        line, now = checked_selection(select), await self._database.now()
        begin, end = _aware(since or now), _aware(until)
        check_time(begin, end, now)
        async with self._database.transaction() as db:
            added = await store.insert_maintenance(
                db, select=line, since=begin, until=end, reason=reason.strip()[:REASON_MAX_LENGTH], made_by=by
            )
            detail = f"until {end:%Y-%m-%d %H:%M} UTC" + (f": {added.reason}" if added.reason else "")
            await record(db, "maintenance added", line or "all rigs", detail)
        self._changed()
        return added

    async def remove(self, maintenance_id: int) -> None:
        """Raises `MaintenanceNotFound`."""
        async with self._database.transaction() as db:
            removed = await store.get_maintenance(db, maintenance_id)
            await store.delete_maintenance(db, maintenance_id)
            await record(db, "maintenance removed", removed.select or "all rigs", removed.reason)
        self._changed()


def checked_selection(select: str) -> str:
    """Raises `BadSelection`."""
    selection = parse(select)
    for kind in RigKind:
        compiled(selection, kind)
    return selection.line


def _aware(moment: datetime) -> datetime:
    """Returns the time in UTC; one without a zone is taken as UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
