"""Whatsminer V3 (newer MicroBT): JSON after its length in 4 bytes, on port 4433; hashrates in TH/s."""

from collections.abc import Sequence

from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs
from protocol.plain_words import quoted
from sentry_kit.parsing import count, positive, scaled, temperature, text

from asic_sentry.dialects.cgminer import dead_boards, is_alive
from asic_sentry.dialects.dialect import Dialect, Question
from asic_sentry.dialects.parsing import (
    AsicReading,
    Row,
    checked,
    decode,
    expected_chips,
    fan_speeds,
    hottest,
    hottest_of,
    limited_boards,
    limited_faults,
    limited_pools,
    mac,
    objects,
    pool_of,
    pool_state,
    sample,
    slot_of,
)
from asic_sentry.dialects.whatsminer import MAKE, model_and_variant
from asic_sentry.failures import bad_response, error_status
from asic_sentry.framing import after_length
from asic_sentry.models import Model


def _question(name: str, body: bytes) -> Question:
    return Question(name, len(body).to_bytes(4, "little") + body, after_length)


_SUMMARY = _question("summary", b'{"cmd":"get.miner.status","param":"summary"}')
_BOARDS = _question("edevs", b'{"cmd":"get.miner.status","param":"edevs"}')
_POOLS = _question("pools", b'{"cmd":"get.miner.status","param":"pools"}')
_DEVICE_INFO = _question("device_info", b'{"cmd":"get.device.info"}')


def recognise_whatsminer_v3(device_info: bytes) -> None:
    if not {"miner", "system"} & set(checked(MAKE, lambda: _message(device_info))):
        raise bad_response("The device information is not a Whatsminer's.")


def parse_whatsminer_v3(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    """Reads `get.miner.status` with `summary`, `edevs` and `pools`, and the errors in `get.device.info`."""
    return sample(MAKE, lambda: _parse(replies, model))


def _message(reply: bytes) -> Row:
    answer = decode(reply)
    if not isinstance(answer, dict) or "code" not in answer:
        raise bad_response(f"The answer has no code: {quoted(reply)}.")
    message = answer.get("msg")
    if answer["code"] != 0:
        raise error_status(str(message or answer.get("desc", "")))
    if not isinstance(message, dict):
        raise bad_response("The answer's message is no object.")
    return message


def _parse(replies: Sequence[bytes], model: Model | None) -> AsicReading:
    summary = _message(replies[0])["summary"]
    rows = objects(_message(replies[1])["edevs"])
    heat = _heat(summary.get("board-temperature"))
    of_boards = heat if len(heat) == len(rows) else [None] * len(rows)
    boards = limited_boards(
        _board(each, place, board_c, model) for place, (each, board_c) in enumerate(zip(rows, of_boards, strict=True))
    )
    return AsicReading(
        uptime_s=count(summary.get("elapsed")),
        hashrate_hs=scaled(summary.get("hash-realtime"), 1e12),
        average_hashrate_hs=scaled(summary.get("hash-average"), 1e12),
        expected_hashrate_hs=scaled(summary.get("factory-hash"), 1e12) or None,
        power_w=positive(summary.get("power-realtime")),
        temperature_c=hottest([hottest_of(boards), temperature(summary.get("chip-temp-max")), *heat]),
        boards=boards,
        fans_rpm=fan_speeds(summary[key] for key in ("fan-speed-in", "fan-speed-out") if key in summary),
        pools=limited_pools(_pool(each) for each in objects(_message(replies[2])["pools"])),
        faults=dead_boards(rows, "status") + _errors(_message(replies[3]).get("error-code")),
    )


def _heat(values: object) -> list[float | None]:
    """Returns the temperature of each board; an empty list if the firmware does not report them."""
    return [temperature(each) for each in values] if isinstance(values, list) else []


def _errors(entries: object) -> list[str]:
    """Returns "error 264" for {"264": "2026-05-23 09:19:10", "reason": "…"}."""
    codes = [key for each in objects(entries) for key in each if key.isdecimal()]
    return limited_faults(f"error {code}" for code in codes)


def _board(each: Row, place: int, board_c: float | None, model: Model | None) -> AsicBoard:
    chips = count(each.get("effective-chips"))
    return AsicBoard(
        slot=slot_of(each.get("slot", each.get("id")), place),
        hashrate_hs=scaled(each.get("hash-realtime", each.get("hash-average")), 1e12),
        outlet_temperature_c=board_c,
        chip_temperature_c=temperature(each.get("chip-temp-max")),
        chips=chips,
        expected_chips=expected_chips(model, chips),
    )


def _pool(each: Row) -> AsicPool:
    return pool_of(each, pool_state(is_alive(each.get("status")), each.get("stratum-active")), user="account")


def parse_whatsminer_v3_specs(replies: Sequence[bytes | None]) -> AsicSpecs:
    """Reads `get.device.info`. The salt in it, which a log-in would need, is not read."""
    return checked(MAKE, lambda: _specs(_message(replies[0] or b"")))


def _specs(info: Row) -> AsicSpecs:
    miner, system, network = info.get("miner", {}), info.get("system", {}), info.get("network", {})
    model, variant = model_and_variant(miner.get("type"))
    return AsicSpecs(
        make=MAKE,
        model=model,
        model_variant=variant,
        firmware_version=text(system.get("fwversion")),
        software_version=text(system.get("api")),
        mac=mac(network.get("mac")),
        serial_number=text(miner.get("miner-sn")),
        hostname=text(network.get("hostname")),
    )


WHATSMINER_V3 = Dialect(
    name="whatsminer_v3",
    makes=frozenset({MAKE}),
    port=4433,
    poll_questions=(_SUMMARY, _BOARDS, _POOLS, _DEVICE_INFO),
    parse=parse_whatsminer_v3,
    specs_questions=(_DEVICE_INFO,),
    parse_specs=parse_whatsminer_v3_specs,
    probe=_DEVICE_INFO,
    recognise=recognise_whatsminer_v3,
    hangs_if_asked_otherwise=True,
    firmware="stock, version 3 of the API",
    recorded=True,
)
