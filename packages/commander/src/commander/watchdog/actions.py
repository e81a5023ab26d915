"""Actions of people on the watchdog's rules, and reports of rigs. Each is one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace
from protocol.command_messages import LadderEvent, LadderSettings

from commander.audit.actor import Actor
from commander.audit.store import record, record_some
from commander.db import Database
from commander.registry.kinds import RigKind
from commander.registry.store import get_rig
from commander.selections.compiled import compiled
from commander.selections.parser import parse
from commander.watchdog import store
from commander.watchdog.domain import WORDS, ActOfRig, Rule, check_room

_OLDEST_S = 30 * 86_400
WATCHDOG = Actor("watchdog")


class WatchdogActions:
    """`changed` is called after each commit that changes rules."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database = database
        self._changed = changed

    async def rules(self) -> list[Rule]:
        async with self._database.reading() as db:
            return await store.all_rules(db)

    async def find(self, rule_id: int) -> Rule:
        """Raises `RuleNotFound`."""
        async with self._database.reading() as db:
            return await store.get_rule(db, rule_id)

    async def add_rule(self, select: str, limits: LadderSettings) -> Rule:
        """Raises `BadSelection` or `TooManyRules`."""
        line, limits = checked_selection(select), _without_maintenance(limits)
        async with self._database.transaction() as db:
            check_room(await store.all_rules(db))
            rule = await store.insert_rule(db, line, limits)
            await record(db, "watchdog rule added", rigs_text(line), _description(limits))
        self._changed()
        return rule

    async def change_rule(self, rule_id: int, select: str, limits: LadderSettings) -> Rule:
        """Raises `BadSelection` or `RuleNotFound`."""
        rule = Rule(rule_id, checked_selection(select), _without_maintenance(limits))
        async with self._database.transaction() as db:
            await store.update_rule(db, rule)
            await record(db, "watchdog rule changed", rigs_text(rule.select), _description(rule.limits))
        self._changed()
        return rule

    async def remove_rule(self, rule_id: int) -> None:
        """Raises `RuleNotFound`."""
        async with self._database.transaction() as db:
            rule = await store.get_rule(db, rule_id)
            await store.remove_rule(db, rule_id)
            await record(db, "watchdog rule removed", rigs_text(rule.select))
        self._changed()

    async def events_of(self, rig_id: int, most: int) -> list[tuple[datetime, LadderEvent]]:
        """Returns a rig's events, newest first. Raises `RigNotFound`."""
        async with self._database.reading() as db:
            await get_rig(db, RigKind.CPU_GPU, rig_id)
            return await store.newest_events(db, rig_id, most)

    async def newest_acts(self, most: int) -> list[ActOfRig]:
        """Returns the acts of all rigs, newest first."""
        async with self._database.reading() as db:
            return await store.newest_acts(db, most)


async def take_events(database: Database, rig_id: int, events: Sequence[LadderEvent]) -> None:
    """Stores what a rig did by itself, each event once, with its entry in the audit log.

    If a rig has too many events, the oldest are deleted, and only some of an hour stand in the audit log.
    The time is the commander's, less the age of the event: the rig's own clock may be wrong.
    """
    now = await database.now()
    async with database.transaction() as db:
        rig = await get_rig(db, RigKind.CPU_GPU, rig_id)
        for event in events:
            at = now - timedelta(seconds=min(event.age_s or 0, _OLDEST_S))
            if await store.add_event(db, rig_id, event, at):
                await record_some(db, WORDS[event.act], rig.name, event.reason, actor=WATCHDOG, at=at)
        await store.delete_oldest_events(db, rig_id)


def checked_selection(select: str) -> str:
    """Raises `BadSelection`."""
    selection = parse(select)
    compiled(selection, RigKind.CPU_GPU)
    return selection.line


def _without_maintenance(limits: LadderSettings) -> LadderSettings:
    return replace(limits, maintenance_s=None)


def rigs_text(line: str) -> str:
    """Returns a selection in words."""
    return line or "all CPU/GPU rigs"


def _description(limits: LadderSettings) -> str:
    restarts = "restarts playbooks" if limits.restarts else "restarts nothing"
    reboots = "may reboot" if limits.reboots else "may not reboot"
    return f"The watchdog {restarts} and {reboots}."
