"""The alert rules of this node, read again after each change at any node."""

from commander.alert_rules import store
from commander.alert_rules.actions import ALERT_RULES
from commander.alert_rules.domain import AlertRule
from commander.alert_rules.rulebook import Rulebook, why_unreadable
from commander.db import Database
from commander.live.cached import Cached
from commander.live.cluster import Cluster
from commander.registry.kinds import RigKind


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
        self._cached = Cached(ALERT_RULES, cluster, self._read)

    def changed(self) -> None:
        """Call it after each commit that changes rules."""
        self._cached.changed()

    async def refresh(self) -> None:
        """Reads the rules if they may have changed."""
        rules = await self._cached.get()
        if rules != self.all or not self.books:
            self.all, self.number = rules, self.number + 1
            reasons = {rule.id: why_unreadable(rule) for rule in rules if rule.limits.enabled}
            self.unreadable = {rule_id: reason for rule_id, reason in reasons.items() if reason}
            readable = [rule for rule in rules if rule.id not in self.unreadable]
            self.books = {kind: Rulebook(readable, kind) for kind in RigKind}

    async def _read(self) -> list[AlertRule]:
        async with self._database.reading() as db:
            return await store.all_rules(db)
