"""The account that miners run as where the sentry is root: `minewarden-miner`, which can read no secret of the sentry.

Without that account miners run as the sentry's own user. The playbook's page says which, and why.
"""

import logging
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

NAME = "minewarden-miner"
GPU_GROUPS = ("video", "render")  # who may use /dev/dri and /dev/kfd
_ENTER = 0o001
_NEEDED = {0: "CAP_CHOWN", 6: "CAP_SETGID", 7: "CAP_SETUID"}  # linux/capability.h


class MinerAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account of this machine. `groups` has its own and those of GPUs."""

    name: str
    uid: int
    gid: int
    groups: list[int]


class RunsAs(msgspec.Struct, frozen=True, kw_only=True):
    """The user that a miner is started as; without `account` it is the sentry's own. `words` are for people."""

    words: str
    account: MinerAccount | None = None


def runs_as(data_dir: Path, *, wants_root: bool) -> RunsAs:
    """Returns the user for a playbook's miner. Makes the account if it is missing."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return RunsAs(words="the sentry's own user, which is not root")
    if wants_root:
        return RunsAs(words="root, because the playbook says so")
    reason = _why_not(data_dir)
    account = None if reason else find_account()
    if account is None:
        return RunsAs(words=f"root, because {reason or f'there is no account {NAME}'}")
    return RunsAs(words=account.name, account=account)


def _why_not(data_dir: Path) -> str | None:
    closed = next((each for each in data_dir.resolve().parents if not each.stat().st_mode & _ENTER), None)
    if closed is not None:
        return f"other users can't enter {closed}, where the sentry's data is"
    lacking = [name for bit, name in _NEEDED.items() if not _capabilities() >> bit & 1]
    return f"the sentry has no {' and no '.join(lacking)}" if lacking else None


@cache
def _capabilities() -> int:
    """Returns the capabilities of this process; all of them where Linux does not say so."""
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("CapEff:")), 16)
    return -1


def find_account() -> MinerAccount | None:
    account = _look_up()
    if account is None:
        _make_account()
        account = _look_up()
    return account


def _look_up() -> MinerAccount | None:
    import grp
    import pwd

    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        return None
    groups = set(os.getgrouplist(NAME, entry.pw_gid)) - {0}
    for name in GPU_GROUPS:
        with suppress(KeyError):
            groups.add(grp.getgrnam(name).gr_gid)
    return MinerAccount(name=NAME, uid=entry.pw_uid, gid=entry.pw_gid, groups=sorted(groups))


@cache
def _make_account() -> None:
    """Tries once in the life of this process. Where /etc can't be written, the installer has to make the account."""
    from protocol.service_setup import NO_HOME, ServiceProblem, make_account  # only a new machine needs these

    try:
        is_new = make_account(NAME, NO_HOME)
    except ServiceProblem as error:
        log.warning("miner_account_not_made %s", error)
        return
    if is_new:
        log.info("miner_account_made %s", NAME)
    else:
        log.info("miner_account_not_made %s is there%s", NAME, _whose())


def _whose() -> str:
    import pwd

    try:
        return ", and is root's" if pwd.getpwnam(NAME).pw_uid == 0 else ""
    except KeyError:
        return ""
