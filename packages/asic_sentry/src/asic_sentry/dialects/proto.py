"""Proto Rig: HTTP at port 80, `/api/v1/…`, without a log-in. Hashrates are GH/s in `mining` and TH/s in `telemetry`."""

from collections.abc import Sequence
from typing import Any

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs, PoolState
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry.dialects.dialect import Dialect, Part
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    fan_speeds,
    hottest,
    hottest_of,
    limited_boards,
    limited_faults,
    limited_pools,
    mac,
    objects,
    part,
    pool_of,
    rejected_percent_of,
    sample,
    slot_of,
)
from asic_sentry.dialects.web import get, list_of, mapping_of
from asic_sentry.failures import bad_response
from asic_sentry.models import Model

MAKE = "Proto"
_TERAHASHES = {"GH/S": 1e9, "TH/S": 1e12, "PH/S": 1e15}
_NOT_MINING = {"stopped", "idle", "off", "degradedstopped"}


def _section(reply: bytes, name: str) -> Row:
    """Raises `BadReply` if the answer has no object under `name`."""
    section = mapping_of(MAKE, reply, name)[name]
    if isinstance(section, dict):
        return section
    raise bad_response(f"{name} in the answer of a Proto Rig is no object.")


def recognise_proto(system: bytes) -> None:
    checked(MAKE, lambda: _section(system, "system-info"))


def parse_proto(replies: Sequence[bytes], _model: Model | None) -> AsicReading:
    """Reads `mining`, `telemetry`, `pools`, `cooling` and `errors`."""
    return sample(MAKE, lambda: _parse(replies))


def _parse(replies: Sequence[bytes]) -> AsicReading:
    mining, telemetry = _section(replies[0], "mining-status"), mapping_of(MAKE, replies[1], "hashboards")
    boards = limited_boards(_board(each, place) for place, each in enumerate(objects(telemetry.get("hashboards"))))
    pools = limited_pools(_pool(each) for each in objects(mapping_of(MAKE, replies[2], "pools")["pools"]))
    return AsicReading(
        uptime_s=count(mining.get("reboot_uptime_s")),
        hashrate_hs=_hashrate(mining),
        average_hashrate_hs=scaled(mining.get("average_hashrate_ghs"), 1e9),
        expected_hashrate_hs=scaled(mining.get("ideal_hashrate_ghs"), 1e9) or None,
        power_w=positive(mining.get("power_usage_watts")),
        temperature_c=hottest(
            [hottest_of(boards), temperature(part(part(telemetry, "miner"), "temperature").get("value"))]
        ),
        boards=boards,
        fans_rpm=fan_speeds(each.get("rpm") for each in objects(_section(replies[3], "cooling-status").get("fans"))),
        pools=pools,
        rejected_percent=rejected_percent_of(pools),
        faults=_faults(mining, list_of(MAKE, replies[4])),
        algorithm="SHA-256",
    )


def _hashrate(mining: Row) -> float | None:
    if (text(mining.get("status")) or "").lower() in _NOT_MINING:
        return 0.0
    return scaled(mining.get("hashrate_ghs"), 1e9)


def _board(each: Row, place: int) -> AsicBoard:
    rate, sensors = part(each, "hashrate"), part(each, "temperature")
    return AsicBoard(
        slot=slot_of(each.get("index"), place),
        hashrate_hs=scaled(rate.get("value"), _TERAHASHES.get(str(rate.get("unit", "")).upper())),
        inlet_temperature_c=temperature(sensors.get("inlet")),
        outlet_temperature_c=temperature(sensors.get("outlet")),
    )


def _pool(each: Row) -> AsicPool:
    """`status` is the pool's, in newer firmware `connection_status`; the one with the first priority is in use."""
    state = (text(each.get("connection_status")) or text(each.get("status")) or "").lower()
    known = {"active": PoolState.CONNECTED, "idle": PoolState.STANDBY, "dead": PoolState.DISCONNECTED}
    return pool_of(each, known.get(state))


def _faults(mining: Row, errors: Sequence[Any]) -> list[str]:
    """Returns the device's errors by source and code, and boards that are fitted and do not mine while others do."""
    fitted, at_work = count(mining.get("hashboards_installed")), count(mining.get("hashboards_mining"))
    dead = fitted is not None and at_work is not None and 0 < at_work < fitted
    codes = [
        f"{text(each.get('source')) or 'rig'} {text(each.get('error_code')) or ''}".strip() for each in objects(errors)
    ]
    return (["board"] if dead else []) + limited_faults(codes)


def parse_proto_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `system`, `network` and `hardware`."""
    return checked(MAKE, lambda: _specs(*(each or b"" for each in replies)))


def _specs(system_reply: bytes, network_reply: bytes, hardware_reply: bytes) -> AsicSpecs:
    system, network = _section(system_reply, "system-info"), _section(network_reply, "network-info")
    board = part(_section(hardware_reply, "hardware-info"), "cb-info")
    return AsicSpecs(
        make=MAKE,
        model=text(system.get("model")),
        model_variant=text(system.get("board")),
        firmware_version=text(part(system, "os").get("version")),
        mac=mac(network.get("mac")),
        serial_number=text(board.get("serial_number")),
        hostname=text(network.get("hostname")),
    )


_SYSTEM = get("/api/v1/system")
PROTO = Dialect(
    name="proto",
    makes=frozenset({MAKE}),
    port=80,
    poll_questions=(
        get("/api/v1/mining"),
        get("/api/v1/telemetry?level=miner,hashboard"),
        get("/api/v1/pools"),
        get("/api/v1/cooling"),
        get("/api/v1/errors"),
    ),
    parse=parse_proto,
    specs_questions=(_SYSTEM, get("/api/v1/network"), get("/api/v1/hardware")),
    parse_specs=parse_proto_specs,
    probe=_SYSTEM,
    recognise=recognise_proto,
    firmware="ProtoOS",
    lacks=(Part.CHIPS,),
    recorded=True,
)
