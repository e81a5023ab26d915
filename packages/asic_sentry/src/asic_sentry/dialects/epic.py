"""ePIC's PowerPlay firmware: HTTP at port 4028, without a log-in. Hashrates are MH/s; temperatures °C."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs, PoolState
from protocol.coins import algorithm_name
from sentry_kit.parsing import count, number, positive, scaled, temperature, text, total

from asic_sentry import models
from asic_sentry.dialects.dialect import Dialect, Part
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
    rejected_percent,
    sample,
)
from asic_sentry.dialects.web import get, list_of, mapping_of
from asic_sentry.models import Model

MAKE = "ePIC"
_FANS = range(1, 17)

_Heat = Mapping[int | None, Any]  # each board's sensors


def _summary(reply: bytes) -> Row:
    return mapping_of(MAKE, reply, "HBs", "Software", "Session")


def recognise_epic(summary: bytes) -> None:
    checked(MAKE, lambda: _summary(summary))


def parse_epic(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `/summary`, `/temps` and `/capabilities`."""
    return sample(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary, capabilities = _summary(replies[0]), mapping_of(MAKE, replies[2], "Model")
    heat = {count(each.get("Index")): each.get("Data") for each in objects(list_of(MAKE, replies[1]))}
    session, mining = part(summary, "Session"), part(summary, "Mining")
    chips = count(part(capabilities, "Performance Estimator").get("Chip Count"))
    boards = limited_boards(_boards(summary, heat, chips, model))
    hashrate_hs = total(board.hashrate_hs for board in boards)
    is_idle = part(summary, "Status").get("Operating State") in ("Idling", "Stopped", "Idle")
    return AsicReading(
        uptime_s=count(session.get("Uptime")),
        hashrate_hs=0.0 if hashrate_hs is None and is_idle else hashrate_hs,
        average_hashrate_hs=scaled(session.get("Average MHs"), 1e6),
        expected_hashrate_hs=scaled(capabilities.get("Default Hashrate"), 1e12) or None,
        power_w=positive(part(summary, "Power Supply Stats").get("Input Power")),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(_fans(part(summary, "Fans Rpm"))),
        pools=limited_pools(_pools(summary, session)),
        rejected_percent=rejected_percent(session.get("Accepted"), session.get("Rejected")),
        faults=_faults(summary),
        algorithm=algorithm_name(text(mining.get("Algorithm")) or ""),
    )


def _boards(
    summary: Row, heat: Mapping[int | None, Any], chips: int | None, model: Model | None
) -> Iterable[AsicBoard]:
    """Returns the boards that the firmware detects, also those that it has switched off: they do not hash.

    `chips` is the number that the firmware expects. It does not count those that work.
    """
    rows = {count(each.get("Index")): each for each in objects(summary.get("HBs"))}
    states = {count(each.get("Index")): each for each in objects(summary.get("HBStatus"))}
    for slot in sorted({*rows, *states}, key=lambda each: -1 if each is None else each):
        each, state = rows.get(slot, {}), states.get(slot, {})
        if slot is None or (state.get("Detected") is False and not each):
            continue
        rate = each.get("Hashrate")
        hashrate_hs = scaled(rate[0], 1e6) if isinstance(rate, list) and rate else None
        sensors = heat.get(slot)
        yield AsicBoard(
            slot=slot,
            hashrate_hs=0.0 if state.get("Enabled") is False else hashrate_hs,
            outlet_temperature_c=hottest(map(temperature, sensors)) if isinstance(sensors, list) else None,
            chip_temperature_c=temperature(each.get("Temperature")),
            expected_chips=chips if chips is not None else expected_chips(model, None),
        )


def _fans(fans: Row) -> list[object]:
    """Returns the fans with a value; null stands for a fan that the device does not have."""
    speeds = [fans.get(f"Fans Speed {number_}") for number_ in _FANS]
    return [speed for speed in speeds if number(speed) is not None]


def _pools(summary: Row, session: Row) -> Iterable[AsicPool]:
    """Returns the pools that are set; the session's shares are those of the pool in use."""
    stratum = part(summary, "Stratum")
    current, connected = text(stratum.get("Current Pool")), stratum.get("IsPoolConnected")
    for each in objects(summary.get("StratumConfigs")):
        url = text(each.get("pool"))
        in_use = current is not None and (url or "").endswith(current)
        used = PoolState.CONNECTED if connected is True else PoolState.DISCONNECTED if connected is False else None
        yield AsicPool(
            url=url,
            user=text(each.get("login")),
            state=used if in_use else PoolState.STANDBY if current else None,
            accepted=count(session.get("Accepted")) if in_use else None,
            rejected=count(session.get("Rejected")) if in_use else None,
        )


def _faults(summary: Row) -> list[str]:
    detected = [each for each in objects(summary.get("HBStatus")) if each.get("Detected") is True]
    disabled = any(each.get("Enabled") is False for each in detected)
    error = text(part(summary, "Status").get("Last Error"))
    return (["board"] if disabled else []) + ([error[:64]] if error else [])


def parse_epic_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `/summary`, `/capabilities` and `/network`."""
    return checked(MAKE, lambda: _specs(*(each or b"" for each in replies)))


def _specs(summary_reply: bytes, capabilities_reply: bytes, network_reply: bytes) -> AsicSpecs:
    summary, capabilities = _summary(summary_reply), mapping_of(MAKE, capabilities_reply)
    make, model = models.make_and_model(text(capabilities.get("Model")) or "")
    networks = [each for each in mapping_of(MAKE, network_reply or b"{}").values() if isinstance(each, dict)]
    macs = [mac(each.get("mac_address")) for each in networks]
    return AsicSpecs(
        make=make or MAKE,
        model=model,
        model_variant=text(capabilities.get("Model Subtype")),
        firmware_version=text(summary.get("Software")),
        mac=next((each for each in macs if each), None),
        hostname=text(summary.get("Hostname")),
    )


_SUMMARY, _TEMPS, _CAPABILITIES = get("/summary"), get("/temps"), get("/capabilities")
EPIC = Dialect(
    name="epic",
    makes=frozenset({MAKE, "Antminer"}),
    port=4028,
    poll_questions=(_SUMMARY, _TEMPS, _CAPABILITIES),
    parse=parse_epic,
    specs_questions=(_SUMMARY, _CAPABILITIES, get("/network", optional=True)),
    parse_specs=parse_epic_specs,
    probe=_SUMMARY,
    recognise=recognise_epic,
    hangs_if_asked_otherwise=True,
    firmware="PowerPlay, also on Antminers",
    lacks=(Part.CHIPS,),
    recorded=True,
)
