"""Which device the kernel has met at which address of the networks that this computer is in: its ARP table."""

from collections import Counter
from pathlib import Path

from asic_sentry.dialects.parsing import mac

ARP = Path("/proc/net/arp")  # Linux; elsewhere nothing is known
_COMPLETE = 0x2


def neighbours(table: Path = ARP) -> dict[str, str]:
    """MACs by IP. One that stands for several addresses is a router's, and is nobody's here."""
    try:
        lines = table.read_text(encoding="ascii", errors="replace").splitlines()[1:]
    except OSError:
        return {}
    found = dict(entry for line in lines if (entry := _entry(line.split())))
    times = Counter(found.values())
    return {ip: address for ip, address in found.items() if times[address] == 1}


def _entry(fields: list[str]) -> tuple[str, str] | None:
    """`IP address, HW type, Flags, HW address, Mask, Device`; incomplete ones have the address 00:00:00:00:00:00."""
    if len(fields) < 4 or not fields[2].startswith("0x") or not int(fields[2], 16) & _COMPLETE:
        return None
    address = mac(fields[3])
    return None if address in (None, "00:00:00:00:00:00") else (fields[0], address or "")
