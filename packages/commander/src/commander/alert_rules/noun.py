"""Alert rules, as the rest of the commander sees them."""

from commander.alert_rules import api
from commander.alert_rules.actions import AlertRuleActions
from commander.alert_rules.source import AlertRules
from commander.noun import Built, Core, Noun


def build(core: Core) -> Built:
    rules = AlertRules(core.database, core.cluster)

    def changed() -> None:
        rules.changed()
        core.alerts.changed()

    actions = AlertRuleActions(core.database, changed)
    return Built(dependencies={"alert_rules": rules, "alert_rule_actions": actions}, on_start=actions.add_shipped)


NOUN = Noun(handlers=[*api.HANDLERS], build=build)
