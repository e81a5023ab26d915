"""T-Rex: one answer. Hashrates are H/s, `pci_bus` is a decimal number that versions before 0.19.10 do not tell.

What a card does not tell (fan, power, temperature) is absent, and `gpu_total` may be more than the list has.
`dual_stat` has the second algorithm; its cards carry the same `gpu_id`. The TCP port of old versions answers in
ccminer's way.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.lenient import Incomplete
from sentry_kit.parsing import count, number, percent, positive, temperature, text, total

from cpu_gpu_sentry.miners.ccminer import parse_records
from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    checked,
    decode,
    lined_up,
    lists_no_device,
    mapping,
    mined,
    names_a_job,
    pci_of_bus,
    reading,
    unplaced,
    words,
)

KEYS = words(
    "accepted_count active_pool algorithm api build_date coin cuda description difficulty driver dual_stat gpu_total "
    "gpus hashrate hashrate_day hashrate_hour hashrate_minute invalid_count name os paused rejected_count revision "
    "sharerate sharerate_average solved_count stat_by_gpu success ts uptime validate_shares version "
    "watchdog_stat"
)


def parse_trex(replies: Sequence[bytes]) -> MinerReading:
    """From `summary`."""
    if replies[0].startswith(b"NAME="):
        return checked("T-Rex", lambda: parse_records("trex", replies))
    return checked("T-Rex", lambda: _parse(decode(replies[0])))


def _parse(summary: Any) -> MinerReading:
    halves = [summary, *([summary["dual_stat"]] if mapping(summary.get("dual_stat")).get("algorithm") else [])]
    halves = mined(halves, lambda half: lists_no_device(half.get("gpus"), half.get("hashrate")))
    older_shares = lined_up(summary.get("stat_by_gpu"), len(summary["gpus"]))
    cards = [
        _device([_same_card(half, card) for half in halves], position, older_shares[position])
        for position, card in enumerate(summary["gpus"])
    ]
    if _may_be_dual(summary):  # the shares of a card are those of both algorithms
        cards = [msgspec.structs.replace(card, accepted=None, rejected=None) for card in cards]
    algorithms = [_algorithm(half) for half in halves]
    has_job = names_a_job([summary.get("algorithm")])
    uptime_s = count(summary.get("uptime"))
    return reading("trex", summary.get("version"), uptime_s, algorithms, cards, has_job=has_job, answer=summary)


def _may_be_dual(summary: Any) -> bool:
    """Returns whether a second algorithm may be missing with the end. Where members are sorted, it precedes `gpus`."""
    return isinstance(summary, Incomplete) and "dual_stat" not in summary and list(summary) != sorted(summary)


def _algorithm(half: Any) -> AlgorithmReading:
    algorithm, pool = algorithm_or_unknown(half.get("algorithm")), mapping(half.get("active_pool"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=number(half.get("hashrate")),
        accepted=count(half.get("accepted_count")),
        rejected=count(half.get("rejected_count")),
        invalid=count(half.get("invalid_count")),
        pool=text(pool.get("url")),
        user=text(pool.get("user")),
    )


def _same_card(half: Any, card: Any) -> dict[str, Any]:
    """That card in this half of a dual answer; empty if it does not take part."""
    cards = half.get("gpus") or []
    return next((each for each in cards if count(each.get("gpu_id")) == count(card.get("gpu_id"))), {})


def _device(in_halves: list[dict[str, Any]], position: int, older_shares: object) -> MinerDevice:
    card = in_halves[0]
    shares = [mapping(each.get("shares")) or mapping(older_shares) for each in in_halves if each]
    return MinerDevice(
        device=pci_of_bus(card.get("pci_bus")) or unplaced(card.get("gpu_id"), position),
        hashrates_hs=[number(each.get("hashrate")) for each in in_halves],
        accepted=total([count(each.get("accepted_count")) for each in shares]),
        rejected=total([count(each.get("rejected_count")) for each in shares]),
        temperature_c=temperature(card.get("temperature")),
        memory_temperature_c=temperature(card.get("memory_temperature")),
        fan_percent=percent(card.get("fan_speed")),
        power_w=positive(card.get("power")),
        core_clock_mhz=positive(card.get("cclock")),
        memory_clock_mhz=positive(card.get("mclock")),
    )
