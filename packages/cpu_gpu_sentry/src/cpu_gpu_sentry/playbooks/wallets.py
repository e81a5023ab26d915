"""Finds the wallet that a playbook's software mines for, if the software's API does not report it.

It looks in the arguments of its processes and in the script on disk. Blocking: called in a thread. It looks only for
the wallets of the playbook; nothing else of the arguments is kept or sent.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import psutil
from protocol.playbook_messages import Playbook, WalletEvidence

from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.printed import InThread
from cpu_gpu_sentry.playbooks.processes import below
from cpu_gpu_sentry.playbooks.run_state import RunState
from cpu_gpu_sentry.playbooks.runs import RunNote
from cpu_gpu_sentry.playbooks.scripts import fingerprint, script_body, script_name, with_token


class _Run(NamedTuple):
    """A playbook that runs, with its note and API token."""

    playbook: Playbook
    note: RunNote
    api_token: str | None


async def look_at_wallets(run_states: Iterable[RunState], folders: Folders, in_thread: InThread) -> bool:
    """Stores for each run what is found; returns whether that has changed."""
    running = [
        (state, _Run(state.playbook, note, state.api_token)) for state in run_states if (note := state.note) is not None
    ]
    evidences = await in_thread(lambda: [_look(folders, run) for _, run in running])
    is_news = False
    for (state, run), evidence in zip(running, evidences, strict=True):
        if state.note is run.note and state.wallet_evidence is not evidence:
            state.wallet_evidence, is_news = evidence, True
    return is_news


def _look(folders: Folders, run: _Run) -> WalletEvidence | None:
    return wallet_evidence(run.playbook, arguments_below(run.note.keeper_pid), _script_of(folders, run))


def wallet_evidence(playbook: Playbook, arguments: Sequence[str], script: str | None) -> WalletEvidence | None:
    """Returns where the wallets are; None if the playbook has none, or nothing runs.

    `script` is the one on disk; None if the sentry did not write it.
    """
    users = [work.user for work in playbook.works if work.user]
    if not users or not arguments:
        return None
    if all(any(user in argument for argument in arguments) for user in users):
        return WalletEvidence.ARGUMENTS
    return WalletEvidence.SCRIPT if script and all(user in script for user in users) else WalletEvidence.NEITHER


def arguments_below(pid: int) -> list[str]:
    """Returns the arguments of all processes of a playbook except the keeper."""
    arguments: list[str] = []
    for process in below(pid):
        try:
            arguments += process.cmdline()
        except (psutil.Error, OSError):
            continue
    return arguments


def _script_of(folders: Folders, run: _Run) -> str | None:
    """Returns the script on disk, if it is the one that was started. The file has the token of its API; the note's
    fingerprint is of the script without it."""
    body = script_body(run.playbook, run.note.port)
    if fingerprint(body) != run.note.script:
        return None
    written = with_token(body, run.api_token)
    try:
        on_disk = (folders.of(run.note.playbook_id) / script_name(written, run.playbook.platform)).read_bytes()
    except OSError:
        return None
    return written.decode() if on_disk == written else None
