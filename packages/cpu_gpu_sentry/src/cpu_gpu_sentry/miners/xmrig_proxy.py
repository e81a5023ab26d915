"""xmrig-proxy: one answer, whose `kind` is "proxy". It mines nothing itself and passes on the work of its miners.

Hashrates are [1 min, 10 min, 1 h, 12 h, 24 h, all] in kH/s, and 0.0 while nothing is known. `algo` is always "invalid".
The rigs of those miners report them too, so no total counts this hashrate (`PROXIES`).
"""

from typing import Any

import msgspec
from protocol.messages import UNKNOWN_ALGORITHM, AlgorithmReading, MinerReading, MinerState, MinerTrouble
from sentry_kit.parsing import count, scaled

from cpu_gpu_sentry.miners.parsing import NO_JOB, at, mapping, reading, words

KEYS = words(
    "id worker_id uptime restricted resources features hashrate miners workers upstreams results version kind algo "
    "mode ua donate_level donated"
)


def read_proxy(summary: Any) -> MinerReading:
    """Parses `summary`. A proxy without miners waits for them, which is no trouble."""
    results, miners = mapping(summary.get("results")), count(mapping(summary.get("miners")).get("now"))
    whole = AlgorithmReading(
        algorithm=UNKNOWN_ALGORITHM,
        hashrate_hs=scaled(at(mapping(summary["hashrate"]).get("total"), 0), 1e3) or (0.0 if miners == 0 else None),
        accepted=count(results.get("accepted")),
        rejected=count(results.get("rejected")),
        stale=count(results.get("expired")),
        invalid=count(results.get("invalid")),
    )
    proxy = reading("xmrig-proxy", summary.get("version"), count(summary.get("uptime")), [whole], [])
    if whole.hashrate_hs:
        return proxy
    upstreams = mapping(summary.get("upstreams"))
    if count(upstreams.get("error")) and not count(upstreams.get("active")):
        return msgspec.structs.replace(proxy, state=MinerState.STARTING, trouble=MinerTrouble.NO_JOB, reason=NO_JOB)
    reason = "No miner is connected to it." if miners == 0 else None
    return msgspec.structs.replace(proxy, state=MinerState.STARTING, reason=reason)
