"""The messages about commands and about the watchdog's ladder: what a rig is asked to do, and what it did by itself.

The rules of `messages` hold here too. There is no command that runs a program of the commander's choice.

Three bodies go to the sentry's inbox or come from the sentry:

* `Commands`: the commands that wait for this rig. `valid_s` is computed when the answer is sent, so a wrong clock can't
  run an old command.
* `LadderSettings`: the limits of the ladder. The sentry keeps them, and obeys them without a commander.
* `CommandsStatus` (`PUT /api/v1/sentry/commands/status`) and `LadderEvents` (`POST /api/v1/sentry/events`).
"""

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from protocol.messages import Amount, Count, Message, Moment, Name, Reason, Text
from protocol.playbook_messages import Line

HOUR_S = 3600
DAY_S = 86_400
DEPENDENCIES_MAX = 256

Remaining = Annotated[float, Meta(ge=0, le=30 * DAY_S)]
Duration = Annotated[float, Meta(ge=1, le=DAY_S)]
CriticalGpu = Annotated[float, Meta(ge=60, le=105)]
CriticalMemory = Annotated[float, Meta(ge=60, le=120)]


class CommandAction(StrEnum):
    """The closed set of commands. A sentry that does not know an action refuses it."""

    RESTART_PLAYBOOK = "restart_playbook"
    START_MINING = "start_mining"
    STOP_MINING = "stop_mining"
    REBOOT = "reboot"
    SHUTDOWN = "shutdown"
    DIAGNOSE = "diagnose"
    FETCH_LOG = "fetch_log"
    UPDATE_SENTRY = "update_sentry"


class CommandState(StrEnum):
    """The state of a command on its rig.

    `begun` is stored before the sentry acts. `refused`: this rig never does that; `expired`: it came too late.
    """

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "CommandState":
        return cls.UNKNOWN


