"""The rigs in maintenance now: those of a maintenance, and those that somebody has just rebooted."""

from datetime import datetime

from commander.db import Database
from commander.live.rigs import Lives
from commander.maintenance import store
from commander.registry.kinds import RigKind
from commander.selections.compiled import compiled
from commander.selections.domain import BadSelection
from commander.selections.parser import parse

RigKeys = frozenset[tuple[str, int]]


class RigsInMaintenance:
    """Reads maintenance from the database each time: it is asked every few seconds, by one node."""

    def __init__(self, database: Database, lives: Lives) -> None:
        self._database = database
        self._lives = lives

    async def now(self, now: datetime) -> RigKeys:
        """Returns the rigs, each as its kind and id."""
        async with self._database.reading() as db:
            current = [each for each in await store.read_maintenance(db, until_after=now) if each.since <= now]
            rebooted = await store.rebooted_by_people(db, now)
        found = {(str(RigKind.CPU_GPU), rig_id) for rig_id in rebooted}
        for each in current:
            found |= self._of_selection(each.select)
        return frozenset(found)

    def _of_selection(self, line: str) -> set[tuple[str, int]]:
        found: set[tuple[str, int]] = set()
        for kind, live in self._lives.items():
            try:
                matches = compiled(parse(line), kind)
            except BadSelection:  # another version has stored it
                continue
            found |= {(str(kind), state.id) for state in live.index.rigs.values() if matches(state)}
        return found
