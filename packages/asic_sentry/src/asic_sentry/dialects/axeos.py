"""AxeOS (BitAxe, NerdAxe, ForgeAxe): one GET returns everything. `hashRate` is GH/s, `voltage` mV, `current` mA."""

from collections.abc import Mapping, Sequence
from typing import Any

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs, PoolState
from protocol.plain_words import quoted
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry.dialects.dialect import Dialect, Question
from asic_sentry.dialects.parsing import AsicReading, checked, decode, fan_speeds, mac, rejected_percent, sample
from asic_sentry.failures import bad_response
from asic_sentry.framing import HTTP_HEAD, http_body
from asic_sentry.models import Model

MAKE = "AxeOS"
_SYSTEM_INFO = Question("system_info", b"GET /api/system/info HTTP/1.1\r\n" + HTTP_HEAD + b"\r\n", http_body)
_NAME_OF_CHIP = {"BM1397": "Max", "BM1366": "Ultra", "BM1368": "Supra", "BM1370": "Gamma"}


def recognise_axeos(system_info: bytes) -> None:
    checked(MAKE, lambda: _info(system_info))


def parse_axeos(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `GET /api/system/info`."""
    return sample(MAKE, lambda: _parse(_info(replies[0]), model))


def _info(reply: bytes) -> Mapping[str, Any]:
    info = decode(reply)
    if not isinstance(info, dict) or "hashRate" not in info or "ASICModel" not in info:
        raise bad_response(f"The answer is not that of AxeOS: {quoted(reply)}.")
    return info


def _parse(info: Mapping[str, Any], model: Model | None) -> AsicReading:
    hashrate_hs = scaled(info.get("hashRate"), 1e9)
    chip = temperature(info.get("temp"))
    board = AsicBoard(
        slot=0,
        hashrate_hs=hashrate_hs,
        chip_temperature_c=chip,
        chips=count(info.get("asicCount")),
        expected_chips=model.chips if model else None,
    )
    return AsicReading(
        uptime_s=count(info.get("uptimeSeconds")),
        hashrate_hs=hashrate_hs,
        average_hashrate_hs=scaled(info.get("hashRate_10m"), 1e9),
        expected_hashrate_hs=scaled(info.get("expectedHashrate"), 1e9) or None,
        power_w=positive(info.get("power")),
        temperature_c=chip,
        boards=[board],
        fans_rpm=fan_speeds([info["fanrpm"]]) if "fanrpm" in info else [],
        pools=_pools(info, bool(hashrate_hs)),
        rejected_percent=rejected_percent(info.get("sharesAccepted"), info.get("sharesRejected")),
        faults=["temperature"] if info.get("overheat_mode") in (1, True) else [],
    )


def _pools(info: Mapping[str, Any], hashing: bool) -> list[AsicPool]:
    """AxeOS hashes only with a pool's work, so the pool in use is connected as long as it hashes."""
    fallback = info.get("isUsingFallbackStratum") in (1, True)
    in_use = PoolState.CONNECTED if hashing else None
    first = _pool(info, "stratum", PoolState.DISCONNECTED if fallback else in_use, counts=not fallback)
    second = _pool(info, "fallbackStratum", in_use if fallback else PoolState.STANDBY, counts=fallback)
    return [pool for pool in (first, second) if pool.url]


def _pool(info: Mapping[str, Any], prefix: str, state: PoolState | None, *, counts: bool) -> AsicPool:
    """AxeOS counts the shares of both pools together; the pool in use gets them."""
    host, port = text(info.get(f"{prefix}URL")), count(info.get(f"{prefix}Port"))
    return AsicPool(
        url=text(f"{host}:{port}") if host and port else host,
        user=text(info.get(f"{prefix}User")),
        state=state,
        accepted=count(info.get("sharesAccepted")) if counts else None,
        rejected=count(info.get("sharesRejected")) if counts else None,
    )


def parse_axeos_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads the same answer."""
    return checked(MAKE, lambda: _specs(_info(replies[0] or b"")))


def _specs(info: Mapping[str, Any]) -> AsicSpecs:
    make, model = _make_and_model(info)
    return AsicSpecs(
        make=make,
        model=model,
        model_variant=text(info.get("boardVersion")),
        firmware_version=text(info.get("version")),
        software_version=text(info.get("axeOSVersion")),
        mac=mac(info.get("macAddr")),
        hostname=text(info.get("hostname")),
    )


def _make_and_model(info: Mapping[str, Any]) -> tuple[str, str | None]:
    """NerdAxes report their name. A BitAxe is identified by its chip; one with six chips is a Hex."""
    named = text(info.get("deviceModel"))
    if named and named.lower().startswith("nerd"):
        return "NerdAxe", named
    if (count(info.get("asicCount")) or 0) == 6:
        return "BitAxe", "Hex"
    return "BitAxe", named or _NAME_OF_CHIP.get(str(info.get("ASICModel")), text(info.get("ASICModel")))


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
)
