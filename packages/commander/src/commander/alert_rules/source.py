"""The alert rules of this node, read again after each change at any node."""

from time import monotonic

from commander.alert_rules import store
from commander.alert_rules.actions import ALERT_RULES
from commander.alert_rules.domain import AlertRule
from commander.alert_rules.rulebook import Rulebook, why_unreadable
from commander.db import Database
from commander.live.cluster import Cluster
from commander.registry.kinds import RigKind

_READ_AGAIN_S = 60.0  # a message of another node may have been lost


class AlertRules:
    """`number` grows whenever the rules may have changed.

    `unreadable` are the rules that this version can't read, by their id, with the reason. They are in no book.
    """

    def __init__(self, database: Database, cluster: Cluster) -> None:
        self.number = 0
        self.books: dict[RigKind, Rulebook] = {}
        self.all: list[AlertRule] = []
        self.unreadable: dict[int, str] = {}
        self._database = database
        self._cluster = cluster
        self._changes, self._read_changes = 1, 0
        self._read_at_s = float("-inf")
        cluster.subscribe(ALERT_RULES, self._news)
        cluster.on_gap(lambda: self._news(0))

    def changed(self) -> None:
        """Call it after each commit that changes rules."""
        self._news(0)
        self._cluster.publish(ALERT_RULES, 0)

    async def refresh(self) -> None:
        """Reads the rules if they may have changed."""
        changes = self._changes
        if changes == self._read_changes and monotonic() - self._read_at_s < _READ_AGAIN_S:
            return
        async with self._database.reading() as db:
            rules = await store.all_rules(db)
        if rules != self.all or not self.books:
            self.all, self.number = rules, self.number + 1
            reasons = {rule.id: why_unreadable(rule) for rule in rules if rule.limits.enabled}
            self.unreadable = {rule_id: reason for rule_id, reason in reasons.items() if reason}
            readable = [rule for rule in rules if rule.id not in self.unreadable]
            self.books = {kind: Rulebook(readable, kind) for kind in RigKind}
        self._read_changes, self._read_at_s = changes, monotonic()

    def _news(self, _key: int) -> None:
        self._changes += 1
