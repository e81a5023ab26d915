"""Stock Antminer and firmware with the same API (VNish, Hiveon, MSK): cgminer's API with `GHS` values.

`stats` has numbered keys per chain: chips `chain_acnN`, rate `chain_rateN`, temperatures of chips `temp_chipN`
("78-50-69-70"; in older firmware `temp2_N` and `temp3_N`) and of the board `temp_pcbN` and `temp_picN` (in older
firmware `tempN`), and `fanN`. Chains start at 1, on the S9 at 6. `stats` contains everything in `summary` but the
shares, which `pools` counts.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs
from sentry_kit.parsing import count, positive, scaled, text

from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import answer_of, pools_of, section, windows
from asic_sentry.dialects.dialect import Dialect, Part
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    expected_chips,
    first_rate,
    fitted_fans,
    hottest_of,
    hottest_sensor,
    limited_boards,
    rejected_percent,
    sample,
)
from asic_sentry.failures import bad_response
from asic_sentry.models import Model, find

MAKE = "Antminer"
_POLL = (cgminer.command("stats"), cgminer.command("pools"))
_UNITS = {"H": 1.0, "KH": 1e3, "MH": 1e6, "GH": 1e9, "TH": 1e12, "SOL": 1.0, "KSOL": 1e3, "MSOL": 1e6}
_SLOTS = range(1, 17)
_FANS = tuple(f"fan{slot}" for slot in _SLOTS)


class _Chain(NamedTuple):
    """The keys of a chain's values."""

    slot: int
    chips: str
    chip_states: str
    rate: str
    power: str
    chip_sensors: Sequence[str]
    board_sensors: Sequence[str]


def _chain(slot: int) -> _Chain:
    return _Chain(
        slot=slot,
        chips=f"chain_acn{slot}",
        chip_states=f"chain_acs{slot}",
        rate=f"chain_rate{slot}",
        power=f"chain_power{slot}",
        chip_sensors=[f"temp_chip{slot}", f"temp2_{slot}", f"temp3_{slot}"],
        board_sensors=[f"temp_pcb{slot}", f"temp_pic{slot}", f"temp{slot}"],
    )


_CHAINS = tuple(map(_chain, _SLOTS))
_WINDOWS = windows("GHS", "5s", "1m", "5m", "30m")
_MAKER = re.compile(r"(?i)^(bitmain\s+)?antminer\b\s*")
# Words that other firmware adds to the model's name. A version stands behind the name: there is a model V9.
_FIRMWARE = re.compile(
    r"(?i)\(.*$|(?<=.)\bv\.?\s?\d[\w.]*.*$"
    r"|\b(hive\s?on|vnish|luxos|luxminer|msk\w*|braiins(\s?os)?\+?|bosminer|asic\.to|blissz|anthill|xminer)\b.*$"
)
_IN_PARENTHESES = re.compile(r"\(([^)]+)\)")
_VARIANT = re.compile(r"-\d{2,3}$")  # chips of a board, as in "S19-88"


def recognise_antminer(summary: bytes) -> None:
    """Antminers report `GHS`; all others report `MHS`."""
    keys = checked(MAKE, lambda: list(section(summary, "SUMMARY")[0]))
    if not any(key.startswith("GHS ") for key in keys):
        raise bad_response("The summary is not an Antminer's.")


