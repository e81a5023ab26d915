"""Runs of playbooks on disk: what is started, what runs, how it ended. Blocking: called in a thread.

A folder of one playbook holds `lock` (held by the keeper for as long as anything runs), `run.json` (what runs, or
ran last), `ended.json` (how), `script-….sh` and `output/`.
"""

import logging
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from protocol.playbook_messages import Playbook
from protocol.units import counted

from cpu_gpu_sentry.playbooks import system
from cpu_gpu_sentry.playbooks.decide import Running
from cpu_gpu_sentry.playbooks.errors import Trouble
from cpu_gpu_sentry.playbooks.folders import Folders, make, playbooks_with_folder
from cpu_gpu_sentry.playbooks.miner_account import MinerAccount, RunsAs
from cpu_gpu_sentry.playbooks.miner_files import hand_over, home_of, open_the_way, show_script
from cpu_gpu_sentry.playbooks.packages import package_fingerprint, software_key
from cpu_gpu_sentry.playbooks.processes import end, environment_for, has_mark, mark_of, marks_below
from cpu_gpu_sentry.playbooks.scripts import fingerprint, script_body, script_command, script_name, with_token

log = logging.getLogger(__name__)

CHANGING = "mining.lock"
_UNCLEAR_S = 3.0


class RunNote(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`; the keeper adds the last two when it has the lock.

    `root` is what the playbook wanted, `account` the user of the script if it is not the sentry's, `runs_as` that in
    words. Earlier versions wrote none of them.
    """

    playbook_id: str
    run: str
    command: list[str]
    cwd: str
    package: str
    script: str
    port: int
    restarts: int = 0
    root: bool | None = None
    account: MinerAccount | None = None
    runs_as: str | None = None
    keeper_pid: int = 0
    started_at: float = 0.0


class EndNote(msgspec.Struct, frozen=True, kw_only=True):
    """`ended.json`; `code` as Python has it: negative is a signal."""

    run: str
    code: int | None = None


OWN_USER = RunsAs(words="the sentry's own user")


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A playbook to start, at a port."""

    playbook: Playbook
    port: int
    restarts: int
    api_token: str | None = None
    user: RunsAs = OWN_USER


def new_run() -> str:
    """Returns a name for a run. Names sort by time."""
    return f"{int(time.time() * 1000):013d}-{secrets.token_hex(3)}"


def running_of(note: RunNote) -> Running:
    return Running(note.package, note.script, note.port, note.root)


def write_script(folders: Folders, playbook: Playbook, port: int, api_token: str | None = None) -> Path:
    """Writes the script with its port and token, for its owner only, and deletes older scripts."""
    folder, body = make(folders.of(playbook.id)), with_token(script_body(playbook, port), api_token)
    path = folder / script_name(body, playbook.platform)
    new = path.with_name(f"{path.name}.new")
    new.touch(0o700)
    new.chmod(0o700)
    new.write_bytes(body)
    new.replace(path)
    for other in folder.glob("script-*"):
        if other != path:
            other.unlink(missing_ok=True)
    return path


def start(folders: Folders, request: StartRequest, script: Path) -> RunNote:
    """Starts the script under a keeper; raises `Trouble`."""
    playbook, folder = request.playbook, folders.of(request.playbook.id)
    account, software = request.user.account, folders.software / software_key(request.playbook)
    if account is not None:
        open_the_way(folders, playbook.id)
        show_script(script, account)
        hand_over(software, account)
    note = RunNote(
        playbook_id=playbook.id,
        run=new_run(),
        command=script_command(script, playbook.platform),
        cwd=str(software),
        package=package_fingerprint(playbook.package),
        script=fingerprint(script_body(playbook, request.port)),
        port=request.port,
        restarts=request.restarts,
        root=playbook.root,
        account=account,
        runs_as=request.user.words,
    )
    path = folder / f"start-{note.run}.json"
    path.write_bytes(msgspec.json.encode(note))
    mark = mark_of(folders.data_dir, folder.name, note.run)
    home = home_of(folders, playbook.id, account) if account is not None else folder
    code = system.start_keeper(folder, path, environment_for(mark, home, account.name if account else None))
    running = read_run(folders, playbook.id)
    if running is None or running.run != note.run:
        path.unlink(missing_ok=True)
        output = (folder / "keeper.log").read_text(errors="replace").strip()[-200:]
        raise Trouble(f"The script could not be started (code {code}{': ' + output if output else ''}).")
    return running


def read_run(folders: Folders, playbook_id: str) -> RunNote | None:
    """Returns the newest run, whether it still runs or not."""
    return _note_in(folders.of(playbook_id))


def read_end(folders: Folders, note: RunNote) -> EndNote | None:
    try:
        ended = msgspec.json.decode((folders.of(note.playbook_id) / "ended.json").read_bytes(), type=EndNote)
    except (OSError, msgspec.DecodeError):
        return None
    return ended if ended.run == note.run else None


def is_running(folders: Folders, note: RunNote) -> bool:
    """A script that ended well may have left its miner in the background; one that failed leaves ruins at most."""
    if not system.is_held(folders.of(note.playbook_id) / "lock"):
        return False
    ended = read_end(folders, note)
    return ended is None or not ended.code


def find_running(folders: Folders) -> dict[str, RunNote]:
    """Returns the runs that go on, also those of an earlier sentry. Ends a run that can't be identified."""
    running: dict[str, RunNote] = {}
    for name in playbooks_with_folder(folders):
        note = _living(folders, folders.playbooks / name)
        if note is not None:
            running[note.playbook_id] = note
    return running


def _living(folders: Folders, folder: Path) -> RunNote | None:
    """A keeper writes its note right after it took the lock: until then the note is an older run's."""
    deadline = time.monotonic() + _UNCLEAR_S
    while system.is_held(folder / "lock"):
        note = _note_in(folder)
        if note is not None and has_mark(note.keeper_pid, mark_of(folders.data_dir, folder.name, note.run)):
            return note
        if time.monotonic() > deadline:
            _end_folders(folders, [folder])
            return None
        time.sleep(0.05)
    return None


def _note_in(folder: Path) -> RunNote | None:
    try:
        return msgspec.json.decode((folder / "run.json").read_bytes(), type=RunNote)
    except (OSError, msgspec.DecodeError):
        return None


def end_runs(folders: Folders, playbook_ids: Collection[str]) -> None:
    """Ends all these runs at once. Raises `Trouble` if a process can't be ended."""
    _end_folders(folders, [folders.of(each) for each in playbook_ids])


def _end_folders(folders: Folders, own: Sequence[Path]) -> None:
    marks = [f"{mark_of(folders.data_dir, folder.name)}:" for folder in own]
    if left := end(marks, _keepers(folders, own)):
        raise Trouble(f"{counted(left, 'process', 'processes')} of a playbook can't be ended; restart the rig.")


def _keepers(folders: Folders, own: Sequence[Path]) -> dict[int, str]:
    """Returns the keepers by process id, each with the mark that proves its identity."""
    notes = [(folder, note) for folder in own if (note := _note_in(folder))]
    return {note.keeper_pid: mark_of(folders.data_dir, folder.name, note.run) for folder, note in notes}


def end_all(folders: Folders) -> None:
    """Everything that this sentry ever started, whether its folder is still there or not."""
    own = [folders.playbooks / name for name in playbooks_with_folder(folders)]
    if left := end([f"{mark_of(folders.data_dir)}:"], _keepers(folders, own)):
        raise Trouble(f"{counted(left, 'process', 'processes')} of playbooks can't be ended; restart the rig.")


def end_strays(folders: Folders, living: Collection[RunNote]) -> None:
    """Ends processes that have lost their keeper, and so their supervision."""
    own = [mark_of(folders.data_dir, each.playbook_id, each.run) for each in living]
    strays = {mark for mark in marks_below(f"{mark_of(folders.data_dir)}:") if mark not in own}
    if strays:
        log.warning("strays_ended %s", ", ".join(sorted(strays)))
        end(sorted(strays), {})
