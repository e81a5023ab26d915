"""The watchdog's limits and acts in words for pages."""

from collections.abc import Iterator

from protocol import units
from protocol.command_messages import LadderAct, LadderSettings

from commander.watchdog.domain import WORDS

USUAL = LadderSettings()
SENSORS = {"critical_gpu_c": "GPU", "critical_memory_c": "memory", "critical_cpu_c": "CPU"}


def differences(limits: LadderSettings) -> list[str]:
    """Returns each limit that is not the usual one, such as "may reboot" or "restarts below 40 %"."""
    return [*_steps(limits), *_times(limits), *_minimums(limits), *_temperatures(limits)]


def act_text(act: LadderAct) -> str:
    text = WORDS[act].removeprefix("watchdog ")
    return text[:1].upper() + text[1:]


def _steps(limits: LadderSettings) -> Iterator[str]:
    if limits.reboots:
        yield "may reboot"
    if not limits.restarts:
        yield "restarts nothing"
    if limits.low_percent != USUAL.low_percent:
        yield f"{'restarts' if limits.restarts else 'low'} below {limits.low_percent:g} %"


def _times(limits: LadderSettings) -> Iterator[str]:
    if limits.low_for_s != USUAL.low_for_s:
        yield f"low after {_minutes(limits.low_for_s)}"
    if limits.cure_within_s != USUAL.cure_within_s:
        yield f"two restarts have to help within {_minutes(limits.cure_within_s)}"
    if limits.grace_s != USUAL.grace_s:
        yield f"waits {_minutes(limits.grace_s)} after a start"


def _minimums(limits: LadderSettings) -> Iterator[str]:
    for minimum in limits.minimum_hashrates:
        yield f"at least {units.hashrate_text(minimum.hashrate_hs)} with {minimum.algorithm}"


def _temperatures(limits: LadderSettings) -> Iterator[str]:
    for name, sensor in SENSORS.items():
        critical_c: float = getattr(limits, name)
        if critical_c != getattr(USUAL, name):
            yield f"{sensor} critical at {critical_c:g} °C"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min"
