"""Alert rules that can't be evaluated: since when, and why. An error of the commander, or another version's rule."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from commander.alert_rules.domain import AlertRule
from commander.alert_rules.words import text_of

log = logging.getLogger(__name__)
LOG_SAYS_WHY, PAGE_SAYS_WHY = "The log says why", "The page Alerts says why"
FORGOTTEN_AFTER_S = 300.0  # without a further error


class _Failure(NamedTuple):
    since: datetime
    newest_s: float
    why: str


class FailingRules:
    """Notes errors of rules while rigs are looked at. Each rule is in the program's log once, until it works again."""

    def __init__(self) -> None:
        self._failures: dict[int, _Failure] = {}
        self._logged: set[int] = set()
        self._now: datetime | None = None
        self._now_s = 0.0

    def load(self, since: Mapping[int, datetime], now_s: float) -> None:
        """Takes what another leader, or an earlier process, has noted in the database."""
        self._failures = {rule_id: _Failure(moment, now_s, LOG_SAYS_WHY) for rule_id, moment in since.items()}

    def begin_round(self, rules: Iterable[AlertRule], now: datetime, now_s: float) -> None:
        """Forgets rules that were removed, and those that had no error for five minutes. `now_s`: monotonic seconds."""
        self._now, self._now_s = now, now_s
        known = {rule.id for rule in rules if rule.limits.enabled}
        for rule_id, failure in list(self._failures.items()):
            if rule_id not in known or now_s - failure.newest_s > FORGOTTEN_AFTER_S:
                del self._failures[rule_id]
                self._logged.discard(rule_id)

    def note(self, rule_id: int, rig: str, error: Exception) -> None:
        """Notes an error of the commander while it evaluated the rule for a rig."""
        if rule_id not in self._logged:
            self._logged.add(rule_id)
            log.error("the alert rule %d could not be evaluated for %s", rule_id, rig, exc_info=error)
        self._note(rule_id, LOG_SAYS_WHY)

    def note_unreadable(self, rule_id: int, reason: str) -> None:
        """Notes a rule that this version can't read."""
        if rule_id not in self._logged:
            self._logged.add(rule_id)
            log.error("the alert rule %d can't be read: %s", rule_id, reason)
        self._note(rule_id, PAGE_SAYS_WHY)

    def _note(self, rule_id: int, why: str) -> None:
        before = self._failures.get(rule_id)
        since = before.since if before else self._now
        if since is not None:
            self._failures[rule_id] = _Failure(since, self._now_s, why)

    def since(self) -> Mapping[int, datetime]:
        """Returns the rules that fail now, by their id, with the time of the first error."""
        return {rule_id: failure.since for rule_id, failure in self._failures.items()}

    def problems(self, rules: Iterable[AlertRule]) -> dict[str, str]:
        """Returns a sentence for each rule that fails, by a name for it."""
        return {
            f"rule {rule.id}": f"The alert rule “{text_of(rule.limits).name}” can't be evaluated. {failure.why}"
            for rule in rules
            if (failure := self._failures.get(rule.id)) is not None
        }
