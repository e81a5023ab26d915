"""IceRiver (KS0 … KS5, AL3): one POST to `userpanel` returns everything, without a log-in.

`rtpow` ("11258G") is the mean of 5 min, `avgpow` of 30; `reject` is percent; `runtime` is days:hours:minutes:seconds; a
pool's `connect` is 1.0 or true, -1.0 or false. `chipsuc`, `false` and `idealpow` are not reliable. The pools'
passwords are not read.
"""

import re
from collections.abc import Sequence

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs, PoolState
from protocol.plain_words import quoted
from sentry_kit.parsing import count, number, percent, temperature, text

from asic_sentry.dialects.dialect import Dialect, Part, Question
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    decode,
    expected_chips,
    fan_speeds,
    hottest_of,
    hottest_sensor,
    limited_boards,
    limited_pools,
    mac,
    objects,
    pool_of,
    sample,
    slot_of,
)
from asic_sentry.failures import bad_response, error_status
from asic_sentry.framing import HTTP_HEAD, http_body
from asic_sentry.models import Model, find

MAKE = "IceRiver"
_FORM = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\npost=4"
_USERPANEL = Question("userpanel", b"POST /user/userpanel HTTP/1.1\r\n" + HTTP_HEAD + _FORM, http_body)
_UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_RUNTIME = re.compile(r"(\d{1,6}):(\d{1,2}):(\d{1,2}):(\d{1,2})")
_MODEL = re.compile(r"(?i)_([a-z]{2}\d[a-z0-9]*)_miner")
_FAULTS = (("powstate", "power"), ("netstate", "network"), ("fanstate", "fan"), ("tempstate", "temperature"))
_WINDOW_S = 300


def recognise_iceriver(userpanel: bytes) -> None:
    if "softver1" not in checked(MAKE, lambda: _data(userpanel)):
        raise bad_response("The answer is not that of an IceRiver.")


def parse_iceriver(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `POST /user/userpanel`, `post=4`."""
    return sample(MAKE, lambda: _parse(_data(replies[0]), model))


def _data(reply: bytes) -> Row:
    answer = decode(reply)
    if not isinstance(answer, dict) or "error" not in answer:
        raise bad_response(f"The answer is not that of an IceRiver: {quoted(reply)}.")
    if answer["error"] not in (0, False):
        raise error_status(text(answer.get("message")) or f"error {answer['error']}")
    data = answer.get("data")
    if not isinstance(data, dict):
        raise bad_response("The answer has no data.")
    return data


def _parse(data: Row, model: Model | None) -> AsicReading:
    unit = data.get("unit")
    hashrate_hs = _hashrate(data.get("rtpow"), unit)
    rows = objects(data.get("boards"))
    boards = limited_boards(_board(each, place, unit, model) for place, each in enumerate(rows))
    return AsicReading(
        uptime_s=_seconds(data.get("runtime")),
        hashrate_hs=hashrate_hs,
        hashrate_window_s=None if hashrate_hs is None else _WINDOW_S,
        average_hashrate_hs=_hashrate(data.get("avgpow"), unit),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(data.get("fans") or []),
        pools=limited_pools(_pool(each) for each in objects(data.get("pools"))),
        rejected_percent=percent(data.get("reject")),
        faults=_faults(data, rows),
    )


def _hashrate(value: object, unit: object) -> float | None:
    """Returns H/s. The unit stands behind the value or in its own field; without one the value is unknown."""
    own_unit = value.strip()[-1:].upper() if isinstance(value, str) else ""
    beside = unit.strip()[:1].upper() if isinstance(unit, str) else ""
    factor = _UNITS.get(own_unit) or _UNITS.get(beside)
    figure = number(value)
    return None if figure is None or factor is None or figure * factor > 1e24 else figure * factor


def _seconds(runtime: object) -> int | None:
    match = _RUNTIME.fullmatch(runtime.strip()) if isinstance(runtime, str) else None
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _board(each: Row, place: int, unit: object, model: Model | None) -> AsicBoard:
    chips = count(each.get("chipnum"))
    return AsicBoard(
        slot=slot_of(each.get("no"), place),
        hashrate_hs=_hashrate(each.get("rtpow"), unit),
        inlet_temperature_c=temperature(each.get("intmp")),
        outlet_temperature_c=hottest_sensor(each.get("outtmp"), each.get("pcbtemp")),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def _faults(data: Row, boards: Sequence[Row]) -> list[str]:
    """Returns the states that are false, and "board" if that of a board is."""
    faults = [fault for flag, fault in _FAULTS if data.get(flag) is False]
    return [*faults, "board"] if any(each.get("state") is False for each in boards) else faults


def _pool(each: Row) -> AsicPool:
    return pool_of(each, _state(each.get("connect")), url="addr")


def _state(connect: object) -> PoolState | None:
    """IceRivers do not distinguish a pool in reserve from a dead one: neither is connected."""
    if isinstance(connect, int | float):  # a bool is an int
        return PoolState.CONNECTED if connect > 0 else PoolState.DISCONNECTED
    return None


def parse_iceriver_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads the same answer. `model` is often "none"; the software's name contains it: `…_ks5L_miner`."""
    return checked(MAKE, lambda: _specs(_data(replies[0] or b"")))


def _specs(data: Row) -> AsicSpecs:
    software, model = text(data.get("softver1")), text(data.get("model"))
    match = _MODEL.search(software or "")
    name = match[1].upper() if match else model if model and model.lower() != "none" else None
    row = find(MAKE, name) if name else None
    return AsicSpecs(
        make=MAKE,
        model=row.name if row else name,
        firmware_version=text(data.get("firmver1")),
        software_version=software,
        mac=mac(data.get("mac")),
        hostname=text(data.get("host")),
    )


ICERIVER = Dialect(
    name="iceriver",
    makes=frozenset({MAKE}),
    port=80,
    poll_questions=(_USERPANEL,),
    parse=parse_iceriver,
    specs_questions=(_USERPANEL,),
    parse_specs=parse_iceriver_specs,
    probe=_USERPANEL,
    recognise=recognise_iceriver,
    firmware="stock",
    lacks=(Part.POWER,),
    recorded=True,
)
