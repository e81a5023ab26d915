"""The kernel's ARP table: the MAC of each device in this computer's networks that it has talked to lately."""

from collections import Counter
from pathlib import Path

from asic_sentry.dialects.parsing import mac

ARP_FILE = Path("/proc/net/arp")  # Linux; elsewhere no MAC is known
_COMPLETE = 0x2


def macs_by_ip(table: Path = ARP_FILE) -> dict[str, str]:
    """Returns MACs by IP. A MAC of several addresses is left out: it is a router's."""
    try:
        lines = table.read_text(encoding="ascii", errors="replace").splitlines()[1:]
    except OSError:
        return {}
    macs = dict(entry for line in lines if (entry := _entry(line.split())))
    times = Counter(macs.values())
    return {ip: address for ip, address in macs.items() if times[address] == 1}


def _entry(fields: list[str]) -> tuple[str, str] | None:
    """Parses `IP address, HW type, Flags, HW address, Mask, Device`. Incomplete entries have 00:00:00:00:00:00."""
    if len(fields) < 4 or not fields[2].startswith("0x") or not int(fields[2], 16) & _COMPLETE:
        return None
    address = mac(fields[3])
    return None if address in (None, "00:00:00:00:00:00") else (fields[0], address or "")