def parse_antminer(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `stats`, `pools` and, if values were missing there, `summary`."""
    parse = checked if len(replies) == len(_POLL) else sample
    return parse(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    about, stats = _stats(replies[0])
    pools = pools_of(replies[1])
    summary = section(replies[2], "SUMMARY")[0] if len(replies) > len(_POLL) else {}
    model = model or _model_of(about.get("Type"))
    factor = _factor(stats.get("rate_unit"), model)
    rate = first_rate(_WINDOWS, factor, stats, summary)
    boards = limited_boards(_boards(stats, factor, model))
    return AsicReading(
        uptime_s=count(stats.get("Elapsed", summary.get("Elapsed"))),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=_average(stats, summary, factor),
        expected_hashrate_hs=scaled(stats.get("total_rateideal"), factor) or None,
        power_w=_power(stats),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fitted_fans([stats[fan] for fan in _FANS if fan in stats], stats.get("fan_num")),
        pools=pools,
        rejected_percent=_rejected_percent(pools, summary),
        faults=_faults(stats),
    )


def _stats(reply: bytes) -> tuple[Row, Row]:
    """Returns the first object, which describes the ASIC, and the one with its values."""
    parts = section(reply, "STATS")
    figures = next((each for each in parts if "fan_num" in each or "chain_acn1" in each or "GHS 5s" in each), None)
    if figures is None:
        raise bad_response("`stats` has no values of chains and fans.")
    return parts[0], figures


def _rejected_percent(pools: Sequence[AsicPool], summary: Row) -> float | None:
    """Counts the shares of all pools; without them the shares in `summary`, which are the same."""
    chains = [pool for pool in pools if pool.accepted is not None and pool.rejected is not None]
    if not chains:
        return rejected_percent(summary.get("Accepted"), summary.get("Rejected"))
    return rejected_percent(sum(pool.accepted or 0 for pool in chains), sum(pool.rejected or 0 for pool in chains))


def _factor(unit: object, model: Model | None) -> float:
    """Returns the unit of a `GHS` value in H/s. The L7 has `rate_unit` MH; older Scrypt ASICs count MH without it."""
    if isinstance(unit, str) and unit.upper().removesuffix("/S") in _UNITS:
        return _UNITS[unit.upper().removesuffix("/S")]
    return 1e6 if model is not None and model.algorithm == "Scrypt" else 1e9


def _power(stats: Row) -> float | None:
    """Returns the watts that other firmware adds: `total_power`, `chain_power` ("867.32 (AB)"), or one per chain."""
    total = positive(stats.get("total_power")) or positive(stats.get("chain_power"))
    if total is not None or _CHAINS[0].power not in stats:  # stock firmware has none of them
        return total
    return sum(positive(stats.get(chain.power)) or 0.0 for chain in _CHAINS) or None


def _faults(stats: Row) -> list[str]:
    faults = ["chips"] if any("x" in str(stats.get(chain.chip_states, "")) for chain in _CHAINS) else []
    supply = text(stats.get("psu_status"))  # other firmware
    return faults + (["power"] if supply and "ok" not in supply.lower() else [])


def _average(stats: Row, summary: Row, factor: float) -> float | None:
    for figure in (stats.get("rate_30m"), summary.get("GHS 30m"), stats.get("GHS av"), summary.get("GHS av")):
        average = scaled(figure, factor)
        if average is not None:
            return average
    return None


def _boards(stats: Row, factor: float, model: Model | None) -> Iterator[AsicBoard]:
    """Returns every chain with chips; and one without, if the model has more boards. A chain whose chips are unknown
    is a board if it hashes."""
    chains = [
        (chain, count(stats.get(chain.chips))) for chain in _CHAINS if chain.chips in stats or chain.rate in stats
    ]
    fitted = [(chips is None and positive(stats.get(chain.rate)) is not None) or bool(chips) for chain, chips in chains]
    missing = (model.boards or 0) - sum(fitted) if model else 0
    for (chain, chips), is_fitted in zip(chains, fitted, strict=True):
        if not is_fitted:
            if chips is None or missing <= 0:
                continue
            missing -= 1
        yield AsicBoard(
            slot=chain.slot,
            hashrate_hs=scaled(stats.get(chain.rate), factor),
            outlet_temperature_c=hottest_sensor(*map(stats.get, chain.board_sensors)),
            chip_temperature_c=hottest_sensor(*map(stats.get, chain.chip_sensors)),
            chips=chips,
            expected_chips=expected_chips(model, chips),
        )


@lru_cache(maxsize=256)
def _model_by_name(name: str) -> Model | None:
    return find(MAKE, model_name(name) or "")


def _model_of(name: object) -> Model | None:
    return _model_by_name(name[:64]) if isinstance(name, str) else None


def model_name(name: object) -> str | None:
    """Returns "S19 Pro" for "Antminer S19 Pro (Vnish 1.2.6)", and "S19" for "S19-88 v.2.6.0.39"."""
    full_name = text(name)
    if full_name is None:
        return None
    return text(_VARIANT.sub("", _FIRMWARE.sub(" ", _MAKER.sub("", full_name)).strip()))


def parse_antminer_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version`. MAC and serial number need a log-in to the web page, so they are unknown."""
    return checked(MAKE, lambda: _specs(replies[0] or b""))


def _specs(reply: bytes) -> AsicSpecs:
    version = answer_of(reply)["VERSION"][0]
    program = next((f"{key} {version[key]}" for key in ("BMMiner", "LUXminer", "CGMiner") if key in version), None)
    named = _IN_PARENTHESES.search(text(version.get("Type")) or "")  # "Antminer S19 (Vnish 1.2.6)"
    software = f"{named[1]}, {program}" if named and program else program
    return AsicSpecs(
        make=MAKE,
        model=model_name(version.get("Type")),
        firmware_version=text(version.get("CompileTime")) or text(version.get("Miner")),
        software_version=text(software),
    )


ANTMINER = Dialect(
    name="antminer",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=_POLL,
    parse=parse_antminer,
    specs_questions=(cgminer.command("version"),),
    parse_specs=parse_antminer_specs,
    probe=cgminer.PROBE,
    recognise=recognise_antminer,
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    gap_question=cgminer.command("summary"),
    better=lambda specs: "vnish" if "vnish" in (specs.software_version or "").lower() else None,
    firmware="stock, Hiveon, MSK and other firmware with the same API",
    lacks=(Part.POWER, Part.MAC),
    remark="Hiveon and MSK report their power",
    recorded=True,
)
