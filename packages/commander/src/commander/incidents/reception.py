"""Is it the commander that receives nothing? Then no rig is accused of silence. Pure but for the look at interfaces."""

from pathlib import Path

FEWEST_RIGS = 3
MOST_OF_THEM = 0.5
JUST_STARTED_S = 600.0
RECEIVES_NOTHING = "receives_nothing"
_INTERFACES = Path("/sys/class/net")


def is_deaf(*, was_deaf: bool, silent: int, reporting: int, listening_s: float, network_is_down: bool) -> bool:
    """Returns whether most of the rigs went silent because of the commander.

    `silent` and `reporting` count the rigs that nobody knows to be offline. It stays deaf until most report again.
    """
    rigs = silent + reporting
    if rigs < FEWEST_RIGS or silent <= MOST_OF_THEM * rigs:
        return False
    return was_deaf or network_is_down or listening_s <= JUST_STARTED_S


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
