"""The rig's own clock: seconds that this rig has been on, over all its boots. It can't be set. Pure.

Within a boot it is the time since the boot. What the earlier boots lasted is added, as far as it was noted: the time
between the last note and the end of a boot is missing, and so is the time while the rig was off. The clock is slow
rather than fast, so a reboot counts for 24 h at least.
"""

import msgspec
from msgspec.structs import replace


class RigClock(msgspec.Struct, frozen=True):
    """The boot that was noted last, its age then, and how long all boots before it lasted."""

    boot_id: str | None = None
    boot_age_s: float = 0.0
    before_s: float = 0.0

    @property
    def now_s(self) -> float:
        return self.before_s + self.boot_age_s


def noted_now(clock: RigClock, boot_id: str | None, boot_age_s: float) -> RigClock:
    """Returns the clock at this moment. Without an id, an age that has become less means another boot."""
    is_same = boot_id == clock.boot_id and boot_age_s >= clock.boot_age_s
    if is_same:
        return replace(clock, boot_age_s=boot_age_s)
    return RigClock(boot_id, boot_age_s, clock.now_s)
