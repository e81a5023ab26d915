"""Stock Antminer and firmware that speaks like it (LuxOS, VNish, Hiveon): cgminer's API with `GHS` figures.

`stats` holds numbered keys per chain: chips `chain_acnN`, rate `chain_rateN`, temperatures `temp_chipN` ("78-50-69-70";
before that `temp2_N`), and `fanN`. Chains start at 1, on the S9 at 6. It says all that `summary` does but the shares,
which `pools` counts.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs
from sentry_kit.parsing import count, number, scaled, temperature, text

from asic_sentry.dialects.cgminer import answer_of, hashrate, pools_of, section
from asic_sentry.dialects.parsing import (
    AsicReading,
    checked,
    fan_speeds,
    hottest,
    hottest_of,
    limited_boards,
    rejected_percent,
    sample,
)
from asic_sentry.failures import bad_response
from asic_sentry.models import Model, find

MAKE = "Antminer"
FIGURES = ("stats", "pools")
_UNITS = {"H": 1.0, "KH": 1e3, "MH": 1e6, "GH": 1e9, "TH": 1e12, "SOL": 1.0, "KSOL": 1e3, "MSOL": 1e6}
_SLOTS = range(1, 17)
_FANS = tuple(f"fan{slot}" for slot in _SLOTS)


class _Chain(NamedTuple):
    """The names of a chain's figures."""

    slot: int
    chips: str
    chip_states: str
    rate: str
    temperatures: str
    old_temperature: str


_CHAINS = tuple(
    _Chain(slot, *(f"{name}{slot}" for name in ("chain_acn", "chain_acs", "chain_rate", "temp_chip", "temp2_")))
    for slot in _SLOTS
)
_WINDOWS = ("5s", "1m", "5m", "30m")


def recognise_antminer(summary: bytes) -> None:
    """BM-class firmware says `GHS` where all others say `MHS`."""
    keys = checked(MAKE, lambda: list(section(summary, "SUMMARY")[0]))
    if not any(key.startswith("GHS ") for key in keys):
        raise bad_response("The summary is not an Antminer's.")


