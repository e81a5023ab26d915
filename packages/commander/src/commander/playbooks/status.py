"""The status of playbooks in the database, as sentries sent it. No function here commits."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from protocol.playbook_messages import PlaybookStatus
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.playbooks.tables import playbook_status as status
from commander.playbooks.tables import playbooks

_decoder = msgspec.json.Decoder(PlaybookStatus)


class TimedStatus(NamedTuple):
    status: PlaybookStatus
    reported_at: datetime


async def statuses(db: AsyncConnection, rig_id: int | None = None) -> dict[int, TimedStatus]:
    """Returns the status by playbook, of one rig or of all."""
    query = sa.select(status.c.playbook_id, status.c.status, status.c.told_at)
    if rig_id is not None:
        query = query.join(playbooks, playbooks.c.id == status.c.playbook_id).where(playbooks.c.rig_id == rig_id)
    return {playbook_id: TimedStatus(_decoder.decode(blob), at) for playbook_id, blob, at in await db.execute(query)}


async def put_statuses(
    db: AsyncConnection, rig_id: int, reported: Iterable[tuple[int, PlaybookStatus | None]], *, now: datetime
) -> None:
    """Stores the status of playbooks. None deletes it: the playbook is no longer on the rig.

    A playbook that has just been removed is left out.
    """
    ids = set((await db.execute(sa.select(playbooks.c.id).where(playbooks.c.rig_id == rig_id))).scalars())
    for playbook_id, each in reported:
        if each is None:
            await db.execute(sa.delete(status).where(status.c.playbook_id == playbook_id))
        elif playbook_id in ids:
            row = {"status": msgspec.json.encode(each), "told_at": now}
            query = insert_for(db, status).values(playbook_id=playbook_id, **row)
            await db.execute(query.on_conflict_do_update(index_elements=[status.c.playbook_id], set_=row))
