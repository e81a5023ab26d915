"""Avalon (Canaan): cgminer's API, with all values in one bracketed text inside `litestats` or `stats`:
"Elapsed[37977] SYSTEMSTATU[Work: In Idle, Hash Board: 1] GHSspd[0.00] Fan1[0] PS[0 1221 4 0 0 2245 146] …".

Older Avalons have a text per module (`MM ID0`, `MM ID1`), newer ones have one for all (`MM ID0:Summary`). A module may
have several boards: then some of its lists have a value per board, such as MGHS[59459.52 61407.83 63139.66].
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from protocol.asic_messages import AsicBoard, AsicSpecs
from protocol.plain_words import quoted
from sentry_kit.parsing import count, positive, scaled, temperature, text, total

from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import answer_of, pools_of, section, windows
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import (
    AsicReading,
    Rate,
    checked,
    expected_chips,
    fan_speeds,
    first_rate,
    hottest,
    hottest_of,
    limited_boards,
    limited_faults,
    mac,
    rejected_percent,
    sample,
)
from asic_sentry.failures import bad_response
from asic_sentry.models import Model, find

MAKE = "Avalon"
_PAIR = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\[([^\]]*)\]")
_FAN = re.compile(r"Fan\d+")
_GENERATION = re.compile(r"1[5-9][A-Za-z]*")
_VERSION = re.compile(r"(?i)(?:avalon\s*)?([a-z0-9]+)-")
# In a small Avalon, a mean of 5 s depends too much on single shares.
_WINDOWS = windows("MHS", "1m", "30s", "5s", "5m", "15m")
# The place of the power in PS[…]. By Canaan's API manual the seventh value is the output power, and the sixth is a
# voltage. In the first Nano 3 it is the other way round. No model draws more than 1.25 times its limit (MPO) or nominal
# power: a higher value is something else. If neither is known, no value can be trusted.
_POWER_PLACES = (6,)
_OTHER_POWER_PLACES = {"Nano 3": (6, 5)}
_ABOVE_LIMIT = 1.25


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
    idle = any(_is_idle(module) for module in modules)
    # Averages since the start (GHSavg, GHSmm, MHS av) stay high when it idles: none of them is its hashrate.
    rate = Rate(0.0) if idle else first_rate(_WINDOWS, 1e6, summary)
    boards = limited_boards(_boards(modules, model))
    return AsicReading(
        uptime_s=count(summary.get("Elapsed")),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(summary.get("MHS 15m"), 1e6),
        power_w=_power(modules, model or _model_of(modules)),
        temperature_c=hottest([hottest_of(boards), *map(_hottest_chip, modules)]),
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
    slot = 0
    for module in modules:
        boards = max(1, len(_list(module, "MGHS")))
        for place in range(boards):
            yield _board(module, slot, place, boards, model)
            slot += 1


@lru_cache(maxsize=64)
def _model_by_version(version: str) -> Model | None:
    match = _VERSION.match(version)
    return find(MAKE, match[1]) if match else None


def _model_of(modules: Sequence[Mapping[str, str]]) -> Model | None:
    """Returns the model that `Ver` begins with, such as "nano3-24071801_42c628d"."""
    return _model_by_version(modules[0].get("Ver", "")[:64])


def _board(module: Mapping[str, str], slot: int, place: int, boards: int, model: Model | None) -> AsicBoard:
    """Returns one board of a module. `MGHS` is a mean since the start, so it is not the hashrate of an idle one."""
    chips = _chips(module, place, boards)
    of_board = scaled(_at(_list(module, "MGHS"), place, boards), 1e9)
    hashrate_hs = scaled(module.get("GHSspd"), 1e9) if boards == 1 else 0.0 if _is_idle(module) else of_board
    inlet = [temperature(module.get(key)) for key in ("HBITemp", "ITemp", "Temp")]
    outlet = [temperature(module.get(key)) for key in ("HBOTemp", "OTemp")]
    return AsicBoard(
        slot=slot,
        hashrate_hs=hashrate_hs,
        inlet_temperature_c=next((value for value in inlet if value is not None), None),
        outlet_temperature_c=next((value for value in outlet if value is not None), None),
        chip_temperature_c=(
            temperature(_at(_list(module, "MTmax"), place, boards)) if boards > 1 else _hottest_chip(module)
        ),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def _hottest_chip(module: Mapping[str, str]) -> float | None:
    """Returns the temperature of the hottest chip on any board: `TMax` has one value, `MTmax` one for each board."""
    return hottest(map(temperature, [module.get("TMax"), *_list(module, "MTmax")]))


def _list(module: Mapping[str, str], key: str) -> list[str]:
    return module.get(key, "").split()


def _at(values: Sequence[str], place: int, boards: int) -> str | None:
    """Returns a board's value; None if the list does not have one for each board."""
    return values[place] if len(values) == boards else None


