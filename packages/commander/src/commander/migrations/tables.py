"""Every table of the commander, so that migrations and tests see all of them."""

from commander.accounts import tables as accounts
from commander.addresses import tables as addresses
from commander.alert_rules import tables as alert_rules
from commander.audit import tables as audit
from commander.commands import tables as commands
from commander.farm_tokens import tables as farm_tokens
from commander.history import tables as history
from commander.incidents import tables as incidents
from commander.jobs import tables as jobs
from commander.machines import tables as machines
from commander.maintenance import tables as maintenance
from commander.notifications import tables as notifications
from commander.playbooks import tables as playbooks
from commander.raw_logs import tables as raw_logs
from commander.registry import tables as rigs
from commander.saved_views import tables as saved_views
from commander.software import tables as software
from commander.tags import tables as tags
from commander.watchdog import tables as watchdog

__all__ = [
    "accounts",
    "addresses",
    "alert_rules",
    "audit",
    "commands",
    "farm_tokens",
    "history",
    "incidents",
    "jobs",
    "machines",
    "maintenance",
    "notifications",
    "playbooks",
    "raw_logs",
    "rigs",
    "saved_views",
    "software",
    "tags",
    "watchdog",
]
