"""Evaluates the alert rules over the operational index, and returns the conditions that have changed.

Only rigs that changed, are silent, or have a condition that is due are looked at. Nothing is written here.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from commander.alert_rules.devices import expected_devices
from commander.alert_rules.domain import AlertRule, RuleLimits, RuleName
from commander.alert_rules.judgement import Judgement
from commander.alert_rules.judging import sensor_of
from commander.alert_rules.learning import is_old
from commander.alert_rules.levels import Level
from commander.alert_rules.rulebook import SILENT_AFTER_S, Basis, Rulebook, RulesOfRig
from commander.alert_rules.source import AlertRules
from commander.alert_rules.view import NO_USUAL, JudgedRig, RigMemory, Usual
from commander.incidents.conditions import Answer, Changes, CurrentConditions, KeyOfRig, OfRig
from commander.incidents.domain import COMMANDER, Condition, ConditionKey, Phase, kept_device
from commander.incidents.failing_rules import FailingRules
from commander.incidents.waits import began_at, begin_waits_again, hold_of
from commander.live.rig_state import RigState
from commander.live.rigs import LiveRigs, Lives
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind
from commander.watchdog.domain import GivenUp

SHORT_OUTAGE = timedelta(minutes=1)
MINES_AFTER = timedelta(minutes=1)  # the log that shows it must not be from before the watchdog gave up
RIGS_AT_A_TIME = 50  # then requests of people and sentries have their turn
OF_COMMANDER = (COMMANDER, 0)
NO_RULES: frozenset[str] = frozenset()
BAD = frozenset({Level.WARNING, Level.CRITICAL})

Found = dict[tuple[str, str], tuple[Judgement, RuleLimits]]


class Evaluation:
    """The current conditions, and values of earlier logs.

    `gave_up` are the CPU/GPU rigs whose watchdog has given up, and `mine_again` those of them that mine since then.
    """

    def __init__(self, lives: Lives, rules: AlertRules) -> None:
        self.current = CurrentConditions()
        self.usual: dict[KeyOfRig, Usual] = {}
        self.gave_up: Mapping[int, GivenUp] = {}
        self.mine_again: dict[int, datetime] = {}  # with when the watchdog gave up
        self.receives_nothing = False  # the commander itself: then no rig counts as offline
        self.failing = FailingRules()
        self._lives = lives
        self._rules = rules
        self._memories: dict[RigKind, dict[int, RigMemory]] = {kind: {} for kind in lives}
        self._seen_at: dict[RigKind, int] = dict.fromkeys(lives, -1)  # the index's newest change in the last round
        self._rules_number = -1
        self._listening_since_s: float | None = None

    def load(self, conditions: Iterable[Condition], ended: Iterable[Condition] = ()) -> None:
        """Takes the conditions from the database. All rigs are looked at in the next round."""
        self.current.load(conditions, ended)
        self._seen_at = dict.fromkeys(self._lives, -1)

    async def round(self, now: datetime, now_s: float) -> Changes:
        """Looks at all rigs that may have changed. `now_s` is monotonic seconds."""
        changes = Changes()
        has_new_rules = self._rules.number != self._rules_number
        self._rules_number = self._rules.number
        self.current.forget_ended(now)
        self.failing.begin_round(self._rules.all, now, now_s)
        for rule_id, reason in self._rules.unreadable.items():
            self.failing.note_unreadable(rule_id, reason)
        for live in self._lives.values():
            await self._round_of(live, changes, now, now_s, all_rigs=has_new_rules)
        self._drop_removed(changes, now)
        return changes

    def listening_s(self, now: datetime, now_s: float) -> float:
        """Returns for how long the commander could receive reports; endless if it was down for less than a minute."""
        if self._listening_since_s is None:
            self._listening_since_s = self._listens_since(now, now_s)
        return now_s - self._listening_since_s

    def _listens_since(self, now: datetime, now_s: float) -> float:
        states = (state for live in self._lives.values() for state in live.index.rigs.values())
        newest_at = max((state.reported_at for state in states if state.reported_at is not None), default=None)
        was_short = newest_at is not None and now - newest_at <= SHORT_OUTAGE
        return float("-inf") if was_short else now_s

    async def _round_of(self, live: LiveRigs, changes: Changes, now: datetime, now_s: float, *, all_rigs: bool) -> None:
        """Looks at the rigs of one kind, some at a time."""
        book, kind, memories = self._rules.books[live.kind], str(live.kind), self._memories[live.kind]
        listening_s, seen_at = self.listening_s(now, now_s), self._seen_at[live.kind]
        self._seen_at[live.kind] = live.index.now_at
        chosen = list(live.index.rigs.values()) if all_rigs else self._to_look_at(live, book, seen_at, now, now_s)
        for number, state in enumerate(chosen, start=1):
            key = (kind, state.id)
            if (memory := memories.get(state.id)) is None:
                memory = memories[state.id] = RigMemory()
            current = self.current.of_rig(key)
            view = JudgedRig(
                live.kind,
                state,
                memory,
                silence_s=live.silence_s(state, now_s),
                listening_s=listening_s,
                now=now,
                now_s=now_s,
                usual=self._usual_of(key, state),
                gave_up=self._reason_to_give_up(live.kind, state),
                is_full=bool(current),
            )
            rules = book.of(state, self.failing.note)
            self._look_at(view, rules, current, changes, has_changed=state.changed_at > seen_at)
            if number % RIGS_AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _to_look_at(self, live: LiveRigs, book: Rulebook, seen_at: int, now: datetime, now_s: float) -> list[RigState]:
        """Returns the rigs that changed, that have just become silent, and those with a condition that is due."""
        rigs, kind = live.index.rigs, str(live.kind)
        chosen = {state.id: state for state in rigs.values() if state.changed_at > seen_at}
        if not self.receives_nothing:
            for state in live.silent(now_s, book.shortest_silence_s):
                offline = self.current.of_rig((kind, state.id)).get((RuleName.OFFLINE, ""))
                if offline is None or offline.phase is not Phase.FIRING:
                    chosen[state.id] = state
        for key in self.current.due(now):
            if key[0] == kind and key[1] in rigs:
                chosen[key[1]] = rigs[key[1]]
        return list(chosen.values())

    def _reason_to_give_up(self, kind: RigKind, state: RigState) -> str:
        given_up = self.gave_up.get(state.id) if kind is RigKind.CPU_GPU else None
        return given_up.reason if given_up else ""

    def _usual_of(self, key: KeyOfRig, state: RigState) -> Usual:
        usual = self.usual.get(key, NO_USUAL)
        return NO_USUAL if state.playbooks and is_old(usual, state) else usual

    def _look_at(
        self, view: JudgedRig, rules: RulesOfRig, current: OfRig, changes: Changes, *, has_changed: bool
    ) -> None:
        if has_changed:
            view.remember()
        is_known = view.silence_s <= SILENT_AFTER_S and view.state.latest is not None and not view.is_late
        if is_known:
            begin_waits_again(view, current, rules)
        for (rule, device), (judgement, limits) in self._found(view, rules, current, is_known=is_known).items():
            answer = Answer(judgement.level, judgement.value, hold_of(limits), began_at(rule, view))
            key = ConditionKey(str(view.kind), view.state.id, rule, device)
            self.current.move(key, view.state.name, answer, changes, view.now)
        if view.gave_up and is_known:
            self._note_mining(view)
        if current:
            self._end_without_rule(view, current, rules, changes)
            if is_known and has_changed:
                self._end_without_device(view, current, changes)

    def _found(self, view: JudgedRig, rules: RulesOfRig, current: OfRig, *, is_known: bool) -> Found:
        """Returns the answers that may change a condition. A rule whose evaluation fails gives no answer."""
        found: Found = {}
        has_basis = self._bases(view, is_known=is_known)
        concerned = {rule for rule, _ in current} if current else NO_RULES
        for rule_id, rule, limits, judge, basis in rules.in_force:
            if not (has_basis[basis] or (rule in concerned and (is_known or basis <= Basis.FLAGS))):
                continue
            try:
                for judgement in judge(view, limits):
                    is_bad = judgement.level in BAD
                    if is_bad or rule in concerned:
                        device = kept_device(judgement.device)
                        if is_bad or (rule, device) in current:
                            found[rule, device] = judgement, limits
            except Exception as error:  # noqa: BLE001 - the other rules and rigs must not wait for this one
                self.failing.note(rule_id, view.state.name, error)
        if self.receives_nothing:
            found.pop((RuleName.OFFLINE, ""), None)
        return found

    def _bases(self, view: JudgedRig, *, is_known: bool) -> tuple[bool, ...]:
        """Returns for each `Basis` whether a rule may be broken by it."""
        state = view.state
        return (
            view.silence_s >= self._rules.books[view.kind].shortest_silence_s,
            state.two_sentries or state.wrong_clock or view.memory.is_flagged,
            bool(view.gave_up) and is_known,
            bool(state.faults) and is_known,
            is_known,
        )

    def _end_without_rule(self, view: JudgedRig, current: OfRig, rules: RulesOfRig, changes: Changes) -> None:
        """Ends the conditions whose rule was switched off, or does not match the rig any more."""
        without = [
            condition
            for (rule, device), condition in current.items()
            if (rule, None) not in rules.slots and (rule, sensor_of(rule, view.kind, device)) not in rules.slots
        ]
        for condition in without:
            self.current.end(condition, changes, view.now)

    def _note_mining(self, view: JudgedRig) -> None:
        """Notes a rig that mines again after its watchdog gave it up. Its newest log may be from before."""
        given_up_at, reported_at = self.gave_up[view.state.id].at, view.state.reported_at
        has_condition = (RuleName.WATCHDOG_GAVE_UP, "") in self.current.of_rig(view.key)
        is_later = reported_at is not None and reported_at - given_up_at >= MINES_AFTER
        if is_later and view.mines_as_usual and not has_condition:
            self.mine_again[view.state.id] = given_up_at

    def _end_without_device(self, view: JudgedRig, current: OfRig, changes: Changes) -> None:
        """Ends the conditions of devices that were taken out of the rig: nothing will be known of them any more."""
        expected = {rule: expected_devices(view, rule) for rule, _ in current}
        for (rule, device), condition in list(current.items()):
            devices = expected[rule]
            if devices is not None and device not in {kept_device(name) for name in devices.names}:
                self.current.end(condition, changes, view.now, why=devices.why_gone)

    def _drop_removed(self, changes: Changes, now: datetime) -> None:
        rigs = {str(kind): live.index.rigs for kind, live in self._lives.items()}
        for kind, memories in self._memories.items():
            for rig_id in memories.keys() - rigs[str(kind)].keys():
                del memories[rig_id]
        for key in self.current.rigs():
            if key[0] != COMMANDER and key[1] not in rigs[key[0]]:
                for condition in list(self.current.of_rig(key).values()):
                    self.current.end(condition, changes, now)

    def note_commander_problems(
        self, problems: Mapping[str, str], rule: AlertRule | None, changes: Changes, now: datetime
    ) -> None:
        """Takes the problems of the commander itself, as sentences by the name of the check. No `rule`: it is off."""
        current = dict(self.current.of_rig(OF_COMMANDER))
        if rule is None:
            for condition in current.values():
                self.current.end(condition, changes, now)
            return
        level = Level.CRITICAL if rule.limits.severity is Severity.CRITICAL else Level.WARNING
        for name in sorted({*problems, *(device for _, device in current)}):
            key = ConditionKey(*OF_COMMANDER, RuleName.COMMANDER, name)
            text = problems.get(name, "")
            answer = Answer(level if text else Level.GOOD, text, hold_of(rule.limits), now)
            self.current.move(key, COMMANDER, answer, changes, now)
