"""An impossible value costs only itself: never its message, and nothing beside it."""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect
from protocol.asic_messages import AsicBoard, AsicLog, AsicSpecs
from protocol.figures import FIGURES, possible
from protocol.messages import CpuGpuLog, CpuGpuSpecs, CpuReading, GpuReading, LogReport
from protocol.reading import Reader

GOLDEN = Path(__file__).parent / "golden"
READERS: dict[str, Reader[Any]] = {
    kind.__name__: Reader(kind) for kind in (CpuGpuLog, AsicLog, CpuGpuSpecs, AsicSpecs, LogReport)
}
WHOLE = {name: json.loads((GOLDEN / f"{name}.json").read_bytes()) for name in READERS}
Place = tuple[str | int, ...]

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([255, 511, -1, 65_535, 4_294_967_295, 2**64, 10**500, 4294948.3, 1e300, math.nan, math.inf])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["x" * 300, "NaN", "-", "\ud800", "\0", "2026-11-20T12:00:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
) | st.sampled_from([[0.0] * 600, [None] * 600, [{}] * 600, [[[[[]]]]]])


def test_shares_that_are_a_negative_number_without_its_sign_cost_themselves_alone() -> None:
    work = {"algorithm": "rx/0", "hashrate_hs": 5.0, "accepted": 4_294_967_295, "rejected": 4_000_000_000}
    log = WHOLE["CpuGpuLog"] | {"miners": [{"software": "xmrig", "state": "mining", "algorithms": [work]}]}
    (read,) = READERS["CpuGpuLog"].decode(json.dumps(log).encode()).miners[0].algorithms
    assert (read.accepted, read.rejected, read.hashrate_hs) == (None, 4_000_000_000, 5.0)


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Yields each part of a message at any depth."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in parts:
        yield (*at, key)
        yield from places(each, (*at, key))


PLACES = [
    (name, place) for name, whole in WHOLE.items() for place in places(whole) if place not in (("taken_at",), ("logs",))
]


def put(whole: Any, place: Place, value: Any) -> Any:
    """Returns a copy with another value at that place."""
    if not place:
        return value
    copy = whole.copy()
    copy[place[0]] = put(whole[place[0]], place[1:], value)
    return copy


def apart_from(message: object, part: str | int) -> Any:
    """Returns the message without one of its fields."""
    said = msgspec.to_builtins(message)
    return {key: value for key, value in said.items() if key != part}


@given(st.sampled_from(PLACES), JSON_VALUES)
def test_no_value_of_one_field_costs_the_message(where: tuple[str, Place], value: Any) -> None:
    name, place = where
    reader, whole = READERS[name], WHOLE[name]
    read = reader.read(json.dumps(put(whole, place, value)).encode())
    good = reader.decode(json.dumps(whole).encode())
    if name != "LogReport":  # what it holds stays undecoded
        assert apart_from(read.message, place[0]) == apart_from(good, place[0])
    assert reader.read(read.body) == (read.message, read.body, [])


@given(st.sampled_from([(name, place) for name, place in PLACES if name in ("CpuGpuLog", "AsicLog")]), JSON_VALUES)
def test_whatever_a_sentry_measures_its_message_can_be_read(where: tuple[str, Place], value: Any) -> None:
    """The sentry checks its message before it is sent."""
    name, place = where
    reader, whole = READERS[name], WHOLE[name]
    made = struct_of(put(whole, place, value), inspect.type_info(type(reader.decode(json.dumps(whole).encode()))))
    checked = reader.checked(made)
    msgspec.json.decode(checked.body, type=type(made))
    good = reader.decode(json.dumps(whole).encode())
    assert apart_from(checked.message, place[0]) == apart_from(good, place[0])


def struct_of(value: Any, kind: inspect.Type) -> Any:
    """Makes a struct without checks: it may hold any value."""
    if isinstance(kind, inspect.UnionType):
        return None if value is None else struct_of(value, kind.types[0])
    if isinstance(kind, inspect.ListType) and isinstance(value, list):
        return [struct_of(each, kind.item_type) for each in value]
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        fields = {each.encode_name: each.type for each in kind.fields}
        if not {each.encode_name for each in kind.fields if each.required} <= value.keys():
            return value
        return kind.cls(**{key: struct_of(each, fields[key]) for key, each in value.items() if key in fields})
    return value


@given(st.lists(st.tuples(st.sampled_from([place for name, place in PLACES if name == "CpuGpuLog"]), JSON_VALUES)))
def test_any_number_of_bad_fields_leaves_a_message(bad: list[tuple[Place, Any]]) -> None:
    log = WHOLE["CpuGpuLog"]
    for place, value in bad:
        if place in places(log):
            log = put(log, place, value)
    read = READERS["CpuGpuLog"].read(json.dumps(log).encode())
    assert read.message.taken_at == msgspec.convert("2026-11-20T12:00:00Z", type(read.message.taken_at))


def read_cpu_gpu(**fields: object) -> tuple[CpuGpuLog, list[str]]:
    log = {"taken_at": "2026-11-20T12:00:00Z", **fields}
    read = READERS["CpuGpuLog"].read(json.dumps(log).encode())
    return read.message, [str(each) for each in read.dropped]


