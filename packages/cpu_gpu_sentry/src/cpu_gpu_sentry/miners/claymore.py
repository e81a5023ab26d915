"""Claymore, PhoenixMiner, ethminer and TT-Miner: a list of texts over TCP, in which `;` separates cards.

`[0]` version and kind, `[1]` uptime in minutes, `[2]` total;accepted;rejected, `[3]` of each card, `[4]` and `[5]` the
same of a second coin ("off" where a card has none), `[6]` temperature;fan of each card, `[7]` pools, `[8]`
invalid;switches of both. `miner_getstat2` adds accepted, rejected and invalid of each card (`[9]` to `[14]`) and the
PCI bus, decimal (`[15]`). Figures are kH/s for the Ethereum kind, H/s or solutions for ZEC and XMR.
"""

from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import UNKNOWN_ALGORITHM, AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import BadReply, count, number, percent, scaled, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    Parser,
    at,
    checked,
    decode_all,
    lined_up,
    mapping,
    pci_of_bus,
    reading,
    unplaced,
)

_OFF_THE_BUS_C = 511
KEYS = frozenset({"id", "jsonrpc", "error", "result"})
_ETHEREUM = ("ethash", 1e3)
_KINDS = {"ETH": _ETHEREUM, "ETC": ("etchash", 1e3), "ZEC": ("equihash", 1.0), "XMR": ("cryptonight", 1.0)}


def parser(software: str, title: str, without_kind: tuple[str, float | None]) -> Parser:
    """Of one of the family; `without_kind` is the algorithm and the unit where the answer does not tell a kind."""

    def parse(replies: Sequence[bytes]) -> MinerReading:
        return checked(title, lambda: _parse(software, title, without_kind, _fields(replies)))

    return parse


parse_claymore = parser("claymore", "Claymore", (UNKNOWN_ALGORITHM, None))
parse_phoenixminer = parser("phoenixminer", "PhoenixMiner", (UNKNOWN_ALGORITHM, 1e3))
parse_ethminer = parser("ethminer", "ethminer", _ETHEREUM)
parse_ttminer = parser("ttminer", "TT-Miner", (UNKNOWN_ALGORITHM, 1e3))


def _fields(replies: Sequence[bytes]) -> list[list[str]]:
    """The longer result: old versions answer `miner_getstat2` with an error, or as `miner_getstat1`."""
    results: list[Any] = [mapping(answer).get("result") for answer in decode_all(replies)]
    result = max((each for each in results if isinstance(each, list)), key=len, default=[])
    if len(result) < 4 or not isinstance(result[0], str | None):
        raise BadReply("The answer does not look like that of miner_getstat1.")
    return [each.split(";") if isinstance(each, str) and each else [] for each in result]


def _parse(software: str, title: str, without_kind: tuple[str, float | None], fields: list[list[str]]) -> MinerReading:
    version, _, kind = ";".join(fields[0]).partition(" - ")
    algorithm, factor = _KINDS.get(kind.strip(), without_kind)
    names = [algorithm]
    if any(number(each) is not None for each in _field(fields, 5)):
        names.append(UNKNOWN_ALGORITHM)
    algorithms = [_algorithm(fields, half, name, factor) for half, name in enumerate(names)]
    devices = [_device(fields, card, len(names), factor) for card in range(len(fields[3]))]
    minutes = count(at(fields[1], 0))
    uptime_s = None if minutes is None else minutes * 60
    return reading(software, _version(version, title), uptime_s, algorithms, devices)


def _version(version: str, title: str) -> str:
    """`PM 5.1c`, `ethminer-0.16.0` and `TT-Miner/2.2.5` without the name."""
    for prefix in ("PM ", f"{title}-", f"{title}/", f"{title} "):
        version = version.removeprefix(prefix)
    return version


def _field(fields: list[list[str]], position: int) -> list[str]:
    return fields[position] if position < len(fields) else []


def _algorithm(fields: list[list[str]], half: int, algorithm: str, factor: float | None) -> AlgorithmReading:
    totals = _field(fields, 2 + 2 * half)
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=scaled(at(totals, 0), factor),
        accepted=count(at(totals, 1)),
        rejected=count(at(totals, 2)),
        invalid=count(at(_field(fields, 8), 2 * half)),
        pool=text(at(_field(fields, 7), half)),
    )


def _device(fields: list[list[str]], card: int, halves: int, factor: float | None) -> MinerDevice:
    rates = [_of_card(fields, 3 + 2 * half, card) for half in range(halves)]
    heat, fan = _sensors(fields, card)
    return MinerDevice(
        device=pci_of_bus(_of_card(fields, 15, card)) or unplaced(None, card),
        hashrates_hs=[scaled(rate, factor) for rate in rates],
        accepted=total([count(_of_card(fields, 9 + 3 * half, card)) for half in range(halves)]),
        rejected=total([count(_of_card(fields, 10 + 3 * half, card)) for half in range(halves)]),
        temperature_c=temperature(heat),
        fan_percent=percent(fan),
    )


def _of_card(fields: list[list[str]], position: int, card: int) -> object:
    """Returns a value of one card; unknown if the list does not have one for each card."""
    return lined_up(_field(fields, position), len(fields[3]))[card]


def _sensors(fields: list[list[str]], card: int) -> tuple[object, object]:
    """Returns temperature and fan of one card. 511 °C means that the card is lost, so its fan is unknown too."""
    readings = lined_up(_field(fields, 6), 2 * len(fields[3]))
    heat, fan = readings[2 * card : 2 * card + 2]
    return (None, None) if number(heat) == _OFF_THE_BUS_C else (heat, fan)
