"""A check whether the commander itself receives nothing: then no rig counts as offline.

Pure, except that `network_is_up` reads the state of the network interfaces.
"""

from pathlib import Path

FEWEST_RIGS = 3
MOST_OF_THEM = 0.5
JUST_STARTED_S = 600.0
RECEIVES_NOTHING = "receives_nothing"
_INTERFACES = Path("/sys/class/net")


def receives_nothing(
    *, did_before: bool, silent: int, reporting: int, listening_s: float, network_is_down: bool
) -> bool:
    """Returns whether most rigs are silent because the commander itself receives nothing.

    `silent` counts the silent rigs without an open condition of the rule offline, and `reporting` all rigs that report.
    Once true (`did_before`), it stays true until at least half of these rigs report again. `listening_s`: seconds since
    the commander could receive reports.
    """
    rigs = silent + reporting
    if rigs < FEWEST_RIGS or silent <= MOST_OF_THEM * rigs:
        return False
    return did_before or network_is_down or listening_s <= JUST_STARTED_S


def network_is_up(interfaces: Path = _INTERFACES) -> bool | None:
    """Returns whether an interface besides loopback is up; None where the system does not tell."""
    try:
        states = [
            (each / "operstate").read_text(encoding="ascii").strip()
            for each in interfaces.iterdir()
            if each.name != "lo"
        ]
    except (OSError, UnicodeDecodeError):
        return None
    return any(state in ("up", "unknown") for state in states) if states else None
