"""A version of a mining software that is not quite what its parser was written for: said once, never guessed at."""

from collections.abc import Sequence

import msgspec
from protocol.messages import UNKNOWN_ALGORITHM, MinerReading, MinerState
from protocol.units import listed

from cpu_gpu_sentry.miners.ccminer import records_of
from cpu_gpu_sentry.miners.registry import SOFTWARE, Software

_VERSIONS_LIMIT = 256  # a miner that makes up versions must not fill the memory
_KEYS_SHOWN = 8


class Drift:
    """Remembers which versions were looked at, so that each is looked at, and reported, once."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str | None]] = set()

    def of(self, reading: MinerReading, replies: Sequence[bytes]) -> str | None:
        """The sentence, the first time that this version drifts."""
        version = (reading.software, reading.version)
        is_complete = reading.state is MinerState.MINING  # one that starts has yet to find its cards
        if not is_complete or version in self._seen or len(self._seen) >= _VERSIONS_LIMIT:
            return None
        self._seen.add(version)
        return drift(SOFTWARE[reading.software], reading, replies)


def drift(software: Software, reading: MinerReading, replies: Sequence[bytes]) -> str | None:
    untold = sorted(_untold(reading) - software.untold)
    strange = sorted(_keys(replies[0]) - software.keys)
    if not untold and not strange:
        return None
    parts = [f"tells no {', '.join(untold)}"] if untold else []
    if strange:
        shown = listed([repr(key[:40]) for key in strange], _KEYS_SHOWN)
        parts.append(f"has keys that this version of the sentry does not know: {shown}")
    return f"{software.title} {reading.version or 'of an unknown version'} {'; it '.join(parts)}."


def _untold(reading: MinerReading) -> set[str]:
    missing = {
        "version": reading.version is None,
        "uptime": reading.uptime_s is None,
        "algorithm": any(each.algorithm == UNKNOWN_ALGORITHM for each in reading.algorithms),
        "devices": not reading.devices,
    }
    return {name for name, is_missing in missing.items() if is_missing}


def _keys(reply: bytes) -> set[str]:
    """Of a JSON object, or of a text answer's first record. What is neither was read all the same: nothing to say."""
    try:
        answer = msgspec.json.decode(reply.rstrip(b"\0"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return set(next(iter(records_of(reply)), {}))
    return set(answer) if isinstance(answer, dict) else set()
