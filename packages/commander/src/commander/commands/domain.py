"""Commands: the closed set of actions, the states of a target, and what may follow."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec
from protocol.command_messages import CommandAction, CommandArguments, CommandState

from commander.accounts.domain import Role
from commander.problems import CommanderError, ErrorKind

VALID_FOR = timedelta(minutes=10)
RESULT_WITHIN = timedelta(minutes=10)  # from "begun" on; also for a reboot to come back
REASON_MAX_LENGTH = 256
RESULT_MAX_LENGTH = 512


class CommandError(CommanderError):
    """Root of what can be wrong with a request about commands; its text is for people."""


class UnknownAction(CommandError):
    """Not one of the actions."""

    kind = ErrorKind(422, "unknown_action", "Unknown action", field="action")


class BadArguments(CommandError):
    """The action has no such argument, or not this value."""

    kind = ErrorKind(422, "bad_arguments", "Wrong arguments", field="arguments")


class BadBatch(CommandError):
    """Not a number of rigs or failures."""

    kind = ErrorKind(422, "bad_batch", "Not a number")

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class BatchNotConfirmed(CommandError):
    """Somebody has to say that they mean it."""

    kind = ErrorKind(422, "not_confirmed", "Not confirmed", field="confirmed")


class NothingToRetry(CommandError):
    """No target of the command failed."""

    kind = ErrorKind(409, "nothing_to_retry", "Nothing to retry")


class NotATarget(CommandError):
    """The command was not for this rig."""

    kind = ErrorKind(404, "not_a_target", "Not a target")


class CommandNotFound(CommandError):
    """There is no such command."""

    kind = ErrorKind(404, "command_not_found", "No such command")


class ActionWords(NamedTuple):
    """An action for people: the name in menus and headings, what it does to a rig, and the name of its result."""

    title: str
    effect: str
    result: str = ""


WORDS = {
    CommandAction.RESTART_PLAYBOOK: ActionWords("Restart mining", "stops the mining software and starts it again"),
    CommandAction.START_MINING: ActionWords("Start mining", "starts the playbooks that a command has stopped"),
    CommandAction.STOP_MINING: ActionWords("Stop mining", "stops all playbooks until mining is started again"),
    CommandAction.REBOOT: ActionWords("Reboot", "restarts the machine"),
    CommandAction.SHUTDOWN: ActionWords("Shut down", "switches the machine off; somebody has to switch it on again"),
    CommandAction.DIAGNOSE: ActionWords(
        "Diagnose", "answers fixed questions about the machine and its network", "Findings"
    ),
    CommandAction.FETCH_LOG: ActionWords("Fetch log", "brings the newest lines of the rig's logs", "Logs"),
    CommandAction.UPDATE_SENTRY: ActionWords("Update sentry", "installs a version of the sentry; mining goes on"),
}
ARGUMENTS: dict[CommandAction, tuple[str, ...]] = {
    CommandAction.RESTART_PLAYBOOK: ("playbook_id",),
    CommandAction.FETCH_LOG: ("playbook_id", "lines"),
    CommandAction.UPDATE_SENTRY: ("version",),
}
FOR_OWNERS = frozenset({CommandAction.SHUTDOWN, CommandAction.UPDATE_SENTRY})  # the others need `operate`
TAKES_OFFLINE = (CommandAction.REBOOT, CommandAction.SHUTDOWN)
ONLY_READS = (CommandAction.DIAGNOSE, CommandAction.FETCH_LOG)  # nothing on the rig is different afterwards
MENU = tuple((action, words.title) for action, words in WORDS.items() if action not in FOR_OWNERS)  # of a rig's page


class TargetState(StrEnum):
    """The state of a command for one rig. All but `waiting` and `begun` are results."""

    WAITING = "waiting"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUSED = "refused"
    CANCELLED = "cancelled"


OPEN = (TargetState.WAITING, TargetState.BEGUN)
RETRYABLE = (TargetState.FAILED, TargetState.EXPIRED, TargetState.REFUSED, TargetState.CANCELLED)
# The rig's own status is the truth, even if it comes after the commander has given up.
_LATE = frozenset({TargetState.BEGUN, TargetState.DONE, TargetState.FAILED, TargetState.REFUSED})
FOLLOWS: dict[TargetState, frozenset[TargetState]] = {
    TargetState.WAITING: frozenset(TargetState) - {TargetState.WAITING},
    TargetState.BEGUN: frozenset({TargetState.DONE, TargetState.FAILED}),
    TargetState.EXPIRED: _LATE,
    TargetState.CANCELLED: _LATE,
    TargetState.FAILED: frozenset({TargetState.DONE, TargetState.FAILED}),
    TargetState.DONE: frozenset(),
    TargetState.REFUSED: frozenset(),
}
_REPORTED = {
    CommandState.BEGUN: TargetState.BEGUN,
    CommandState.DONE: TargetState.DONE,
    CommandState.FAILED: TargetState.FAILED,
    CommandState.REFUSED: TargetState.REFUSED,
    CommandState.EXPIRED: TargetState.EXPIRED,
}


class BatchState(StrEnum):
    """The state of a whole command. `stopped`: by a person, or after too many failures."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Batch:
    """Not more than `size` rigs at a time; no further rigs after `max_failures` failures.

    A growing batch begins with one rig. When that is done, `size` more begin; when those are done, all others.
    """

    size: int
    max_failures: int
    growing: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """The targets of a running command, counted.

    `held`: not released to their sentries yet. `in_flight`: released, without a result. `away`: rigs that the command
    took offline and that have not reported since. `failures`: those of the present run, rigs that are away included.
    `done`: rigs of the present run that have done it.
    """

    held: int
    in_flight: int
    away: int
    failures: int
    done: int = 0


