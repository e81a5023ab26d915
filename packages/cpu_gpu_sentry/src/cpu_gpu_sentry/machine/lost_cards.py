"""Cards that were there once stay listed, so that people see which card is lost."""

from collections.abc import Iterable

from protocol.messages import GpuReading


class SeenCards:
    """Remembers the cards of one driver. Nothing is known about a lost card but its address."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def with_lost(self, readings: Iterable[GpuReading]) -> list[GpuReading]:
        """Returns the readings and the lost cards, by address."""
        found = {each.pci_address: each for each in readings}
        self._seen |= found.keys()
        is_lost = True if found else None  # a driver without any card says nothing about them
        return [
            found.get(address) or GpuReading(pci_address=address, is_lost=is_lost) for address in sorted(self._seen)
        ]
