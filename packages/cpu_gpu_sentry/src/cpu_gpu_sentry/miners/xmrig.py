"""xmrig, API v2 (and v1 of old versions): `summary`, then `backends`.

Hashrates are [10 s, 60 s, 15 min] in H/s and null while unknown. `bus_id` is hexadecimal. Several threads may
share a card. `results` counts all shares and the good ones; there is no count of invalid ones.
"""

from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.lenient import Incomplete
from sentry_kit.parsing import BadReply, count, number, percent, positive, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    checked,
    decode_all,
    is_connected,
    mapping,
    names_a_job,
    pci_address,
    reading,
    words,
)
from cpu_gpu_sentry.miners.xmrig_proxy import read_proxy

KEYS = words(
    "id worker_id uptime restricted resources features results algo connection version kind ua cpu donate_level paused "
    "algorithms hashrate hugepages"
)


def parse_xmrig(replies: Sequence[bytes]) -> MinerReading:
    """Parses `summary` and optionally `backends` (in v1 `threads`). A proxy is read as a proxy."""
    return checked("xmrig", lambda: _parse(*decode_all(replies)[:2]))


def _parse(summary: Any, backends: Any = None) -> MinerReading:
    if "hashrate" not in summary:
        raise BadReply("The answer does not look like xmrig's summary.")
    if isinstance(summary, Incomplete) and "kind" not in summary:
        raise BadReply("The answer ends before it says whether it is a proxy's.")
    if summary.get("kind") == "proxy":
        return read_proxy(summary)
    backends = _as_backends(backends or [])
    uptime_s = count(summary.get("uptime"))
    devices = [device for backend in backends for device in _devices(backend)]
    has_job = names_a_job([summary.get("algo")]) and is_connected(mapping(summary.get("connection")))
    version, whole = summary.get("version"), [_algorithm(summary)]
    return reading("xmrig", version, uptime_s, whole, devices, has_job=has_job, answer=summary)


def _algorithm(summary: Any) -> AlgorithmReading:
    results, connection = summary.get("results") or {}, summary.get("connection") or {}
    algorithm = algorithm_or_unknown(summary.get("algo"))
    good, every = count(results.get("shares_good")), count(results.get("shares_total"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=_current(summary["hashrate"]["total"]),
        accepted=good,
        rejected=None if good is None or every is None or every < good else every - good,
        pool=text(connection.get("pool")),
        user=text(connection.get("user")),
    )


def _current(windows: Any) -> float | None:
    """The 10 s window; until that is filled, the 60 s one."""
    ten_s, *longer = [number(window) for window in windows] or [None]
    return ten_s if ten_s is not None else next(iter(longer), None)


def _as_backends(answer: Any) -> Any:
    """`/1/threads` of old versions, which mined on one kind of device, as the newer list."""
    if not isinstance(answer, dict) or not answer.get("threads"):
        return answer if isinstance(answer, list) else []
    threads = answer["threads"]
    whole = total([_current(thread.get("hashrate") or []) for thread in threads])
    return [{"type": threads[0]["type"], "enabled": True, "algo": threads[0]["algo"], "hashrate": [whole], **answer}]


def _devices(backend: Any) -> list[MinerDevice]:
    if not backend.get("enabled") or backend.get("algo") is None:
        return []
    threads = backend.get("threads") or []
    if backend["type"] == "cpu":
        hashrate = _current(backend.get("hashrate") or [])
        return [MinerDevice(device="cpu", hashrates_hs=[hashrate])]
    cards: dict[str, list[Any]] = {}
    for position, thread in enumerate(threads):
        cards.setdefault(pci_address(thread.get("bus_id"), 16) or _unplaced(thread, position), []).append(thread)
    return [_card(device, its_threads) for device, its_threads in cards.items()]


def _unplaced(thread: Any, position: int) -> str:
    index = count(thread.get("index"))
    return f"gpu{position if index is None else index}"


def _card(device: str, threads: list[Any]) -> MinerDevice:
    health: dict[str, Any] = next((thread["health"] for thread in threads if thread.get("health")), {})
    fans = [speed for speed in map(percent, health.get("fan_speed") or []) if speed is not None]
    return MinerDevice(
        device=device,
        hashrates_hs=[total([_current(thread.get("hashrate") or []) for thread in threads])],
        temperature_c=temperature(health.get("temperature")),
        fan_percent=max(fans, default=None),
        power_w=positive(health.get("power")),
        core_clock_mhz=positive(health.get("clock")),
        memory_clock_mhz=positive(health.get("mem_clock")),
    )
