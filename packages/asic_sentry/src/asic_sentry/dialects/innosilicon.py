"""Innosilicon: cgminer's API with `MHS` values; `stats` has a row of each chain with its chips and temperatures.

Written after other programs' sources; no answer of a device was at hand.
"""

from collections.abc import Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, scaled, temperature, text

from asic_sentry import models
from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import dead_boards, optional_section, pools_of, section, windows
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    expected_chips,
    first_rate,
    hottest,
    hottest_of,
    limited_boards,
    rejected_percent,
    sample,
)
from asic_sentry.models import Model

MAKE = "Innosilicon"
_WINDOWS = windows("MHS", "1m", "5m", "15m", "5s")


def parse_innosilicon(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `summary`, `devs`, `pools` and, if the firmware has it, `stats`."""
    return sample(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary, rows = section(replies[0], "SUMMARY")[0], section(replies[1], "DEVS")
    chains = [each for each in optional_section(replies[3], "STATS") if "Num active chips" in each]
    boards = limited_boards(
        _board(each, chains[place] if len(chains) == len(rows) else {}, place, model) for place, each in enumerate(rows)
    )
    rate = first_rate(_WINDOWS, 1e6, summary)
    return AsicReading(
        uptime_s=count(summary.get("Elapsed")),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(summary.get("MHS av"), 1e6),
        temperature_c=hottest_of(boards),
        boards=boards,
        pools=pools_of(replies[2]),
        rejected_percent=rejected_percent(summary.get("Accepted"), summary.get("Rejected")),
        faults=dead_boards(rows),
    )


def _board(each: Row, chain: Row, place: int, model: Model | None) -> AsicBoard:
    """`chain` is the board's row of `stats`; empty if there is not one for each board."""
    slot, chips = count(each.get("ASC", each.get("ID"))), count(chain.get("Num active chips"))
    rate = first_rate(_WINDOWS, 1e6, each)
    return AsicBoard(
        slot=place if slot is None else slot,
        hashrate_hs=rate.hashrate_hs,
        chip_temperature_c=hottest(
            temperature(value) for value in (chain.get("Temp max"), chain.get("Temp"), each.get("Temperature"))
        ),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def parse_innosilicon_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version` and, if the firmware has it, the model in `devdetails`."""
    return checked(MAKE, lambda: _specs(replies))


def _specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    version = section(replies[0] or b"", "VERSION")[0]
    details = (optional_section(replies[1] or b"", "DEVDETAILS") or [{}])[0]
    name = text(version.get("Type")) or text(details.get("Model")) or ""
    return AsicSpecs(
        make=MAKE,
        model=models.make_and_model(name)[1],
        software_version=cgminer.description(replies[0] or b"") or None,
    )


INNOSILICON = Dialect(
    name="innosilicon",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=(
        *(cgminer.command(name) for name in ("summary", "devs", "pools")),
        cgminer.command("stats", optional=True),
    ),
    parse=parse_innosilicon,
    specs_questions=(cgminer.command("version"), cgminer.command("devdetails", optional=True)),
    parse_specs=parse_innosilicon_specs,
    probe=cgminer.PROBE,
    recognise=cgminer.recognise_as(MAKE, "inno"),
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    firmware="stock",
    unread="power, fans, MAC: behind a log-in",
)
