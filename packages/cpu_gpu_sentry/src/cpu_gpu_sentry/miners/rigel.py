"""Rigel: maps by algorithm, so that two algorithms are a second key. H/s; `pci_address` is hexadecimal, "0b:0".

Every field may be null.
"""

from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import count, name, number, percent, positive, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    at,
    checked,
    decode,
    mapping,
    mined,
    names_a_job,
    pci_address,
    reading,
    unplaced,
    words,
)

KEYS = words(
    "name version os_name cuda_driver uptime algorithm watchdog pools devices solution_stat hashrate pool_hashrate "
    "power_usage"
)


def parse_rigel(replies: Sequence[bytes]) -> MinerReading:
    """From `stat`."""
    return checked("Rigel", lambda: _parse(decode(replies[0])))


def _parse(stat: Any) -> MinerReading:
    algorithm_names = [each.strip() for each in (name(stat.get("algorithm")) or "").split("+")]
    names = [algorithm_or_unknown(each) for each in algorithm_names]
    cards = [card for card in stat["devices"] or [] if card.get("selected") is not False]
    names = mined(names, lambda each: _is_idle(stat, cards, each))
    devices = [_device(card, position, names) for position, card in enumerate(cards)]
    algorithms = [_algorithm(stat, each) for each in names]
    uptime_s = count(stat.get("uptime"))
    has_job = names_a_job(algorithm_names)
    return reading("rigel", stat.get("version"), uptime_s, algorithms, devices, has_job=has_job, answer=stat)


def _is_idle(stat: Any, cards: list[Any], algorithm: str) -> bool:
    is_told = any(algorithm in mapping(card.get("hashrate")) for card in cards)
    return not is_told and not number(mapping(stat.get("hashrate")).get(algorithm))


def _algorithm(stat: Any, algorithm: str) -> AlgorithmReading:
    shares = mapping(mapping(stat.get("solution_stat")).get(algorithm))
    pool = mapping(mapping(at(mapping(stat.get("pools")).get(algorithm), 0)).get("connection_details"))
    host, port = text(pool.get("hostname")), count(pool.get("port"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=number(mapping(stat.get("hashrate")).get(algorithm)),
        accepted=count(shares.get("accepted")),
        rejected=count(shares.get("rejected")),
        invalid=count(shares.get("invalid")),
        pool=text(f"{host}:{port}") if host and port else host,
        user=text(pool.get("username")),
    )


def _device(card: Any, position: int, names: list[str]) -> MinerDevice:
    monitor, rates = mapping(card.get("monitoring_info")), mapping(card.get("hashrate"))
    shares = [mapping(mapping(card.get("solution_stat")).get(each)) for each in names]
    return MinerDevice(
        device=pci_address(card.get("pci_address"), 16) or unplaced(card.get("id"), position),
        hashrates_hs=[number(rates.get(each)) for each in names],
        accepted=total([count(each.get("accepted")) for each in shares]),
        rejected=total([count(each.get("rejected")) for each in shares]),
        temperature_c=temperature(monitor.get("core_temperature")),
        memory_temperature_c=temperature(monitor.get("memory_temperature")),
        fan_percent=percent(monitor.get("fan_speed")),
        power_w=positive(monitor.get("power_usage")),
        core_clock_mhz=positive(monitor.get("core_clock")),
        memory_clock_mhz=positive(monitor.get("memory_clock")),
    )
