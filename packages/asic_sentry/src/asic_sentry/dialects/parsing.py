"""Helpers that read an ASIC's reply: bytes in, struct out, no I/O. All parsers raise `BadReply` and nothing else."""

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec
from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs, PoolState
from protocol.plain_words import quoted
from sentry_kit import parsing
from sentry_kit.lenient import decoded, read_json
from sentry_kit.parsing import count, number, scaled, temperature, text

from asic_sentry.failures import bad_response
from asic_sentry.models import Model

_BOARD_LIMIT, _FAN_LIMIT, _POOL_LIMIT, _FAULT_LIMIT = 64, 64, 16, 32
_FAULT_LENGTH = 64
_LENIENT_LIMIT_BYTES = 64 * 1024  # recorded answers have 11 at most; a mebibyte would take seconds
_LENIENT_KEPT = 8  # more than the answers of one poll
_CONTROL_TO_SPACE = bytes.maketrans(bytes(range(32)), b" " * 32)
_MISSING_COMMA = re.compile(rb"}\s*{")
_BETWEEN_SENSORS = re.compile(r"(?<=\d)-")  # a minus before a number is its sign
_MAC = re.compile(r"[0-9A-F]{12}")

T = TypeVar("T")
Row = Mapping[str, Any]


class Rate(NamedTuple):
    """A hashrate and the window in s that it is a mean of; None where they are unknown."""

    hashrate_hs: float | None = None
    window_s: int | None = None


class AsicReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The values of one poll, named as in `AsicLog`; the sentry adds time and address.

    `algorithm` is what the device reports; our own dialects leave it to the table of models.
    """

    uptime_s: int | None
    hashrate_hs: float | None
    hashrate_window_s: int | None = None
    average_hashrate_hs: float | None = None
    expected_hashrate_hs: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    boards: list[AsicBoard] = []
    fans_rpm: list[float | None] = []
    pools: list[AsicPool] = []
    rejected_percent: float | None = None
    faults: list[str] = []
    algorithm: str | None = None


def decode(reply: bytes) -> Any:  # the parsing door: everything behind it is typed
    """Returns the reply's JSON, also if the firmware writes invalid JSON.

    Some omit a comma between objects or put control characters or Latin-1 into texts. Others write NaN, `03000` or a
    comma too many; these are read only in answers up to 64 KiB. An answer that is cut off is refused: it may have a
    hashrate and lack boards, pools or faults.
    """
    body = reply.strip(b"\0 \t\r\n")
    if not body:
        raise bad_response("The answer is empty.")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text_of_reply = decoded(_MISSING_COMMA.sub(b"},{", body.translate(_CONTROL_TO_SPACE)))
    try:
        return msgspec.json.decode(text_of_reply)
    except (msgspec.DecodeError, RecursionError):
        found = _read_leniently(text_of_reply) if len(body) <= _LENIENT_LIMIT_BYTES else None
    if found is None:
        raise bad_response(f"The answer is not JSON: {quoted(body)}.")
    return found


@lru_cache(maxsize=_LENIENT_KEPT)
def _read_leniently(text_of_reply: str) -> Any:
    """Returns the object or list; None if it can't be read. It is slow, and each dialect is asked about an answer."""
    with contextlib.suppress(ValueError):
        return read_json(text_of_reply, may_end_early=False)
    return None


def checked(dialect: str, parse: Callable[[], T]) -> T:
    """Returns the result of `parse`. Raises `BadReply` if the reply has another shape."""
    try:
        return parsing.checked(dialect, parse)
    except parsing.BadReply as error:
        raise bad_response(str(error)) from error


def sample(dialect: str, parse: Callable[[], AsicReading]) -> AsicReading:
    """Returns the result of `parse`. Without a hashrate and an uptime of this poll it raises `BadReply`."""
    reading = checked(dialect, parse)
    if reading.hashrate_hs is None and reading.uptime_s is None:
        raise bad_response(f"The answer of {dialect} has neither a hashrate nor an uptime.")
    return reading


def hottest(values: Iterable[float | None]) -> float | None:
    """Returns the highest of the known values. A mean would hide the board that is too hot."""
    return max((value for value in values if value is not None), default=None)


def hottest_sensor(*readings: object) -> float | None:
    """Returns the highest temperature of all sensors: each reading is a number, or a text such as "78-50-69-70"."""
    highest = None
    for each in readings:  # a loop: called some ten times per poll
        if not each:
            continue
        value = _in_text(each[:64]) if isinstance(each, str) else temperature(each)
        if value is not None and (highest is None or value > highest):
            highest = value
    return highest


