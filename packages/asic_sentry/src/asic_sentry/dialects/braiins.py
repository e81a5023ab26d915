"""Braiins OS and OS+ (BOSer, BOSminer): cgminer's API with `MHS` values, and commands of its own that need no log-in.

`temps`, `fans` and `tunerstatus` are missing in some versions; `devs` then has a temperature of each board.
`ApproximateMinerPowerConsumption` is what the tuner estimates.
"""

from collections.abc import Mapping, Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry import models
from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import dead_boards, optional_section, pools_of, section, windows
from asic_sentry.dialects.dialect import Dialect, Part
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    expected_chips,
    fan_speeds,
    first_rate,
    hottest_of,
    limited_boards,
    rejected_percent,
    sample,
    slot_of,
)
from asic_sentry.models import Model

MAKE = "Braiins OS"
_OPTIONAL = ("temps", "fans", "tunerstatus", "devdetails")
# In 5 s a board finds only a few shares.
_WINDOWS = windows("MHS", "1m", "5s", "5m", "15m")


def parse_braiins(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `summary`, `devs`, `pools`, and what the version knows of `temps`, `fans`, `tunerstatus`, `devdetails`."""
    return sample(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary = section(replies[0], "SUMMARY")[0]
    temps, details = (_by_id(replies[place], name) for place, name in ((3, "TEMPS"), (6, "DEVDETAILS")))
    boards = limited_boards(
        _board(each, place, temps, details, model) for place, each in enumerate(section(replies[1], "DEVS"))
    )
    tuner = (optional_section(replies[5], "TUNERSTATUS") or [{}])[0]
    rate = first_rate(_WINDOWS, 1e6, summary)
    return AsicReading(
        uptime_s=count(summary.get("Elapsed")),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(summary.get("MHS 15m", summary.get("MHS av")), 1e6),
        power_w=positive(tuner.get("ApproximateMinerPowerConsumption")),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(each.get("RPM") for each in optional_section(replies[4], "FANS")),
        pools=pools_of(replies[2]),
        rejected_percent=rejected_percent(summary.get("Accepted"), summary.get("Rejected")),
        faults=dead_boards(section(replies[1], "DEVS")),
        algorithm="SHA-256",
    )


def _by_id(reply: bytes, name: str) -> Mapping[object, Row]:
    return {count(each.get("ID")): each for each in optional_section(reply, name)}


def _board(
    each: Row, place: int, temps: Mapping[object, Row], details: Mapping[object, Row], model: Model | None
) -> AsicBoard:
    slot = slot_of(each.get("ID", each.get("ASC")), place)
    rate = first_rate(_WINDOWS, 1e6, each)
    chips = count(details.get(slot, {}).get("Chips"))
    heat = temperature(temps.get(slot, {}).get("Chip"))
    return AsicBoard(
        slot=slot,
        hashrate_hs=rate.hashrate_hs,
        outlet_temperature_c=temperature(temps.get(slot, {}).get("Board")),
        chip_temperature_c=temperature(each.get("Temperature")) if heat is None else heat,
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def parse_braiins_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version` and, if the firmware has it, the model in `devdetails`."""
    return checked(MAKE, lambda: _specs(replies))


def _specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    version = section(replies[0] or b"", "VERSION")[0]
    program = next((f"{key} {version[key]}" for key in ("BOSer", "BOSminer+", "BOSminer") if key in version), None)
    details = optional_section(replies[1] or b"", "DEVDETAILS")
    make, model = models.make_and_model(text((details or [{}])[0].get("Model")) or "")
    return AsicSpecs(make=make, model=model, firmware_version=MAKE, software_version=text(program))


BRAIINS = Dialect(
    name="braiins",
    makes=frozenset({"Antminer", "Braiins"}),
    port=cgminer.PORT,
    poll_questions=(
        *(cgminer.command(name) for name in ("summary", "devs", "pools")),
        *(cgminer.command(name, optional=True) for name in _OPTIONAL),
    ),
    parse=parse_braiins,
    specs_questions=(cgminer.command("version"), cgminer.command("devdetails", optional=True)),
    parse_specs=parse_braiins_specs,
    probe=cgminer.PROBE,
    recognise=cgminer.recognise_as(MAKE, "BOSer", "BOSminer"),
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    firmware="Braiins OS, Braiins OS+",
    better=lambda _specs: "braiins_rest",  # it answers only with a password
    lacks=(Part.MAC,),
    remark="power is the tuner's estimate; MAC and tuning profile are read over HTTP with a password",
    recorded=True,
)
