"""The phases of a condition, the grouping into incidents, and what failing rigs have in common: pure decisions."""

from datetime import UTC, datetime, timedelta

import pytest
from commander.alert_rules.domain import SHIPPED, RuleName
from commander.alert_rules.judging import JUDGES
from commander.alert_rules.levels import Level
from commander.alert_rules.words import TEXTS
from commander.incidents.conditions import Changes
from commander.incidents.domain import (
    Condition,
    ConditionKey,
    Hold,
    Incident,
    InCommon,
    Phase,
    TimedPhase,
    next_phase,
)
from commander.incidents.grouping import (
    Occasion,
    carry_out,
    ended,
    incident_to_join,
    joined,
    new_incident,
    next_occasion,
    reopened,
    shifted,
)
from commander.incidents.in_common import GroupKind, in_common
from commander.incidents.pieces import pieces_of
from commander.incidents.words import Extent, title_of
from commander.live.trouble import words_of
from commander.readings.severity import Severity

NOW = datetime(2026, 11, 29, 3, 12, tzinfo=UTC)
TWO_MINUTES = Hold(timedelta(minutes=2), timedelta(minutes=5))
AT_ONCE = Hold(timedelta(0), timedelta(minutes=5))
GROUP_WAIT = timedelta(seconds=30)
PENDING = TimedPhase(Phase.PENDING, NOW)
FIRING = TimedPhase(Phase.FIRING)


def later(**time: float) -> datetime:
    return NOW + timedelta(**time)


@pytest.mark.parametrize(
    ("phase", "level", "hold", "after"),
    [
        pytest.param(None, Level.GOOD, TWO_MINUTES, None, id="good stays without a condition"),
        pytest.param(None, Level.NEAR, TWO_MINUTES, None, id="near is not bad"),
        pytest.param(None, Level.UNKNOWN, AT_ONCE, None, id="unknown never fires"),
        pytest.param(
            None, Level.WARNING, TWO_MINUTES, TimedPhase(Phase.PENDING, later(minutes=2)), id="bad is pending"
        ),
        pytest.param(None, Level.CRITICAL, AT_ONCE, FIRING, id="some rules fire at once"),
        pytest.param(PENDING, Level.WARNING, TWO_MINUTES, FIRING, id="still bad when it is due"),
        pytest.param(PENDING, Level.GOOD, TWO_MINUTES, None, id="good before it is due"),
        pytest.param(PENDING, Level.NEAR, TWO_MINUTES, None, id="near before it is due"),
        pytest.param(PENDING, Level.UNKNOWN, TWO_MINUTES, PENDING, id="unknown when it is due"),
        pytest.param(
            TimedPhase(Phase.PENDING, later(seconds=5)),
            Level.CRITICAL,
            TWO_MINUTES,
            TimedPhase(Phase.PENDING, later(seconds=5)),
            id="not due yet",
        ),
        pytest.param(
            TimedPhase(Phase.PENDING, later(hours=2)),
            Level.WARNING,
            TWO_MINUTES,
            TimedPhase(Phase.PENDING, later(minutes=2)),
            id="the clock was put back while it was pending",
        ),
        pytest.param(FIRING, Level.WARNING, TWO_MINUTES, FIRING, id="goes on firing"),
        pytest.param(FIRING, Level.UNKNOWN, TWO_MINUTES, FIRING, id="unknown never clears"),
        pytest.param(FIRING, Level.NEAR, TWO_MINUTES, FIRING, id="near does not clear"),
        pytest.param(
            FIRING, Level.GOOD, TWO_MINUTES, TimedPhase(Phase.CLEARING, later(minutes=5)), id="begins to clear"
        ),
        pytest.param(
            FIRING,
            Level.GOOD,
            Hold(timedelta(0), timedelta(0)),
            TimedPhase(Phase.GONE),
            id="clears at once without a wait",
        ),
        pytest.param(
            TimedPhase(Phase.CLEARING, NOW), Level.GOOD, TWO_MINUTES, TimedPhase(Phase.GONE), id="good until it is due"
        ),
        pytest.param(TimedPhase(Phase.CLEARING, later(seconds=1)), Level.WARNING, TWO_MINUTES, FIRING, id="bad again"),
        pytest.param(
            TimedPhase(Phase.CLEARING, NOW),
            Level.UNKNOWN,
            TWO_MINUTES,
            TimedPhase(Phase.CLEARING, NOW),
            id="unknown on the way",
        ),
        pytest.param(
            TimedPhase(Phase.CLEARING, later(hours=2)),
            Level.GOOD,
            TWO_MINUTES,
            TimedPhase(Phase.CLEARING, later(minutes=5)),
            id="the clock was put back while it cleared",
        ),
    ],
)
def test_the_next_phase_of_a_condition(
    phase: TimedPhase | None, level: Level, hold: Hold, after: TimedPhase | None
) -> None:
    assert next_phase(phase, level, hold, NOW) == after


