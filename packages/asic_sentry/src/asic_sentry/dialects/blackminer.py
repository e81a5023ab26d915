"""Hammer and VolcMiner: cgminer's API with an Antminer's `stats` in MH/s, in which a comma is missing.

VolcMiners answer at port 8359 and want an end of line after the question. `version` or `stats` has `Type`, such as
"Hammer D10" or "VolcMiner D1". `tempN` is a board's temperature; counts may be texts ("156.0000").
"""

from collections.abc import Iterator, Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, scaled, text

from asic_sentry import models
from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import pools_of, section, windows
from asic_sentry.dialects.dialect import Dialect, Part, Question
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
from asic_sentry.framing import until_nul
from asic_sentry.models import Model

HAMMER_MAKE, VOLCMINER_MAKE = "Hammer", "VolcMiner"
_NAMES = {HAMMER_MAKE: ("hammer", "blackminer"), VOLCMINER_MAKE: ("volcminer",)}
_SLOTS = range(1, 17)
_CHIP_SENSORS = ("temp2_", "temp3_", "temp_chip")
_FANS = tuple(f"fan{slot}" for slot in _SLOTS)
_WINDOWS = windows("MHS", "5s", "1m", "5m", "15m")


def recognise_blackminer(summary: bytes) -> None:
    """Checks `summary`. The device's `stats` must contain its name, too."""
    keys = checked(HAMMER_MAKE, lambda: list(section(summary, "SUMMARY")[0]))
    if not any(key.startswith("MHS ") for key in keys):
        raise bad_response("The summary is not that of a Hammer or a VolcMiner.")


def parse_blackminer(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `stats`, `summary` and `pools`."""
    return sample(HAMMER_MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    rows, summary = section(replies[0], "STATS"), section(replies[1], "SUMMARY")[0]
    stats = next((each for each in rows if any(key.startswith("chain_acn") for key in each)), None)
    if stats is None:
        raise bad_response("`stats` has no values of chains.")
    boards = limited_boards(_boards(stats, model))
    rate = first_rate(_WINDOWS, 1e6, stats, summary)
    return AsicReading(
        uptime_s=count(summary.get("Elapsed", stats.get("Elapsed"))),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(summary.get("MHS av", stats.get("MHS av")), 1e6),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fitted_fans([stats[fan] for fan in _FANS if fan in stats], stats.get("fan_num")),
        pools=pools_of(replies[2]),
        rejected_percent=rejected_percent(summary.get("Accepted"), summary.get("Rejected")),
        faults=["chips"] if any("x" in str(stats.get(f"chain_acs{slot}", "")) for slot in _SLOTS) else [],
        algorithm="Scrypt",
    )


def _boards(stats: Row, model: Model | None) -> Iterator[AsicBoard]:
    """Returns the chains up to the last one with chips: one without chips before it is dead."""
    chips = {slot: count(stats[f"chain_acn{slot}"]) for slot in _SLOTS if f"chain_acn{slot}" in stats}
    last = max((slot for slot, each in chips.items() if each), default=0)
    fitted = max(last, model.boards or 0) if model else last
    for slot, each in chips.items():
        if slot > fitted:
            continue
        yield AsicBoard(
            slot=slot,
            hashrate_hs=scaled(stats.get(f"chain_rate{slot}"), 1e6),
            outlet_temperature_c=hottest_sensor(stats.get(f"temp_pcb{slot}"), stats.get(f"temp{slot}")),
            chip_temperature_c=hottest_sensor(*(stats.get(f"{name}{slot}") for name in _CHIP_SENSORS)),
            chips=each,
            expected_chips=expected_chips(model, each),
        )


def parse_hammer_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads the first part of a Hammer's `stats`."""
    return checked(HAMMER_MAKE, lambda: _specs(section(replies[0] or b"", "STATS"), HAMMER_MAKE))


def parse_volcminer_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads the first part of a VolcMiner's `stats`."""
    return checked(VOLCMINER_MAKE, lambda: _specs(section(replies[0] or b"", "STATS"), VOLCMINER_MAKE))


def _specs(rows: Sequence[Row], make: str) -> AsicSpecs:
    """Raises `BadReply` if the device is of another make."""
    name = next((text(each.get("Type")) for each in rows if each.get("Type")), None) or ""
    if not any(each in name.lower() for each in _NAMES[make]):
        raise bad_response(f"The device is no {make}.")
    program = text(rows[0].get("CGMiner"))
    return AsicSpecs(
        make=make,
        model=models.make_and_model(name)[1],
        firmware_version=text(rows[0].get("Miner")) or text(rows[0].get("CompileTime")),
        software_version=text(f"cgminer {program}") if program else None,
    )


def _line(name: str) -> Question:
    return Question(name, b'{"command":"%s"}\n' % name.encode(), until_nul)


HAMMER = Dialect(
    name="hammer",
    makes=frozenset({HAMMER_MAKE}),
    port=cgminer.PORT,
    poll_questions=tuple(cgminer.command(name) for name in ("stats", "summary", "pools")),
    parse=parse_blackminer,
    specs_questions=(cgminer.command("stats"),),
    parse_specs=parse_hammer_specs,
    probe=cgminer.PROBE,
    recognise=recognise_blackminer,
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    firmware="stock",
    lacks=(Part.POWER, Part.MAC),
)
VOLCMINER = HAMMER._replace(
    name="volcminer",
    makes=frozenset({VOLCMINER_MAKE}),
    port=8359,
    poll_questions=tuple(_line(name) for name in ("stats", "summary", "pools")),
    specs_questions=(_line("stats"),),
    parse_specs=parse_volcminer_specs,
    probe=_line("summary"),
    probe_at_other_port=None,
)