@lru_cache(maxsize=4096)
def _in_text(reading: str) -> float | None:
    return hottest(map(temperature, _BETWEEN_SENSORS.split(reading)))


def hottest_of(boards: Sequence[AsicBoard]) -> float | None:
    return hottest(
        value
        for board in boards
        for value in (board.inlet_temperature_c, board.outlet_temperature_c, board.chip_temperature_c)
    )


Windows = Sequence[tuple[str, int]]  # keys of hashrates and the windows in s that they are means of; the best first


def first_rate(windows: Windows, factor: float | None, *sources: Row) -> Rate:
    """Returns the first known hashrate of the first source that has one. `factor` is the unit in H/s."""
    for source in sources:
        for key, window_s in windows:
            hashrate_hs = scaled(source.get(key), factor)
            if hashrate_hs is not None:
                return Rate(hashrate_hs, window_s)
    return Rate()


def rejected_percent(accepted: object, rejected: object) -> float | None:
    """Counts from the shares: firmwares' own percentages stay at 0.0 or are weighted by difficulty."""
    good, bad = count(accepted), count(rejected)
    return None if good is None or bad is None or good + bad == 0 else round(100 * bad / (good + bad), 3)


def rejected_percent_of(pools: Sequence[AsicPool]) -> float | None:
    """Counts the shares of all pools."""
    return rejected_percent(_sum(pool.accepted for pool in pools), _sum(pool.rejected for pool in pools))


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def mac(value: object) -> str | None:
    """Returns `AA:BB:CC:DD:EE:FF`. Firmwares write `:`, `-` or nothing between the bytes."""
    digits = value.replace(":", "").replace("-", "").strip().upper() if isinstance(value, str) else ""
    if not _MAC.fullmatch(digits):
        return None
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def part(of: Row, name: str) -> Row:
    """Returns the object under `name`; an empty one if there is none."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def objects(value: object) -> list[Row]:
    """Returns the objects in a list; an empty list if it is none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def expected_chips(model: Model | None, chips: int | None) -> int | None:
    """Returns how many chips each board of the model has. A board with more is another variant: unknown then."""
    expected = model.chips if model else None
    return None if expected is None or (chips or 0) > expected else expected


def slot_of(value: object, place: int) -> int:
    """Returns the board's number, or its place in the answer if it has none: no two boards have the same one."""
    slot = count(value)
    return place if slot is None else slot


def limited_boards(boards: Iterable[AsicBoard]) -> list[AsicBoard]:
    return list(boards)[:_BOARD_LIMIT]


def fan_speeds(values: Iterable[object]) -> list[float | None]:
    """Returns rpm. Unlike other zeros, 0 is a value here: the fan stands still."""
    return [number(each) for each in values][:_FAN_LIMIT]


def fitted_fans(speeds: Sequence[object], fan_num: object) -> list[float | None]:
    """Returns the first `fan_num` of the fans; all if it is unknown. The S9 has 2, with the keys fan3 and fan6."""
    fitted = count(fan_num)
    if fitted is None:
        return fan_speeds(speeds)
    if any(number(each) for each in speeds[fitted:]):
        turning = [each for each in speeds if number(each)]
        return fan_speeds(turning + [0] * (fitted - len(turning)))
    return fan_speeds(speeds[:fitted])


def limited_faults(faults: Iterable[str]) -> list[str]:
    """Returns the faults, each once and shortened."""
    return list(dict.fromkeys(each[:_FAULT_LENGTH] for each in faults))[:_FAULT_LIMIT]


def limited_pools(pools: Iterable[AsicPool]) -> list[AsicPool]:
    return list(pools)[:_POOL_LIMIT]


def pool_state(is_alive: object, is_active: object) -> PoolState | None:
    """Returns the state of a pool; None if a value is missing."""
    if is_alive is False:
        return PoolState.DISCONNECTED
    if is_alive is not True or not isinstance(is_active, bool):
        return None
    return PoolState.CONNECTED if is_active else PoolState.STANDBY


def pool_of(
    each: Row,
    state: PoolState | None,
    *,
    url: str = "url",
    user: str = "user",
    accepted: str = "accepted",
    rejected: str = "rejected",
    stale: str = "stale",
) -> AsicPool:
    """Returns a pool whose values stand in `each` under the keys that the other arguments give."""
    return AsicPool(
        url=text(each.get(url)),
        user=text(each.get(user)),
        state=state,
        accepted=count(each.get(accepted)),
        rejected=count(each.get(rejected)),
        stale=count(each.get(stale)),
    )


Parser = Callable[[Sequence[bytes], Model | None], AsicReading]
SpecsParser = Callable[[Sequence[bytes | None]], AsicSpecs]
