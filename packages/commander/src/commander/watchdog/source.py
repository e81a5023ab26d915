"""The inbox's source of the ladder's limits: for each rig those of the newest rule that matches it."""

import asyncio
import hashlib
import logging
from time import monotonic

import msgspec
from protocol.command_messages import LadderSettings
from protocol.inbox_messages import InboxItem

from commander.db import Database
from commander.live.cluster import Cluster, Topic
from commander.live.inbox import Inbox, inbox_item
from commander.live.rigs import LiveRigs
from commander.problems import DatabaseProblem
from commander.selections.compiled import Predicate, compiled
from commander.selections.domain import BadSelection
from commander.selections.parser import parse
from commander.watchdog import store
from commander.watchdog.domain import Rule

log = logging.getLogger(__name__)

RULES = Topic("watchdog_rules", int)  # the key says nothing: all rules are read again
_READ_AGAIN_S = 60.0  # another node's news may have been missed


class WatchdogInbox:
    """Has no item before there is a first rule: the sentries' own limits are the same as the usual ones here."""

    def __init__(self, database: Database, live: LiveRigs, inbox: Inbox, cluster: Cluster) -> None:
        self._database, self._live, self._inbox, self._cluster = database, live, inbox, cluster
        self._items: list[tuple[Predicate, InboxItem]] = []  # newest rule first
        self._has_rules = False
        self._changes, self._read_changes = 1, 0  # they are read again until both agree
        self._read_at_s = float("-inf")
        self._turn = asyncio.Lock()
        cluster.subscribe(RULES, self._news)
        inbox.add(self)

    def changed(self) -> None:
        """Call it after each commit that changes rules."""
        self._news(0)
        self._cluster.publish(RULES, 0)

    def _news(self, _key: int) -> None:
        self._changes += 1
        for rig_id in self._live.index.rigs:
            self._inbox.wake(rig_id)

    async def item_for(self, rig_id: int) -> InboxItem | None:
        if not self._is_fresh():
            async with self._turn:  # all rigs of a farm may ask at once
                if not self._is_fresh():
                    await self._read()
        rig = self._live.index.rigs.get(rig_id)
        if rig is None or not self._has_rules:
            return None
        return next((item for matches, item in self._items if matches(rig)), _USUAL)

    def _is_fresh(self) -> bool:
        return self._changes == self._read_changes and monotonic() - self._read_at_s < _READ_AGAIN_S

    async def _read(self) -> None:
        """Reads the rules. Those that were read before stay in use while the database is away."""
        changes, now_s = self._changes, monotonic()
        try:
            async with self._database.reading() as db:
                rules, has_rules = await store.all_rules(db), await store.were_there_rules(db)
        except DatabaseProblem:
            if changes != self._read_changes:
                raise
            return
        self._items = [(matches, _item(each.limits)) for each in reversed(rules) if (matches := self._matches(each))]
        self._has_rules, self._read_changes, self._read_at_s = has_rules, changes, now_s

    def _matches(self, rule: Rule) -> Predicate | None:
        """Returns None for a selection that this version does not understand: another node made the rule."""
        try:
            return compiled(parse(rule.select), self._live.kind)
        except BadSelection as error:
            log.warning("watchdog_rule_skipped %d %s", rule.id, error)
            return None


def _item(limits: LadderSettings) -> InboxItem:
    body = msgspec.json.encode(limits)
    return inbox_item(LadderSettings.INBOX_KIND, hashlib.blake2b(body, digest_size=12).hexdigest(), body)


_USUAL = _item(LadderSettings())
