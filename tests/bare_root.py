"""A rig for a test: a system's root as it is, with a layer above it that takes every change, in a network of its own.

The layer is an overlay in memory, so the root below is never written to, and what the layer holds at the end is what an
installation has left behind. The program below runs in its own network, in which nothing but the commander answers.
"""

import ctypes
import fcntl
import os
import re
import shlex
import socket
import stat
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_MS_PRIVATE, _MS_REC, _MS_BIND = 1 << 18, 1 << 14, 1 << 12
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LINE_LIMIT_S = 300
UNITS = "etc/systemd/system"
# What a running system makes by itself. useradd keeps a copy of each file before its change.
_PASSING = ("tmp", "var/tmp", "run", "proc", "dev", "sys", "var/cache", "var/log")
_COPIES = frozenset(f"etc/{name}-" for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid"))


def enter() -> list[str]:
    """Returns the command that gives the next program a network and mounts of its own."""
    return ["unshare", "--net", "--mount", "--fork", "--kill-child"]


def loopback_up() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))


def mount(source: str, target: Path, kind: str, flags: int = 0, data: str = "") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [source.encode(), str(target).encode(), kind.encode()]
    if libc.mount(*words, flags, data.encode() or None):
        raise OSError(ctypes.get_errno(), f"{target}: {os.strerror(ctypes.get_errno())}")


@dataclass(frozen=True)
class BareRoot:
    """`lower` is the system's root, which stays as it is; `work` is an empty folder."""

    lower: Path
    work: Path

    @property
    def root(self) -> Path:
        return self.work / "root"

    @property
    def upper(self) -> Path:
        return self.work / "layer" / "upper"

    def open(self) -> None:
        """Mounts all; the namespace's end unmounts it."""
        mount("none", Path("/"), "", _MS_PRIVATE | _MS_REC)
        layer = self.work / "layer"
        for folder in (layer, self.root):
            folder.mkdir()
        mount("tmpfs", layer, "tmpfs")
        for name in ("upper", "scratch"):
            (layer / name).mkdir()
        data = f"lowerdir={self.lower},upperdir={self.upper},workdir={layer / 'scratch'}"
        mount("overlay", self.root, "overlay", data=data)
        mount("/proc", self.root / "proc", "", _MS_BIND | _MS_REC)
        mount("/dev", self.root / "dev", "", _MS_BIND | _MS_REC)
        for name in ("tmp", "run"):
            mount("tmpfs", self.root / name, "tmpfs")
        (self.root / UNITS).mkdir(parents=True, exist_ok=True)  # as a system with systemd has it

    def command(self, line: str) -> list[str]:
        environment = ["env", "-i", f"PATH={_PATH}", "HOME=/root", "LC_ALL=C.UTF-8"]
        return ["chroot", str(self.root), *environment, "/bin/sh", "-c", line]

    def type_in(self, line: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(line), capture_output=True, text=True, timeout=_LINE_LIMIT_S, check=False, cwd="/"
        )

    def start_of(self, unit: str) -> list[str]:
        """Returns the command that systemd would start the unit by, with its environment."""
        text = (self.root / UNITS / f"{unit}.service").read_text(encoding="utf-8")
        settings = re.findall(r"^Environment=(\S+)", text, re.MULTILINE)
        started = re.findall(r"^ExecStart=(.+)", text, re.MULTILINE)
        assert len(started) == 1, text
        return self.command(f"exec env {shlex.join(settings)} {started[0]}")

    def left_behind(self) -> list[str]:
        """Returns every file that the layer has and the system has not, and every one that it hides."""
        found = []
        for folder, folders, names in os.walk(self.upper):
            for name in [*folders, *names]:
                path = Path(folder, name)
                inside = str(path.relative_to(self.upper))
                is_passing = inside.startswith(_PASSING) or inside in _COPIES
                if not is_passing and (is_hidden(path) or not exists(self.lower / inside)):
                    found.append(inside)
        return sorted(found)


def exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def is_hidden(path: Path) -> bool:
    """Returns whether the layer hides a file of the system: overlayfs writes a device 0/0 in its place."""
    facts = path.lstat()
    return stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0


def main() -> int:
    """Says by its exit status whether a test can have such a root here: `bare_root.py LOWER WORK`."""
    try:
        loopback_up()
        rig = BareRoot(Path(sys.argv[1]), Path(sys.argv[2]))
        rig.open()
        needed = 'command -v curl && python3 -c "import sys, venv, ssl, sqlite3; sys.exit(sys.version_info < (3, 11))"'
        done = rig.type_in(needed)
    except OSError as error:
        sys.stderr.write(f"no overlay or no network of one's own: {error}\n")
        return 1
    if done.returncode:
        sys.stderr.write(f"{rig.lower} has no curl, or no Python 3.11 or newer\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
