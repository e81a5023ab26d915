"""One rig as of now, as the operational index has it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from commander.live.faults import Since, faults_now, since
from commander.live.playbooks import PlaybookNow
from commander.readings.faults import Fault
from commander.readings.severity import Severity
from commander.readings.summary import NO_SUMMARY, WORKS_OF_A_RIG, RigSummary, Work
from commander.readings.traits import NO_HARDWARE, RigHardware

WORKS_SEEN_S = 3_600


class Health(StrEnum):
    """The health of a rig; `waiting` for its sentry means that it has never reported."""

    WAITING = "waiting"
    ONLINE = "online"
    STALE = "stale"
    OFFLINE = "offline"


def health_after(silence_s: float, *, stale_after_s: float, offline_after_s: float) -> Health:
    """Returns the health of a rig whose last report came `silence_s` ago."""
    if silence_s < stale_after_s:
        return Health.ONLINE
    return Health.STALE if silence_s < offline_after_s else Health.OFFLINE


class OpenCondition(NamedTuple):
    """An alert rule that the rig breaks for longer than the rule allows; `text` is for people."""

    rule: str
    severity: Severity
    text: str
    since: datetime


@dataclass(slots=True)
class RigState:
    """One rig as of now. `latest` and `specs` are the JSON of their messages: decoded, they would cost ten times more.

    `reported_s` is the moment of the last report on the monotonic clock, `reported_at` the same moment for people.
    `changed_at` numbers the last change, `page_changed_at` the last one that only the rig's own pages show,
    `playbooks_changed_at` the last one of what the rig is to mine, `renamed_at` the last change of its name.
    `share_at` is the time of the newest log with more accepted shares than the one before; unknown until one comes.
    `search_text` holds all words by which people find the rig; the first search after a change makes it.
    """

    id: int
    name: str
    specs: bytes | None = None
    hardware: RigHardware = NO_HARDWARE
    tags: tuple[str, ...] = ()
    search_text: str | None = None
    added_at: datetime | None = None
    approved: bool = True  # otherwise it reports, and gets no playbooks and no commands
    health: Health = Health.WAITING
    latest: bytes | None = None
    taken_at: datetime | None = None
    summary: RigSummary = NO_SUMMARY
    share_at: datetime | None = None
    faults: tuple[Fault, ...] = ()
    faults_since: Since = field(default_factory=dict)
    conditions: tuple[OpenCondition, ...] = ()
    reported_at: datetime | None = None
    reported_s: float = float("-inf")
    two_sentries: bool = False
    two_sentries_since: datetime | None = None
    works_seen: set[Work] = field(default_factory=set)  # since `works_since_s`, for an hour
    works_since_s: float = float("-inf")
    too_many_works: bool = False  # too many: some are “other”
    wrong_clock: bool = False  # its newest logs were refused for their time
    wrong_clock_since: datetime | None = None
    installed: bool = False  # the line with the newest token has installed a sentry
    connected: bool = False  # a sentry has used the newest token
    reported: bool = False  # and has sent a log with it
    playbooks: list[PlaybookNow] = field(default_factory=list)
    playbooks_refused: str = ""  # why its sentry does not take what its inbox brings
    playbooks_changed_at: int = 0
    changed_at: int = 0
    page_changed_at: int = 0
    renamed_at: int = 0
    counted: RigSummary | None = None
    check_due: bool = False


def note_works(state: RigState, now_s: float) -> None:
    """Notes whether the rig reports too many works, for its page. History counts by itself."""
    works, is_over = state.summary.hashrates_hs.keys(), now_s - state.works_since_s >= WORKS_SEEN_S
    if works <= state.works_seen and not is_over:
        return
    if is_over:
        state.works_seen, state.works_since_s = set(), now_s
    if len(state.works_seen) <= WORKS_OF_A_RIG:
        state.works_seen.update(works)
    state.too_many_works = len(state.works_seen) > WORKS_OF_A_RIG


def has_new_share(before: RigSummary, now: RigSummary) -> bool:
    """Returns whether shares were accepted between two logs. A counter that is lower has begun again at 0."""
    if before.accepted is None or now.accepted is None:
        return False
    return now.accepted > before.accepted or 0 < now.accepted < before.accepted


def last_status_at(state: RigState) -> datetime | None:
    """Returns when the rig's sentry last reported its playbooks."""
    return max([each.reported_at for each in state.playbooks if each.reported_at is not None], default=None)


def update_faults(state: RigState, at: datetime | None, *, older: Collection[str] = ()) -> bool:
    """Computes the faults of the rig from its newest log; returns whether a fault began or ended.

    Faults that it did not have begin `at`, or at an unknown time if their rule is in `older`.
    """
    newest = state.summary if state.latest is not None else None
    before, state.faults = (
        state.faults,
        faults_now(newest, state.hardware, state.playbooks, state.taken_at, refused=bool(state.playbooks_refused)),
    )
    if not before and not state.faults:
        return False
    state.faults_since = since(state.faults_since, state.faults, at, older=older)
    return [fault.words for fault in before] != [fault.words for fault in state.faults]
