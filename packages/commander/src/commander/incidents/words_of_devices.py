"""Devices of conditions in words. Pure."""

from commander.readings.faults import card_name


def device_text(device: str) -> str:
    """Returns "GPU 03:00" for 0000:03:00.0; other devices are as they are called."""
    return card_name(device) if ":" in device else device
