"""Acknowledges, mutes and unmutes incidents: one transaction each, then open pages and scripts are notified."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.actor import Actor
from commander.audit.store import record
from commander.db import Database
from commander.incidents import store
from commander.incidents.domain import Incident, IncidentClosed
from commander.incidents.source import IncidentSource

MUTE_MINUTES = 120
MUTE_MINUTES_AT_MOST = 7 * 24 * 60
OnAcknowledged = Callable[[AsyncConnection, int], Awaitable[None]]


async def _no_messages(db: AsyncConnection, incident_id: int) -> None:
    """Does nothing: there are no messages to cancel."""


class IncidentActions:
    """`on_acknowledged` is called in the transaction, and cancels messages that wait for an acknowledgement."""

    def __init__(
        self, database: Database, source: IncidentSource, on_acknowledged: OnAcknowledged = _no_messages
    ) -> None:
        self._database = database
        self._source = source
        self._on_acknowledged = on_acknowledged

    async def acknowledge(self, incident_id: int, *, by: str, actor: Actor | None = None) -> None:
        """Stops reminders until the incident closes or gets worse.

        Raises `IncidentNotFound` or `IncidentClosed`.
        """
        now = await self._database.now()
        async with self._database.transaction() as db:
            incident = await store.get_incident(db, incident_id)
            _check(incident, await store.acknowledge(db, incident_id, by[:128], now=now))
            await self._on_acknowledged(db, incident_id)
            await record(db, "incident acknowledged", incident.title, f"Incident {incident_id}", actor=actor, at=now)
        self._source.incidents_changed({incident_id})

    async def mute(self, incident_id: int, minutes: int, *, actor: Actor | None = None) -> None:
        """Stops the messages about an incident for some minutes, except the one that it is closed.

        Raises `IncidentNotFound` or `IncidentClosed`.
        """
        now = await self._database.now()
        async with self._database.transaction() as db:
            incident = await store.get_incident(db, incident_id)
            _check(incident, await store.set_muted(db, incident_id, now + timedelta(minutes=minutes)))
            detail = f"Incident {incident_id}, for {minutes:,} min"
            await record(db, "incident muted", incident.title, detail, actor=actor, at=now)
        self._source.incidents_changed({incident_id})

    async def unmute(self, incident_id: int) -> None:
        """Raises `IncidentNotFound` or `IncidentClosed`."""
        async with self._database.transaction() as db:
            incident = await store.get_incident(db, incident_id)
            _check(incident, await store.set_muted(db, incident_id, None))
            await record(db, "incident unmuted", incident.title, f"Incident {incident_id}")
        self._source.incidents_changed({incident_id})


def _check(incident: Incident, was_open: bool) -> None:
    if not was_open:
        raise IncidentClosed(f"The incident “{incident.title}” is closed: it can't be acknowledged or muted any more.")
