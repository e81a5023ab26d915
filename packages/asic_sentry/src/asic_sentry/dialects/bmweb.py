"""The web pages of Antminers and Elphapex: HTTP Digest at port 80, `/cgi-bin/….cgi`. They need a log-in.

Both have the same JSON. `temp_chip` is °C in an Antminer ("62") and m°C in an Elphapex ("25687"). The pages are asked
where the API at port 4028 is closed or, as in an Elphapex, not there.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs, PoolState
from sentry_kit.parsing import count, number, positive, scaled, temperature, text

from asic_sentry import models
from asic_sentry.access import Digest
from asic_sentry.dialects.antminer import model_name
from asic_sentry.dialects.dialect import Dialect, Part
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    expected_chips,
    fan_speeds,
    first_rate,
    hottest,
    hottest_of,
    limited_boards,
    limited_faults,
    limited_pools,
    mac,
    objects,
    pool_of,
    rejected_percent_of,
    sample,
    slot_of,
)
from asic_sentry.dialects.web import get, mapping_of
from asic_sentry.failures import bad_response
from asic_sentry.models import Model

ANTMINER, ELPHAPEX = "Antminer", "Elphapex"
_UNITS = {"H": 1.0, "KH": 1e3, "MH": 1e6, "GH": 1e9, "TH": 1e12, "SOL": 1.0, "KSOL": 1e3}
_WINDOWS = (("rate_5s", 5), ("rate_30m", 1800))
_NAMES = {"fans": "fan", "temp": "temperature"}  # as the other makes call these faults
_MILLI_ABOVE_C = 1000.0


def _first(reply: bytes, name: str) -> Row:
    rows = objects(mapping_of("a web page", reply, name)[name])
    if not rows:
        raise bad_response(f"The page has no {name}.")
    return rows[0]


def parse_bmweb(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `stats`, `pools`, `summary` and, of an Elphapex, `get_power`."""
    return sample("a web page", lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    stats, summary = _first(replies[0], "STATS"), _first(replies[2], "SUMMARY")
    pools = limited_pools(_pools(objects(mapping_of("a web page", replies[1], "POOLS")["POOLS"])))
    factor = _UNITS.get(str(stats.get("rate_unit", "")).upper().removesuffix("/S"))
    boards = limited_boards(_boards(stats, factor, model))
    rate = first_rate(_WINDOWS, factor, stats)
    power = mapping_of("a web page", replies[3], "power_output") if len(replies) > 3 and replies[3] else {}
    return AsicReading(
        uptime_s=count(stats.get("elapsed")),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(stats.get("rate_30m", stats.get("rate_avg")), factor),
        expected_hashrate_hs=scaled(stats.get("rate_ideal"), factor) or None,
        power_w=positive(power.get("power_output")),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(_list(stats.get("fan"))),
        pools=pools,
        rejected_percent=rejected_percent_of(pools),
        faults=_faults(stats, summary),
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _boards(stats: Row, factor: float | None, model: Model | None) -> Iterator[AsicBoard]:
    """Returns every chain with chips; and one without, if the model has more boards."""
    chains = objects(stats.get("chain"))
    missing = (model.boards or 0) - sum(1 for each in chains if count(each.get("asic_num"))) if model else 0
    for place, each in enumerate(chains):
        chips, slot = count(each.get("asic_num")), slot_of(each.get("index"), place)
        if not chips:
            if missing <= 0:
                continue
            missing -= 1
        yield AsicBoard(
            slot=slot,
            hashrate_hs=scaled(each.get("rate_real"), factor),
            outlet_temperature_c=hottest(
                temperature(value) for sensors in ("temp_pcb", "temp_pic") for value in _list(each.get(sensors))
            ),
            chip_temperature_c=hottest(map(_chip_temperature, _list(each.get("temp_chip")))),
            chips=chips,
            expected_chips=expected_chips(model, chips),
        )


def _chip_temperature(value: object) -> float | None:
    reading = number(value)
    return temperature(reading / 1000 if reading is not None and reading >= _MILLI_ABOVE_C else reading)


def _pools(pools: Sequence[Row]) -> Iterator[AsicPool]:
    """Returns the pools. Of those that are alive, the first one is in use, as cgminer chooses it."""
    in_use = False
    for each in pools:
        alive = (text(each.get("status")) or "").lower() == "alive"
        state = PoolState.DISCONNECTED if not alive else PoolState.STANDBY if in_use else PoolState.CONNECTED
        in_use = in_use or alive
        yield pool_of(each, state if text(each.get("status")) else None)


def _faults(stats: Row, summary: Row) -> list[str]:
    """Returns what the device's own checks say: rate, network, fans, temperature; and chips that do not work."""
    bad = [
        _NAMES.get(text(each.get("type")) or "error", text(each.get("type")) or "error")
        for each in objects(summary.get("status"))
        if count(each.get("code")) or (text(each.get("status")) or "s").lower() in ("e", "f", "error")
    ]
    chips = any("x" in str(each.get("asic", "")) for each in objects(stats.get("chain")))
    return limited_faults(bad) + (["chips"] if chips else [])


def parse_antminer_web_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads an Antminer's `get_system_info`."""
    return checked(ANTMINER, lambda: _specs(replies[0] or b"", ANTMINER))


def parse_elphapex_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads an Elphapex' `get_system_info`."""
    return checked(ELPHAPEX, lambda: _specs(replies[0] or b"", ELPHAPEX))


def _specs(reply: bytes, make: str) -> AsicSpecs:
    info = mapping_of(make, reply, "minertype")
    name = text(info.get("minertype")) or ""
    is_antminer = "antminer" in name.lower()
    if is_antminer != (make == ANTMINER):
        raise bad_response(f"The device is no {make}.")
    return AsicSpecs(
        make=make,
        model=model_name(name) if is_antminer else models.make_and_model(name)[1],
        firmware_version=text(info.get("system_filesystem_version")),
        mac=mac(info.get("macaddr")),
        serial_number=text(info.get("serinum")),
        hostname=text(info.get("hostname")),
    )


_STATS, _POOLS, _SUMMARY, _POWER, _INFO = (
    get(f"/cgi-bin/{name}.cgi", optional=name == "get_power", access=Digest())
    for name in ("stats", "pools", "summary", "get_power", "get_system_info")
)


def recognise_antminer_web(info: bytes) -> None:
    parse_antminer_web_specs([info])


def recognise_elphapex(info: bytes) -> None:
    parse_elphapex_specs([info])


ELPHAPEX_WEB = Dialect(
    name="elphapex",
    makes=frozenset({ELPHAPEX}),
    port=80,
    poll_questions=(_STATS, _POOLS, _SUMMARY, _POWER),
    parse=parse_bmweb,
    specs_questions=(_INFO,),
    parse_specs=parse_elphapex_specs,
    probe=_INFO,
    recognise=recognise_elphapex,
    firmware="stock; needs a password",
    recorded=True,
)
ANTMINER_WEB = ELPHAPEX_WEB._replace(
    name="antminer_web",
    makes=frozenset({ANTMINER}),
    poll_questions=(_STATS, _POOLS, _SUMMARY),
    parse_specs=parse_antminer_web_specs,
    recognise=recognise_antminer_web,
    firmware="stock, where port 4028 is closed; needs a password",
    lacks=(Part.POWER,),
    recorded=False,
)