def parse_antminer(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """From `stats`, `pools` and, if these left a gap, `summary`."""
    parse = checked if len(replies) == len(FIGURES) else sample
    return parse(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    about, stats = _stats(replies[0])
    pools = pools_of(replies[1])
    summary = section(replies[2], "SUMMARY")[0] if len(replies) > len(FIGURES) else {}
    model = model or _model_of(about.get("Type"))
    factor = _factor(stats.get("rate_unit"), model)
    rate = hashrate(stats, "GHS", factor, _WINDOWS) or hashrate(summary, "GHS", factor, _WINDOWS)
    boards = limited_boards(_boards(stats, factor, model))
    return AsicReading(
        uptime_s=count(stats.get("Elapsed", summary.get("Elapsed"))),
        hashrate_hs=rate[0] if rate else None,
        hashrate_window_s=rate[1] if rate else None,
        average_hashrate_hs=_average(stats, summary, factor),
        expected_hashrate_hs=scaled(stats.get("total_rateideal"), factor) or None,
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=_fans(stats),
        pools=pools,
        rejected_percent=_rejected_percent(pools, summary),
        faults=["chips"] if any("x" in str(stats.get(chain.chip_states, "")) for chain in _CHAINS) else [],
    )


def _stats(reply: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What the first object says about the ASIC, and the one with its figures."""
    parts = section(reply, "STATS")
    figures = next((each for each in parts if "fan_num" in each or "chain_acn1" in each or "GHS 5s" in each), None)
    if figures is None:
        raise bad_response("`stats` holds no figures of chains and fans.")
    return parts[0], figures


def _rejected_percent(pools: Sequence[AsicPool], summary: Mapping[str, Any]) -> float | None:
    """Of the shares of all pools, which are those that `summary` counts."""
    chains = [pool for pool in pools if pool.accepted is not None and pool.rejected is not None]
    if not chains:
        return rejected_percent(summary.get("Accepted"), summary.get("Rejected"))
    return rejected_percent(sum(pool.accepted or 0 for pool in chains), sum(pool.rejected or 0 for pool in chains))


def _factor(unit: object, model: Model | None) -> float:
    """What a `GHS` figure counts. The L7 says `rate_unit` MH; older Scrypt ASICs mean MH and do not say so."""
    if isinstance(unit, str) and unit.upper().removesuffix("/S") in _UNITS:
        return _UNITS[unit.upper().removesuffix("/S")]
    return 1e6 if model is not None and model.algorithm == "Scrypt" else 1e9


def _average(stats: Mapping[str, Any], summary: Mapping[str, Any], factor: float) -> float | None:
    for figure in (stats.get("rate_30m"), summary.get("GHS 30m"), stats.get("GHS av"), summary.get("GHS av")):
        average = scaled(figure, factor)
        if average is not None:
            return average
    return None


def _boards(stats: Mapping[str, Any], factor: float, model: Model | None) -> Iterator[AsicBoard]:
    """Every chain that answers; and a silent one, with 0 chips, where the model has so many boards."""
    chains = [(chain, count(stats[chain.chips])) for chain in _CHAINS if chain.chips in stats]
    missing = (model.boards or 0) - sum(1 for _, chips in chains if chips) if model else 0
    for chain, chips in chains:
        if not chips:
            if chips is None or missing <= 0:
                continue
            missing -= 1
        yield AsicBoard(
            slot=chain.slot,
            hashrate_hs=scaled(stats.get(chain.rate), factor),
            chip_temperature_c=_chip_temperature(stats, chain),
            chips=chips,
            expected_chips=model.chips if model else None,
        )


def _chip_temperature(stats: Mapping[str, Any], chain: _Chain) -> float | None:
    """The hottest of the chain's sensors. Its board's own sensors (`temp_pcb`) are cooler, and not said to be where."""
    readings = stats.get(chain.temperatures)
    if isinstance(readings, str):
        return hottest(map(temperature, readings.split("-")))
    return temperature(stats.get(chain.old_temperature))


def _fans(stats: Mapping[str, Any]) -> list[float | None]:
    """The first `fan_num`. The S9 counts 2, and calls them fan3 and fan6."""
    speeds = [stats[fan] for fan in _FANS if fan in stats]
    wanted = count(stats.get("fan_num"))
    if wanted is None:
        return fan_speeds(speeds)
    if any(number(each) for each in speeds[wanted:]):
        turning = [each for each in speeds if number(each)]
        return fan_speeds(turning + [0] * (wanted - len(turning)))
    return fan_speeds(speeds[:wanted])


@lru_cache(maxsize=256)
def _model_by_name(name: str) -> Model | None:
    return find(MAKE, model_name(name) or "")


def _model_of(name: object) -> Model | None:
    return _model_by_name(name[:64]) if isinstance(name, str) else None


def model_name(name: object) -> str | None:
    """ "Antminer S19 Pro (Vnish 1.2.6)" is an S19 Pro."""
    full_name = text(name)
    return text(re.sub(r"(?i)^(bitmain\s+)?antminer\s*|\(.*$", "", full_name)) if full_name else None


def parse_antminer_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """From `version`. MAC and serial number stand behind a log-in on the web page, so they stay unknown."""
    return checked(MAKE, lambda: _specs(replies[0] or b""))


def _specs(reply: bytes) -> AsicSpecs:
    version = answer_of(reply)["VERSION"][0]
    software = next((f"{key} {version[key]}" for key in ("BMMiner", "LUXminer", "CGMiner") if key in version), None)
    return AsicSpecs(
        make=MAKE,
        model=model_name(version.get("Type")),
        firmware_version=text(version.get("CompileTime")) or text(version.get("Miner")),
        software_version=text(software),
    )