def _chips(module: Mapping[str, str], place: int, boards: int) -> int | None:
    """Returns the chips of a board. `TA` counts those of all boards; `EEPROM` lists those of each."""
    total, each = count(module.get("TA")), [count(value) for value in _list(module, "EEPROM")]
    if total is None or boards == 1:
        return total
    if len(each) == boards and sum(chips or 0 for chips in each) == total:
        return each[place]
    return total // boards if total % boards == 0 else None


def _is_idle(module: Mapping[str, str]) -> bool:
    return "In Idle" in module.get("SYSTEMSTATU", "")


def _power(modules: Sequence[Mapping[str, str]], model: Model | None) -> float | None:
    """Returns the sum of all modules; None if that of one module is unknown."""
    return total(positive(module.get("WALLPOWER")) or _supply(module, model) for module in modules)


def _supply(module: Mapping[str, str], model: Model | None) -> float | None:
    """Returns the power in `PS`, from the first place whose value is within the limit; None if no value is, or if no
    limit is known."""
    limit = positive(module.get("MPO")) or (model.nominal_power_w if model else None)
    if limit is None:
        return None
    fields = _list(module, "PS")
    places = _OTHER_POWER_PLACES.get(model.name, _POWER_PLACES) if model else _POWER_PLACES
    powers = [positive(fields[place]) for place in places if len(fields) > place]
    return next((each for each in powers if each and each <= limit * _ABOVE_LIMIT), None)


def _faults(modules: Sequence[Mapping[str, str]]) -> list[str]:
    """Returns the fans' flag, the error of the power supply (the first value of `PS`) and those of the boards."""
    faults = ["fan"] if any(count(module.get("FanErr")) for module in modules) else []
    faults += ["power"] if any(count((_list(module, "PS") or ["0"])[0]) for module in modules) else []
    codes = [f"error {key} {code}" for module in modules for key in ("ECHU", "ECMM") for code in _list(module, key)
             if count(code)]  # fmt: skip
    return faults + limited_faults(codes)


def parse_avalon_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version`."""
    return checked(MAKE, lambda: _specs(replies[0] or b""))


def _specs(reply: bytes) -> AsicSpecs:
    version = answer_of(reply)["VERSION"][0]
    product, model = text(version.get("PROD")), text(version.get("MODEL"))
    if "avalon" not in (product or "").lower():
        raise bad_response(f"The version is not an Avalon's: {quoted(reply)}.")
    name, variant = _name_and_variant(model or re.sub(r"(?i)avalon(miner)?\s*", "", product or ""))
    software = text(version.get("CGMiner"))
    return AsicSpecs(
        make=MAKE,
        model=name,
        model_variant=variant,
        firmware_version=text(version.get("LVERSION")) or text(version.get("VERSION")),
        software_version=text(f"cgminer {software}") if software else None,
        mac=mac(version.get("MAC")),
    )


def _name_and_variant(name: str) -> tuple[str | None, str | None]:
    """Splits "1246-83" into the model and the hashrate that it was sold with. "15-194" is an A15."""
    model, _, variant = name.partition("-")
    return (f"A{model}" if re.fullmatch(_GENERATION, model) else model) or None, variant or None


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
    firmware="stock, with `litestats`",
    recorded=True,
)
AVALON_STATS = AVALON._replace(
    name="avalon_stats",
    firmware="stock, without `litestats`",
    poll_questions=(cgminer.command("summary"), cgminer.command("stats"), cgminer.command("pools")),
)
