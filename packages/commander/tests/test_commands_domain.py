"""Decisions about commands, without a database: the order of states, and the next step of a batch."""

from datetime import UTC, datetime, timedelta

import pytest
from commander.commands.domain import (
    FOLLOWS,
    WORDS,
    BadArguments,
    Batch,
    Known,
    Progress,
    Step,
    TargetState,
    UnknownAction,
    checked_action,
    checked_arguments,
    default_batch,
    next_step,
    outcome_of_boot,
    outcome_of_report,
    outcome_of_silence,
    seconds_valid,
)
from protocol.command_messages import CommandAction, CommandArguments, CommandState

REBOOT, DIAGNOSE = CommandAction.REBOOT, CommandAction.DIAGNOSE
BY_FIVE = Batch(size=5, max_failures=2)


def known(state: TargetState, action: CommandAction = DIAGNOSE, *, silent: bool = False, boot: str = "a") -> Known:
    return Known(action, state, silent, boot)


@pytest.mark.parametrize(
    ("targets", "size"), [(1, 5), (5, 5), (49, 5), (50, 5), (51, 6), (300, 30), (301, 31), (10_000, 1_000)]
)
def test_a_batch_is_ten_percent_or_five_rigs_at_a_time(targets: int, size: int) -> None:
    assert default_batch(targets) == Batch(size=size, max_failures=2)


@pytest.mark.parametrize(
    ("progress", "step"),
    [
        (Progress(held=20, in_flight=0, away=0, failures=0), Step(release=5)),
        (Progress(held=20, in_flight=3, away=0, failures=0), Step(release=2)),
        (Progress(held=20, in_flight=5, away=0, failures=0), Step()),
        (Progress(held=20, in_flight=6, away=0, failures=0), Step()),
        (Progress(held=1, in_flight=2, away=0, failures=1), Step(release=1)),
        (Progress(held=20, in_flight=3, away=1, failures=1), Step(release=1)),
        (Progress(held=20, in_flight=4, away=1, failures=1), Step()),
        (Progress(held=20, in_flight=3, away=0, failures=2), Step(stop="Stopped after 2 failures.")),
        (Progress(held=0, in_flight=3, away=0, failures=2), Step()),
        (Progress(held=0, in_flight=0, away=0, failures=2), Step(done=True)),
        (Progress(held=0, in_flight=0, away=0, failures=0), Step(done=True)),
    ],
)
def test_the_next_step_of_a_batch(progress: Progress, step: Step) -> None:
    assert next_step(BY_FIVE, progress) == step


GROWING = Batch(size=5, max_failures=2, growing=True)


@pytest.mark.parametrize(
    ("progress", "step"),
    [
        (Progress(held=50, in_flight=0, away=0, failures=0), Step(release=1)),
        (Progress(held=49, in_flight=1, away=0, failures=0), Step()),
        (Progress(held=49, in_flight=0, away=0, failures=1), Step(release=1)),
        (Progress(held=49, in_flight=0, away=0, failures=0, done=1), Step(release=5)),
        (Progress(held=44, in_flight=4, away=0, failures=0, done=2), Step()),
        (Progress(held=44, in_flight=4, away=0, failures=1, done=1), Step(release=1)),
        (Progress(held=44, in_flight=1, away=0, failures=0, done=5), Step()),
        (Progress(held=44, in_flight=0, away=0, failures=0, done=6), Step(release=44)),
        (Progress(held=44, in_flight=3, away=0, failures=2, done=1), Step(stop="Stopped after 2 failures.")),
        (Progress(held=0, in_flight=44, away=0, failures=0, done=6), Step()),
        (Progress(held=0, in_flight=0, away=0, failures=1, done=49), Step(done=True)),
    ],
)
def test_a_growing_batch_lets_more_rigs_begin_only_after_rigs_that_are_done(progress: Progress, step: Step) -> None:
    assert next_step(GROWING, progress) == step


def test_an_update_grows_and_other_commands_do_not() -> None:
    assert default_batch(50, CommandAction.UPDATE_SENTRY) == GROWING
    assert default_batch(3, CommandAction.UPDATE_SENTRY) == Batch(size=1, max_failures=2, growing=True)
    assert not default_batch(50, REBOOT).growing


