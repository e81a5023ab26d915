"""Reboots and shuts down this machine: by systemd, or by the operator's own command.

systemd may wait for ever for a driver that hangs. If the machine still runs after a minute, the kernel is asked by
SysRq (https://docs.kernel.org/admin-guide/sysrq.html): write everything to disk, mount read-only, then reboot or
switch off.
"""

import asyncio
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from protocol.reasons import reason
from sentry_kit.errors import SentryError
from sentry_kit.worker import Worker

log = logging.getLogger(__name__)

SYSRQ = Path("/proc/sysrq-trigger")
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/run/systemd/container"))
_PIDS = Path("/proc/self/ns/pid")
_HOST_PIDS = "pid:[4026531836]"  # PROC_PID_INIT_INO (include/linux/proc_ns.h): the machine's own process ids
_ASK_LIMIT_S = 30.0
_HANGS_AFTER_S = 60.0
_BETWEEN_S = 2.0


class PowerAct(Enum):
    """An act on the machine's power: how systemd is asked for it, and the last key of SysRq."""

    REBOOT = ("reboot", "b")
    SHUTDOWN = ("poweroff", "o")

    @property
    def words(self) -> str:
        return "reboot" if self is PowerAct.REBOOT else "shut down"


class PowerRefused(SentryError):
    """This sentry can't do that here, and never pretends to."""


class PowerFailed(SentryError):
    """It was tried, and the machine still runs."""


@dataclass(frozen=True, slots=True)
class Place:
    """The facts that decide whether this process may do that."""

    is_linux: bool
    is_root: bool
    is_container: bool


def here() -> Place:
    is_linux = sys.platform == "linux"
    is_root = is_linux and os.geteuid() == 0
    has_mark = any(each.exists() for each in _CONTAINER_MARKS)
    return Place(is_linux, is_root, is_linux and (has_mark or has_own_pids()))


def has_own_pids(pids: Path = _PIDS) -> bool:
    """Returns whether process ids here are not the machine's, as in every container; some leave no mark."""
    try:
        return str(pids.readlink()) != _HOST_PIDS
    except OSError:
        return False


def why_refused(act: PowerAct, place: Place, *, has_command: bool) -> str | None:
    """Returns a sentence if this sentry can't do it. The operator's own command is for reboots only."""
    if act is PowerAct.REBOOT and has_command:
        return None
    setting = " or name a command in CPU_GPU_SENTRY_REBOOT_COMMAND" if act is PowerAct.REBOOT else ""
    if not place.is_linux:
        return f"The sentry can {act.words} Linux rigs only{' without a command of yours' if setting else ''}."
    if place.is_container:
        return f"The sentry runs in a container, which can't {act.words} its host; run it on the host{setting}."
    if not place.is_root:
        return f"The sentry does not run as root and may not {act.words} the rig; run it as root{setting}."
    return None


@dataclass(frozen=True, slots=True)
class Power:
    """The way to this machine's power. `command` is the operator's own way to reboot."""

    command: str | None = None
    place: Place | None = None  # None: this process's own
    sysrq: Path = SYSRQ
    hangs_after_s: float = _HANGS_AFTER_S

    def why_refused(self, act: PowerAct) -> str | None:
        return why_refused(act, self.place or here(), has_command=self.command is not None)

    async def carry_out(self, act: PowerAct) -> None:
        """Returns after the operator's command; otherwise raises `PowerFailed` if the machine still runs."""
        if (refusal := self.why_refused(act)) is not None:
            raise PowerRefused(refusal)
        log.warning("power %s", act.words)
        if act is PowerAct.REBOOT and self.command is not None:
            await _ask(_words(self.command))
            return
        try:
            await _ask(["systemctl", act.value[0]])
        except PowerFailed as error:
            log.warning("power_systemd %s", error)  # SysRq needs no systemd
        else:
            await asyncio.sleep(self.hangs_after_s)
        await self._by_sysrq(act)
        raise PowerFailed(f"The rig was asked to {act.words} by systemd and by SysRq, and still runs.")

    async def _by_sysrq(self, act: PowerAct) -> None:
        """Sync, remount read-only, and the act itself."""
        for key in ("s", "u", act.value[1]):
            log.warning("power_sysrq %s", key)
            try:
                await asyncio.to_thread(_press, self.sysrq, key)
            except OSError as error:
                raise PowerFailed(f"The rig could not {act.words} by SysRq ({reason(error)}).") from error
            await asyncio.sleep(_BETWEEN_S)


def _press(sysrq: Path, key: str) -> None:
    with sysrq.open("a", encoding="ascii") as file:
        file.write(key)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command, posix=sys.platform != "win32")
    except ValueError as error:
        raise PowerFailed(f"CPU_GPU_SENTRY_REBOOT_COMMAND can't be read ({error}); correct its quotes.") from error


async def _ask(arguments: Sequence[str]) -> None:
    """Runs a program, without a shell, and waits for its end. Raises `PowerFailed`.

    A thread waits for it: the program goes on if this sentry is ended meanwhile.
    """
    thread = Worker("power")
    try:
        await thread.call(lambda: _run(arguments), timeout_s=2 * _ASK_LIMIT_S)
    finally:
        thread.end(within_s=0)


def _run(arguments: Sequence[str]) -> None:
    name = arguments[0] if arguments else "CPU_GPU_SENTRY_REBOOT_COMMAND"
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own program, or systemctl
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=_ASK_LIMIT_S, check=False, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PowerFailed(f"{name} did not end within {_ASK_LIMIT_S:.0f} s.") from error
    except (OSError, ValueError, IndexError) as error:
        raise PowerFailed(
            f"{name} could not be run ({reason(error) if isinstance(error, OSError) else error})."
        ) from error
    if done.returncode:
        printed = done.stderr.decode("utf-8", "replace").strip()[-200:]
        raise PowerFailed(f"{name} ended with exit code {done.returncode}{f': {printed}' if printed else ''}.")
