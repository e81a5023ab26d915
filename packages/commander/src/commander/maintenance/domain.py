"""Maintenance: a selection of rigs, and a time in which nothing is sent about them. Pure."""

from datetime import datetime, timedelta
from typing import NamedTuple

from commander.problems import CommanderError, ErrorKind

LONGEST = timedelta(days=90)
REASON_MAX_LENGTH = 256
AFTER_REBOOT = timedelta(minutes=10)  # of a rig that a person rebooted


class MaintenanceNotFound(CommanderError):
    """There is no such maintenance."""

    kind = ErrorKind(404, "maintenance_not_found", "No such maintenance")


class BadMaintenance(CommanderError):
    """A time in which there can be no maintenance."""

    kind = ErrorKind(422, "bad_maintenance", "Not a time", field="until")


class Maintenance(NamedTuple):
    """A maintenance of the rigs of a selection, at since <= time < until."""

    id: int
    select: str
    since: datetime
    until: datetime
    reason: str
    made_by: str


def check_time(since: datetime, until: datetime, now: datetime) -> None:
    """Raises `BadMaintenance`."""
    if until <= now:
        raise BadMaintenance("The maintenance ends before now. Enter a later end.")
    if until <= since:
        raise BadMaintenance("The maintenance ends before it begins. Enter a later end.")
    if until - since > LONGEST:
        raise BadMaintenance(f"A maintenance is {LONGEST.days} days long at most. Change the alert rules instead.")
