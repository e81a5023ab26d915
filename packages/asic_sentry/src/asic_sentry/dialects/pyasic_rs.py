"""Other firmware, read by the library `pyasic-rs`: the optional extra `[all-firmware]`.

A device that one of our own dialects reads is never asked through it. The library is another program's code: it may
open connections that our transport would not, and log in with a maker's default password if a firmware shows nothing
without. Only two of its calls are used here, and both read: `MinerFactory.get_miner` and `Miner.get_data`. Its
`is_mining` is not used (it is true for a machine that is switched off), and neither are its averages.
"""

import importlib
import importlib.util
import os
import sys
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs, PoolState
from protocol.coins import algorithm_name
from sentry_kit.parsing import count, number, positive, temperature, text

from asic_sentry.dialects.dialect import Dialect, LibraryCall, Part
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    decode,
    fan_speeds,
    hottest_of,
    limited_boards,
    limited_pools,
    mac,
    objects,
    pool_of,
    sample,
)
from asic_sentry.failures import PollError, bad_response
from asic_sentry.models import Model

LIBRARY = "pyasic_rs"
MAKE = "pyasic-rs"
_HANDLES_LIMIT = 4096  # each keeps its sockets open
_ITS_OWN_NAMES = {"EtHash": "Etchash", "Kadena": "Blake2s", "Blake2S256": "Blake2s"}
_UNITS = {"H/s": 1.0, "KH/s": 1e3, "MH/s": 1e6, "GH/s": 1e9, "TH/s": 1e12, "PH/s": 1e15, "EH/s": 1e18}

_handles: "OrderedDict[str, Any]" = OrderedDict()  # one for each device that is monitored


def is_installed() -> bool:
    return importlib.util.find_spec(LIBRARY) is not None


def end_process(code: int) -> None:
    """Exits at once: the library's threads may abort the interpreter's own end."""
    if LIBRARY in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def _identify(ip: str) -> bytes:
    """Identifies the firmware again and returns the device's data as JSON."""
    _handles.pop(ip, None)
    return await _data(ip)


async def _data(ip: str) -> bytes:
    """Returns the device's data as JSON. Raises `BadReply`."""
    try:
        miner = await _handle(ip)
        data = await miner.get_data()
        return msgspec.json.encode(data.model_dump(), enc_hook=str)
    except PollError:
        raise
    except Exception as error:  # another program's errors have no common root
        _handles.pop(ip, None)
        raise bad_response(f"pyasic-rs could not read it ({error})."[:300]) from error
    except BaseException:  # the time is over
        _handles.pop(ip, None)
        raise


async def _handle(ip: str) -> Any:  # a handle of the library's
    if ip not in _handles:
        miner = await importlib.import_module(LIBRARY).MinerFactory().get_miner(ip)
        if miner is None:
            raise bad_response("No known firmware answers there.")
        _handles[ip] = miner
        while len(_handles) > _HANDLES_LIMIT:
            _handles.popitem(last=False)
    _handles.move_to_end(ip)
    return _handles[ip]


def parse_pyasic_rs(replies: Sequence[bytes], _model: Model | None) -> AsicReading:
    """Reads `Miner.get_data`."""
    return sample(MAKE, lambda: _parse(_object(replies[0])))


def _object(reply: bytes) -> Row:
    data = decode(reply)
    if not isinstance(data, dict):
        raise bad_response("The data of pyasic-rs is no object.")
    return data


def _parse(data: Row) -> AsicReading:
    boards = limited_boards(_board(each) for each in objects(data.get("hashboards")))
    pools = [each for group in objects(data.get("pools")) for each in objects(group.get("pools"))]
    return AsicReading(
        uptime_s=count(_seconds(data.get("uptime"))),
        hashrate_hs=_hashrate(data.get("hashrate")),
        expected_hashrate_hs=_hashrate(data.get("expected_hashrate")) or None,
        power_w=positive(data.get("wattage")),
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(each.get("rpm") for each in objects(data.get("fans"))),
        pools=limited_pools(_pool(each) for each in pools),
        algorithm=_algorithm(data.get("device_info")),
    )


def _seconds(uptime: object) -> object:
    """Returns seconds from a number, from Rust's `Duration` as an object, or from ISO 8601 ("PT5000S")."""
    if isinstance(uptime, dict):
        return uptime.get("secs")
    if not isinstance(uptime, str):
        return uptime
    try:
        return msgspec.convert(uptime, timedelta).total_seconds()
    except msgspec.ValidationError:
        return None


def _algorithm(info: object) -> str | None:
    name = str(info.get("algo")) if isinstance(info, dict) else ""
    return _ITS_OWN_NAMES.get(name) or algorithm_name(name)


def _hashrate(value: object) -> float | None:
    if not isinstance(value, dict) or str(value.get("unit")) not in _UNITS:
        return None
    rate = number(value.get("value"))
    return None if rate is None else rate * _UNITS[str(value["unit"])]


def _board(each: Row) -> AsicBoard:
    return AsicBoard(
        slot=count(each.get("position")) or 0,
        hashrate_hs=_hashrate(each.get("hashrate")),
        inlet_temperature_c=temperature(each.get("inlet_chip_temperature")),
        outlet_temperature_c=temperature(each.get("outlet_chip_temperature")),
        chips=count(each.get("working_chips")),
        expected_chips=count(each.get("expected_chips")),
    )


def _pool(each: Row) -> AsicPool:
    active, alive = each.get("active"), each.get("alive")
    state = PoolState.CONNECTED if active is True and alive is not False else None
    if state is None and alive is not None:
        state = PoolState.STANDBY if alive else PoolState.DISCONNECTED
    return pool_of(each, state, accepted="accepted_shares", rejected="rejected_shares")


def parse_pyasic_rs_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads the same data."""
    return checked(MAKE, lambda: _specs(_object(replies[0] or b"")))


def _specs(data: Row) -> AsicSpecs:
    info = data.get("device_info") or {}
    return AsicSpecs(
        make=text(info.get("make")),
        model=text(info.get("model")),
        firmware_version=text(data.get("firmware_version")),
        software_version=text(info.get("firmware")),
        mac=mac(data.get("mac")),
        serial_number=text(data.get("serial_number")),
        hostname=text(data.get("hostname")),
    )


PYASIC_RS = Dialect(
    name="pyasic_rs",
    makes=frozenset(),
    port=4028,  # only stored: the library finds the port itself
    poll_questions=(LibraryCall("get_data", _data),),
    parse=parse_pyasic_rs,
    specs_questions=(LibraryCall("get_miner", _identify),),
    parse_specs=parse_pyasic_rs_specs,
    is_installed=is_installed,
    specs_within_s=15.0,
    firmware="what the library reads, with the extra [all-firmware]",
    lacks=(Part.FAULTS,),
)