def test_a_processor_of_four_million_degrees_has_an_unknown_temperature() -> None:
    log, dropped = read_cpu_gpu(cpu={"temperature_c": 4294948.3, "load_percent": 99}, uptime_s=60)
    assert log.cpu == CpuReading(load_percent=99.0)
    assert log.uptime_s == 60
    assert dropped == ["cpu.temperature_c is left out: its value is 4294948.3, expected is -60 to 150 °C."]


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("temperature_c", 255), ("temperature_c", 511), ("temperature_c", 150.5), ("temperature_c", -61),
        ("memory_temperature_c", 65_535), ("fan_percent", 255), ("fan_percent", -1), ("fan_rpm", 65_535),
        ("power_w", 4_294_967.295), ("power_w", 4294.967), ("power_w", -1), ("core_clock_mhz", 0),
        ("memory_clock_mhz", 65_535),
    ],
)  # fmt: skip
def test_what_means_unknown_is_unknown(figure: str, value: float) -> None:
    log, _ = read_cpu_gpu(gpus=[{"pci_address": "0000:03:00.0", figure: value}, {"pci_address": "0000:04:00.0"}])
    assert log.gpus == [GpuReading(pci_address="0000:03:00.0"), GpuReading(pci_address="0000:04:00.0")]
    assert possible(figure, value) is None


def test_figures_that_go_by_their_order_keep_their_places() -> None:
    miner = {
        "software": "lolminer",
        "state": "mining",
        "algorithms": [None, {"algorithm": 5, "hashrate_hs": 7.0}, {"algorithm": "ZIL"}],
        "devices": [{"device": "gpu0", "hashrates_hs": [1.0, -1, 3.0]}],
    }
    log, _ = read_cpu_gpu(miners=[miner, 5])
    assert [each.algorithm for each in log.miners[0].algorithms] == ["unknown", "unknown", "ZIL"]
    assert log.miners[0].algorithms[1].hashrate_hs == 7.0
    assert log.miners[0].devices[0].hashrates_hs == [1.0, None, 3.0]
    assert len(log.miners) == 1


def test_a_list_that_is_too_long_is_cut_off_and_said() -> None:
    log, dropped = read_cpu_gpu(gpus=[{"pci_address": f"{number:04x}:03:00.0"} for number in range(300)])
    assert len(log.gpus) == 256
    assert dropped == ["gpus[256:] is left out: its value is 300 entries, expected is what its kind allows."]


def test_what_a_newer_version_adds_stays_in_a_message_that_is_mended() -> None:
    body = b'{"taken_at":"2026-11-20T12:00:00Z","uptime_s":-1,"new":{"figure":1}}'
    assert json.loads(READERS["CpuGpuLog"].read(body).body) == {
        "taken_at": "2026-11-20T12:00:00Z",
        "new": {"figure": 1},
    }


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b"{}", b'{"taken_at":"2026-11-20T12:00:00"}', b'{"taken_at":5}', b"[" * 100_000]
)
def test_what_has_no_time_or_is_no_json_is_no_log(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        READERS["CpuGpuLog"].read(body)


def numbers(kind: inspect.Type, at: str = "") -> Iterator[tuple[str, inspect.FloatType | inspect.IntType]]:
    match kind:
        case inspect.UnionType():
            for each in kind.types:
                yield from numbers(each, at)
        case inspect.ListType():
            yield from numbers(kind.item_type, at)
        case inspect.StructType():
            for field in kind.fields:
                yield from numbers(field.type, f"{kind.cls.__name__}.{field.encode_name}")
        case inspect.FloatType() | inspect.IntType():
            yield at, kind


@pytest.mark.parametrize("kind", [CpuGpuLog, CpuGpuSpecs, AsicLog, AsicSpecs])
def test_every_figure_of_a_message_has_the_bounds_of_the_table(kind: type) -> None:
    for place, number in numbers(inspect.type_info(kind)):
        field = place.rpartition(".")[2]
        row = "asic_power_w" if place == "AsicLog.power_w" else field if field in FIGURES else "count"
        assert (number.ge, number.le) == FIGURES[row].bounds[:2], place
        assert row != "count" or field in {"accepted", "rejected", "stale", "invalid", "slot"}, f"{place} has no row"


def test_a_board_without_a_place_is_left_out_alone() -> None:
    body = b'{"taken_at":"2026-11-20T12:00:00Z","boards":[{"slot":"?","hashrate_hs":1},{"slot":2,"hashrate_hs":3}]}'
    assert READERS["AsicLog"].decode(body).boards == [AsicBoard(slot=2, hashrate_hs=3.0)]


@pytest.mark.parametrize("depth", [100, 330, 500, 900, 990, 1_010, 50_000])
@pytest.mark.parametrize("innermost", ["1", '"\\ud800"', "1e400"])
@pytest.mark.parametrize("field", ["new", "lan_ip", "gpus"])
def test_deep_json_is_read_or_refused_by_its_one_error(depth: int, innermost: str, field: str) -> None:
    deep = "[" * depth + innermost + "]" * depth
    body = f'{{"taken_at": "2026-11-20T12:00:00Z", "uptime_s": -1, "{field}": {deep}}}'.encode()
    if depth == 100:
        assert READERS["CpuGpuLog"].read(body).message == read_cpu_gpu()[0]
    else:
        with contextlib.suppress(msgspec.DecodeError):
            READERS["CpuGpuLog"].read(body)
