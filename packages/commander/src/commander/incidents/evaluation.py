"""Evaluates the alert rules over the operational index, and returns the conditions that have changed.

Only rigs that reported or have a condition are looked at; silence is checked for all. Nothing is written here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from commander.alert_rules.domain import AlertRule, RuleLimits, RuleName
from commander.alert_rules.judging import Judgement, sensor_of
from commander.alert_rules.learning import is_old
from commander.alert_rules.levels import Level
from commander.alert_rules.rulebook import SILENT_AFTER_S, Basis, RulesOfRig
from commander.alert_rules.source import AlertRules
from commander.alert_rules.view import NO_USUAL, JudgedRig, RigMemory, Usual
from commander.incidents.conditions import Answer, Changes, CurrentConditions, KeyOfRig, OfRig
from commander.incidents.domain import COMMANDER, Condition, ConditionKey, Hold, Phase, kept_device
from commander.live.rig_state import RigState
from commander.live.rigs import LiveRigs, Lives
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind

UNKNOWN_FOR_S = 120.0  # after that, a wait begins again
SHORT_OUTAGE = timedelta(minutes=1)
OF_COMMANDER = (COMMANDER, 0)
OF_SILENT = frozenset({RuleName.OFFLINE, RuleName.TWO_SENTRIES, RuleName.CLOCK, RuleName.SPOOL})
NO_RULES: frozenset[str] = frozenset()
BAD = frozenset({Level.WARNING, Level.CRITICAL})

Found = dict[tuple[str, str], tuple[Judgement, RuleLimits]]


class Evaluation:
    """The current conditions, and values of earlier logs. `gave_up` has the reasons of watchdogs by rig."""

    def __init__(self, lives: Lives, rules: AlertRules) -> None:
        self.current = CurrentConditions()
        self.usual: dict[KeyOfRig, Usual] = {}
        self.gave_up: Mapping[int, str] = {}
        self.receives_nothing = False  # the commander itself: then no rig counts as offline
        self._lives = lives
        self._rules = rules
        self._memories: dict[KeyOfRig, RigMemory] = {}
        self._rules_number = -1
        self._listening_since_s: float | None = None

    def load(self, conditions: Iterable[Condition]) -> None:
        """Takes the conditions from the database. All rigs are looked at in the next round."""
        self.current.load(conditions)
        for memory in self._memories.values():
            memory.judged_at = -1

    def round(self, now: datetime, now_s: float) -> Changes:
        """Looks at all rigs that may have changed. `now_s` is monotonic seconds."""
        changes = Changes()
        has_new_rules = self._rules.number != self._rules_number
        self._rules_number = self._rules.number
        for live in self._lives.values():
            self._round_of(live, changes, now, now_s, all_rigs=has_new_rules)
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

    def _round_of(self, live: LiveRigs, changes: Changes, now: datetime, now_s: float, *, all_rigs: bool) -> None:
        book, listening_s, kind = self._rules.books[live.kind], self.listening_s(now, now_s), str(live.kind)
        for state in live.index.rigs.values():
            key = (kind, state.id)
            memory = self._memories.get(key)
            if memory is None:
                memory = self._memories[key] = RigMemory()
            current, silence_s = self.current.of_rig(key), live.silence_s(state, now_s)
            has_changed = state.changed_at != memory.judged_at
            if not (has_changed or all_rigs or _is_due(current, silence_s >= book.shortest_silence_s, now)):
                continue
            view = JudgedRig(
                live.kind,
                state,
                memory,
                silence_s=silence_s,
                listening_s=listening_s,
                now=now,
                now_s=now_s,
                usual=self._usual_of(key, state),
                gave_up=self.gave_up.get(state.id, "") if live.kind is RigKind.CPU_GPU else "",
                is_full=bool(current),
            )
            self._look_at(view, book.of(state), current, changes, has_changed=has_changed)
            memory.judged_at = state.changed_at

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
            _begin_waits_again(view, current, rules)
        for (rule, device), (judgement, limits) in self._found(view, rules, current, is_known=is_known).items():
            answer = Answer(judgement.level, judgement.value, hold_of(limits), _began_at(rule, view))
            key = ConditionKey(str(view.kind), view.state.id, rule, device)
            self.current.move(key, view.state.name, answer, changes, view.now)
        if current:
            self._end_without_rule(view, current, rules, changes)

    def _found(self, view: JudgedRig, rules: RulesOfRig, current: OfRig, *, is_known: bool) -> Found:
        """Returns the answers that may change a condition."""
        found: Found = {}
        has_basis = self._bases(view, is_known=is_known)
        concerned = {rule for rule, _ in current} if current else NO_RULES
        for rule, limits, judge, basis in rules.in_force:
            if not (has_basis[basis] or (rule in concerned and (is_known or basis <= Basis.FLAGS))):
                continue
            for judgement in judge(view, limits):
                device = kept_device(judgement.device)
                if judgement.level in BAD or (rule in concerned and (rule, device) in current):
                    found[rule, device] = judgement, limits
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

    def _drop_removed(self, changes: Changes, now: datetime) -> None:
        rigs = {str(kind): live.index.rigs for kind, live in self._lives.items()}
        for key in [key for key in self._memories if key[1] not in rigs[key[0]]]:
            del self._memories[key]
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


def _is_due(current: OfRig, is_silent: bool, now: datetime) -> bool:
    """Returns whether time alone may change a rig's conditions: it is silent, or the wait of a condition is over."""
    if is_silent:
        offline = current.get((RuleName.OFFLINE, ""))
        if offline is None or offline.phase is not Phase.FIRING:
            return True
    return bool(current) and any(each.due_at is not None and each.due_at <= now for each in current.values())


def hold_of(limits: RuleLimits) -> Hold:
    return Hold(timedelta(seconds=limits.for_s), timedelta(seconds=limits.clear_for_s))


def _begin_waits_again(view: JudgedRig, current: OfRig, rules: RulesOfRig) -> None:
    """Starts the waits of a rig's conditions again if nothing was known of the rig for a while.

    A restart of the commander does not start them again.
    """
    memory = view.memory
    known_s, memory.known_s = memory.known_s, view.now_s
    if not current or known_s is None or view.now_s - known_s <= UNKNOWN_FOR_S:
        return
    for (rule, _), condition in current.items():
        limits = rules.limits.get(rule)
        if limits is not None and condition.due_at is not None and rule not in OF_SILENT:
            hold = hold_of(limits)
            condition.due_at = view.now + (hold.begin if condition.phase is Phase.PENDING else hold.clear)


def _began_at(rule: str, view: JudgedRig) -> datetime:
    """Returns since when a rule is broken: a silent rig since its last report."""
    reported_at = view.state.reported_at
    return min(reported_at, view.now) if rule == RuleName.OFFLINE and reported_at is not None else view.now
