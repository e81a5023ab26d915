"""Past acts of the ladder and of commands, for the command `status` and the local page."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

import msgspec
from protocol.command_messages import CommandState, CommandStatus, LadderAct, LadderSettings

from cpu_gpu_sentry.commands import store as command_store
from cpu_gpu_sentry.ladder import store as ladder_store
from cpu_gpu_sentry.ladder.facts import device_name
from cpu_gpu_sentry.ladder.history import History
from cpu_gpu_sentry.ladder.store import StoredEvent

_EVENTS, _COMMANDS = 10, 10


class LadderEventOut(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime | None
    act: LadderAct
    reason: str
    playbook_id: str | None
    device: str | None


class CommandOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    action: str
    state: CommandState
    text: str


class LadderOut(msgspec.Struct, frozen=True, kw_only=True):
    """`notes` are sentences about what is the case now; `events` are the newest acts, newest first."""

    restarts: bool
    reboots: bool
    notes: list[str]
    events: list[LadderEventOut]


def read_ladder(db: sqlite3.Connection) -> LadderOut:
    """Returns what the store has of the ladder."""
    return ladder_out(
        ladder_store.load_settings(db), ladder_store.load_state(db).history, ladder_store.newest_events(db, _EVENTS)
    )


def read_commands(db: sqlite3.Connection) -> list[CommandOut]:
    return [_command(each) for each in command_store.newest(db, _COMMANDS)]


def ladder_out(settings: LadderSettings, history: History, events: Sequence[StoredEvent]) -> LadderOut:
    return LadderOut(
        restarts=settings.restarts,
        reboots=settings.reboots,
        notes=notes_of(history),
        events=[
            LadderEventOut(
                at=each.event.at,
                act=each.event.act,
                reason=each.event.reason,
                playbook_id=each.event.playbook_id,
                device=each.event.device,
            )
            for each in events
        ],
    )


def notes_of(history: History) -> list[str]:
    """Returns sentences about what keeps the ladder, or mining, from going on."""
    notes = (
        ["Mining was stopped by a person; nothing starts until somebody starts it."]
        if history.stopped_by_person
        else []
    )
    if history.maintenance_until_s is not None:
        notes.append("The rig is in maintenance: the ladder only watches temperatures.")
    notes += [f"{_first_upper(device_name(each))} is lost; the others go on." for each in history.lost_cards]
    return notes + [f"{_first_upper(each.reason)}." for each in history.gave_up]


def _command(status: CommandStatus) -> CommandOut:
    return CommandOut(id=status.id, action=status.action, state=status.state, text=status.text)


def ladder_lines(ladder: LadderOut) -> list[str]:
    """Returns lines for people; none while there is nothing to say."""
    newest = [f"  {_time(each.at)} {each.reason}" for each in ladder.events]
    return [*(f"Watchdog: {each}" for each in ladder.notes), *(["Watchdog's newest acts:", *newest] if newest else [])]


def command_lines(commands: Sequence[CommandOut]) -> list[str]:
    newest = [f"  {each.action}: {each.state.value}. {each.text}" for each in commands]
    return ["Newest commands of the commander:", *newest] if newest else []


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _first_upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
