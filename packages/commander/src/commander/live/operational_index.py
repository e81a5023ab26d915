"""The operational index: every rig's latest log and health, and the farm's totals, in memory.

It is fed log by log and asked by pages; a change costs the same however many rigs there are. Every change gets a
number (`now_at`), and every rig remembers the number of its last one: what a page has missed since it was rendered is
read from the state itself, so there is no backlog to keep, to bound or to lose.
"""

import heapq
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from commander.live.playbooks import PlaybookNow
from commander.live.rig_state import (
    Health,
    OpenCondition,
    RigState,
    has_new_share,
    health_after,
    last_status_at,
    note_works,
    update_faults,
)
from commander.live.totals import Totals
from commander.readings.summary import RigSummary, is_same_but_metrics
from commander.readings.traits import hardware_of

REMOVED_NAMES_KEPT = 1_000


class OperationalIndex:
    """All rigs of one kind. Time comes in as an argument: `now_s` is monotonic seconds."""

    def __init__(self, *, stale_after_s: float, offline_after_s: float) -> None:
        self.rigs: dict[int, RigState] = {}
        self.totals = Totals()
        self.now_at = 0
        self.shape_changed_at = 0  # a rig came, went, was renamed, changed its health, or is faulty since or no longer
        self.renamed_at = 0
        self.removed_names: dict[int, str] = {}  # for pages whose socket opens just after the removal
        self._stale_after_s = stale_after_s
        self._offline_after_s = offline_after_s
        self.on_change: Callable[[RigState, bool], None] = lambda state, only_metrics: None
        self.on_remove: Callable[[int], None] = lambda rig_id: None
        self.unapproved: set[int] = set()
        self.approval_changed_at = 0  # a rig that waits for approval came, went, was renamed or was approved
        self.on_approval: Callable[[int], None] = lambda rig_id: None
        self.on_tags: Callable[[], None] = lambda: None
        self.on_tick: Callable[[float], None] = lambda now_s: None
        self._checks: list[tuple[float, int]] = []  # (due, rig id): one entry for each rig that is not silent yet

    def add(
        self,
        rig_id: int,
        name: str,
        specs: bytes | None = None,
        *,
        added_at: datetime | None = None,
        approved: bool = True,
    ) -> RigState:
        state = self.rigs[rig_id] = RigState(rig_id, name, specs, added_at=added_at, connected=specs is not None)
        state.hardware = hardware_of(specs)
        state.approved = approved
        if not approved:
            self.unapproved.add(rig_id)
        self._changed(state, shape=True)
        self._note_approval(rig_id)
        return state

    def approve(self, rig_id: int) -> None:
        state = self.rigs.get(rig_id)
        if state and not state.approved:
            state.approved = True
            self._changed(state, shape=True)
            self._note_approval(rig_id)
            self.unapproved.discard(rig_id)
            self.on_approval(rig_id)

    def _note_approval(self, rig_id: int) -> None:
        if rig_id in self.unapproved:
            self.approval_changed_at = self.now_at

    def rename(self, rig_id: int, name: str) -> None:
        if state := self.rigs.get(rig_id):
            state.name = name
            self._changed(state, shape=True)
            state.renamed_at = self.renamed_at = self.now_at
            self._note_approval(rig_id)

    def remove(self, rig_id: int) -> None:
        if state := self.rigs.pop(rig_id, None):
            self.removed_names[rig_id] = state.name
            if len(self.removed_names) > REMOVED_NAMES_KEPT:
                del self.removed_names[next(iter(self.removed_names))]
            self._count(state, None)
            self.now_at += 1
            self.shape_changed_at = self.now_at
            self._note_approval(rig_id)
            self.unapproved.discard(rig_id)
            self.on_remove(rig_id)
            if state.tags:
                self.on_tags()

    def reordered(self) -> int:
        """Somebody sees the rigs in a new order: pages that have seen less have seen another. Returns the number."""
        self.now_at += 1
        return self.now_at

    def set_tags(self, rig_id: int, tags: tuple[str, ...]) -> None:
        state = self.rigs.get(rig_id)
        if state and state.tags != tags:
            state.tags = tags
            self._changed(state)
            self.on_tags()

    def set_specs(self, rig_id: int, specs: bytes) -> None:
        if state := self.rigs.get(rig_id):
            state.specs, state.hardware, state.connected = specs, hardware_of(specs), True
            self._update_faults(state)

    def set_installed(self, rig_id: int) -> None:
        state = self.rigs.get(rig_id)
        if state and not state.installed:
            state.installed = True
            self.touch_page(rig_id)

    def set_connected(self, rig_id: int) -> None:
        state = self.rigs.get(rig_id)
        if state and not state.connected:
            state.connected = True
            self.touch_page(rig_id)

    def replace_token(self, rig_id: int) -> None:
        """Notes that no sentry has used the newest token yet."""
        if state := self.rigs.get(rig_id):
            state.installed = state.connected = state.reported = False
            self.touch_page(rig_id)

    def set_two_sentries(self, rig_id: int, seen: bool, *, at: datetime) -> None:
        state = self.rigs.get(rig_id)
        if state and state.two_sentries != seen:
            state.two_sentries, state.two_sentries_since = seen, at if seen else None
            self._changed(state)

    def set_wrong_clock(self, rig_id: int, seen: bool, *, at: datetime) -> None:
        state = self.rigs.get(rig_id)
        if state and state.wrong_clock != seen:
            state.wrong_clock, state.wrong_clock_since = seen, at if seen else None
            self._changed(state)

    def set_conditions(self, rig_id: int, conditions: tuple[OpenCondition, ...]) -> None:
        """Notes the alert rules that a rig breaks, worst first."""
        state = self.rigs.get(rig_id)
        if state and state.conditions != conditions:
            state.conditions = conditions
            self._changed(state)

    def set_playbooks(self, rig_id: int, playbooks: list[PlaybookNow]) -> None:
        if state := self.rigs.get(rig_id):
            is_first, state.playbooks = not state.playbooks, playbooks
            self._update_faults(state, older=("wallet",) if is_first else ())  # the log is from before
            state.playbooks_changed_at = self.now_at

    def set_refusal(self, rig_id: int, reason: str) -> None:
        """Stores why the rig's sentry refuses its playbooks; an empty text: it refuses nothing."""
        if (state := self.rigs.get(rig_id)) and state.playbooks_refused != reason:
            state.playbooks_refused = reason
            self._update_faults(state)

    def touch(self, rig_id: int) -> None:
        """Something of the rig has changed in place."""
        if state := self.rigs.get(rig_id):
            self._update_faults(state)

    def touch_page(self, rig_id: int) -> None:
        """Something has changed that the index page does not show."""
        if state := self.rigs.get(rig_id):
            self.now_at += 1
            state.page_changed_at = self.now_at

    def report(
        self,
        rig_id: int,
        log: bytes,
        summary: RigSummary,
        *,
        taken_at: datetime,
        reported_at: datetime,
        now_s: float,
        is_restored: bool = False,
    ) -> bool:
        """Takes in a stored log; False if it is not the rig's newest (a late one corrects history only).

        Faults begin with the log that shows them first; of a restored log it is not known whether it was the first.
        """
        state = self.rigs.get(rig_id)
        if state is None:
            return False
        newest = state.taken_at is None or taken_at > state.taken_at
        was_faulty, moved = bool(state.faults), False
        began_at = None if is_restored else taken_at
        before = state.summary
        if newest:
            state.latest, state.taken_at, state.summary = log, taken_at, summary
            if has_new_share(before, summary):
                state.share_at = taken_at
            moved = update_faults(state, began_at)
            note_works(state, now_s)
        if now_s >= state.reported_s:  # a log that waited in the queue may have come before the newest report
            state.reported_at, state.reported_s = reported_at, now_s
        awoke = state.health is not Health.ONLINE
        state.health = Health.ONLINE
        state.connected = state.reported = True
        self._count(state, state.summary)
        only_metrics = not awoke and not moved and is_same_but_metrics(before, state.summary)
        self._changed(state, shape=awoke or bool(state.faults) is not was_faulty, only_metrics=only_metrics)
        if not state.check_due:
            self._check_later(state, now_s + self._stale_after_s)
        return newest

    def restore(
        self, rig_id: int, log: bytes, summary: RigSummary, *, taken_at: datetime, now: datetime, now_s: float
    ) -> None:
        """Takes a log from the database, as `report` took it once: the rig counts as seen when the log was taken."""
        reported_at = min(taken_at, now)
        reported_s = now_s - (now - reported_at) / timedelta(seconds=1)
        self.report(
            rig_id, log, summary, taken_at=taken_at, reported_at=reported_at, now_s=reported_s, is_restored=True
        )

    def restore_silent(self, rig_id: int, *, reported_at: datetime) -> None:
        """The rig reported once, but its newest log is no longer kept."""
        if state := self.rigs.get(rig_id):
            state.health, state.reported_at = Health.OFFLINE, reported_at
            self._changed(state, shape=True)

    def check_health(self, now_s: float) -> list[RigState]:
        """Mark who has gone silent; returns the rigs whose health changed. Looks only at those that are due."""
        self.on_tick(now_s)
        moved = []
        while self._checks and self._checks[0][0] <= now_s:
            _, rig_id = heapq.heappop(self._checks)
            if (state := self.rigs.get(rig_id)) and self._recheck(state, now_s):
                moved.append(state)
        return moved

    def _recheck(self, state: RigState, now_s: float) -> bool:
        before = state.health
        state.check_due = False
        state.health = health_after(
            now_s - state.reported_s, stale_after_s=self._stale_after_s, offline_after_s=self._offline_after_s
        )
        if state.health is Health.ONLINE:
            self._check_later(state, state.reported_s + self._stale_after_s)
        elif state.health is Health.STALE:
            self._check_later(state, state.reported_s + self._offline_after_s)
        else:
            self._count(state, None)
        if state.health is before:
            return False
        self._changed(state, shape=True)
        return True

    def _check_later(self, state: RigState, due_s: float) -> None:
        state.check_due = True
        heapq.heappush(self._checks, (due_s, state.id))

    def _count(self, state: RigState, summary: RigSummary | None) -> None:
        if state.counted is not summary:
            self.totals.change(state.counted, summary)
            state.counted = summary

    def _update_faults(self, state: RigState, *, older: Collection[str] = ()) -> None:
        """Takes in a change of what the rig is, or of what it has to mine."""
        was_faulty = bool(state.faults)
        update_faults(state, last_status_at(state), older=older)
        self._changed(state, shape=bool(state.faults) is not was_faulty)

    def _changed(self, state: RigState, *, shape: bool = False, only_metrics: bool = False) -> None:
        self.now_at += 1
        state.changed_at = self.now_at
        if shape:
            self.shape_changed_at = self.now_at
        if not only_metrics:
            state.search_text = None
        self.on_change(state, only_metrics)
