"""A rig for the tests of the ladder: its playbooks, its history and its limits."""

from cpu_gpu_sentry.ladder.facts import CardFault, Facts, PlaybookFacts, Rate, Sensor, Temperature
from cpu_gpu_sentry.ladder.history import (
    History,
    Hold,
    HotStop,
    RebootNote,
    RestartNote,
)
from protocol.command_messages import LadderSettings

NOW_S, MINUTE_S, HOUR_S = 500_000.0, 60.0, 3600.0
CARD, OTHER_CARD = "0000:03:00.0", "0000:04:00.0"
FELL_OFF = CardFault(CARD, "fell off the bus, Xid 79", 79)
DEFAULTS = LadderSettings()
REBOOTS = LadderSettings(reboots=True)
GPU_HOT, GPU_KEY = Temperature(CARD, Sensor.GPU, 93.0), f"{CARD} gpu"


def ago(minutes: float) -> float:
    return NOW_S - minutes * MINUTE_S


def mining(
    percent: float | None = 100,
    *,
    usual_hs: float | None = 100.0,
    minutes: float | None = 120,
    name: str = "7",
    idle: frozenset[str] = frozenset(),
    excuse: str | None = None,
    exhausted: str | None = None,
    devices: frozenset[str] | None = frozenset({CARD, OTHER_CARD}),
) -> PlaybookFacts:
    """A playbook that does `percent` of 100 H/s and was started some minutes ago."""
    return PlaybookFacts(
        id=name,
        name=f"Kaspa {name}",
        running_s=None if minutes is None else minutes * MINUTE_S,
        rates=(Rate("kheavyhash", percent, usual_hs),),
        devices=devices,
        idle_devices=idle,
        excuse=excuse,
        exhausted=exhausted,
    )


def rig(
    *playbooks: PlaybookFacts,
    faults: tuple[CardFault, ...] = (),
    missing: frozenset[str] = frozenset(),
    temperatures: tuple[Temperature, ...] = (),
    pool: bool | None = True,
    other: bool | None = True,
    boot_minutes: float = 600,
    boot_id: str | None = "boot-2",
) -> Facts:
    return Facts(
        boot_id=boot_id,
        boot_age_s=boot_minutes * MINUTE_S,
        pool_reachable=pool,
        other_host_reachable=other,
        playbooks=playbooks or (mining(),),
        missing_cards=missing,
        card_faults=faults,
        temperatures=temperatures,
    )


def slow_for(minutes: float, *restarts_ago: float, reboots: tuple[RebootNote, ...] = ()) -> History:
    """A playbook that has been slow for so long, and was restarted so many minutes ago."""
    restarts = tuple(RestartNote("7", ago(each)) for each in restarts_ago)
    return History(slow_since_s={"7": ago(minutes)}, restarts=restarts, reboots=reboots)


def rebooted(*minutes_ago: float, device: str | None = None, boot_id: str = "boot-1") -> tuple[RebootNote, ...]:
    return tuple(RebootNote(ago(each), boot_id, device) for each in minutes_ago)


def hot_for(seconds: float, *stops_ago: float, key: str = GPU_KEY) -> History:
    stops = tuple(HotStop(key, ago(each)) for each in stops_ago)
    return History(hot_since_s={key: NOW_S - seconds}, hot_stops=stops)


HELD = History(holds=(Hold("7", CARD, GPU_KEY, 77.0),))
MEMORY_HELD = History(holds=(Hold("7", CARD, f"{CARD} memory", 97.0, ago(5)),))
HELD_FOR_GOOD = History(holds=(Hold("7", CARD, GPU_KEY, None),))
