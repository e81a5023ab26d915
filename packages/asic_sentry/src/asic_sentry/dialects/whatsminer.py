"""Whatsminer V1 and V2 (MicroBT up to 2024): cgminer's API with `MHS` figures, and `Power` in watts.

V1 has its boards in `devs`, V2 in `edevs`, in the same shape.
"""

import re
from collections.abc import Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import answer_of, dead_boards, pools_of, section, windows
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
    rejected_percent,
    sample,
    slot_of,
)
from asic_sentry.failures import BadReply, bad_response
from asic_sentry.framing import until_nul
from asic_sentry.models import Model

MAKE = "Whatsminer"

_ONLY_HERE = {"HS RT", "Factory GHS", "Power Mode", "Power_RT", "Power Limit", "Firmware Version"}
# The 5 s average of a Whatsminer jumps by 15 %; its own page shows 5 minutes, too.
_WINDOWS = windows("MHS", "5m", "1m", "15m", "5s")
_MODEL = re.compile(r"(?i)(?:whatsminer\s*)?(M\d+[A-Z]*\+*)[_ -]*(V.*)?")


def _command(name: str, *, optional: bool = False) -> Question:
    """Some firmwares read `cmd` and some `command`; each ignores the other."""
    return Question(name, b'{"cmd":"%s","command":"%s"}' % ((name.encode(),) * 2), until_nul, optional)


def recognise_whatsminer(summary: bytes) -> None:
    """Errors have its name, too: "Description": "whatsminer v1.4.0", in older firmware "btminer"."""
    if b"whatsminer" in summary.lower() or b"btminer" in summary.lower():
        return
    keys = checked(MAKE, lambda: set(section(summary, "SUMMARY")[0]))
    if not keys & _ONLY_HERE:
        raise bad_response("The summary is not a Whatsminer's.")


def parse_whatsminer(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `summary`, `devs` or `edevs`, and `pools`."""
    return sample(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary = section(replies[0], "SUMMARY")[0]
    rows = section(replies[1], "DEVS")
    boards = limited_boards(_board(each, place, model) for place, each in enumerate(rows))
    rate = first_rate(_WINDOWS, 1e6, summary)
    realtime = scaled(summary.get("HS RT"), 1e6)
    return AsicReading(
        uptime_s=count(summary.get("Elapsed")),
        hashrate_hs=realtime if rate.hashrate_hs is None else rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(summary.get("MHS av"), 1e6),
        expected_hashrate_hs=scaled(summary.get("Factory GHS"), 1e9) or None,
        power_w=positive(summary.get("Power")),
        temperature_c=hottest(
            [hottest_of(boards), *(temperature(summary.get(key)) for key in ("Chip Temp Max", "Temperature"))]
        ),
        boards=boards,
        fans_rpm=fan_speeds(summary[key] for key in ("Fan Speed In", "Fan Speed Out") if key in summary),
        pools=pools_of(replies[2]),
        rejected_percent=rejected_percent(summary.get("Accepted"), summary.get("Rejected")),
        faults=dead_boards(rows) + _errors(summary),
    )


def _board(each: Row, place: int, model: Model | None) -> AsicBoard:
    rate = first_rate(_WINDOWS, 1e6, each)
    chips = count(each.get("Effective Chips"))
    return AsicBoard(
        slot=slot_of(each.get("Slot", each.get("ASC")), place),
        hashrate_hs=rate.hashrate_hs,
        outlet_temperature_c=temperature(each.get("Temperature")),
        chip_temperature_c=temperature(each.get("Chip Temp Max")),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def _errors(summary: Row) -> list[str]:
    numbers = range(min(count(summary.get("Error Code Count")) or 0, 32))
    codes = [count(summary.get(f"Error Code {number}")) for number in numbers]
    return [f"error {code}" if code is not None else "error" for code in codes]


def parse_whatsminer_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `summary`, and `get_version` and `devdetails` if the firmware knows them."""
    return checked(MAKE, lambda: _specs(replies))


def _specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    summary = section(replies[0] or b"", "SUMMARY")[0]
    version = answer_of(replies[1])["Msg"] if replies[1] and _is_known(replies[1]) else {}
    details = section(replies[2], "DEVDETAILS")[0] if replies[2] and _is_known(replies[2]) else {}
    model, variant = model_and_variant(details.get("Model"))
    firmware = text(version.get("fw_ver")) or text(summary.get("Firmware Version"))
    return AsicSpecs(
        make=MAKE,
        model=model,
        model_variant=variant,
        firmware_version=firmware.strip("'") if firmware else None,
        software_version=text(version.get("api_ver")),
        mac=mac(summary.get("MAC")),
    )


def _is_known(reply: bytes) -> bool:
    """Returns whether the firmware knows the command: otherwise the answer is an error."""
    try:
        answer_of(reply)
    except BadReply:
        return False
    return True


def model_and_variant(name: object) -> tuple[str | None, str | None]:
    """Splits "M60S_VK40" or "M30S++VE40" into the model and the variant of its boards."""
    match = _MODEL.fullmatch(text(name) or "")
    return (match[1].upper(), match[2]) if match else (text(name), None)


WHATSMINER_V1 = Dialect(
    name="whatsminer_v1",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=(_command("summary"), _command("devs"), _command("pools")),
    parse=parse_whatsminer,
    specs_questions=(
        _command("summary"),
        _command("get_version", optional=True),
        _command("devdetails", optional=True),
    ),
    parse_specs=parse_whatsminer_specs,
    probe=cgminer.PROBE,
    recognise=recognise_whatsminer,
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    firmware="stock up to 2024, version 1 of the API",
    recorded=True,
)
WHATSMINER_V2 = WHATSMINER_V1._replace(
    name="whatsminer_v2",
    poll_questions=(_command("summary"), _command("edevs"), _command("pools")),
    firmware="stock up to 2024, version 2 of the API",
)
