"""VNish (AnthillOS) on Antminers: HTTP at port 80. `summary` and `info` are open unless the owner locks them.

Written after the firmware's own description of its API; no answer of a device was at hand. Hashrates are in the unit
of `hr_measure`; `hr_realtime` is that of the moment.
"""

import re
from collections.abc import Sequence

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs, PoolState
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry.access import Token
from asic_sentry.dialects.antminer import MAKE, model_name
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    expected_chips,
    fan_speeds,
    hottest,
    hottest_of,
    limited_boards,
    limited_pools,
    mac,
    objects,
    part,
    pool_of,
    rejected_percent_of,
    sample,
    slot_of,
)
from asic_sentry.dialects.web import get, mapping_of
from asic_sentry.models import Model

FIRMWARE = "VNish"
_UNITS = {"MH/s": 1e6, "GH/s": 1e9, "TH/s": 1e12}
_POOL_STATES = {
    "working": PoolState.CONNECTED,
    "rejecting": PoolState.CONNECTED,
    "active": PoolState.STANDBY,
    "offline": PoolState.DISCONNECTED,
}
_STOPPED = {"stopped", "shutting-down", "failure"}
_UPTIME = re.compile(r"(?:(\d+) days?,?\s*)?(\d{1,2}):(\d{2})(?::(\d{2}))?")
_FAILED = {"failure", "disconnected"}


def recognise_vnish(info: bytes) -> None:
    checked(FIRMWARE, lambda: mapping_of(FIRMWARE, info, "fw_name"))


def parse_vnish(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `summary` and `info`."""
    return sample(FIRMWARE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary, info = mapping_of(FIRMWARE, replies[0], "miner"), mapping_of(FIRMWARE, replies[1], "fw_name")
    miner, status = part(summary, "miner"), part(part(summary, "miner"), "miner_status")
    factor = _UNITS.get(str(info.get("hr_measure")))
    chains = objects(miner.get("chains"))
    boards = limited_boards(_board(each, place, factor, model) for place, each in enumerate(chains))
    pools = limited_pools(_pool(each) for each in objects(miner.get("pools")))
    is_stopped = status.get("miner_state") in _STOPPED
    return AsicReading(
        uptime_s=_seconds(part(info, "system").get("uptime")),
        hashrate_hs=0.0 if is_stopped else scaled(miner.get("hr_realtime"), factor),
        average_hashrate_hs=scaled(miner.get("hr_average"), factor),
        expected_hashrate_hs=scaled(miner.get("hr_nominal"), factor) or None,
        power_w=positive(miner.get("power_consumption")),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(each.get("rpm") for each in objects(part(miner, "cooling").get("fans"))),
        pools=pools,
        rejected_percent=rejected_percent_of(pools),
        faults=_faults(miner, status),
    )


def _seconds(uptime: object) -> int | None:
    """Returns the seconds of "1 day, 3:04" or "3:04:05"."""
    match = _UPTIME.search(uptime) if isinstance(uptime, str) else None
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _board(each: Row, place: int, factor: float | None, model: Model | None) -> AsicBoard:
    """Water-cooled boards report the water's temperatures, others the board's. The highest of each counts."""
    bad = count(part(each, "chip_statuses").get("red"))
    expected = expected_chips(model, None)
    return AsicBoard(
        slot=slot_of(each.get("id"), place),
        hashrate_hs=scaled(each.get("hashrate_rt"), factor),
        inlet_temperature_c=temperature(each.get("inlet_water_temp")),
        outlet_temperature_c=hottest(
            [temperature(each.get("outlet_water_temp")), temperature(part(each, "pcb_temp").get("max"))]
        ),
        chip_temperature_c=temperature(part(each, "chip_temp").get("max")),
        chips=None if bad is None or expected is None else max(0, expected - bad),
        expected_chips=expected,
    )


def _pool(each: Row) -> AsicPool:
    return pool_of(each, _POOL_STATES.get(str(each.get("status"))))


def _faults(miner: Row, status: Row) -> list[str]:
    """Returns the miner's own failure, boards that failed, lost fans and bad chips."""
    code, chains = count(status.get("failure_code")), objects(miner.get("chains"))
    faults = [f"error {code}"] if code else ["stopped"] if status.get("miner_state") == "failure" else []
    faults += ["board"] if any(part(each, "status").get("state") in _FAILED for each in chains) else []
    fans = objects(part(miner, "cooling").get("fans"))
    faults += ["fan"] if any(each.get("status") == "lost" for each in fans) else []
    return faults + (["chips"] if any(count(part(each, "chip_statuses").get("red")) for each in chains) else [])


def parse_vnish_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `info` and, if the firmware has it, the profile in `perf-summary`."""
    return checked(FIRMWARE, lambda: _specs(mapping_of(FIRMWARE, replies[0] or b"", "fw_name"), replies[1]))


def _specs(info: Row, performance: bytes | None) -> AsicSpecs:
    preset = part(mapping_of(FIRMWARE, performance), "current_preset") if performance else {}
    profile = text(preset.get("pretty")) or text(preset.get("name"))
    network = part(part(info, "system"), "network_status")
    return AsicSpecs(
        make=MAKE,
        model=model_name(info.get("miner")),
        firmware_version=text(f"{FIRMWARE} {info.get('fw_version', '')}"),
        software_version=text(f"profile {profile}" if profile else None),
        mac=mac(network.get("mac")),
        serial_number=text(info.get("serial")),
        hostname=text(network.get("hostname")),
    )


_ACCESS = Token("/api/v1/unlock", '{"pw":"{password}"}')
_INFO = get("/api/v1/info", access=_ACCESS)
VNISH = Dialect(
    name="vnish",
    makes=frozenset({MAKE}),
    port=80,
    poll_questions=(get("/api/v1/summary", access=_ACCESS), _INFO),
    parse=parse_vnish,
    specs_questions=(_INFO, get("/api/v1/perf-summary", optional=True, access=_ACCESS)),
    parse_specs=parse_vnish_specs,
    probe=_INFO,
    recognise=recognise_vnish,
    is_better=True,
    remark="chips only of models that the sentry knows",
    firmware="VNish, AnthillOS",
)
