"""Rights of files where miners run as an account of their own: they reach their software and script, and nothing else.

The data directory and the folders on the way may be entered, not listed. The sentry's own files there are for its user
alone: the store with the token, its copies, the one-time address of the local page, the secret of miners' APIs.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from cpu_gpu_sentry.playbooks.folders import Folders, make
from cpu_gpu_sentry.playbooks.miner_account import MinerAccount

_MAY_ENTER = 0o711
_FOR_OTHERS = 0o077


def open_the_way(folders: Folders, playbook_id: str) -> None:
    """Lets other users enter the folders that a playbook needs, after everything else is closed to them."""
    with os.scandir(folders.data_dir) as entries:
        for entry in entries:
            if entry.name not in ("playbooks", "software"):
                with suppress(FileNotFoundError):  # a temporary file of the store or of the sentry may be gone by now
                    _close_to_others(entry)
    for folder in (make(folders.of(playbook_id)), folders.playbooks, make(folders.software), folders.data_dir):
        folder.chmod(_MAY_ENTER)


def _close_to_others(entry: os.DirEntry[str]) -> None:
    mode = entry.stat(follow_symlinks=False).st_mode
    if not entry.is_symlink() and mode & _FOR_OTHERS:
        Path(entry.path).chmod(mode & 0o7777 & ~_FOR_OTHERS)


def hand_over(folder: Path, account: MinerAccount) -> None:
    """Gives a folder and everything in it to the account.

    The folder itself comes last: until then only root can enter it, so nothing in it can be exchanged meanwhile.
    """
    if folder.stat().st_uid == account.uid:
        return
    folder.chmod(0o700)
    for _root, names, files, descriptor in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in (*names, *files):
            os.chown(name, account.uid, account.gid, dir_fd=descriptor, follow_symlinks=False)
    os.chown(folder, account.uid, account.gid)


def discard_if_not_own(folder: Path) -> None:
    """Deletes software that another account could have changed: what runs as root must be as it was unpacked."""
    if hasattr(os, "geteuid") and folder.is_dir() and folder.stat().st_uid != os.geteuid():
        shutil.rmtree(folder)


def home_of(folders: Folders, playbook_id: str, account: MinerAccount) -> Path:
    """Returns the account's home folder in a playbook's folder; miners keep compiled kernels there."""
    home = make(folders.of(playbook_id) / "home")
    os.chown(home, account.uid, account.gid)
    return home


def show_script(script: Path, account: MinerAccount) -> None:
    """Lets the account read the script, and not change it."""
    os.chown(script, -1, account.gid)
    script.chmod(0o750)
