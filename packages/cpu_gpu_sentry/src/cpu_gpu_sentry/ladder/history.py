"""The ladder's memory: what it saw since when, and what it has done. It is stored as it is.

All moments are seconds of the rig's own clock (`rig_clock`), which can't be set and which goes on over reboots.
"""

import msgspec
from msgspec.structs import replace

from cpu_gpu_sentry.ladder.steps import (
    RIG,
    GiveUp,
    MarkLost,
    Reboot,
    RestartPlaybook,
    ResumeCool,
    Step,
    StopForGood,
    StopHot,
)

DAY_S = 86_400.0


class RestartNote(msgspec.Struct, frozen=True):
    playbook_id: str
    at_s: float


class RebootNote(msgspec.Struct, frozen=True):
    """`boot_id` is that of the boot that it was to end."""

    at_s: float
    boot_id: str | None
    device: str | None = None


class HotStop(msgspec.Struct, frozen=True):
    sensor_key: str
    at_s: float


class Hold(msgspec.Struct, frozen=True):
    """A playbook that the ladder has stopped at `at_s`. Without `resume_at_c` only a person starts it again."""

    playbook_id: str
    device: str
    sensor_key: str
    resume_at_c: float | None
    at_s: float = 0.0


class GaveUp(msgspec.Struct, frozen=True):
    subject: str
    at_s: float
    reason: str


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a restart of the sentry, or of the rig, must not forget."""

    slow_since_s: dict[str, float] = msgspec.field(default_factory=dict)
    good_since_s: dict[str, float] = msgspec.field(default_factory=dict)
    hot_since_s: dict[str, float] = msgspec.field(default_factory=dict)
    gone_since_s: dict[str, float] = msgspec.field(default_factory=dict)
    restarts: tuple[RestartNote, ...] = ()
    reboots: tuple[RebootNote, ...] = ()
    hot_stops: tuple[HotStop, ...] = ()
    holds: tuple[Hold, ...] = ()
    lost_cards: tuple[str, ...] = ()
    gave_up: tuple[GaveUp, ...] = ()
    maintenance_until_s: float | None = None
    stopped_by_person: bool = False

    def in_maintenance(self, now_s: float) -> bool:
        return self.maintenance_until_s is not None and now_s < self.maintenance_until_s

    def has_given_up(self, subject: str) -> bool:
        return any(each.subject == subject for each in self.gave_up)

    def reboots_in_a_day(self, now_s: float) -> int:
        return sum(1 for each in self.reboots if now_s - each.at_s < DAY_S)

    def rebooted_for(self, device: str, now_s: float) -> bool:
        """Returns whether the rig was rebooted because of this card within 24 h."""
        return any(each.device == device and now_s - each.at_s < DAY_S for each in self.reboots)

    def is_held(self, playbook_id: str) -> bool:
        return any(each.playbook_id == playbook_id for each in self.holds)


def noted(step: Step, history: History, boot_id: str | None, now_s: float) -> History:
    """Returns the history with the step in it. It is stored before the step is carried out."""
    match step:
        case RestartPlaybook(playbook_id=name):
            since = without(history.slow_since_s, name)
            return replace(history, restarts=(*history.restarts, RestartNote(name, now_s)), slow_since_s=since)
        case Reboot(device=device):
            reboots = (*history.reboots, RebootNote(now_s, boot_id, device))
            return replace(history, reboots=reboots, restarts=(), slow_since_s={})
        case MarkLost(device=device):
            return replace(history, lost_cards=(*history.lost_cards, device))
        case StopHot() | StopForGood():
            return _noted_stop(step, history, now_s)
        case ResumeCool(playbook_ids=names):
            return replace(history, holds=tuple(each for each in history.holds if each.playbook_id not in names))
        case GiveUp(subject=subject, reason=reason):
            return replace(history, gave_up=(*history.gave_up, GaveUp(subject, now_s, reason)))


def _noted_stop(step: StopHot | StopForGood, history: History, now_s: float) -> History:
    resume_at_c = step.resume_at_c if isinstance(step, StopHot) else None
    holds = [Hold(name, step.device, step.sensor_key, resume_at_c, now_s) for name in step.playbook_ids]
    others = [each for each in history.holds if each.playbook_id not in step.playbook_ids]
    stops = (*history.hot_stops, HotStop(step.sensor_key, now_s))
    since = without(history.hot_since_s, step.sensor_key)
    after = replace(history, holds=(*others, *holds), hot_stops=stops, hot_since_s=since)
    if isinstance(step, StopHot):
        return after
    gave_up = tuple(GaveUp(name, now_s, step.reason) for name in step.playbook_ids)
    return replace(after, gave_up=(*history.gave_up, *gave_up))


def started_by_person(history: History) -> History:
    """Returns the history after a person has started mining: what the ladder had given up is tried again."""
    return replace(history, stopped_by_person=False, holds=(), hot_stops=(), gave_up=(), restarts=(), slow_since_s={})


def restarted_by_person(history: History, playbook_id: str) -> History:
    """Returns the history after a person has restarted one playbook."""
    return replace(
        history,
        gave_up=tuple(each for each in history.gave_up if each.subject not in (playbook_id, RIG)),
        restarts=tuple(each for each in history.restarts if each.playbook_id != playbook_id),
        slow_since_s=without(history.slow_since_s, playbook_id),
    )


def limits_changed(history: History) -> History:
    """Returns the history after a person has set other limits: what those may help is tried again, heat aside."""
    too_hot = {each.playbook_id for each in history.holds if each.resume_at_c is None}
    gave_up = tuple(each for each in history.gave_up if each.subject in too_hot)
    return replace(history, gave_up=gave_up, lost_cards=(), restarts=(), slow_since_s={})


def without(since_s: dict[str, float], key: str) -> dict[str, float]:
    return {each: at_s for each, at_s in since_s.items() if each != key}