def test_a_condition_that_flaps_within_its_clearing_time_fires_once() -> None:
    phase, fired = TimedPhase(Phase.FIRING), 1
    for at_s in range(0, 3600, 5):
        level = Level.GOOD if (at_s // 90) % 2 else Level.WARNING
        before, phase = phase, next_phase(phase, level, AT_ONCE, later(seconds=at_s)) or TimedPhase(Phase.GONE)
        fired += before.phase is Phase.GONE and phase.phase is Phase.FIRING
    assert (fired, phase.phase is Phase.GONE) == (1, False)


def opened(**changes: object) -> Incident:
    """Returns an incident whose opening was sent now."""
    incident = new_incident("offline", Severity.WARNING, GROUP_WAIT, NOW - GROUP_WAIT)
    carry_out(incident, Occasion.OPENED, NOW)
    for name, value in changes.items():
        setattr(incident, name, value)
    return incident


def test_the_opening_waits_for_the_group() -> None:
    incident = new_incident("offline", Severity.CRITICAL, GROUP_WAIT, NOW)
    assert next_occasion(incident, is_failing=True, now=later(seconds=29)) is None
    joined(incident, Severity.CRITICAL, later(seconds=20))
    assert next_occasion(incident, is_failing=True, now=later(seconds=30)) is Occasion.OPENED


def test_what_is_over_before_the_opening_was_sent_closes_without_a_message() -> None:
    incident = new_incident("offline", Severity.CRITICAL, GROUP_WAIT, NOW)
    ended(incident, later(seconds=10))
    assert next_occasion(incident, is_failing=False, now=later(seconds=10)) is Occasion.CLOSED_UNSENT
    carry_out(incident, Occasion.CLOSED_UNSENT, later(seconds=10))
    assert (incident.step, incident.closed_at) == (0, later(seconds=10))


def test_growth_is_sent_every_five_minutes_at_most() -> None:
    incident = opened()
    joined(incident, Severity.WARNING, later(seconds=10))
    joined(incident, Severity.CRITICAL, later(seconds=20))
    assert incident.severity is Severity.CRITICAL
    assert next_occasion(incident, is_failing=True, now=later(seconds=299)) is None
    assert next_occasion(incident, is_failing=True, now=later(seconds=300)) is Occasion.GROWN
    carry_out(incident, Occasion.GROWN, later(seconds=300))
    assert next_occasion(incident, is_failing=True, now=later(seconds=301)) is None


def test_a_reminder_comes_every_four_hours_until_somebody_acknowledges() -> None:
    incident = opened()
    assert next_occasion(incident, is_failing=True, now=later(hours=4)) is Occasion.REMINDER
    carry_out(incident, Occasion.REMINDER, later(hours=4))
    assert next_occasion(incident, is_failing=True, now=later(hours=7)) is None
    incident.remind_at = None  # as an acknowledgement leaves it
    assert next_occasion(incident, is_failing=True, now=later(hours=100)) is None
    joined(incident, Severity.WARNING, later(hours=101))
    carry_out(incident, Occasion.GROWN, later(hours=101))
    assert next_occasion(incident, is_failing=True, now=later(hours=105)) is Occasion.REMINDER


@pytest.mark.parametrize(("minutes", "occasion"), [(1, None), (61, Occasion.GROWN)])
def test_a_mute_ends(minutes: float, occasion: Occasion | None) -> None:
    incident = opened(muted_until=later(hours=1), message_at=NOW)
    assert next_occasion(incident, is_failing=True, now=later(minutes=minutes)) is occasion


def test_a_muted_incident_still_says_that_it_is_closed() -> None:
    incident = opened(muted_until=later(hours=1))
    ended(incident, later(minutes=1))
    assert next_occasion(incident, is_failing=False, now=later(minutes=1)) is Occasion.CLOSED


def test_an_incident_that_comes_back_is_held_open_for_ten_minutes() -> None:
    incident = opened()
    ended(incident, later(minutes=1))
    carry_out(incident, Occasion.CLOSED, later(minutes=1))
    reopened(incident, Severity.WARNING, GROUP_WAIT, later(minutes=2))
    assert (incident.closed_at, incident.message_at) == (None, later(minutes=6))
    ended(incident, later(minutes=3))
    assert next_occasion(incident, is_failing=False, now=later(minutes=12)) is None
    assert next_occasion(incident, is_failing=False, now=later(minutes=13)) is Occasion.CLOSED


def test_the_opening_is_sent_if_what_closed_without_a_message_comes_back() -> None:
    incident = new_incident("offline", Severity.CRITICAL, GROUP_WAIT, NOW)
    ended(incident, later(seconds=10))
    carry_out(incident, Occasion.CLOSED_UNSENT, later(seconds=10))
    reopened(incident, Severity.CRITICAL, GROUP_WAIT, later(minutes=1))
    assert next_occasion(incident, is_failing=True, now=later(seconds=89)) is None
    assert next_occasion(incident, is_failing=True, now=later(seconds=90)) is Occasion.OPENED


def test_a_condition_joins_the_newest_open_incident_of_its_rule() -> None:
    old, new, closed, other = opened(), opened(), opened(closed_at=NOW), opened(rule="fan")
    old.joined_at, new.joined_at = later(minutes=-50), later(minutes=-5)
    assert incident_to_join("offline", [old, new, closed, other], NOW) is new
    assert incident_to_join("offline", [old, new, closed, other], later(hours=2)) is None


def test_due_times_follow_the_clock_when_somebody_sets_it() -> None:
    incident = opened(muted_until=later(hours=1), message_at=later(minutes=1))
    shifted(incident, timedelta(hours=-3))
    assert (incident.muted_until, incident.message_at) == (later(hours=-2), later(hours=-3, minutes=1))
    assert incident.remind_at == later(hours=1)


ALL = range(250)
SWITCH = GroupKind("tag", lambda rig: ["switch:sw-3"] if rig < 40 else ["switch:sw-4"])
EVERYBODY = GroupKind("coin", lambda rig: ["Kaspa"])
PAIRS = GroupKind("pool", lambda rig: [f"pool-{rig // 2}"])
HALL = GroupKind("tag", lambda rig: ["hall:1"] if rig < 60 else [])
NETWORK = GroupKind("network", lambda rig: [f"10.0.{rig // 40}.0/24"])


@pytest.mark.parametrize(
    ("failing", "kinds", "found"),
    [
        pytest.param(range(38), [SWITCH], ("tag switch:sw-3", 38, 40, 0, 210), id="38 of 40"),
        pytest.param([*range(38), *range(100, 105)], [SWITCH], ("tag switch:sw-3", 38, 40, 5, 210), id="others too"),
        pytest.param([*range(38), *range(100, 110)], [SWITCH], None, id="less than 80 % of the failing"),
        pytest.param(range(23), [SWITCH], None, id="less than 60 % of the members"),
        pytest.param(range(24), [SWITCH], ("tag switch:sw-3", 24, 40, 0, 210), id="60 % of the members"),
        pytest.param(range(2), [PAIRS], None, id="two rigs are no claim"),
        pytest.param(range(200), [EVERYBODY], None, id="a group of all rigs says nothing"),
        pytest.param(range(38), [HALL, SWITCH], ("tag switch:sw-3", 38, 40, 0, 210), id="fewest healthy members"),
        pytest.param(range(38), [SWITCH, NETWORK], ("tag switch:sw-3", 38, 40, 0, 210), id="the first of two alike"),
        pytest.param(range(38), [NETWORK], ("network 10.0.0.0/24", 38, 40, 0, 210), id="needs no tags"),
        pytest.param([], [SWITCH], None, id="nothing fails"),
    ],
)
def test_what_failing_rigs_have_in_common(
    failing: list[int], kinds: list[GroupKind], found: tuple[str, int, int, int, int] | None
) -> None:
    group = in_common(ALL, failing, kinds)
    assert (group and (group.group, group.failing, group.members, group.others_failing, group.others)) == found


def test_the_counter_evidence_is_in_the_sentence() -> None:
    group = InCommon(group="tag switch:sw-3", failing=38, members=40, others_failing=0, others=210)
    assert group.text == "tag switch:sw-3 (38 of its 40 rigs; 0 of 210 others)"


def test_pieces_have_each_change_once_and_what_is_deleted_first() -> None:
    def some(rig_id: int) -> Condition:
        return Condition(ConditionKey("cpu-gpu", rig_id, "offline", ""), "", Severity.CRITICAL, Phase.FIRING, "", NOW)

    listed = [some(number) for number in range(30)]
    changes = Changes(deleted=listed[:7], updated=listed[7:18], new=listed[18:25], back=listed[8:10], worse=[listed[9]])
    pieces = list(pieces_of(changes, [*listed[20:23], *listed[25:]], rows=4))
    assert [each for piece in pieces for each in piece.deleted] == listed[:7]
    assert [each for piece in pieces for each in piece.updated] == [*listed[7:18], *listed[25:]]
    assert [each for piece in pieces for each in piece.new] == listed[18:25]
    assert [each for piece in pieces for each in piece.back] == listed[8:10]
    assert [each for piece in pieces for each in piece.worse] == [listed[9]]
    assert [piece.is_last for piece in pieces] == [False] * 7 + [True]
    assert all(len(piece.deleted) + len(piece.updated) + len(piece.new) <= 4 for piece in pieces)
    assert [piece.is_last for piece in pieces_of(Changes(), [])] == [True]


def test_each_rule_has_its_limits_its_words_and_its_judge() -> None:
    assert {each.rule for each in SHIPPED.values()} == set(RuleName)
    assert {rule for rule, _ in TEXTS} == set(RuleName)
    assert set(JUDGES) == set(RuleName) - {RuleName.COMMANDER}, "the commander's checks judge it"


@pytest.mark.parametrize("rule", [rule for rule in RuleName if rule is not RuleName.COMMANDER])
def test_each_rule_has_a_sentence_for_one_rig_and_for_many(rule: RuleName) -> None:
    one = title_of(rule, Extent(3, 1, "rig-07", "", False, NOW, NOW))
    many = title_of(rule, Extent(3_000, 1_234, "rig-07", "", False, NOW, later(seconds=20)))
    assert one.startswith("rig-07 ")
    assert many.startswith("1,234 rigs ")
    for sentence in (one, many):
        assert "rule" not in sentence, "the words of a rule that nobody described"
        assert not sentence.endswith(".")
    assert words_of(rule).rigs != f"with {rule}"


def test_a_miner_whose_api_wants_a_token_is_not_said_to_mine_nothing() -> None:
    assert title_of(RuleName.NO_HASHRATE, Extent(1, 1, "rig-07", "", False, NOW, NOW)) == "rig-07 reports no hashrate"
