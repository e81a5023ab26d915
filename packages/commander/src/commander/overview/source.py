"""The overview's live parts: rendered once a second at most, and only while a page is open."""

from datetime import UTC, datetime

from commander.db import Database
from commander.incidents.views import IncidentView, open_views
from commander.live.badge import Badge
from commander.live.cluster import Cluster
from commander.live.rigs import LiveRigs, Lives
from commander.live.source import LiveSource, Query
from commander.overview.changes import newest_changes
from commander.overview.views import farm_view, kind_views
from commander.registry.kinds import RigKind
from commander.web.shell import Fragments, macro

EVERY_S = 1.0
CHANGES_EVERY_S = 5.0  # no message tells this node of a new entry of the audit log
TEMPLATE = "overview/live.html"


class OverviewSource(LiveSource):
    """Follows both operational indexes, while a page is open."""

    def __init__(self, database: Database, lives: Lives, badge: Badge, cluster: Cluster) -> None:
        super().__init__("overview", cluster)
        self._database = database
        self._lives = lives
        self._badge = badge
        self._incidents: tuple[int, list[IncidentView]] = (-1, [])
        self._seen: list[tuple[int, int]] = []
        self._due_s = self._changes_due_s = float("-inf")

    async def tick(self, now_s: float) -> None:
        if self.frames.viewers and now_s >= self._due_s:
            seen = [_number_of(live) for live in self._lives.values()]
            seen.append((self._badge.changes, 0))
            if seen != self._seen or now_s >= self._changes_due_s:
                self._seen, self._changes_due_s = seen, now_s + CHANGES_EVERY_S
                self.changed_here()
            self._due_s = now_s + EVERY_S
        await super().tick(now_s)

    async def render(self, query: Query) -> Fragments:
        """Returns the live parts of the page, by name."""
        if self._incidents[0] != self._badge.changes:
            await self.read_incidents()
        incidents = self._incidents[1]
        async with self._database.reading() as db:
            changes = await newest_changes(db, self._name_of)
        farm = farm_view(self._lives)
        return {
            "verdict": macro(TEMPLATE, "verdict", farm),
            "incidents": macro(TEMPLATE, "incidents", incidents),
            "wrong": macro(TEMPLATE, "wrong", farm),
            "totals": macro(TEMPLATE, "totals", kind_views(self._lives)),
            "changes": macro(TEMPLATE, "changes", changes, farm.is_empty),
        }

    async def read_incidents(self) -> None:
        """Reads the open incidents. While a page is open, it is done again when one has changed."""
        self._incidents = self._badge.changes, await open_views(self._database, now=datetime.now(UTC))

    def _name_of(self, kind: RigKind, rig_id: int) -> str | None:
        rig = self._lives[kind].name_of(rig_id)
        return rig.name if rig else None


def _number_of(live: LiveRigs) -> tuple[int, int]:
    return live.index.now_at, live.trends.number
