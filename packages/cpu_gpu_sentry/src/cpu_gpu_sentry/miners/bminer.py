"""bminer: three answers, of the solvers, the devices and the pools, maps by the card's number or the algorithm. H/s.

It tells no PCI address, version or uptime there. Its first API had all in one answer, without the algorithm's name, in
solutions per second.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from protocol.coins import only_coin
from protocol.messages import UNKNOWN_ALGORITHM, AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import BadReply, count, number, percent, positive, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    checked,
    decode_all,
    mapping,
    reading,
    seconds_since,
    words,
)

KEYS = words("devices stratums stratum miners version start_time")

Cards = dict[str, dict[str, Any]]


def parse_bminer(replies: Sequence[bytes]) -> MinerReading:
    """From `solver` and, where given, `device` and `stratum`, in any order; or from the first API's `status`."""
    return checked("bminer", lambda: _parse(decode_all(replies)))


def _parse(answers: list[Any]) -> MinerReading:
    if "miners" in answers[0]:
        return _parse_first(answers[0])
    cards = _cards(answers)
    rates = {index: _rates(card) for index, card in cards.items()}
    names = list(dict.fromkeys(name for each in rates.values() for name in each))
    devices = [_device(index, card, [rates[index].get(name) for name in names]) for index, card in cards.items()]
    pools: dict[str, Any] = {name: pool for each in answers for name, pool in mapping(each.get("stratums")).items()}
    algorithms = [
        _algorithm(name, [each[name] for each in rates.values() if name in each], mapping(pools.get(name)))
        for name in names
    ]
    return reading("bminer", None, None, algorithms, devices, has_job=any(name != UNKNOWN_ALGORITHM for name in names))


def _cards(answers: list[Any]) -> Cards:
    """Returns the values of each card from `solver` and `device`."""
    cards: Cards = {}
    for answer in answers:
        for index, card in mapping(answer.get("devices")).items():
            cards.setdefault(index, {}).update(mapping(card))
    if not cards:
        raise BadReply("The answer of bminer lists no cards.")
    return cards


def _rates(card: dict[str, Any]) -> dict[str, float | None]:
    """Returns the card's hashrate of each algorithm that it works for."""
    solvers: list[Any] = card.get("solvers") or []
    return {algorithm_or_unknown(each.get("algorithm")): _rate(mapping(each.get("speed_info"))) for each in solvers}


def _algorithm(algorithm: str, rates: list[float | None], pool: dict[str, Any]) -> AlgorithmReading:
    uris: list[Any] = pool.get("failover_uris") or []
    address, user = _pool_and_user(next((each.get("name") for each in uris if each.get("active") is True), None))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=total(rates),
        accepted=count(pool.get("accepted_shares")),
        rejected=count(pool.get("rejected_shares")),
        pool=address,
        user=user,
    )


def _pool_and_user(uri: object) -> tuple[str | None, str | None]:
    """From `scheme://user:password@pool:port/`; the password stays here."""
    account, _, pool = (text(uri) or "").partition("://")[2].rpartition("@")
    return text(pool.partition("/")[0]), text(unquote(account.partition(":")[0]))


def _rate(speed: dict[str, Any]) -> float | None:
    hashes = number(speed.get("hash_rate"))
    return number(speed.get("solution_rate")) if hashes is None else hashes


def _device(index: str, health: dict[str, Any], rates: list[float | None]) -> MinerDevice:
    clocks = mapping(health.get("clocks"))
    return MinerDevice(
        device=f"gpu{index}",
        hashrates_hs=rates,
        temperature_c=temperature(health.get("temperature")),
        fan_percent=percent(health.get("fan_speed")),
        power_w=positive(health.get("power")),
        core_clock_mhz=positive(clocks.get("core")),
        memory_clock_mhz=positive(clocks.get("memory")),
    )


def _parse_first(status: Any) -> MinerReading:
    rates = {key: number(mapping(each.get("solver")).get("solution_rate")) for key, each in status["miners"].items()}
    shares = mapping(status.get("stratum"))
    whole = AlgorithmReading(
        algorithm=UNKNOWN_ALGORITHM,
        hashrate_hs=total(list(rates.values())),
        accepted=count(shares.get("accepted_shares")),
        rejected=count(shares.get("rejected_shares")),
    )
    devices = [_device(key, mapping(status["miners"][key].get("device")), [rate]) for key, rate in rates.items()]
    version = (status.get("version") or "").removeprefix("v")
    return reading("bminer", version, seconds_since(status.get("start_time")), [whole], devices)
