"""Auradine Teraflux (GCMiner, FluxOS): cgminer's API with `MHS` values on port 4028, without a log-in.

`devs` has a temperature of each board. Chips, fans and power stand behind a log-in at port 8080.
"""

from collections.abc import Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, scaled, temperature, text

from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import dead_boards, optional_section, pools_of, section, windows
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    expected_chips,
    first_rate,
    hottest_of,
    limited_boards,
    rejected_percent,
    sample,
)
from asic_sentry.models import Model

MAKE = "Auradine"
_WINDOWS = windows("MHS", "5m", "1m", "15m", "5s")


def parse_auradine(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `summary`, `devs`, `pools` and, if the firmware has it, `asccount`."""
    return sample(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary, rows = section(replies[0], "SUMMARY")[0], section(replies[1], "DEVS")
    chips = _chips_of_board((optional_section(replies[3], "ASCCount") or [{}])[0])
    boards = limited_boards(_board(each, chips, model) for each in rows)
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
        algorithm="SHA-256",
    )


def _chips_of_board(counts: Row) -> int | None:
    """Returns the chips of each board; None if the chips of all boards can't be divided evenly."""
    chips, boards = count(counts.get("AsicCount")), count(counts.get("BoardCount"))
    return chips // boards if chips is not None and boards and chips % boards == 0 else None


def _board(each: Row, chips: int | None, model: Model | None) -> AsicBoard:
    """`Temperature` is the board's, at an unknown place; it is shown as the outlet's, which is the warmer side."""
    rate = first_rate(_WINDOWS, 1e6, each)
    return AsicBoard(
        slot=count(each.get("ID", each.get("DEV"))) or 0,
        hashrate_hs=rate.hashrate_hs,
        outlet_temperature_c=temperature(each.get("Temperature")),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def parse_auradine_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version` and, if the firmware has it, the model in `devdetails`."""
    return checked(MAKE, lambda: _specs(replies))


def _specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    version = section(replies[0] or b"", "VERSION")[0]
    details = (optional_section(replies[1] or b"", "DEVDETAILS") or [{}])[0]
    program = text(version.get("GCMiner"))
    return AsicSpecs(
        make=MAKE,
        model=text(details.get("Model")),
        firmware_version=cgminer.description(replies[0] or b"") or None,
        software_version=text(f"GCMiner {program}") if program else None,
    )


AURADINE = Dialect(
    name="auradine",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=(
        *(cgminer.command(name) for name in ("summary", "devs", "pools")),
        cgminer.command("asccount", optional=True),
    ),
    parse=parse_auradine,
    specs_questions=(cgminer.command("version"), cgminer.command("devdetails", optional=True)),
    parse_specs=parse_auradine_specs,
    probe=cgminer.PROBE,
    recognise=cgminer.recognise_as(MAKE, "GCMiner", "FluxOS"),
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    firmware="FluxOS",
    unread="power, fans, chip temperatures, MAC: behind a log-in at port 8080",
    recorded=True,
)