class Step(NamedTuple):
    """The next step of a batch: release more targets, end, or nothing. `stop` is a sentence for people."""

    release: int = 0
    done: bool = False
    stop: str = ""


def default_batch(targets: int, action: CommandAction | None = None) -> Batch:
    """10 % of the rigs at a time and at least 5; stops after 2 failures. An update begins with 1 rig, then 10 %."""
    tenth = -(-targets // 10)
    if action is CommandAction.UPDATE_SENTRY:
        return Batch(size=max(1, tenth), max_failures=2, growing=True)
    return Batch(size=max(5, tenth), max_failures=2)


def next_step(batch: Batch, progress: Progress) -> Step:
    """Decides what a running command does next."""
    if not progress.held:
        return Step(done=progress.in_flight == 0)
    if progress.failures >= batch.max_failures:
        return Step(stop=f"Stopped after {failures_text(progress.failures)}.")
    free = _at_a_time(batch, progress) - progress.in_flight - progress.away
    if free <= 0 and progress.in_flight == 0:
        return Step(stop=f"Stopped: {progress.away} rigs have not come back, and not more may be offline at a time.")
    return Step(release=min(max(free, 0), progress.held))


def _at_a_time(batch: Batch, progress: Progress) -> int:
    """Returns how many rigs may be out now. In a growing batch, only a rig that is done lets more begin."""
    if not batch.growing:
        return batch.size
    if progress.done == 0:
        return 1
    if progress.done <= batch.size:
        return batch.size + 1 - progress.done
    return progress.in_flight + progress.away + progress.held


def failures_text(failures: int) -> str:
    return "1 failure" if failures == 1 else f"{failures} failures"


def least_role_for(action: CommandAction) -> Role:
    """Returns the least role that may order this action."""
    return Role.OWN if action in FOR_OWNERS else Role.OPERATE


def checked_action(text: str) -> CommandAction:
    """Raises `UnknownAction`."""
    try:
        return CommandAction(text)
    except ValueError:
        known = ", ".join(CommandAction)
        raise UnknownAction(f"There is no action called {text[:40]!r}. The actions are {known}.") from None


def checked_arguments(action: CommandAction, arguments: CommandArguments) -> CommandArguments:
    """Raises `BadArguments` for one that the action does not have."""
    for name in msgspec.structs.asdict(arguments):
        if getattr(arguments, name) is not None and name not in ARGUMENTS.get(action, ()):
            raise BadArguments(f"The action {action} has no argument {name}. Leave it out.")
    return arguments


def state_of_report(state: CommandState) -> TargetState | None:
    """None: a state that this version does not know."""
    return _REPORTED.get(state)


def seconds_valid(due_at: datetime, now: datetime) -> float:
    """For how long a command may still begin. The sentry counts by its monotonic clock: a wrong clock has no effect."""
    return max(0.0, round((due_at - now).total_seconds(), 1))


class Known(NamedTuple):
    """The facts about a target when its rig's status arrives.

    `silent`: the commander gave up on it without a word of the rig. `boot_id` is that of the boot in which it began.
    """

    action: CommandAction
    state: TargetState
    silent: bool
    boot_id: str | None


class Outcome(NamedTuple):
    """The new state of a target, with a sentence for people."""

    state: TargetState
    text: str


def outcome_of_report(known: Known, state: CommandState, text: str) -> Outcome | None:
    """The outcome that a rig's status makes of a target; None: nothing new. A second result changes nothing."""
    new = state_of_report(state)
    if new is TargetState.EXPIRED and known.state is TargetState.BEGUN:
        return Outcome(TargetState.FAILED, "The sentry no longer knows that it began this command.")
    if new is None or new not in FOLLOWS[known.state]:
        return None
    if known.state is TargetState.FAILED and not known.silent:
        return None
    return Outcome(new, text[:RESULT_MAX_LENGTH])


def outcome_of_boot(known: Known, boot_id: str | None) -> Outcome | None:
    """A reboot is done when its rig reports from another boot than the one in which it began."""
    waits = known.state is TargetState.BEGUN or (known.state is TargetState.FAILED and known.silent)
    if known.action is not CommandAction.REBOOT or not waits:
        return None
    if known.boot_id is None or boot_id is None or known.boot_id == boot_id:
        return None
    return Outcome(TargetState.DONE, "The rig has rebooted and reports again.")


def outcome_of_silence(action: CommandAction, state: TargetState, *, delivered: bool) -> Outcome:
    """The outcome of a target whose time is over."""
    if state is TargetState.BEGUN:
        return Outcome(TargetState.FAILED, _NO_RESULT.get(action, "The rig began, and sent no result in 10 minutes."))
    if delivered:
        return Outcome(TargetState.EXPIRED, "The sentry has fetched this command, and has not said that it began.")
    return Outcome(TargetState.EXPIRED, "The rig's sentry has not asked for commands in time. Is the rig offline?")


_NO_RESULT = {
    CommandAction.REBOOT: "The rig has not come back within 10 minutes. Look at it, or switch it off and on.",
    CommandAction.SHUTDOWN: "The rig began to shut down, and has not confirmed it in 10 minutes.",
}
