"""Auradine Teraflux (GCMiner, FluxOS): cgminer's API with `MHS` values on port 4028, without a log-in.

`devs` has a temperature of each board. Fans, power, the chips' temperatures and the MAC are at port
8080, behind a log-in.
"""

from collections.abc import Iterator, Mapping, Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, positive, scaled, temperature, text, total

from asic_sentry.access import Token
from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import dead_boards, optional_section, pools_of, section, windows
from asic_sentry.dialects.dialect import Dialect, Question
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
    mac,
    objects,
    rejected_percent,
    sample,
    slot_of,
)
from asic_sentry.dialects.web import beside, get, is_web_page
from asic_sentry.failures import BadReply, FailureKind
from asic_sentry.models import Model

MAKE = "Auradine"
_WINDOWS = windows("MHS", "5m", "1m", "15m", "5s")


def parse_auradine(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `summary`, `devs`, `pools`, `asccount` if the firmware has it, and the pages if there is a log-in."""
    return sample(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary, rows = section(replies[0], "SUMMARY")[0], section(replies[1], "DEVS")
    chips = _chips_of_board((optional_section(replies[3], "ASCCount") or [{}])[0])
    heat = {count(each.get("ID")): each for each in optional_section(replies[6], "Temperature")}
    supplies = optional_section(replies[5], "PSU")
    boards = limited_boards(_board(each, place, chips, heat, model) for place, each in enumerate(rows, start=1))
    rate = first_rate(_WINDOWS, 1e6, summary)
    return AsicReading(
        uptime_s=count(summary.get("Elapsed")),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(summary.get("MHS av"), 1e6),
        power_w=total(positive(each.get("PowerIn")) for each in supplies),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(_fans(optional_section(replies[4], "Fan"), supplies)),
        pools=pools_of(replies[2]),
        rejected_percent=rejected_percent(summary.get("Accepted"), summary.get("Rejected")),
        faults=dead_boards(rows),
        algorithm="SHA-256",
    )


def _chips_of_board(counts: Row) -> int | None:
    """Returns the chips of each board; None if the chips of all boards can't be divided evenly."""
    chips, boards = count(counts.get("AsicCount")), count(counts.get("BoardCount"))
    return chips // boards if chips is not None and boards and chips % boards == 0 else None


def _fans(fans: Sequence[Row], supplies: Sequence[Row]) -> Iterator[object]:
    """Returns the fans of the device, then those of its power supplies ("4052.00 RPM")."""
    yield from (each.get("Speed") for each in fans)
    for each in supplies:
        yield from (each[key] for key in sorted(each) if key.startswith("FanSpeed"))


def _board(each: Row, place: int, chips: int | None, heat: Mapping[int | None, Row], model: Model | None) -> AsicBoard:
    """`Temperature` is the board's, at an unknown place; it is shown as the outlet's, which is the warmer side.

    `heat` has all sensors of each board, and of the control board under 0.
    """
    slot, rate = slot_of(each.get("ID", each.get("DEV")), place), first_rate(_WINDOWS, 1e6, each)
    sensors = heat.get(slot, {})
    return AsicBoard(
        slot=slot,
        hashrate_hs=rate.hashrate_hs,
        outlet_temperature_c=hottest([temperature(each.get("Temperature")), _hottest_in(sensors.get("BoardTemp"))]),
        chip_temperature_c=_hottest_in(sensors.get("ChipTemp")),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def _hottest_in(sensors: object) -> float | None:
    return hottest(temperature(each.get("Temperature")) for each in objects(sensors))


def parse_auradine_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version`, the model in `devdetails` if the firmware has it, and `ipreport` if there is a log-in."""
    return checked(MAKE, lambda: _specs(replies))


def _specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    version = section(replies[0] or b"", "VERSION")[0]
    details = (optional_section(replies[1] or b"", "DEVDETAILS") or [{}])[0]
    report = (optional_section(replies[2] or b"", "IPReport") or [{}])[0]
    program = text(version.get("GCMiner"))
    return AsicSpecs(
        make=MAKE,
        model=text(details.get("Model")) or text(report.get("model")),
        firmware_version=cgminer.description(replies[0] or b"") or None,
        software_version=text(f"GCMiner {program}") if program else None,
        mac=mac(report.get("mac")),
        serial_number=text(report.get("SerialNo")),
        hostname=text(report.get("hostname")),
    )


def _denies(answer: bytes) -> bool:
    """Returns whether a page answers that the token is missing or has expired, or with the page for the log-in."""
    if is_web_page(answer):
        return True
    return any(word in answer.lower() for word in _DENIALS) and not _is_success(answer)


def _is_success(answer: bytes) -> bool:
    """Returns whether the answer has a status, which is no error. Raises `BadReply` if it can't be read."""
    try:
        return "STATUS" in cgminer.answer_of(answer)
    except BadReply as error:
        if error.kind is FailureKind.ERROR_STATUS:
            return False
        raise


def _page(name: str) -> Question:
    return beside(get(f"/{name}", access=_ACCESS), _WEB_PORT)


_DENIALS = (b"token", b"session", b"unauthorized")
_WEB_PORT = 8080
_ACCESS = Token(
    "/token",
    '{"command":"token","user":"{user}","password":"{password}"}',
    ("Token", 0, "Token"),
    "Token: {token}",
    denies=_denies,
)
AURADINE = Dialect(
    name="auradine",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=(
        *(cgminer.command(name) for name in ("summary", "devs", "pools")),
        cgminer.command("asccount", optional=True),
        *(_page(name) for name in ("fan", "psu", "temperature")),
    ),
    parse=parse_auradine,
    specs_questions=(cgminer.command("version"), cgminer.command("devdetails", optional=True), _page("ipreport")),
    parse_specs=parse_auradine_specs,
    probe=cgminer.PROBE,
    recognise=cgminer.recognise_as(MAKE, "GCMiner", "FluxOS"),
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    firmware="FluxOS",
    remark="power, fans, chip temperatures and MAC need a password",
    recorded=True,
)
