"""Avalon (Canaan): cgminer's API, with all values in one bracketed text inside `litestats` or `stats`:
"Elapsed[37977] SYSTEMSTATU[Work: In Idle, Hash Board: 1] GHSspd[0.00] Fan1[0] PS[0 1221 4 0 0 2245 146] …".

Older Avalons have a text per module (`MM ID0`, `MM ID1`), newer ones have one for all (`MM ID0:Summary`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from protocol.plain_words import quoted
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import answer_of, hashrate, pools_of, section
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import (
    AsicReading,
    checked,
    fan_speeds,
    hottest,
    hottest_of,
    limited_boards,
    mac,
    rejected_percent,
    sample,
)
from asic_sentry.failures import bad_response
from asic_sentry.models import Model

MAKE = "Avalon"
_PAIR = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\[([^\]]*)\]")
_FAN = re.compile(r"Fan\d+")
# A single share weighs much in 5 s of a small Avalon.
_WINDOWS = ("1m", "5s", "5m", "15m")
_WALL_POWER = 6  # the place in PS[…]; Canaan's API manual names it output power, and pyasic reads it for the Nano 3S


def recognise_avalon(summary: bytes) -> None:
    """Checks `summary`. An Avalon's `version` must contain its name, too."""
    keys = checked(MAKE, lambda: list(section(summary, "SUMMARY")[0]))
    if not any(key.startswith("MHS ") for key in keys):
        raise bad_response("The summary is not an Avalon's.")


def parse_avalon(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `summary`, `litestats` or `stats`, and `pools`."""
    return sample(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary = section(replies[0], "SUMMARY")[0]
    modules = _modules(replies[1])
    idle = any("In Idle" in module.get("SYSTEMSTATU", "") for module in modules)
    # Averages since the start (GHSavg, GHSmm, MHS av) stay high when it idles: none of them is its hashrate.
    rate = (0.0, None) if idle else hashrate(summary, "MHS", 1e6, _WINDOWS)
    boards = limited_boards(_boards(modules, model))
    return AsicReading(
        uptime_s=count(summary.get("Elapsed")),
        hashrate_hs=rate[0] if rate else None,
        hashrate_window_s=rate[1] if rate else None,
        average_hashrate_hs=scaled(summary.get("MHS 15m"), 1e6),
        power_w=_power(modules),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(module[key] for module in modules for key in module if _FAN.fullmatch(key)),
        pools=pools_of(replies[2]),
        rejected_percent=rejected_percent(summary.get("Accepted"), summary.get("Rejected")),
        faults=_faults(modules),
    )


def _modules(reply: bytes) -> list[dict[str, str]]:
    """Returns the pairs of each bracketed text. If there is a summary of all modules, only those of the summary."""
    texts = {
        key: value
        for part in section(reply, "STATS")
        for key, value in part.items()
        if key.startswith("MM ID") and isinstance(value, str)
    }
    summaries = [value for key, value in texts.items() if key.endswith(":Summary")]
    modules = [dict(_PAIR.findall(each)) for each in summaries or texts.values()]
    if not any(modules):
        raise bad_response("The stats have no text of an Avalon's module.")
    return modules


def _boards(modules: Sequence[Mapping[str, str]], model: Model | None) -> Iterator[AsicBoard]:
    for slot, module in enumerate(modules):
        chips = count(module.get("TA"))
        yield AsicBoard(
            slot=slot,
            hashrate_hs=scaled(module.get("GHSspd"), 1e9),
            inlet_temperature_c=temperature(module.get("HBITemp")) or temperature(module.get("ITemp")),
            outlet_temperature_c=temperature(module.get("HBOTemp")),
            chip_temperature_c=hottest([temperature(module.get("TMax")), _highest(module.get("MTmax"))]),
            chips=chips,
            expected_chips=model.chips if model and model.boards == len(modules) else None,
        )


def _highest(readings: str | None) -> float | None:
    """Returns the highest of a list. Older Avalons list a temperature per board: MTmax[83 85 81]."""
    return hottest(temperature(each) for each in (readings or "").split())


def _power(modules: Sequence[Mapping[str, str]]) -> float | None:
    """Returns the sum of all modules; None if that of one module is unknown."""
    each = [positive(module.get("WALLPOWER")) or _supply(module.get("PS", "").split()) for module in modules]
    powers = [power for power in each if power is not None]
    return sum(powers) if powers and len(powers) == len(each) else None


def _supply(fields: Sequence[str]) -> float | None:
    return positive(fields[_WALL_POWER]) if len(fields) > _WALL_POWER else None


def _faults(modules: Sequence[Mapping[str, str]]) -> list[str]:
    return ["fan"] if any(count(module.get("FanErr")) for module in modules) else []


def parse_avalon_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version`."""
    return checked(MAKE, lambda: _specs(replies[0] or b""))


def _specs(reply: bytes) -> AsicSpecs:
    version = answer_of(reply)["VERSION"][0]
    product, model = text(version.get("PROD")), text(version.get("MODEL"))
    if "avalon" not in (product or "").lower():
        raise bad_response(f"The version is not an Avalon's: {quoted(reply)}.")
    name, _, variant = (model or re.sub(r"(?i)avalon(miner)?\s*", "", product or "")).partition("-")
    software = text(version.get("CGMiner"))
    return AsicSpecs(
        make=MAKE,
        model=name or None,
        model_variant=variant or None,
        firmware_version=text(version.get("LVERSION")),
        software_version=f"cgminer {software}" if software else None,
        mac=mac(version.get("MAC")),
    )


AVALON = Dialect(
    name="avalon",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=(cgminer.command("summary"), cgminer.command("litestats"), cgminer.command("pools")),
    parse=parse_avalon,
    specs_questions=(cgminer.command("version"),),
    parse_specs=parse_avalon_specs,
    probe=cgminer.PROBE,
    recognise=recognise_avalon,
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
)
AVALON_STATS = AVALON._replace(
    name="avalon_stats",
    poll_questions=(cgminer.command("summary"), cgminer.command("stats"), cgminer.command("pools")),
)
