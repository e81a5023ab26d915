"""A check whether this node leads the jobs: before work that writes every few seconds, and in its transaction."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database
from commander.jobs.loop import leads
from commander.jobs.tables import leases
from commander.problems import CommanderError


class LeadershipLost(CommanderError):
    """Another node leads the jobs by now."""


class Leadership:
    """`is_alone`: there is one web node, which leads without asking."""

    def __init__(self, database: Database, *, holder: str, is_alone: bool) -> None:
        self._database = database
        self._holder = holder
        self._is_alone = is_alone

    async def leads(self) -> bool:
        return self._is_alone or await leads(self._database, self._holder)

    async def keep(self, db: AsyncConnection) -> None:
        """Keeps the lease from changing hands until the transaction ends. Raises `LeadershipLost`."""
        if self._is_alone:
            return
        query = sa.select(leases.c.holder).where(leases.c.name == "jobs").with_for_update()
        if (await db.execute(query)).scalar() != self._holder:
            raise LeadershipLost("Another node leads the jobs by now.")
