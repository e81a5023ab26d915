"""Goldshell: cgminer's API with `MHS` values; `devs` has chips, two temperatures and fans of each board.

Written after other programs' sources; no answer of a device was at hand. `tstemp-1` and `tstemp-2` are a board's
temperatures ("45 °C"), `fan0` and so on its fans ("2130 rpm"), `chip-nr` its chips. The web page at port 80 has the
model and the firmware; behind a log-in also the MAC, and the power of a device with one board.
"""

from collections.abc import Iterable, Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, positive, scaled, temperature, text, total

from asic_sentry import models
from asic_sentry.access import Token
from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import dead_boards, optional_section, pools_of, section, windows
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    expected_chips,
    fan_speeds,
    first_rate,
    hottest_of,
    limited_boards,
    mac,
    objects,
    rejected_percent,
    sample,
    slot_of,
)
from asic_sentry.dialects.web import beside, get, is_web_page, mapping_of
from asic_sentry.failures import bad_response
from asic_sentry.models import Model

MAKE = "Goldshell"
_NAMES = ("goldshell", "intchains", "bfgminer")
_WINDOWS = windows("MHS", "20s", "1m", "5m", "15m", "5s")


def recognise_goldshell(summary: bytes) -> None:
    """Checks `summary`. A Goldshell's `version` or `devdetails` must contain its name, too."""
    keys = checked(MAKE, lambda: list(section(summary, "SUMMARY")[0]))
    if not any(key.startswith("MHS ") for key in keys):
        raise bad_response("The summary is not a Goldshell's.")


def parse_goldshell(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `summary`, `devs`, `pools`, and the page about the boards if there is a log-in."""
    return sample(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary, rows = section(replies[0], "SUMMARY")[0], section(replies[1], "DEVS")
    boards = limited_boards(_board(each, place, model) for place, each in enumerate(rows))
    rate = first_rate(_WINDOWS, 1e6, summary)
    return AsicReading(
        uptime_s=count(summary.get("Elapsed")),
        hashrate_hs=total(board.hashrate_hs for board in boards) if rate.hashrate_hs is None else rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(summary.get("MHS av"), 1e6),
        power_w=_power(replies[3]),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(_fans(rows)),
        pools=pools_of(replies[2]),
        rejected_percent=rejected_percent(summary.get("Accepted"), summary.get("Rejected")),
        faults=dead_boards(rows),
    )


def _power(reply: bytes) -> float | None:
    """Returns the power of the one board. With several boards it is unknown if each has its own or the sum."""
    infos = objects(mapping_of(MAKE, reply, "minfos")["minfos"]) if reply else []
    boards = [board for info in infos for board in objects(info.get("infos"))]
    return positive(boards[0].get("power")) if len(boards) == 1 else None


def _board(each: Row, place: int, model: Model | None) -> AsicBoard:
    slot, chips = slot_of(each.get("ID", each.get("PGA")), place), count(each.get("chip-nr"))
    rate = first_rate(_WINDOWS, 1e6, each)
    return AsicBoard(
        slot=slot,
        hashrate_hs=rate.hashrate_hs,
        inlet_temperature_c=temperature(each.get("tstemp-1")),
        outlet_temperature_c=temperature(each.get("tstemp-2", each.get("Temperature"))),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def _fans(rows: Sequence[Row]) -> Iterable[object]:
    """Returns each fan once: every board repeats the fans of the device."""
    found: dict[str, object] = {}
    for each in rows:
        found |= {key: each[key] for key in sorted(each) if key.startswith("fan") and key[3:].isdecimal()}
    return found.values()


def parse_goldshell_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version`, `devdetails` and the pages. Raises `BadReply` if none has the name of the maker or program."""
    return checked(MAKE, lambda: _specs(replies))


def _specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    version = section(replies[0] or b"", "VERSION")[0]
    details = (optional_section(replies[1] or b"", "DEVDETAILS") or [{}])[0]
    page, setting = (mapping_of(MAKE, reply) if reply else {} for reply in replies[2:4])
    shown = text(page.get("model"))
    named = " ".join(str(each) for each in (*version, *version.values(), *details.values(), shown))
    if not any(name in named.lower() for name in _NAMES):
        raise bad_response("The device is not a Goldshell.")
    name = text(details.get("Model")) or text(version.get("Model")) or (shown or "").replace("-", " ")
    make, model = models.make_and_model(name)
    program = text(version.get("BFGMiner")) or text(version.get("CGMiner"))
    return AsicSpecs(
        make=MAKE,
        model=model if make in (MAKE, None) else None,
        firmware_version=text(page.get("firmware")),
        software_version=program,
        mac=mac(setting.get("name")),
    )


_WEB_PORT = 80
_ACCESS = Token(
    "/user/login",
    "username={user}&password={password}&cipher=false",
    ("JWT Token",),
    in_address=True,
    denies=is_web_page,
)
_STATUS = beside(get("/mcb/status", access=_ACCESS), _WEB_PORT, only_with_login=False)
_SETTING = beside(get("/mcb/setting", access=_ACCESS), _WEB_PORT)
_BOARDS = beside(get("/mcb/cgminer?cgminercmd=devs", access=_ACCESS), _WEB_PORT)
GOLDSHELL = Dialect(
    name="goldshell",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=(*(cgminer.command(name) for name in ("summary", "devs", "pools")), _BOARDS),
    parse=parse_goldshell,
    specs_questions=(cgminer.command("version"), cgminer.command("devdetails", optional=True), _STATUS, _SETTING),
    parse_specs=parse_goldshell_specs,
    probe=cgminer.PROBE,
    recognise=recognise_goldshell,
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    firmware="stock",
    remark="power and MAC need a password; power of several boards is unknown",
)
