"""The dialects that are spoken. Adding one is its parser's file, its questions in the transport and one row here."""

from collections.abc import Callable
from typing import NamedTuple

from asic_sentry.dialects.antminer import FIGURES, parse_antminer, parse_antminer_specs, recognise_antminer
from asic_sentry.dialects.avalon import parse_avalon, parse_avalon_specs, recognise_avalon
from asic_sentry.dialects.axeos import parse_axeos, parse_axeos_specs, recognise_axeos
from asic_sentry.dialects.iceriver import parse_iceriver, parse_iceriver_specs, recognise_iceriver
from asic_sentry.dialects.parsing import Parser, SpecsParser
from asic_sentry.dialects.whatsminer import parse_whatsminer, parse_whatsminer_specs, recognise_whatsminer
from asic_sentry.dialects.whatsminer_v3 import (
    parse_whatsminer_v3,
    parse_whatsminer_v3_specs,
    recognise_whatsminer_v3,
)
from asic_sentry.transport import Family


class Dialect(NamedTuple):
    """`parse` gets the answers to `figures`; behind them that to `fills_gaps`, if they left out a hashrate, an uptime
    or the shares. `parse_specs` gets those to `facts`; of these the ones in `optional` are None where the firmware
    says no. The answer to `probe` shows whether a device may speak this: `recognise` raises `BadReply` if not."""

    name: str
    makes: frozenset[str]
    family: Family
    port: int
    figures: tuple[str, ...]
    parse: Parser
    facts: tuple[str, ...]
    parse_specs: SpecsParser
    probe: tuple[Family, str]
    recognise: Callable[[bytes], None]
    optional: frozenset[str] = frozenset()
    fills_gaps: str = ""


_SUMMARY = (Family.PROBE, "summary")
_ANTMINER, _WHATSMINER, _AVALON = frozenset({"Antminer"}), frozenset({"Whatsminer"}), frozenset({"Avalon"})
_WHATSMINER_FACTS = ("summary", "get_version", "devdetails")
_MAY_BE_UNKNOWN = frozenset({"get_version", "devdetails"})

# Two rows of one family differ in the name of one question; the first that the device answers is its dialect.
DIALECTS = (
    Dialect("antminer", _ANTMINER, Family.ANTMINER, 4028, FIGURES, parse_antminer,
            ("version",), parse_antminer_specs, _SUMMARY, recognise_antminer, fills_gaps="summary"),
    Dialect("whatsminer_v1", _WHATSMINER, Family.WHATSMINER, 4028, ("summary", "devs", "pools"), parse_whatsminer,
            _WHATSMINER_FACTS, parse_whatsminer_specs, _SUMMARY, recognise_whatsminer, _MAY_BE_UNKNOWN),
    Dialect("whatsminer_v2", _WHATSMINER, Family.WHATSMINER, 4028, ("summary", "edevs", "pools"), parse_whatsminer,
            _WHATSMINER_FACTS, parse_whatsminer_specs, _SUMMARY, recognise_whatsminer, _MAY_BE_UNKNOWN),
    Dialect("avalon", _AVALON, Family.AVALON, 4028, ("summary", "litestats", "pools"), parse_avalon,
            ("version",), parse_avalon_specs, _SUMMARY, recognise_avalon),
    Dialect("avalon_stats", _AVALON, Family.AVALON, 4028, ("summary", "stats", "pools"), parse_avalon,
            ("version",), parse_avalon_specs, _SUMMARY, recognise_avalon),
    Dialect("whatsminer_v3", _WHATSMINER, Family.WHATSMINER_V3, 4433, ("summary", "edevs", "pools"),
            parse_whatsminer_v3, ("device_info",), parse_whatsminer_v3_specs,
            (Family.WHATSMINER_V3, "device_info"), recognise_whatsminer_v3),
    Dialect("axeos", frozenset({"BitAxe", "NerdAxe"}), Family.AXEOS, 80, ("system_info",), parse_axeos,
            ("system_info",), parse_axeos_specs, (Family.AXEOS, "system_info"), recognise_axeos),
    Dialect("iceriver", frozenset({"IceRiver"}), Family.ICERIVER, 80, ("userpanel",), parse_iceriver,
            ("userpanel",), parse_iceriver_specs, (Family.ICERIVER, "userpanel"), recognise_iceriver),
)  # fmt: skip

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
