"""Alert rules, as the rest of the commander sees them."""

from commander.alert_rules import api, pages
from commander.alert_rules.actions import AlertRuleActions
from commander.alert_rules.pages import rules_part
from commander.alert_rules.source import AlertRules
from commander.noun import Built, Core, Noun


def build(core: Core) -> Built:
    rules = AlertRules(core.database, core.cluster)

    def changed() -> None:
        rules.changed()
        core.alerts.changed()

    actions = AlertRuleActions(core.database, changed)
    core.alerts.add(rules_part(actions, core.lives))
    return Built(dependencies={"alert_rules": rules, "alert_rule_actions": actions}, on_start=actions.add_shipped)


NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS], build=build)