class WheelHash(Message, frozen=True, kw_only=True, gc=False):
    """A wheel of the commander's store. `sha256` is that of the whole file, in hexadecimal digits."""

    file_name: Annotated[str, Meta(min_length=1, max_length=200)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class CommandArguments(Message, frozen=True, kw_only=True, gc=False):
    """The arguments that some commands have.

    `playbook_id` chooses one playbook for `restart_playbook` and `fetch_log`; without it all are meant. `lines` is the
    number of lines that `fetch_log` brings of each log. `version` is the one to which `update_sentry` updates. The
    commander adds `wheels`, the sentry's own packages in that version, and `dependencies`, the other wheels of its
    store: only files with these names and hashes are installed. A commander of an earlier version names no
    `dependencies`; the hashes of its index then count.
    """

    playbook_id: Name | None = None
    lines: Annotated[int, Meta(ge=1, le=2000)] | None = None
    version: Name | None = None
    wheels: Annotated[list[WheelHash], Meta(max_length=16)] | None = None
    dependencies: Annotated[list[WheelHash], Meta(max_length=DEPENDENCIES_MAX)] | None = None


class Command(Message, frozen=True, kw_only=True, gc=False):
    """One command for one rig. An `id` is carried out once at most, however often it is delivered.

    `action` is a `CommandAction` or, from a newer commander, any other name. `valid_s` counts from this delivery: a
    command that has not begun by then expires. `reason` and `made_by` are for the rig's own log and local page.
    """

    id: Name
    action: Name
    valid_s: Remaining
    arguments: CommandArguments | None = None
    reason: Reason | None = None
    made_by: Text | None = None


class Commands(Message, frozen=True, kw_only=True, gc=False):
    """The commands that wait for a rig, oldest first. One is listed until the commander knows its last state."""

    INBOX_KIND: ClassVar[str] = "commands"

    commands: Annotated[list[Command], Meta(max_length=64)]


class Severity(StrEnum):
    """The severity of a finding, worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    GOOD = "good"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "Severity":
        return cls.UNKNOWN


class Finding(Message, frozen=True, kw_only=True, gc=False):
    """The answer to one question of `diagnose`. `check` names the question, `text` is a sentence for people.

    `unknown`: the question could not be answered on this rig, and the text says why.
    """

    check: Name
    severity: Severity
    text: Reason


class FetchedLog(Message, frozen=True, kw_only=True, gc=False):
    """The newest lines of one log: `sentry`, `kernel`, or a playbook's output, then with its id."""

    source: Name
    playbook_id: Name | None = None
    lines: Annotated[list[Line], Meta(max_length=2000)] = msgspec.field(default_factory=list)


class CommandStatus(Message, frozen=True, kw_only=True, gc=False):
    """The state of one command. `text` is a sentence that says what was done, or why it was not.

    `boot_id` is that of the boot in which the command began. If it differs from the message's, the rig has rebooted
    since. `findings` has the answers of `diagnose`, worst first; `logs` has those of `fetch_log`.
    """

    id: Name
    action: Name
    state: CommandState
    text: Reason
    boot_id: Name | None = None
    findings: Annotated[list[Finding], Meta(max_length=200)] = msgspec.field(default_factory=list)
    logs: Annotated[list[FetchedLog], Meta(max_length=66)] = msgspec.field(default_factory=list)


class CommandsStatus(Message, frozen=True, kw_only=True, gc=False):
    """Body of `PUT /api/v1/sentry/commands/status`: commands whose state is news, or that are still `begun`.

    It is sent when a state changes, and after each start of the sentry for all that are `begun`. A `reboot` is done
    when `boot_id` differs from that of its status: the commander decides that.
    """

    boot_id: Name | None
    commands: Annotated[list[CommandStatus], Meta(max_length=64)]


class MinimumHashrate(Message, frozen=True, kw_only=True, gc=False):
    """An entered minimum for one algorithm, in place of a part of its usual hashrate."""

    algorithm: Name
    hashrate_hs: Amount


class LadderSettings(Message, frozen=True, kw_only=True, gc=False):
    """The limits of a rig's ladder. Steps that restart are on, steps that reboot are off, until somebody allows them.

    The steps for a critical temperature have limits and no switch: the commander can't turn them off.
    `maintenance_s` is what remains of the rig's maintenance at delivery; None or 0: there is none.
    """

    INBOX_KIND: ClassVar[str] = "ladder"

    restarts: bool = True
    reboots: bool = False
    low_percent: Annotated[float, Meta(ge=1, le=95)] = 50.0
    low_for_s: Duration = 600.0
    cure_within_s: Duration = 1800.0
    grace_s: Duration = 600.0
    minimum_hashrates: Annotated[list[MinimumHashrate], Meta(max_length=64)] = msgspec.field(default_factory=list)
    critical_gpu_c: CriticalGpu = 92.0
    critical_memory_c: CriticalMemory = 112.0
    critical_cpu_c: CriticalGpu = 98.0
    maintenance_s: Remaining | None = None


class LadderAct(StrEnum):
    """An act of the ladder, on one playbook or on the rig."""

    RESTARTED_PLAYBOOK = "restarted_playbook"
    REBOOTED = "rebooted"
    CARD_LOST = "card_lost"
    STOPPED_HOT = "stopped_hot"
    RESUMED_COOL = "resumed_cool"
    GAVE_UP = "gave_up"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "LadderAct":
        return cls.UNKNOWN


class LadderEvent(Message, frozen=True, kw_only=True, gc=False):
    """One act of the ladder with its reason, such as "rebooted: GPU 03:00.0 fell off the bus, Xid 79".

    `id` identifies it: sent again, it is the same event. `age_s` is the time since it happened, by a clock that can't
    be set; `at` is the rig's own clock, which may be wrong. `failed` says that an act could not be carried out.
    """

    id: Name
    act: LadderAct
    reason: Reason
    age_s: Amount | None = None
    at: Moment | None = None
    playbook_id: Name | None = None
    device: Name | None = None
    boot_id: Name | None = None
    xid: Count | None = None


class LadderEvents(Message, frozen=True, kw_only=True, gc=False):
    """Body of `POST /api/v1/sentry/events`: events that the commander has not confirmed, oldest first."""

    events: Annotated[list[LadderEvent], Meta(max_length=200)]
