"""Queries about maintenance. None commits."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from protocol.command_messages import CommandAction
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.commands.domain import TargetState
from commander.commands.tables import command_targets, commands
from commander.maintenance.domain import AFTER_REBOOT, Maintenance, MaintenanceNotFound
from commander.maintenance.tables import maintenance

_BEGAN = (TargetState.BEGUN, TargetState.DONE)
_KEPT_FOR = timedelta(days=1)  # a command is never valid for longer


async def read_maintenance(db: AsyncConnection, *, until_after: datetime) -> list[Maintenance]:
    """Returns those that are not over at a moment, the first to begin first."""
    query = sa.select(maintenance).where(maintenance.c.until > until_after)
    return [Maintenance(*row) for row in await db.execute(query.order_by(maintenance.c.since, maintenance.c.id))]


async def get_maintenance(db: AsyncConnection, maintenance_id: int) -> Maintenance:
    """Raises `MaintenanceNotFound`."""
    row = (await db.execute(sa.select(maintenance).where(maintenance.c.id == maintenance_id))).one_or_none()
    if row is None:
        raise MaintenanceNotFound("There is no such maintenance; it may have been removed.")
    return Maintenance(*row)


async def insert_maintenance(
    db: AsyncConnection, *, select: str, since: datetime, until: datetime, reason: str, made_by: str
) -> Maintenance:
    values = {"selection": select, "since": since, "until": until, "reason": reason, "made_by": made_by[:128]}
    query = sa.insert(maintenance).values(values).returning(maintenance.c.id)
    row_id: int = (await db.execute(query)).scalar_one()
    return Maintenance(row_id, select, since, until, reason, made_by)


async def delete_maintenance(db: AsyncConnection, maintenance_id: int) -> None:
    await db.execute(sa.delete(maintenance).where(maintenance.c.id == maintenance_id))


async def delete_before(db: AsyncConnection, moment: datetime) -> None:
    await db.execute(sa.delete(maintenance).where(maintenance.c.until < moment))


async def rebooted_by_people(db: AsyncConnection, now: datetime) -> set[int]:
    """Returns the CPU/GPU rigs that began to reboot less than 10 min ago, because somebody ordered it."""
    query = (
        sa.select(command_targets.c.rig_id)
        .join(commands, commands.c.id == command_targets.c.command_id)
        .where(
            commands.c.made_at > now - _KEPT_FOR,
            commands.c.action == CommandAction.REBOOT,
            command_targets.c.state.in_(_BEGAN),
            command_targets.c.changed_at > now - AFTER_REBOOT,
        )
    )
    return set((await db.execute(query)).scalars())
