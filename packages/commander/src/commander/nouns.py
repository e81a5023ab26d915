"""The nouns of the farm, one line each. Their sections stand in the navigation in this order."""

# ruff: noqa: F401, I001 - each import is an entry of the list

from commander.noun import Noun

from commander.overview.noun import NOUN as OVERVIEW
from commander.incidents.noun import NOUN as INCIDENTS
from commander.rigs.noun import NOUN as RIGS
from commander.rig_pages.noun import NOUN as RIG_PAGES
from commander.machines.noun import NOUN as MACHINES
from commander.farm_tokens.noun import NOUN as FARM_TOKENS
from commander.intake.noun import NOUN as INTAKE
from commander.wheels.noun import NOUN as WHEELS
from commander.alert_rules.noun import NOUN as ALERT_RULES
from commander.maintenance.noun import NOUN as MAINTENANCE
from commander.commands.noun import NOUN as COMMANDS
from commander.alerts.noun import NOUN as ALERTS
from commander.watchdog.noun import NOUN as WATCHDOG
from commander.addresses.noun import NOUN as ADDRESSES
from commander.software.noun import NOUN as SOFTWARE
from commander.playbooks.noun import NOUN as PLAYBOOKS
from commander.tags.noun import NOUN as TAGS
from commander.audit_pages.noun import NOUN as AUDIT_PAGES
from commander.settings_pages.noun import NOUN as SETTINGS_PAGES

NOUNS = tuple(each for each in tuple(globals().values()) if isinstance(each, Noun))