def test_a_batch_that_may_fail_often_still_stops_while_its_rigs_are_away() -> None:
    batch = Batch(size=2, max_failures=50)
    assert next_step(batch, Progress(held=9, in_flight=0, away=1, failures=1)) == Step(release=1)
    assert "2 rigs have not come back" in next_step(batch, Progress(held=9, in_flight=0, away=2, failures=2)).stop


@pytest.mark.parametrize("size", [1, 2, 5, 30])
def test_never_more_rigs_are_out_than_the_batch_allows(size: int) -> None:
    """Every state of 30 rigs: what is released, and what is away, never exceeds the size."""
    for in_flight in range(size + 1):
        for away in range(size + 1 - in_flight):
            progress = Progress(held=30, in_flight=in_flight, away=away, failures=away)
            step = next_step(Batch(size, max_failures=100), progress)
            assert in_flight + away + step.release <= size


@pytest.mark.parametrize("state", list(TargetState))
@pytest.mark.parametrize("reported", list(CommandState))
def test_a_status_changes_a_target_only_as_the_table_allows(state: TargetState, reported: CommandState) -> None:
    outcome = outcome_of_report(known(state), reported, "It is so.")
    if outcome is not None:
        assert outcome.state in FOLLOWS[state]


@pytest.mark.parametrize("state", [TargetState.DONE, TargetState.REFUSED, TargetState.FAILED])
@pytest.mark.parametrize("reported", list(CommandState))
def test_a_second_result_of_a_rig_changes_nothing(state: TargetState, reported: CommandState) -> None:
    assert outcome_of_report(known(state), reported, "Again.") is None


def test_a_late_result_is_the_truth_after_the_commander_has_given_up() -> None:
    for gave_up in (known(TargetState.EXPIRED), known(TargetState.CANCELLED), known(TargetState.FAILED, silent=True)):
        outcome = outcome_of_report(gave_up, CommandState.DONE, "Restarted xmrig.")
        assert outcome is not None
        assert outcome == (TargetState.DONE, "Restarted xmrig.")


def test_a_reboot_is_done_when_the_rig_reports_from_another_boot() -> None:
    begun = known(TargetState.BEGUN, REBOOT)
    assert outcome_of_boot(begun, "a") is None
    assert outcome_of_boot(begun, None) is None
    outcome = outcome_of_boot(begun, "b")
    assert outcome is not None
    assert outcome.state is TargetState.DONE


def test_a_rig_that_comes_back_late_has_rebooted_all_the_same() -> None:
    assert outcome_of_boot(known(TargetState.FAILED, REBOOT, silent=True), "b") is not None
    assert outcome_of_boot(known(TargetState.FAILED, REBOOT, silent=False), "b") is None


def test_another_boot_confirms_nothing_but_a_reboot() -> None:
    assert outcome_of_boot(known(TargetState.BEGUN, DIAGNOSE), "b") is None
    assert outcome_of_boot(known(TargetState.WAITING, REBOOT), "b") is None
    assert outcome_of_boot(Known(REBOOT, TargetState.BEGUN, False, None), "b") is None


def test_silence_ends_a_target_with_a_sentence() -> None:
    never = outcome_of_silence(REBOOT, TargetState.WAITING, delivered=False)
    assert never.state is TargetState.EXPIRED
    assert "offline" in never.text
    assert outcome_of_silence(REBOOT, TargetState.WAITING, delivered=True).state is TargetState.EXPIRED
    lost = outcome_of_silence(REBOOT, TargetState.BEGUN, delivered=True)
    assert lost.state is TargetState.FAILED
    assert "not come back within 10 minutes" in lost.text


def test_the_time_that_is_left_counts_from_the_delivery() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    assert seconds_valid(now + timedelta(minutes=10), now) == 600
    assert seconds_valid(now - timedelta(minutes=10), now) == 0


def test_an_action_outside_the_set_is_named() -> None:
    assert checked_action("reboot") is REBOOT
    with pytest.raises(UnknownAction, match=r"no action called 'rm -rf'.*restart_playbook"):
        checked_action("rm -rf")
    with pytest.raises(UnknownAction):
        checked_action("overclock")


def test_an_argument_that_the_action_does_not_have_is_named() -> None:
    checked_arguments(CommandAction.FETCH_LOG, CommandArguments(lines=50))
    with pytest.raises(BadArguments, match="reboot has no argument lines"):
        checked_arguments(REBOOT, CommandArguments(lines=50))


def test_every_action_has_words_for_people() -> None:
    assert set(WORDS) == set(CommandAction)
