"""Alert rules, as the rest of the commander sees them. Their objects are made by the noun of incidents."""

from commander.alert_rules import api, pages
from commander.noun import Noun

RIGHTS = """
/alerts/rules                         POST own
/alerts/rules/{alert_rule_id}/edit    POST own
/alerts/rules/{alert_rule_id}/remove  POST own
/alerts/rules/{alert_rule_id}/switch  POST own
/api/v1/alert-rules                   GET view, POST own
/api/v1/alert-rules/preview           POST view
/api/v1/alert-rules/{alert_rule_id}   PUT own, DELETE own
"""
NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS], rights=RIGHTS)
