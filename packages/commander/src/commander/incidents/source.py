"""Incidents as other parts of the commander follow them: open pages, scripts on the channel, and rigs' states."""

import asyncio
from collections.abc import Iterable, Mapping

from commander.db import Database
from commander.incidents import store
from commander.incidents.conditions import KeyOfRig
from commander.incidents.domain import COMMANDER, Condition
from commander.incidents.responses import incident_json
from commander.incidents.words import text_of
from commander.live.badge import Badge
from commander.live.channels import ChannelEvent, Channels
from commander.live.cluster import Cluster, Topic
from commander.live.rig_state import OpenCondition
from commander.live.rigs import Lives
from commander.live.source import LiveSource
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind

CHANNEL = "incidents"
RIGS_AT_A_TIME = 100  # then requests of people and sentries have their turn
INCIDENTS = Topic("incidents", int)  # an incident, its conditions included
CONDITIONS = Topic("conditions", int)  # the key has no meaning: all open conditions are read again


class IncidentSource(LiveSource):
    """Pages follow it as any live source; scripts on the channel get the incidents that have changed.

    All pages show the number of open incidents on the badge.
    """

    def __init__(self, database: Database, channels: Channels, badge: Badge, cluster: Cluster, lives: Lives) -> None:
        super().__init__("incidents", cluster)
        self._database = database
        self._channels = channels
        self._badge = badge
        self._counted = 0  # the number of changes when incidents were counted
        self._incident_news = cluster
        self._lives = lives
        self._unpublished: set[int] = set()
        self._newest_published = 0
        self._is_old = False
        cluster.subscribe(INCIDENTS, self._unpublished.add)
        cluster.subscribe(CONDITIONS, self._conditions_are_old)
        cluster.on_gap(lambda: self._conditions_are_old(0))

    async def remember(self) -> None:
        """Reads the open conditions at the start, and notes the newest incident: later ones are new to the channel."""
        async with self._database.reading() as db:
            self._newest_published = await store.newest_id(db)
            self._badge.set(await store.count_open(db))
        await self._read_conditions()

    def incidents_changed(self, incident_ids: set[int]) -> None:
        """Call it after each commit that changes incidents or their conditions."""
        self._unpublished |= incident_ids
        for incident_id in incident_ids:
            self._incident_news.publish(INCIDENTS, incident_id)
        self.changed()

    async def conditions_changed(self, by_rig: Mapping[KeyOfRig, Iterable[Condition]]) -> None:
        """Call it after each commit with all conditions of the rigs of which one has changed. Their states follow."""
        for number, ((kind, rig_id), conditions) in enumerate(by_rig.items(), start=1):
            if number % RIGS_AT_A_TIME == 0:
                await asyncio.sleep(0)
            if kind != COMMANDER:
                rows = [_open_condition(each) for each in conditions if each.is_open]
                self._lives[RigKind(kind)].index.set_conditions(rig_id, tuple(sorted(rows, key=_worst_first)))
        self._incident_news.publish(CONDITIONS, 0)

    async def tick(self, now_s: float) -> None:
        if self._is_old:
            self._is_old = False
            await self._read_conditions()
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

    def _conditions_are_old(self, _key: int) -> None:
        self._is_old = True

    async def _read_conditions(self) -> None:
        async with self._database.reading() as db:
            conditions = await store.firing_conditions(db)
        by_rig: dict[KeyOfRig, list[OpenCondition]] = {}
        for each in conditions:
            by_rig.setdefault(each.key[:2], []).append(_open_condition(each))
        for kind, live in self._lives.items():
            for state in live.index.rigs.values():
                rows = by_rig.get((str(kind), state.id))
                if rows or state.conditions:
                    live.index.set_conditions(state.id, tuple(sorted(rows or (), key=_worst_first)))


def _open_condition(condition: Condition) -> OpenCondition:
    return OpenCondition(condition.key.rule, condition.severity, text_of(condition), condition.began_at)


def _worst_first(condition: OpenCondition) -> tuple[bool, str]:
    return condition.severity is not Severity.CRITICAL, condition.rule
