"""Other firmware, by `pyasic-rs`: the optional extra `[all-firmware]`, behind the two questions of our own dialects.

What our dialects know is never asked through it. It is another program's code: it may open connections that our
transport would not, and log in with a maker's default password where a firmware shows nothing without. Only two of its
calls are used here, and both read: `MinerFactory.get_miner` and `Miner.get_data`. Its `is_mining` is not believed (it
calls a machine mining that is switched off), and neither are its averages.
"""

import asyncio
import importlib
import importlib.util
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from protocol.asic_messages import AsicBoard, AsicLog, AsicPool, AsicSpecs, PoolState, PowerSource
from sentry_kit.parsing import count, number, positive, temperature, text

from asic_sentry import models
from asic_sentry.coins import coin_of
from asic_sentry.dialects.parsing import fan_speeds, hottest_of, limited_boards, limited_pools, mac
from asic_sentry.failures import FailureKind, PollFailure

DIALECT = "pyasic_rs"
_WITHIN_S, _IDENTIFIED_WITHIN_S = 5.0, 15.0
_HANDLES_LIMIT = 4096  # each keeps its sockets open
_ALGORITHMS = {
    "SHA256": ("SHA-256", "Bitcoin"),
    "Scrypt": ("Scrypt", "Litecoin"),
    "KHeavyHash": ("kHeavyHash", "Kaspa"),
    "X11": ("X11", "Dash"),
    "Equihash": ("Equihash", "Zcash"),
    "EtHash": ("Etchash", "Ethereum Classic"),
    "Eaglesong": ("Eaglesong", "Nervos"),
    "Kadena": ("Blake2s", "Kadena"),
    "Blake2S256": ("Blake2s", "Kadena"),
}
_UNITS = {"H/s": 1.0, "KH/s": 1e3, "MH/s": 1e6, "GH/s": 1e9, "TH/s": 1e12, "PH/s": 1e15, "EH/s": 1e18}

_handles: "OrderedDict[str, Any]" = OrderedDict()  # one for each device that is monitored


def is_installed() -> bool:
    return importlib.util.find_spec(DIALECT) is not None


def end_process(code: int) -> None:
    """Its threads may abort the interpreter's own end."""
    if DIALECT in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def find(ip: str) -> AsicSpecs | PollFailure:
    """What it takes the device for."""
    library = importlib.import_module(DIALECT)
    try:
        async with asyncio.timeout(_IDENTIFIED_WITHIN_S):
            miner = await library.MinerFactory().get_miner(ip)
            if miner is None:
                return PollFailure(FailureKind.BAD_RESPONSE, "No firmware that is known answers there.")
            _keep(ip, miner)
            return specs_from(await _data(miner))
    except TimeoutError:
        return PollFailure(FailureKind.READ_TIMEOUT, "The device did not say in time what it is.")
    except Exception as error:  # noqa: BLE001 - another program's errors have no common root
        return PollFailure(FailureKind.BAD_RESPONSE, f"pyasic-rs could not read it ({error})."[:300])


async def ask(ip: str, now: Callable[[], datetime]) -> AsicLog | PollFailure:
    """Its figures; a sample is one only if its hashrate or its uptime came from this poll."""
    try:
        async with asyncio.timeout(_WITHIN_S):
            return log_from(await _data(await _handle(ip)), ip, now)
    except TimeoutError:
        _handles.pop(ip, None)
        return PollFailure(FailureKind.READ_TIMEOUT, f"The device did not answer everything within {_WITHIN_S:g} s.")
    except Exception as error:  # noqa: BLE001 - as above
        _handles.pop(ip, None)
        return PollFailure(FailureKind.BAD_RESPONSE, f"pyasic-rs could not read it ({error})."[:300])


async def _handle(ip: str) -> Any:  # a handle of the library's
    if ip not in _handles:
        miner = await importlib.import_module(DIALECT).MinerFactory().get_miner(ip)
        if miner is None:
            raise ConnectionError("nothing that it knows answers")
        _keep(ip, miner)
    _handles.move_to_end(ip)
    return _handles[ip]


def _keep(ip: str, miner: object) -> None:
    _handles[ip] = miner
    while len(_handles) > _HANDLES_LIMIT:
        _handles.popitem(last=False)


async def _data(miner: Any) -> dict[str, Any]:  # the parsing door
    data = await miner.get_data()
    told: dict[str, Any] = data.model_dump()
    return told


def specs_from(data: dict[str, Any]) -> AsicSpecs:
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


def log_from(data: dict[str, Any], ip: str, now: Callable[[], datetime]) -> AsicLog | PollFailure:
    hashrate_hs, uptime_s = _hashrate(data.get("hashrate")), count(_seconds(data.get("uptime")))
    if hashrate_hs is None and uptime_s is None:
        return PollFailure(FailureKind.BAD_RESPONSE, "pyasic-rs got neither a hashrate nor an uptime.")
    algorithm, coin = _algorithm(data.get("device_info") or {})
    boards = limited_boards(_board(each) for each in _dicts(data.get("hashboards")))
    known = limited_pools(_pool(each) for group in _dicts(data.get("pools")) for each in _dicts(group.get("pools")))
    power_w = positive(data.get("wattage"))
    return AsicLog(
        taken_at=now(),
        uptime_s=uptime_s,
        lan_ip=ip,
        algorithm=algorithm,
        coin=coin_of(algorithm, known, coin),
        hashrate_hs=hashrate_hs,
        expected_hashrate_hs=_hashrate(data.get("expected_hashrate")) or None,
        power_w=power_w,
        power_source=None if power_w is None else PowerSource.REPORTED,
        temperature_c=hottest_of(boards),
        boards=boards,
        fans_rpm=fan_speeds(each.get("rpm") for each in _dicts(data.get("fans"))),
        pools=known,
    )


def _dicts(value: object) -> Iterable[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _seconds(uptime: object) -> object:
    """A number, or Rust's `Duration` as an object."""
    if isinstance(uptime, dict):
        return uptime.get("secs")
    return uptime.total_seconds() if hasattr(uptime, "total_seconds") else uptime


def _algorithm(info: dict[str, Any]) -> tuple[str | None, str | None]:
    row = models.find(str(info.get("make")), str(info.get("model")))
    if row is not None and row.algorithm is not None:
        return row.algorithm, row.coin
    return _ALGORITHMS.get(str(info.get("algo")), (None, None))


def _hashrate(value: object) -> float | None:
    if not isinstance(value, dict) or str(value.get("unit")) not in _UNITS:
        return None
    figure = number(value.get("value"))
    return None if figure is None else figure * _UNITS[str(value["unit"])]


def _board(each: dict[str, Any]) -> AsicBoard:
    return AsicBoard(
        slot=count(each.get("position")) or 0,
        hashrate_hs=_hashrate(each.get("hashrate")),
        inlet_temperature_c=temperature(each.get("inlet_chip_temperature")),
        outlet_temperature_c=temperature(each.get("outlet_chip_temperature")),
        chips=count(each.get("working_chips")),
        expected_chips=count(each.get("expected_chips")),
    )


def _pool(each: dict[str, Any]) -> AsicPool:
    active, alive = each.get("active"), each.get("alive")
    state = PoolState.CONNECTED if active is True and alive is not False else None
    if state is None and alive is not None:
        state = PoolState.STANDBY if alive else PoolState.DISCONNECTED
    return AsicPool(
        url=text(each.get("url")),
        user=text(each.get("user")),
        state=state,
        accepted=count(each.get("accepted_shares")),
        rejected=count(each.get("rejected_shares")),
    )
