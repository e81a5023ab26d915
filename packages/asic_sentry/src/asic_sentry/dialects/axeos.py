"""AxeOS (BitAxe, NerdAxe, ForgeAxe): one GET returns everything. `hashRate` is GH/s, `voltage` mV, `current` mA.

`boardVersion` identifies a BitAxe's model; the firmware's table of boards has its numbers (bitaxeorg/ESP-Miner,
main/device_config.h). NerdAxes report `deviceModel`, and from 1.0.35 on the state of their pools in `stratum`.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs, PoolState
from protocol.plain_words import quoted
from sentry_kit.parsing import count, number, positive, scaled, temperature, text

from asic_sentry.dialects.dialect import Dialect, Question
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    decode,
    expected_chips,
    fan_speeds,
    hottest,
    mac,
    rejected_percent,
    sample,
)
from asic_sentry.failures import bad_response
from asic_sentry.framing import HTTP_HEAD, http_body
from asic_sentry.models import Model, find

MAKE = "AxeOS"
_SYSTEM_INFO = Question("system_info", b"GET /api/system/info HTTP/1.1\r\n" + HTTP_HEAD + b"\r\n", http_body)
_NAME_OF_CHIP = {"BM1397": "Max", "BM1366": "Ultra", "BM1368": "Supra", "BM1370": "Gamma"}
_BOARDS = {
    "Max": "2.2 102",
    "Ultra": "0.11 201 202 203 204 205 207",
    "Hex": "302 303",
    "Supra": "400 401 402 403",
    "Gamma": "600 601 602 603",
    "Gamma Duo": "650",
    "Supra Hex": "701 702",
    "Gamma Turbo": "800 801",
}
_NAME_OF_BOARD = {version: name for name, versions in _BOARDS.items() for version in versions.split()}
_HEX_CHIPS = 6

_StateAndShares = tuple[PoolState | None, Row]


def recognise_axeos(system_info: bytes) -> None:
    checked(MAKE, lambda: _info(system_info))


def parse_axeos(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `GET /api/system/info`."""
    return sample(MAKE, lambda: _parse(_info(replies[0]), model))


def _info(reply: bytes) -> Row:
    info = decode(reply)
    if not isinstance(info, dict) or "hashRate" not in info or "ASICModel" not in info:
        raise bad_response(f"The answer is not that of AxeOS: {quoted(reply)}.")
    return info


def _parse(info: Row, model: Model | None) -> AsicReading:
    model = model or find(*_make_and_model(info))
    hashrate_hs = scaled(info.get("hashRate"), 1e9)
    chips = count(info.get("asicCount"))
    board = AsicBoard(
        slot=0,
        hashrate_hs=hashrate_hs,
        chip_temperature_c=hottest(_temperatures(info)),
        chips=chips if chips is not None else model.chips if model else None,
        expected_chips=expected_chips(model, chips),
    )
    return AsicReading(
        uptime_s=count(info.get("uptimeSeconds")),
        hashrate_hs=hashrate_hs,
        average_hashrate_hs=scaled(info.get("hashRate_10m"), 1e9),
        expected_hashrate_hs=scaled(info.get("expectedHashrate"), 1e9) or None,
        power_w=positive(info.get("power")),
        temperature_c=board.chip_temperature_c,
        boards=[board],
        fans_rpm=fan_speeds(_fans(info, model)),
        pools=_pools(info, bool(hashrate_hs)),
        rejected_percent=rejected_percent(info.get("sharesAccepted"), info.get("sharesRejected")),
        faults=_faults(info),
    )


def _temperatures(info: Row) -> Iterable[float | None]:
    """Returns the temperatures of both sensors and of each chip. -1 stands for none."""
    each_chip = info.get("asicTemps")
    chips = each_chip if isinstance(each_chip, list) else []
    return [temperature(value) for value in (info.get("temp"), info.get("temp2"), *chips)]


def _fans(info: Row, model: Model | None) -> list[object]:
    """Returns the first fan, and a second one if the device has it. The key is there on boards with one fan, too."""
    speeds: list[object] = [info[key] for key in ("fanrpm",) if key in info]
    second = info.get("fan2rpm", info.get("fanrpm2"))
    fitted = count(info.get("fanCount")) or (model.fans if model else None)
    if second is not None and (number(second) or (fitted or 0) > 1):
        speeds.append(second)
    return speeds


def _faults(info: Row) -> list[str]:
    faults = ["temperature"] if info.get("overheat_mode") in (1, True) else []
    faults += [name for name in ("power", "hardware") if text(info.get(f"{name}_fault"))]
    faults += ["paused"] if info.get("miningPaused") is True else []
    return faults + (["shutdown"] if info.get("shutdown") is True else [])


