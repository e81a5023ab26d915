"""The features that tell this machine from others: network cards, mainboard, installation of the operating system.

Serial numbers leave the rig as hashes only. A source that can't be read is None.
"""

import hashlib
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from cpu_gpu_sentry.machine.specs import DMI

NET = Path("/sys/class/net")
MACHINE_ID = Path("/etc/machine-id")
_MACS_MOST = 64
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_LOCAL = 0x02  # of the first byte: the address was not given by the card's maker (IEEE 802)
_PERMANENT = "0"  # of `addr_assign_type` (Linux, Documentation/ABI/testing/sysfs-class-net)
_PLACEHOLDERS = ("default", "filled", "o.e.m", "none", "not ", "unknown", "serial", "system", "empty", "12345")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The machine as it is now. `macs` are in lower case with colons."""

    macs: tuple[str, ...] = ()
    machine_id: str | None = None
    board_serial: str | None = None
    hostname: str | None = None


def read_fingerprint() -> Fingerprint:
    return Fingerprint(
        macs=tuple(sorted(set(read_macs()))[:_MACS_MOST]),
        machine_id=hashed(_line(MACHINE_ID) if sys.platform != "win32" else _windows_machine_id()),
        board_serial=hashed(board_serial()),
        hostname=socket.gethostname()[:256] or None,
    )


def read_macs(net: Path = NET) -> list[str]:
    """Returns the MACs of the network cards, without those of bridges, containers and tunnels.

    A card that makes up its address counts only if the machine has no other one.
    """
    if not net.is_dir():
        return _macs_of_psutil()
    cards = [card for card in sorted(net.iterdir()) if (card / "device").exists()]
    found = {card: mac for card in cards if (mac := _mac(_line(card / "address")))}
    permanent = [mac for card, mac in found.items() if _line(card / "addr_assign_type") in (None, _PERMANENT)]
    return permanent or list(found.values())


def _macs_of_psutil() -> list[str]:
    addresses = [each for card in psutil.net_if_addrs().values() for each in card if each.family == psutil.AF_LINK]
    macs = [mac for each in addresses if (mac := _mac(each.address))]
    return [mac for mac in macs if not int(mac[:2], 16) & _LOCAL]


def _mac(text: str | None) -> str | None:
    mac = (text or "").strip().lower().replace("-", ":")
    return mac if _MAC.fullmatch(mac) and mac != "00:00:00:00:00:00" else None


def board_serial(dmi: Path = DMI) -> str | None:
    """Returns the mainboard's serial number, which only root can read; None for what makers write in its place."""
    serial = _line(dmi / "board_serial") or ""
    is_one = len(serial) >= 5 and len(set(serial)) > 2
    return serial if is_one and not any(word in serial.lower() for word in _PLACEHOLDERS) else None


def hashed(text: str | None) -> str | None:
    """Returns a hash that is of no use to other programs."""
    return hashlib.sha256(f"minewarden {text}".encode()).hexdigest() if text else None


def _windows_machine_id() -> str | None:
    import winreg

    path = r"SOFTWARE\Microsoft\Cryptography"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:  # type: ignore[attr-defined,unused-ignore]
            return str(winreg.QueryValueEx(key, "MachineGuid")[0])  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return None


def _line(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip()[:256] or None
    except OSError:
        return None
