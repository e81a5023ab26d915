"""Every table of the commander, so that migrations and tests see all of them."""

from commander.accounts import tables as accounts
from commander.history import tables as history
from commander.jobs import tables as jobs
from commander.rigs import tables as rigs
from commander.telemetry import tables as telemetry

__all__ = ["accounts", "history", "jobs", "rigs", "telemetry"]
