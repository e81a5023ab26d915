"""Parsing at the door: what every parser of a mining software needs, and the one error that all of them
raise.

Bytes in, struct out, no I/O. What is missing, null, empty or -1 is None; so is 0 for a temperature or a
power, because mining software says 0 where a card does not tell.
"""

import contextlib
import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from protocol.messages import (
    UNKNOWN_ALGORITHM,
    AlgorithmReading,
    MinerDevice,
    MinerReading,
    MinerState,
    MinerTrouble,
)
from protocol.plain_words import quoted
from protocol.reading import Reader
from sentry_kit import parsing
from sentry_kit.impossible import left_out
from sentry_kit.lenient import Incomplete, decoded, read_json
from sentry_kit.parsing import BadReply, count, name, number, positive, scaled

STARTING_S = 120  # building a DAG or a dataset, or waiting for the pool: no hashrate is no fault until then
NO_JOB = "Its pool gives it no work."
_UNIT = re.compile(r"([kmgtp]?)(?:h|sol|g)/s", re.ASCII | re.IGNORECASE)  # "G/s" are graphs, not giga
_WITH_PREFIX = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([kmgtp]?)\s*", re.ASCII | re.IGNORECASE)
_PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15}
_PCI = re.compile(r"(?:([0-9a-fA-F]{1,8}):)?([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,2})(?:\.([0-7]))?", re.ASCII)

_READING = Reader(MinerReading)


