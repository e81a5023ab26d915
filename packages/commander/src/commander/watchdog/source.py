"""The inbox's source of the ladder's limits: for each rig those of the newest rule that matches it."""

import hashlib
import logging
from typing import NamedTuple

import msgspec
from protocol.command_messages import LadderSettings
from protocol.inbox_messages import InboxItem

from commander.db import Database
from commander.live.cached import Cached
from commander.live.cluster import Cluster, Topic
from commander.live.inbox import Inbox, inbox_item
from commander.live.rigs import LiveRigs
from commander.selections.compiled import Predicate, compiled
from commander.selections.domain import BadSelection
from commander.selections.parser import parse
from commander.watchdog import store
from commander.watchdog.domain import Rule

log = logging.getLogger(__name__)

RULES = Topic("watchdog_rules", int)  # the key has no meaning: all rules are read again


class _Rules(NamedTuple):
    """The rules, the newest first. `were_there`: there are rules now, or there were some before."""

    items: list[tuple[Predicate, InboxItem]]
    were_there: bool


class WatchdogInbox:
    """Has no item before there is a first rule: the sentries' own limits are the same as the usual ones here."""

    def __init__(self, database: Database, live: LiveRigs, inbox: Inbox, cluster: Cluster) -> None:
        self._database, self._live, self._inbox = database, live, inbox
        self._rules = Cached(RULES, cluster, self._read, on_news=self._wake_all)
        inbox.add(self)

    def changed(self) -> None:
        """Call it after each commit that changes rules."""
        self._rules.changed()

    def _wake_all(self) -> None:
        for rig_id in self._live.index.rigs:
            self._inbox.wake(rig_id)

    async def item_for(self, rig_id: int) -> InboxItem | None:
        rules = await self._rules.get()
        rig = self._live.index.rigs.get(rig_id)
        if rig is None or not rules.were_there:
            return None
        return next((item for matches, item in rules.items if matches(rig)), _USUAL)

    async def _read(self) -> _Rules:
        async with self._database.reading() as db:
            rules, were_there = await store.all_rules(db), await store.were_there_rules(db)
        items = [(matches, _item(each.limits)) for each in reversed(rules) if (matches := self._matches(each))]
        return _Rules(items, were_there)

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
