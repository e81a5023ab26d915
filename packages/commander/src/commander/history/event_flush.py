"""Writes rigs' events to the database: all web nodes notice them, and the one that leads the jobs writes them."""

from collections.abc import Mapping

from commander.db import Database
from commander.history.watch import RigWatch
from commander.jobs.loop import leads
from commander.registry.kinds import RigKind


class EventFlush:
    """`is_alone`: there is one web node, which writes without asking who leads."""

    def __init__(self, database: Database, watches: Mapping[RigKind, RigWatch], *, holder: str, is_alone: bool) -> None:
        self._database = database
        self._watches = watches
        self._holder = holder
        self._is_alone = is_alone

    async def flush(self) -> None:
        """Writes what was noticed since the last time, or forgets it where another node writes it."""
        writes = self._is_alone or await leads(self._database, self._holder)
        for watch in self._watches.values():
            if writes:
                await watch.write(self._database)
            else:
                watch.forget()