Part = TypeVar("Part")
Parser = Callable[[Sequence[bytes]], MinerReading]


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def decode(reply: bytes) -> Any:  # the parsing door: everything behind it is typed
    """Returns the answer's JSON, also if the software writes invalid JSON."""
    try:
        return msgspec.json.decode(reply.rstrip(b"\0"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as strict:
        try:
            return read_json(decoded(reply.rstrip(b"\0")))
        except ValueError:
            raise BadReply(f"The answer is not JSON: {quoted(reply)}.") from strict


def decode_all(replies: Sequence[bytes]) -> list[Any]:
    """Returns all answers. After the first, one that can't be read counts as missing."""
    answers = [decode(replies[0])]
    for reply in replies[1:]:
        with contextlib.suppress(BadReply):
            answers.append(decode(reply))
    return answers


def checked(software: str, parse: Callable[[], MinerReading]) -> MinerReading:
    """Returns the result of `parse` without impossible values. Raises `BadReply` if the answer has another shape."""
    return parsing.checked(software, lambda: left_out(_READING, parse(), software))


def pci_address(value: object, base: int) -> str | None:
    """`03:00.0` or `11:0` as `domain:bus:device.function`. In the wrong base a bus of 10 or more is another
    card."""
    match = _PCI.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        domain, bus, device = (int(part or "0", base) for part in match.group(1, 2, 3))
    except ValueError:
        return None
    return f"{domain:04x}:{bus:02x}:{device:02x}.{match[4] or '0'}"


def pci_of_bus(value: object) -> str | None:
    """A card of which only the bus is reported, as a number. Bus 0 is a host bridge's: it means "unknown"."""
    bus = count(value)
    return f"0000:{bus:02x}:00.0" if bus and bus <= 0xFF else None


def unplaced(index: object, position: int) -> str:
    """Names a card whose place is not reported."""
    place = count(index)
    return f"gpu{position if place is None else place}"


def unit_factor(unit: object) -> float | None:
    """Returns how many H/s, or solutions per second, one of `unit` is; None for an unknown unit."""
    match = _UNIT.fullmatch(unit.strip()) if isinstance(unit, str) else None
    return _PREFIXES[match[1].lower()] if match else None


def with_prefix(value: object) -> float | None:
    """`61.50 M` as 61500000."""
    if not isinstance(value, str):
        return number(value)
    match = _WITH_PREFIX.fullmatch(value)
    return scaled(match[1], _PREFIXES[match[2].lower()]) if match else None


def at(values: object, position: int) -> object:
    """Returns the list's value at that place; None if there is no list, or a shorter one."""
    return values[position] if isinstance(values, list) and position < len(values) else None


def lined_up(values: object, length: int) -> list[Any]:
    """Returns a list for `length` devices. One of another length is unknown: its values can't be assigned."""
    return values if isinstance(values, list) and len(values) == length else [None] * length


def mapping(value: object) -> dict[str, Any]:
    """An object inside an answer; empty where it is null or missing."""
    return value if isinstance(value, dict) else {}


def seconds_since(epoch_s: object) -> int | None:
    """The uptime of software that tells when it was started."""
    started = positive(epoch_s)
    return None if started is None else count(time.time() - started)


def mined(parts: Sequence[Part], is_idle: Callable[[Part], bool]) -> list[Part]:
    """Returns the algorithms, or pools, that are mined. Those that no device works for are not, if there is another.

    `is_idle`: the answer says that no device works for it. A device whose hashrate is 0 or unknown works for it.
    """
    return [part for part in parts if not is_idle(part)] or list(parts)


def lists_no_device(rates: object, whole: object) -> bool:
    """Returns whether the list of the devices' hashrates is there and empty, and their total is not above 0."""
    return rates == [] and not number(whole)


def known_sum(values: Sequence[float | None]) -> float | None:
    """Returns the sum of the reported values; None if there are none."""
    reported = [value for value in values if value is not None]
    return math.fsum(reported) if reported else None


def state_of(hashrate_hs: float | None, uptime_s: int | None) -> MinerState:
    if hashrate_hs:
        return MinerState.MINING
    return MinerState.STARTING if uptime_s is None or uptime_s < STARTING_S else MinerState.STALLED


def reading(
    software: str,
    version: object,
    uptime_s: int | None,
    algorithms: list[AlgorithmReading],
    devices: list[MinerDevice],
    *,
    has_job: bool | None = None,
    answer: object = None,
) -> MinerReading:
    """Returns a miner that answers. `has_job`: its pool has given it work; None if that is unknown.

    If the end of `answer` is missing, what is not in it is unknown.
    """
    hashrate_hs = known_sum([_known_part(each, devices, place) for place, each in enumerate(algorithms)])
    is_whole = not isinstance(answer, Incomplete)
    miner = MinerReading(
        software=software,
        version=name(version),
        state=state_of(hashrate_hs, uptime_s) if is_whole or hashrate_hs is not None else MinerState.UNKNOWN,
        uptime_s=uptime_s,
        algorithms=algorithms,
        devices=devices,
    )
    return _without_job(miner) if has_job is False and is_whole and not hashrate_hs else miner


def _known_part(algorithm: AlgorithmReading, devices: Sequence[MinerDevice], place: int) -> float | None:
    """Returns an algorithm's hashrate. If that is unknown, returns the known part of it: these devices mine."""
    if algorithm.hashrate_hs is not None:
        return algorithm.hashrate_hs
    return known_sum([device.hashrates_hs[place] for device in devices if place < len(device.hashrates_hs)])


def _without_job(miner: MinerReading) -> MinerReading:
    """Returns a miner without work: its hashrate is unknown, and it is starting until its first job."""
    waits_long = miner.uptime_s is not None and miner.uptime_s >= STARTING_S
    has_mined = any(each.algorithm != UNKNOWN_ALGORITHM for each in miner.algorithms) and waits_long
    return msgspec.structs.replace(
        miner,
        state=MinerState.STALLED if has_mined else MinerState.STARTING,
        trouble=MinerTrouble.NO_JOB,
        reason=NO_JOB,
        algorithms=[msgspec.structs.replace(each, hashrate_hs=None) for each in miner.algorithms],
        devices=[msgspec.structs.replace(each, hashrates_hs=[None] * len(each.hashrates_hs)) for each in miner.devices],
    )


def patient(miner: MinerReading) -> MinerReading:
    """Returns `miner` for the report: in its first minutes a miner may wait for its first job without trouble."""
    is_new = miner.uptime_s is None or miner.uptime_s < STARTING_S
    return without_trouble(miner) if miner.trouble is MinerTrouble.NO_JOB and is_new else miner


def without_trouble(miner: MinerReading) -> MinerReading:
    return msgspec.structs.replace(miner, trouble=None, reason=None)


def algorithm_or_unknown(value: object) -> str:
    """Returns the algorithm's name. Before the first job there is none, and some software never reports it."""
    return name(value) or UNKNOWN_ALGORITHM


def is_connected(connection: dict[str, Any]) -> bool:
    """Returns whether xmrig and similar software is connected to a pool; True if it does not say."""
    return count(connection.get("uptime")) != 0


def names_a_job(algorithms: Sequence[object]) -> bool:
    """Returns whether any algorithm is named, for software that names it with the first job."""
    return any(name(each) is not None for each in algorithms)
