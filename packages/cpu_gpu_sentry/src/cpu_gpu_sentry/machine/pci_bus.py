"""The graphics cards on the PCI bus, by sysfs: what the hardware reports, also without a driver."""

from pathlib import Path

DEVICES = Path("/sys/bus/pci/devices")
_NVIDIA, _AMD = "0x10de", "0x1002"
_DISPLAY = "0x03"  # the base class of display controllers (PCI Code and ID Assignment, appendix D)
_NO_ANSWER = b"\xff\xff\xff\xff"  # what a read of a device returns that does not answer any longer


def cards_on_bus(devices: Path = DEVICES) -> frozenset[str] | None:
    """Returns the addresses of NVIDIA's and AMD's cards that answer; None where there is no such list.

    A card that fell off the bus often stays listed. Its configuration then reads as ones.
    """
    try:
        listed = sorted(devices.iterdir())
    except OSError:
        return None
    return frozenset(each.name.lower() for each in listed if _is_card(each) and _answers(each))


def _is_card(device: Path) -> bool:
    return _text(device / "vendor") in (_NVIDIA, _AMD) and _text(device / "class").startswith(_DISPLAY)


def _answers(device: Path) -> bool:
    try:
        with (device / "config").open("rb") as file:
            return file.read(4) != _NO_ANSWER
    except OSError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
