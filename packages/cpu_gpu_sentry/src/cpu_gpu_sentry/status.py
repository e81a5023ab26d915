"""The command `status`: the store's view, so that it works whether the agent runs or not."""

import sqlite3
from datetime import datetime
from pathlib import Path

import msgspec
from protocol.playbook_messages import Playbook, PlaybookState, PlaybookStatus
from sentry_kit import store
from sentry_kit.service import is_running
from sentry_kit.store import State

from cpu_gpu_sentry.enrolment import SCHEMA, STORE
from cpu_gpu_sentry.miner_notes import MinerNote, load_notes
from cpu_gpu_sentry.operations_status import (
    CommandOut,
    LadderOut,
    command_lines,
    ladder_lines,
    read_commands,
    read_ladder,
)
from cpu_gpu_sentry.playbooks import store as playbook_store
from cpu_gpu_sentry.playbooks.folders import Folders, is_plain_id
from cpu_gpu_sentry.playbooks.output import last_lines
from cpu_gpu_sentry.playbooks.run_state import LAST_LINES
from cpu_gpu_sentry.signing.store import SigningPin, load_pin
from cpu_gpu_sentry.watches import Watch, load_watches

_LINES_SHOWN = 5
_STOPPED = "stopped: this rig is enrolled, and nothing is reported until the sentry runs"
_WORDS = {
    State.NOT_ENROLLED: "not enrolled; run cpu-gpu-sentry enroll --url URL",
    State.ONLINE: "online",
    State.SPOOLING: "spooling: the commander can't be reached, logs are kept here",
    State.INVALID_TOKEN: "invalid token: the commander does not take it; enroll with a new one",
    State.REMOVED: "removed: the rig is no longer in the commander; enroll with another rig's token",
}


class RigOut(msgspec.Struct, frozen=True, kw_only=True):
    id: int | None
    name: str | None


class WatchOut(msgspec.Struct, frozen=True, kw_only=True):
    software: str
    host: str
    port: int
    coin: str | None
    has_access_token: bool = False
    state: str | None = None
    word: str | None = None
    reason: str | None = None


class PlaybookOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    state: PlaybookState
    since: datetime | None
    percent: float | None
    reason: str | None
    restarts: int | None
    api_port: int | None
    last_lines: list[str]
    miner_state: str | None = None
    miner_word: str | None = None


class SigningOut(msgspec.Struct, frozen=True, kw_only=True):
    """The commander's key that playbooks and commands must be signed with. `number` is the newest that was taken."""

    key_id: str
    pinned: str
    number: int
    refused: str | None


class StatusOut(msgspec.Struct, frozen=True, kw_only=True):
    """`status --json`. An enrolled sentry that does not run is `spooling`: its reports do not arrive now."""

    state: State
    running: bool
    commander_url: str | None
    rig: RigOut | None
    spooled_logs: int
    last_stored_at: str | None
    last_error: str | None
    two_sentries: bool
    rejected_logs: int
    rejected_reason: str | None
    dropped_logs: int
    report_every_s: float | None
    watches: list[WatchOut]
    playbooks: list[PlaybookOut]
    ladder: LadderOut
    commands: list[CommandOut]
    signing: SigningOut | None = None


def read_status(data_dir: Path) -> StatusOut:
    db = store.open_store(data_dir / STORE, SCHEMA)
    try:
        running = is_running(data_dir)
        enrolment, reported = store.load_enrolment(db), store.load_status(db)
        return StatusOut(
            state=_state(enrolment.state if enrolment else State.NOT_ENROLLED, running),
            running=running,
            commander_url=enrolment.url if enrolment else None,
            rig=RigOut(id=enrolment.rig_id, name=enrolment.rig_name) if enrolment else None,
            spooled_logs=store.spooled_logs(db),
            last_stored_at=reported.last_stored_at,
            last_error=reported.last_error,
            two_sentries=reported.two_sentries,
            rejected_logs=reported.rejected_logs,
            rejected_reason=reported.rejected_reason,
            dropped_logs=reported.dropped_logs,
            report_every_s=reported.report_every_s,
            watches=_watches(db),
            playbooks=_playbooks(db, data_dir),
            ladder=read_ladder(db),
            commands=read_commands(db),
            signing=_signing(load_pin(db)),
        )
    finally:
        db.close()


def _signing(pin: SigningPin | None) -> SigningOut | None:
    return SigningOut(key_id=pin.key_id, pinned=pin.pinned, number=pin.number, refused=pin.refused) if pin else None


def _watches(db: sqlite3.Connection) -> list[WatchOut]:
    """Returns the watches with the agent's last reading; without one if the agent has not asked yet."""
    notes = {each.api_port: each for each in load_notes(db) if each.playbook_id is None}
    return [_watch(each, notes.get(each.port)) for each in load_watches(db)]


