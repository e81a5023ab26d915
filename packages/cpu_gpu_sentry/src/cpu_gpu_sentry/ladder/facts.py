"""The facts that the ladder decides by. Pure data: `None` is unknown, and unknown starts nothing."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Sensor(StrEnum):
    """A place whose temperature has a critical limit."""

    GPU = "gpu"
    MEMORY = "memory"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Temperature:
    """A temperature of one device: `cpu`, or a PCI address."""

    device: str
    sensor: Sensor
    celsius: float | None

    @property
    def key(self) -> str:
        return f"{self.device} {self.sensor.value}"


@dataclass(frozen=True, slots=True)
class CardFault:
    """A fault of one card that only a reboot repairs; `text` follows the card's name in a sentence."""

    device: str
    text: str
    xid: int | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """A playbook's hashrate for one algorithm, now and usually; `usual_hs` is None while it is being learnt."""

    algorithm: str
    now_hs: float | None
    usual_hs: float | None = None


@dataclass(frozen=True, slots=True)
class PlaybookFacts:
    """One playbook that is to run.

    `running_s` is the age of its run; None: it does not run now. `idle_devices` hash nothing and did so before in this
    run's revision. `devices` is None if unknown. `excuse` is a fault that no restart repairs, such as a pool that gives
    no work. `exhausted` says that the playbook's own watchdog has restarted it as often as it may, in vain.
    """

    id: str
    name: str
    running_s: float | None
    rates: tuple[Rate, ...] = ()
    devices: frozenset[str] | None = None
    idle_devices: frozenset[str] = frozenset()
    excuse: str | None = None
    exhausted: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about the rig at one moment.

    `missing_cards` belong to the rig and are not on its bus. `card_faults` are recent ones of this boot.
    `reboot_veto` is the end of a sentence that says why this rig is never rebooted, also if its limits allow it.
    """

    boot_id: str | None
    boot_age_s: float
    reboot_veto: str | None = None
    pool_reachable: bool | None = None
    other_host_reachable: bool | None = None
    playbooks: tuple[PlaybookFacts, ...] = ()
    missing_cards: frozenset[str] = frozenset()
    card_faults: tuple[CardFault, ...] = ()
    temperatures: tuple[Temperature, ...] = ()

    @property
    def is_cut_off(self) -> bool:
        """Returns whether neither the pool nor a second host can be reached: then the network is down."""
        return self.pool_reachable is False and self.other_host_reachable is False

    def with_reach(self, pool: bool | None, other: bool | None) -> "Facts":
        return replace(self, pool_reachable=pool, other_host_reachable=other)


def device_name(device: str) -> str:
    """Returns a device's name for people: `GPU 03:00.0`, `the CPU`."""
    if device == "cpu":
        return "the CPU"
    return f"GPU {device.removeprefix('gpu').removeprefix('0000:')}"
