"""miniZ (and EWBF, which answers alike): `getstat`, a list of cards in solutions per second. `busid` is hexadecimal.

`start_time` is an epoch. Newer versions also tell `algorithm` and `version`.
"""

from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import count, number, percent, positive, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    checked,
    decode,
    names_a_job,
    pci_address,
    reading,
    seconds_since,
    unplaced,
    words,
)

KEYS = words(
    "id method error start_time current_server server_latency available_servers server_status result algorithm version"
)


def parse_miniz(replies: Sequence[bytes]) -> MinerReading:
    """From `getstat`."""
    return checked("miniZ", lambda: _parse(decode(replies[0])))


def _parse(stat: Any) -> MinerReading:
    cards, algorithm = stat["result"], algorithm_or_unknown(stat.get("algorithm"))
    devices = [_device(card, position) for position, card in enumerate(cards)]
    whole = AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=total([number(card.get("speed_sps")) for card in cards]),
        accepted=total([device.accepted for device in devices]),
        rejected=total([device.rejected for device in devices]),
        pool=text(stat.get("current_server")),
    )
    has_job = names_a_job([stat["algorithm"]]) if "algorithm" in stat else None
    uptime_s = seconds_since(stat.get("start_time"))
    return reading("miniz", stat.get("version"), uptime_s, [whole], devices, has_job=has_job)


def _device(card: Any, position: int) -> MinerDevice:
    return MinerDevice(
        device=pci_address(card.get("busid"), 16) or unplaced(card.get("gpuid"), position),
        hashrates_hs=[number(card.get("speed_sps"))],
        accepted=count(card.get("accepted_shares")),
        rejected=count(card.get("rejected_shares")),
        temperature_c=temperature(card.get("temperature")),
        fan_percent=percent(card.get("gpu_fan_speed")),
        power_w=positive(card.get("gpu_power_usage")),
        core_clock_mhz=positive(card.get("gpu_clock_core_max")),
        memory_clock_mhz=positive(card.get("gpu_clock_memory")),
    )