def _watch(watch: Watch, note: MinerNote | None) -> WatchOut:
    return WatchOut(
        software=watch.software,
        host=watch.host,
        port=watch.port,
        coin=watch.coin,
        has_access_token=watch.access_token is not None,
        state=note.state if note else None,
        word=note.word if note else None,
        reason=note.reason if note else None,
    )


def _state(noted: State, running: bool) -> State:
    """Returns the state now: a killed sentry could not note that it reports no longer."""
    return State.SPOOLING if noted is State.ONLINE and not running else noted


def _playbooks(db: sqlite3.Connection, data_dir: Path) -> list[PlaybookOut]:
    """Returns the playbooks as the agent stored them last, with the newest lines that they printed."""
    desired = playbook_store.load_wanted(db)
    statuses = {each.playbook_id: each for each in playbook_store.load_status(db).playbooks}
    notes, folders = {each.playbook_id: each for each in load_notes(db)}, Folders(data_dir)
    playbooks = desired.playbooks if desired else []
    return [_playbook(each, statuses.get(each.id), notes.get(each.id), folders) for each in playbooks]


def _playbook(
    playbook: Playbook, stored: PlaybookStatus | None, note: MinerNote | None, folders: Folders
) -> PlaybookOut:
    status = stored or PlaybookStatus(playbook_id=playbook.id, revision=playbook.revision, state=PlaybookState.WAITING)
    printed = last_lines(folders.of(playbook.id) / "output", None, LAST_LINES) if is_plain_id(playbook.id) else []
    return PlaybookOut(
        id=playbook.id,
        name=playbook.name,
        state=status.state,
        since=status.since,
        percent=status.percent,
        reason=status.reason,
        restarts=status.restarts,
        api_port=status.api_port,
        last_lines=status.last_lines or printed,
        miner_state=note.state if note else None,
        miner_word=note.word if note else None,
    )


def status_lines(status: StatusOut) -> list[str]:
    """Returns the status as lines for people."""
    lines = [
        f"State: {_word(status)}",
        f"Running: {'yes' if status.running else 'no; start it with cpu-gpu-sentry run'}",
    ]
    if status.commander_url:
        rig = f" as “{status.rig.name}”" if status.rig and status.rig.name else ""
        lines.append(f"Commander: {status.commander_url}{rig}")
    if status.signing:
        lines.append(f"Signed by: key {status.signing.key_id}, pinned {status.signing.pinned}")
        if status.signing.refused:
            lines.append(f"Playbooks refused: {status.signing.refused}")
    lines.append(f"Logs waiting here: {status.spooled_logs}")
    lines += [f"{label}: {value}" for label, value in _exceptions(status) if value]
    if not status.running and (status.watches or status.playbooks):
        lines.append("The state when the sentry last ran. Miners of playbooks may still run:")
    for watch in status.watches:
        lines += _watch_lines(watch)
    for playbook in status.playbooks:
        lines += _playbook_lines(playbook)
    return [*lines, *ladder_lines(status.ladder), *command_lines(status.commands)]


def _word(status: StatusOut) -> str:
    is_stopped = status.state is State.SPOOLING and not status.running
    return _STOPPED if is_stopped else _WORDS[status.state]


def _watch_lines(watch: WatchOut) -> list[str]:
    word = f": {watch.word}" if watch.word else ""
    lines = [f"Watches: {watch.software} on {watch.host} port {watch.port}{word}"]
    return [*lines, f"  {watch.reason}"] if watch.reason else lines


def _playbook_lines(playbook: PlaybookOut) -> list[str]:
    percent = "" if playbook.percent is None else f" {playbook.percent:.0f} %"
    miner = f"; miner: {playbook.miner_word}" if playbook.miner_word else ""
    lines = [f"Playbook “{playbook.name}”: {playbook.state.value}{percent}{miner}"]
    if playbook.reason:
        lines.append(f"  {playbook.reason}")
    return lines + [f"  | {line}" for line in playbook.last_lines[-_LINES_SHOWN:]]


def _exceptions(status: StatusOut) -> list[tuple[str, str | None]]:
    return [
        ("Last report stored", status.last_stored_at),
        ("Trouble", status.last_error),
        (
            "Trouble",
            "another sentry reports with the same token; stop one of them" if status.two_sentries else None,
        ),
        (
            "Logs rejected",
            f"{status.rejected_logs} ({status.rejected_reason})" if status.rejected_logs else None,
        ),
        ("Logs dropped, no room", str(status.dropped_logs) if status.dropped_logs else None),
    ]
