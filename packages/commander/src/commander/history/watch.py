"""Notices what happens to the rigs of one kind as their logs come in, or stop coming; written down a little later."""

import logging
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from protocol import units

from commander.db import Database
from commander.history import events
from commander.history.events import NewEvent, RigEvent
from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import Health, RigState
from commander.readings.summary import RigSummary
from commander.registry.kinds import RigKind

log = logging.getLogger(__name__)
WAITING_AT_MOST = 10_000  # while the database can't be written; then the oldest go
UPTIME_JITTER_S = 60


class RigWatch:
    def __init__(self, kind: RigKind, index: OperationalIndex) -> None:
        self._kind = kind
        self._index = index
        self._offline: set[int] = set()
        self._waiting: deque[NewEvent] = deque(maxlen=WAITING_AT_MOST)

    async def remember(self, database: Database) -> None:
        """Of which rigs it is written that they went offline, and not yet that they came back."""
        silent = [state.id for state in self._index.rigs.values() if state.health is Health.OFFLINE]
        async with database.reading() as db:
            for rig_id in silent:
                if await events.last_of(db, self._kind, rig_id, RigEvent.OFFLINE, RigEvent.ONLINE) is RigEvent.OFFLINE:
                    self._offline.add(rig_id)

    def logged(self, rig_id: int, summary: RigSummary, *, taken_at: datetime, now: datetime) -> None:
        """Notes a stored log. It is called before the operational index gets the log."""
        state = self._index.rigs.get(rig_id)
        if state is None:
            return
        if rig_id in self._offline:
            self._offline.discard(rig_id)
            self._note(rig_id, now, RigEvent.ONLINE, "Back online")
        was, uptime_s = state.summary.uptime_s, summary.uptime_s
        is_newest = state.taken_at is not None and taken_at > state.taken_at
        if is_newest and was is not None and uptime_s is not None and uptime_s + UPTIME_JITTER_S < was:
            text = f"Restarted after {units.duration_text(was)}"
            self._note(rig_id, taken_at - timedelta(seconds=uptime_s), RigEvent.RESTARTED, text)

    def went_offline(self, states: Iterable[RigState]) -> None:
        for state in states:
            if state.reported_at is not None:
                self._offline.add(state.id)
                self._note(state.id, state.reported_at, RigEvent.OFFLINE, "Went offline")

    def _note(self, rig_id: int, at: datetime, event: RigEvent, text: str) -> None:
        self._waiting.append(NewEvent(self._kind, rig_id, at, event, text))

    def forget(self) -> None:
        """Another commander writes down what was noticed here, too."""
        self._waiting.clear()

    async def write(self, database: Database) -> None:
        """Write down what was noticed; what can't be written now waits for the next time."""
        if not self._waiting:
            return
        noticed = list(self._waiting)
        self._waiting.clear()
        try:
            async with database.transaction() as db:
                await events.note(db, *(each for each in noticed if each.rig_id in self._index.rigs))
        except Exception:
            self._waiting.extendleft(reversed(noticed))
            raise
