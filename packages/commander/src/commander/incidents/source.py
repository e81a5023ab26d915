"""Incidents as other parts of the commander follow them: open pages, scripts on the channel, and rigs' states."""

from commander.db import Database
from commander.incidents import store
from commander.incidents.responses import incident_json
from commander.live.badge import Badge
from commander.live.channels import ChannelEvent, Channels
from commander.live.cluster import Cluster, Topic
from commander.live.source import LiveSource

CHANNEL = "incidents"
INCIDENTS = Topic("incidents", int)  # an incident, its conditions included


class IncidentSource(LiveSource):
    """Pages follow it as any live source; scripts on the channel get the incidents that have changed.

    All pages show the number of open incidents on the badge.
    """

    def __init__(self, database: Database, channels: Channels, badge: Badge, cluster: Cluster) -> None:
        super().__init__("incidents", cluster)
        self._database = database
        self._channels = channels
        self._badge = badge
        self._counted = 0  # the number of changes when incidents were counted
        self._incident_news = cluster
        self._unpublished: set[int] = set()
        self._newest_published = 0
        cluster.subscribe(INCIDENTS, self._unpublished.add)

    async def remember(self) -> None:
        """Notes the newest incident at the start: later ones are new to the channel."""
        async with self._database.reading() as db:
            self._newest_published = await store.newest_id(db)
            self._badge.set(await store.count_open(db))

    def incidents_changed(self, incident_ids: set[int]) -> None:
        """Call it after each commit that changes incidents or their conditions."""
        self._unpublished |= incident_ids
        for incident_id in incident_ids:
            self._incident_news.publish(INCIDENTS, incident_id)
        self.changed()

    async def tick(self, now_s: float) -> None:
        await super().tick(now_s)
        if (changes := self.changes) != self._counted:
            async with self._database.reading() as db:
                self._badge.set(await store.count_open(db))
            self._counted = changes
        while self._unpublished:
            incident_id = min(self._unpublished)
            await self._publish(incident_id)
            self._unpublished.discard(incident_id)

    async def _publish(self, incident_id: int) -> None:
        event = ChannelEvent.CREATED if incident_id > self._newest_published else ChannelEvent.UPDATED
        self._newest_published = max(incident_id, self._newest_published)
        if not self._channels.has_listeners(CHANNEL):
            return
        async with self._database.reading() as db:
            incident = await store.find_incident(db, incident_id)
            conditions = await store.conditions_of_incidents(db, [incident_id])
        if incident is not None:
            self._channels.publish(CHANNEL, event, incident_json(incident, conditions[incident_id]))
