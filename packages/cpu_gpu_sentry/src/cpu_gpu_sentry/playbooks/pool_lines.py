"""Reads what mining software prints about its pool.

Few programs report in their API that the pool gives no work, but all of them print it.
"""

import re
from collections.abc import Sequence

import msgspec
from protocol.messages import MinerReading, MinerState, MinerTrouble

from cpu_gpu_sentry.miners.parsing import NO_JOB

_LINE_SHOWN = 300
_CLOCK = re.compile(r"^\W*(\d{4}[-/.]\d\d[-/.]\d\d[ T])?\d\d?:\d\d(:\d\d)?([.,]\d+)?\W*")
_BAD = re.compile(
    r"""connect(ion)?\ (attempt\ )?(to\ \S+\ )?(error|refused|failed|time[d\ -]*out|closed|lost|reset|aborted)
    | (can.?t|can\ ?not|could\ not|unable\ to|fail(ed)?\ to)\ (connect|resolve|reach|log\ ?in|authori[sz]e|subscribe)
    | not\ connected | disconnected | no\ active\ pools? | unknown\ host | no\ such\ host | dns\ (error|failed)
    | name\ resolution | (login|stratum|pool|socket|:\d+\ read)\ (error|failed|failure)
    | (authori[sz]ation|authentication)\ (error|failed) | (not\ |un)authori[sz]ed
    | invalid\ (wallet|address|login|user|worker) | connection\ to\ (the\ )?pool\ (is\ )?(lost|closed|failed)
    | (waiting\ for|no)\ (a\ )?(job|work)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_GOOD = re.compile(
    r"new\ (job|work|block)|accepted|authori[sz]ed|logged\ in|subscribed|\bconnected|job\ received",
    re.IGNORECASE | re.VERBOSE,
)


def pool_trouble(printed: Sequence[str]) -> str | None:
    """Returns the line that says that the pool gives no work; None if a later line says that it does.

    The line is without its time, so it stays the same while nothing changes.
    """
    for line in reversed(printed):
        if _BAD.search(line):
            return " ".join(_CLOCK.sub("", line).split())[:_LINE_SHOWN]
        if _GOOD.search(line):
            return None
    return None


def with_pool_trouble(reading: MinerReading, printed: Sequence[str]) -> MinerReading:
    """Adds what the output says about the pool to the `reading` of a miner with no hashrate."""
    waits = reading.state in (MinerState.STARTING, MinerState.STALLED) and reading.trouble in (
        None,
        MinerTrouble.NO_JOB,
    )
    line = pool_trouble(printed) if waits else None
    if line is None:
        return reading
    reason = f"{NO_JOB.rstrip('.')}: “{line}”."
    return msgspec.structs.replace(reading, trouble=MinerTrouble.NO_JOB, reason=reason)
