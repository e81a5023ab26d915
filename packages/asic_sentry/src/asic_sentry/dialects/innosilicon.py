"""Innosilicon: cgminer's API with `MHS` values; `stats` has a row of each chain with its chips and temperatures.

Power, MAC and errors are on the web page at port 80, behind a log-in. Its fan speed, a percentage, is not read.
Written after other programs' sources; no answer of a device was at hand.
"""

from collections.abc import Mapping, Sequence

from protocol.asic_messages import AsicBoard, AsicSpecs
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry import models
from asic_sentry.access import Token
from asic_sentry.dialects import cgminer
from asic_sentry.dialects.cgminer import dead_boards, optional_section, pools_of, section, windows
from asic_sentry.dialects.dialect import Dialect, Part, Question
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    expected_chips,
    first_rate,
    hottest,
    hottest_of,
    limited_boards,
    mac,
    objects,
    part,
    rejected_percent,
    sample,
    slot_of,
)
from asic_sentry.dialects.web import beside, is_web_page, mapping_of, post
from asic_sentry.models import Model

MAKE = "Innosilicon"
_WINDOWS = windows("MHS", "1m", "5m", "15m", "5s")


def parse_innosilicon(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `summary`, `devs`, `pools`, `stats` if the firmware has it, and the page if there is a log-in."""
    return sample(MAKE, lambda: _parse(replies, model))


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary, rows = section(replies[0], "SUMMARY")[0], section(replies[1], "DEVS")
    chains = [each for each in optional_section(replies[3], "STATS") if "Num active chips" in each]
    page = _page_values(replies[4])
    heat = {count(each.get("ASC")): temperature(each.get("Temp max")) for each in objects(page.get("chain"))}
    boards = limited_boards(
        _board(each, chains[place] if len(chains) == len(rows) else {}, place, model, heat)
        for place, each in enumerate(rows)
    )
    rate = first_rate(_WINDOWS, 1e6, summary)
    return AsicReading(
        uptime_s=count(summary.get("Elapsed")),
        hashrate_hs=rate.hashrate_hs,
        hashrate_window_s=rate.window_s,
        average_hashrate_hs=scaled(summary.get("MHS av"), 1e6),
        power_w=positive(page.get("power")),
        temperature_c=hottest_of(boards),
        boards=boards,
        pools=pools_of(replies[2]),
        rejected_percent=rejected_percent(summary.get("Accepted"), summary.get("Rejected")),
        faults=dead_boards(rows) + _errors(replies[5]),
    )


def _page_values(reply: bytes) -> Row:
    return part(mapping_of(MAKE, reply, "all"), "all") if reply else {}


def _errors(reply: bytes) -> list[str]:
    code = count(mapping_of(MAKE, reply, "success").get("code")) if reply else None
    return [f"error {code}"] if code else []


def _board(
    each: Row, chain: Row, place: int, model: Model | None, heat: Mapping[int | None, float | None]
) -> AsicBoard:
    """`chain` is the board's row of `stats`; empty if there is not one for each board. `heat` is from the page."""
    slot, chips = slot_of(each.get("ASC", each.get("ID")), place), count(chain.get("Num active chips"))
    rate = first_rate(_WINDOWS, 1e6, each)
    return AsicBoard(
        slot=slot,
        hashrate_hs=rate.hashrate_hs,
        chip_temperature_c=hottest(
            [
                *(temperature(value) for value in (chain.get("Temp max"), chain.get("Temp"), each.get("Temperature"))),
                heat.get(slot),
            ]
        ),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def parse_innosilicon_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `version`, the model in `devdetails` if the firmware has it, and the MAC if there is a log-in."""
    return checked(MAKE, lambda: _specs(replies))


def _specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    version = section(replies[0] or b"", "VERSION")[0]
    details = (optional_section(replies[1] or b"", "DEVDETAILS") or [{}])[0]
    name = text(version.get("Type")) or text(details.get("Model")) or ""
    return AsicSpecs(
        make=MAKE,
        model=models.make_and_model(name)[1],
        software_version=cgminer.description(replies[0] or b"") or None,
        mac=mac(_page_values(replies[2] or b"").get("mac")),
    )


def _denies(answer: bytes) -> bool:
    return is_web_page(answer) or mapping_of(MAKE, answer).get("success") is False


def _page(name: str) -> Question:
    return beside(post(f"/api/{name}", "{}", access=_ACCESS), _WEB_PORT)


_WEB_PORT = 80
_ACCESS = Token("/api/auth", "username={user}&password={password}", ("jwt",), denies=_denies)


INNOSILICON = Dialect(
    name="innosilicon",
    makes=frozenset({MAKE}),
    port=cgminer.PORT,
    poll_questions=(
        *(cgminer.command(name) for name in ("summary", "devs", "pools")),
        cgminer.command("stats", optional=True),
        _page("getAll"),
        _page("getErrorDetail"),
    ),
    parse=parse_innosilicon,
    specs_questions=(cgminer.command("version"), cgminer.command("devdetails", optional=True), _page("getAll")),
    parse_specs=parse_innosilicon_specs,
    probe=cgminer.PROBE,
    recognise=cgminer.recognise_as(MAKE, "inno"),
    probe_at_other_port=cgminer.PROBE_AT_OTHER_PORT,
    firmware="stock",
    lacks=(Part.FANS,),
    remark="power, MAC and errors need a password",
)