class _Pools(NamedTuple):
    """The pools' state. `uses_fallback` is None if the firmware does not report it; then neither pool has a state."""

    uses_fallback: bool | None
    active: Sequence[Row]


def _pools(info: Row, hashing: bool) -> list[AsicPool]:
    """AxeOS hashes only with a pool's work, so the pool in use is connected as long as it hashes."""
    states = _states(info, _state(info), hashing)
    pools = [_pool(info, prefix, *each) for prefix, each in zip(("stratum", "fallbackStratum"), states, strict=True)]
    return [pool for pool in pools if pool.url]


def _states(info: Row, state: _Pools, hashing: bool) -> Sequence[_StateAndShares]:
    """Returns the state and the shares of the first pool and of the second one."""
    if len(state.active) > 1:  # it works for both at once
        return [(_in_use(state.active[place:], hashing), state.active[place]) for place in (0, 1)]
    if state.uses_fallback is None:
        return [(None, {}), (None, {})]
    used: _StateAndShares = (_in_use(state.active, hashing), _shares(info, state))
    if state.uses_fallback:
        return [(PoolState.DISCONNECTED, {}), used]
    return [used, (PoolState.STANDBY, {})]


def _state(info: Row) -> _Pools:
    stratum = info.get("stratum")
    moved: Row = stratum if isinstance(stratum, dict) else {}
    active = [each for each in moved.get("pools") or [] if isinstance(each, dict)]
    flag = info.get("isUsingFallbackStratum", moved.get("usingFallback"))
    if flag is None and not text(info.get("fallbackStratumURL")):
        flag = False  # there is no other pool
    return _Pools(bool(flag) if isinstance(flag, bool | int) else None, active)


def _in_use(active: Sequence[Row], hashing: bool) -> PoolState | None:
    connected = active[0].get("connected") if active else None
    if isinstance(connected, bool):
        return PoolState.CONNECTED if connected else PoolState.DISCONNECTED
    return PoolState.CONNECTED if hashing else None


def _shares(info: Row, state: _Pools) -> Row:
    """Returns the shares of the pool in use. AxeOS counts those of both pools together."""
    total = {"accepted": info.get("sharesAccepted"), "rejected": info.get("sharesRejected")}
    return {**total, **(state.active[0] if state.active else {})}


def _pool(info: Row, prefix: str, state: PoolState | None, shares: Row) -> AsicPool:
    host, port = text(info.get(f"{prefix}URL")), count(info.get(f"{prefix}Port"))
    return AsicPool(
        url=text(f"{host}:{port}") if host and port else host,
        user=text(info.get(f"{prefix}User")),
        state=state,
        accepted=count(shares.get("accepted")),
        rejected=count(shares.get("rejected")),
    )


def parse_axeos_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads the same answer."""
    return checked(MAKE, lambda: _specs(_info(replies[0] or b"")))


def _specs(info: Row) -> AsicSpecs:
    make, model = _make_and_model(info)
    return AsicSpecs(
        make=make,
        model=model or None,
        model_variant=text(info.get("boardVersion")),
        firmware_version=text(info.get("version")),
        software_version=text(info.get("axeOSVersion")),
        mac=mac(info.get("macAddr")),
        hostname=text(info.get("hostname")),
    )


def _make_and_model(info: Row) -> tuple[str, str]:
    """Returns the name that the device reports; else that of its board; else that of its chips. A Hex has six."""
    named = text(info.get("deviceModel"))
    if named and named.lower().startswith("nerd"):
        return "NerdAxe", named
    of_board = _NAME_OF_BOARD.get(text(info.get("boardVersion")) or "")
    if named or of_board:
        return "BitAxe", named or of_board or ""
    chip = text(info.get("ASICModel")) or ""
    name = _NAME_OF_CHIP.get(chip, chip)
    if (count(info.get("asicCount")) or 0) == _HEX_CHIPS:
        return "BitAxe", "Supra Hex" if name == "Supra" else "Hex"
    return "BitAxe", name


AXEOS = Dialect(
    name="axeos",
    makes=frozenset({"BitAxe", "NerdAxe"}),
    port=80,
    poll_questions=(_SYSTEM_INFO,),
    parse=parse_axeos,
    specs_questions=(_SYSTEM_INFO,),
    parse_specs=parse_axeos_specs,
    probe=_SYSTEM_INFO,
    recognise=recognise_axeos,
    firmware="AxeOS, ESP-Miner",
    recorded=True,
)
