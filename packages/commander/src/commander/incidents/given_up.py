"""The rigs whose watchdog has given up: until they mine again, or until somebody acts."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.commands.domain import ONLY_READS, TargetState
from commander.commands.tables import command_targets, commands
from commander.db import Database
from commander.incidents.evaluation import Evaluation
from commander.live.rigs import LiveRigs
from commander.watchdog import store as watchdog
from commander.watchdog.domain import GivenUp

_BEGAN = (TargetState.BEGUN, TargetState.DONE)
_MANY = 300  # parameters of one query


class RigsGivenUp:
    """Reads them from the database. `live` are the CPU/GPU rigs: no other rig has a watchdog."""

    def __init__(self, database: Database, live: LiveRigs) -> None:
        self._database = database
        self._live = live

    async def read(self, evaluation: Evaluation) -> None:
        """Sets the rigs whose watchdog has given up in the evaluation.

        Those that mine again and those that somebody acted on are left out. The database notes them: if such a rig
        stops later, its watchdog has not given up again.
        """
        mine_again, evaluation.mine_again = evaluation.mine_again, {}
        async with self._database.reading() as db:
            given_up = await watchdog.rigs_given_up(db)
            commanded = await _commanded(db, given_up) if given_up else set()
        over = {
            rig_id: each
            for rig_id, each in given_up.items()
            if mine_again.get(rig_id) == each.at or rig_id in commanded or self._is_changed(rig_id, each.at)
        }
        if over:
            async with self._database.transaction() as db:
                await watchdog.note_over(db, over)
        evaluation.gave_up = {rig_id: each for rig_id, each in given_up.items() if rig_id not in over}

    def _is_changed(self, rig_id: int, at: datetime) -> bool:
        """Returns whether somebody has changed a playbook of the rig since then."""
        state = self._live.index.rigs.get(rig_id)
        changes = [each.changed_at for each in state.playbooks] if state else []
        return any(changed_at is not None and changed_at > at for changed_at in changes)


async def _commanded(db: AsyncConnection, given_up: Mapping[int, GivenUp]) -> set[int]:
    """Returns the rigs that have begun a command which somebody gave after their watchdog gave up."""
    listed, found = sorted(given_up), set[int]()
    for at in range(0, len(listed), _MANY):
        query = (
            sa.select(command_targets.c.rig_id, sa.func.max(commands.c.made_at, type_=commands.c.made_at.type))
            .join(commands, commands.c.id == command_targets.c.command_id)
            .where(
                command_targets.c.rig_id.in_(listed[at : at + _MANY]),
                command_targets.c.state.in_(_BEGAN),
                commands.c.action.not_in(ONLY_READS),
            )
            .group_by(command_targets.c.rig_id)
        )
        rows: list[tuple[int, datetime]] = [(row[0], row[1]) for row in await db.execute(query)]
        found |= {rig_id for rig_id, made_at in rows if made_at > given_up[rig_id].at}
    return found
