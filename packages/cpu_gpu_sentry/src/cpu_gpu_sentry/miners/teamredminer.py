"""TeamRedMiner: sgminer's API over TCP, one answer per command.

kH/s in the keys `KHS …`, MH/s in `MHS …`: the shortest window counts, or else the average since the start (`av`). Since
0.4.5 `devdetails` has the PCI bus in "Device Path", in hexadecimal. With two algorithms `devs2`, `pools2` and
`summary2` have the second. They are requested joined, because then the answer names each section.
"""

import re
from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import BadReply, count, percent, positive, scaled, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    at,
    checked,
    decode_all,
    lined_up,
    mapping,
    names_a_job,
    pci_address,
    pci_of_bus,
    reading,
    unplaced,
)

KEYS = frozenset({"STATUS", "DEVS", "POOLS", "SUMMARY", "id"})
_RATES = [
    (f"{unit} {window}", factor) for window in ("30s", "120s", "av") for unit, factor in (("KHS", 1e3), ("MHS", 1e6))
]

_SECTIONS = ("STATUS", "DEVS", "POOLS", "SUMMARY", "DEVDETAILS")
_BUS = re.compile(r"(0x)?[0-9a-fA-F]{1,2}", re.ASCII)

Sections = dict[str, list[dict[str, Any]]]


def parse_teamredminer(replies: Sequence[bytes]) -> MinerReading:
    """Parses `devs` and optionally `pools`, `summary`, `devdetails` and the second algorithm's, in any order."""
    return checked("TeamRedMiner", lambda: _parse([_sections(answer) for answer in decode_all(replies)]))


def _sections(answer: Any) -> Sections:
    """DEVS, POOLS and SUMMARY, with a 2 of the second algorithm: an answer has one, a joined answer several."""
    sections: Sections = {key: answer[key] for key in _SECTIONS if key in answer}
    for command, parts in answer.items():
        if command.rstrip("2") in ("devs", "pools", "summary"):
            half = "2" if command.endswith("2") else ""
            sections |= {f"{key}{half}": value for part in parts for key, value in part.items()}
    return sections


def _parse(answers: list[Sections]) -> MinerReading:
    sections = {key: value for answer in reversed(answers) for key, value in answer.items()}
    if "DEVS" not in sections:
        raise BadReply("The answer of TeamRedMiner lists no cards.")
    halves = ["", "2"] if sections.get("DEVS2") else [""]
    summary = mapping(at(sections.get("SUMMARY"), 0))
    addresses = _addresses(sections)
    cards = [_device(sections, card, addresses[at], at, halves) for at, card in enumerate(sections["DEVS"])]
    uptimes = [count(summary.get("Elapsed")), *(count(card.get("Device Elapsed")) for card in sections["DEVS"])]
    description = text(mapping(at(sections.get("STATUS"), 0)).get("Description")) or ""
    return reading(
        "teamredminer",
        description.removeprefix("TeamRedMiner"),
        next((each for each in uptimes if each is not None), None),
        [_algorithm(sections, half) for half in halves],
        cards,
        has_job=_has_job(sections.get("POOLS") or []),
    )


def _has_job(pools: list[dict[str, Any]]) -> bool | None:
    """Returns whether a pool is connected and its algorithm known."""
    active = [pool.get("Stratum Active") for pool in pools]
    if not pools or not all(isinstance(each, bool) for each in active):
        return None
    return any(active) and names_a_job([pool.get("Algorithm") for pool in pools])


def _addresses(sections: Sections) -> list[str | None]:
    """Returns the PCI address of each card in `devs`; none if two cards claim the same address."""
    paths = {count(each.get("ID")): _address(each.get("Device Path")) for each in sections.get("DEVDETAILS") or []}
    addresses = [paths.get(count(card.get("GPU"))) for card in sections["DEVS"]]
    reported = [address for address in addresses if address is not None]
    return addresses if len(set(reported)) == len(reported) else [None] * len(addresses)


def _address(path: object) -> str | None:
    """Parses `03:00.0`, or the bus alone."""
    if isinstance(path, str) and _BUS.fullmatch(path.strip()):
        return pci_of_bus(int(path, 16))
    return pci_address(path, 16)


def _algorithm(sections: Sections, half: str) -> AlgorithmReading:
    pools, cards = sections.get(f"POOLS{half}") or [], sections[f"DEVS{half}"]
    pool: dict[str, Any] = next((each for each in pools if each.get("Stratum Active") is True), mapping(at(pools, 0)))
    summary = mapping(at(sections.get(f"SUMMARY{half}"), 0))
    hashrate_hs, algorithm = _rate(summary), algorithm_or_unknown(pool.get("Algorithm"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=total([_rate(card) for card in cards]) if hashrate_hs is None else hashrate_hs,
        accepted=_shares("Accepted", summary, cards),
        rejected=_shares("Rejected", summary, cards),
        stale=count(pool.get("Stale")),
        invalid=_shares("Hardware Errors", summary, cards),
        pool=text(pool.get("URL")),
        user=text(pool.get("User")),
    )


def _rate(entry: dict[str, Any]) -> float | None:
    rates = (scaled(entry.get(key), factor) for key, factor in _RATES)
    return next((rate for rate in rates if rate is not None), None)


def _shares(kind: str, summary: dict[str, Any], cards: list[dict[str, Any]]) -> int | None:
    shares = count(summary.get(kind))
    return total([count(card.get(kind)) for card in cards]) if shares is None else shares


def _device(
    sections: Sections, card: dict[str, Any], address: str | None, position: int, halves: list[str]
) -> MinerDevice:
    cards = len(sections["DEVS"])
    in_halves = [mapping(lined_up(sections.get(f"DEVS{half}"), cards)[position]) for half in halves]
    return MinerDevice(
        device=address or unplaced(card.get("GPU"), position),
        hashrates_hs=[_rate(each) for each in in_halves],
        accepted=total([count(each.get("Accepted")) for each in in_halves]),
        rejected=total([count(each.get("Rejected")) for each in in_halves]),
        temperature_c=temperature(card.get("Temperature")),
        fan_percent=percent(card.get("Fan Percent")),
        core_clock_mhz=positive(card.get("GPU Clock")),
        memory_clock_mhz=positive(card.get("Memory Clock")),
    )
