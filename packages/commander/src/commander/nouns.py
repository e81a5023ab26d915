"""The nouns of the farm. Their sections stand in the navigation in this order."""

from commander.addresses.noun import NOUN as ADDRESSES
from commander.alert_rules.noun import NOUN as ALERT_RULES
from commander.alerts.noun import NOUN as ALERTS
from commander.audit_pages.noun import NOUN as AUDIT_PAGES
from commander.commands.noun import NOUN as COMMANDS
from commander.farm_tokens.noun import NOUN as FARM_TOKENS
from commander.incidents.noun import NOUN as INCIDENTS
from commander.intake.noun import NOUN as INTAKE
from commander.machines.noun import NOUN as MACHINES
from commander.maintenance.noun import NOUN as MAINTENANCE
from commander.overview.noun import NOUN as OVERVIEW
from commander.playbooks.noun import NOUN as PLAYBOOKS
from commander.rig_pages.noun import NOUN as RIG_PAGES
from commander.rigs.noun import NOUN as RIGS
from commander.settings_pages.noun import NOUN as SETTINGS_PAGES
from commander.software.noun import NOUN as SOFTWARE
from commander.tags.noun import NOUN as TAGS
from commander.watchdog.noun import NOUN as WATCHDOG
from commander.wheels.noun import NOUN as WHEELS

NOUNS = (
    OVERVIEW,
    INCIDENTS,
    RIGS,
    RIG_PAGES,
    MACHINES,
    FARM_TOKENS,
    INTAKE,
    WHEELS,
    ALERT_RULES,
    MAINTENANCE,
    COMMANDS,
    ALERTS,
    WATCHDOG,
    ADDRESSES,
    SOFTWARE,
    PLAYBOOKS,
    TAGS,
    AUDIT_PAGES,
    SETTINGS_PAGES,
)
