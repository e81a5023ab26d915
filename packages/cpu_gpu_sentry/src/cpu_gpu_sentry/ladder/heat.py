"""The steps for a critical temperature: stop, resume 15 K lower, three times, then stop for good. Pure.

They have limits and no switch: neither the settings nor a maintenance turns them off.
"""

from collections.abc import Mapping

from protocol.command_messages import LadderSettings
from protocol.units import counted

from cpu_gpu_sentry.ladder.facts import Facts, Sensor, Temperature, device_name
from cpu_gpu_sentry.ladder.history import History, Hold
from cpu_gpu_sentry.ladder.steps import ResumeCool, Step, StopForGood, StopHot

CRITICAL_FOR_S = 30.0
COOLER_BY_K = 15.0
STOPS_A_DAY = 3
# Gaming cards tell their memory's temperature to the miner alone, which does not run then: the core stands in for it.
UNSEEN_FOR_S = 300.0
UNSEEN_COOLER_BY_K = 20.0


def heat_step(facts: Facts, history: History, limits: LadderSettings, now_s: float) -> Step | None:
    for temperature in facts.temperatures:
        since_s = history.hot_since_s.get(temperature.key)
        is_hot = temperature.celsius is not None and temperature.celsius >= critical_c(temperature.sensor, limits)
        if is_hot and since_s is not None and now_s - since_s >= CRITICAL_FOR_S:
            step = _stop(temperature, facts, history, limits)
            if step is not None:
                return step
    return None


def critical_c(sensor: Sensor, limits: LadderSettings) -> float:
    match sensor:
        case Sensor.GPU:
            return limits.critical_gpu_c
        case Sensor.MEMORY:
            return limits.critical_memory_c
        case Sensor.CPU:
            return limits.critical_cpu_c


def _stop(hot: Temperature, facts: Facts, history: History, limits: LadderSettings) -> Step | None:
    names = _playbooks_on(hot.device, facts, history)
    if not names:
        return None
    limit_c = critical_c(hot.sensor, limits)
    stops = sum(1 for each in history.hot_stops if each.sensor_key == hot.key)
    text = f"{_place(hot.device, hot.sensor)} was at {limit_c:.0f} °C or more for {CRITICAL_FOR_S:.0f} s"
    if stops >= STOPS_A_DAY:
        reason = f"gave up: {text}, {counted(stops + 1, 'time')} in 24 h; mining is stopped until somebody starts it"
        return StopForGood(names, hot.device, hot.key, reason)
    resume_at_c = limit_c - COOLER_BY_K
    return StopHot(names, hot.device, hot.key, resume_at_c, f"stopped: {text}; it resumes at {resume_at_c:.0f} °C")


def _playbooks_on(device: str, facts: Facts, history: History) -> tuple[str, ...]:
    """Returns the running playbooks that use a device; all of them if none is known to."""
    running = [each for each in facts.playbooks if each.running_s is not None and not history.is_held(each.id)]
    using = [each.id for each in running if each.devices is not None and device in each.devices]
    return tuple(using or [each.id for each in running])


def cool_step(facts: Facts, history: History, limits: LadderSettings, now_s: float) -> Step | None:
    """Returns the resuming of playbooks whose device has cooled down. An unknown temperature resumes nothing."""
    now_c = {each.key: each.celsius for each in facts.temperatures}
    for hold in history.holds:
        text = _cooled(hold, now_c, limits, now_s)
        if text is not None:
            names = tuple(each.playbook_id for each in history.holds if each.sensor_key == hold.sensor_key)
            return ResumeCool(names, hold.device, f"resumed: {text}")
    return None


def _cooled(hold: Hold, now_c: Mapping[str, float | None], limits: LadderSettings, now_s: float) -> str | None:
    """Returns how it has cooled down, as the second half of a sentence."""
    if hold.resume_at_c is None:
        return None
    sensor, celsius = Sensor(hold.sensor_key.rpartition(" ")[2]), now_c.get(hold.sensor_key)
    if celsius is not None:
        cooled = f"{_place(hold.device, sensor)} has cooled down to {celsius:.0f} °C"
        return cooled if celsius <= hold.resume_at_c else None
    core_c = now_c.get(f"{hold.device} {Sensor.GPU.value}")
    is_waited_for = sensor is Sensor.MEMORY and now_s - hold.at_s >= UNSEEN_FOR_S
    if core_c is None or not is_waited_for or core_c > limits.critical_gpu_c - COOLER_BY_K - UNSEEN_COOLER_BY_K:
        return None
    return f"{device_name(hold.device)} has cooled down to {core_c:.0f} °C, and its memory with it"


def _place(device: str, sensor: Sensor) -> str:
    return f"the memory of {device_name(device)}" if sensor is Sensor.MEMORY else device_name(device)
