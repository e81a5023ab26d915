"""Every parser, whatever it is given: a message that a commander takes, or the one error. Never a false zero."""

import json
from collections.abc import Iterator

import msgspec
import pytest
from cpu_gpu_sentry.miners.registry import SOFTWARE
from hypothesis import given, settings
from hypothesis import strategies as st
from miner_answers import CASES, SETS, answers
from protocol.messages import MinerReading
from sentry_kit.parsing import BadReply

pytestmark = pytest.mark.thorough

UNKNOWN_AS_ZERO = {
    "temperature", "memory_temperature", "power", "Core_Temp", "Mem_Temp", "Power", "Temp (deg C)", "Mem Temp (deg C)",
    "Consumption (W)", "power_usage", "Temperature", "asic_power", "core_temperature", "core_temp", "mem_temp", "temp",
    "memTemperature", "gpu_power_usage",
}  # fmt: skip

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
ANYTHING = st.binary(max_size=200) | (st.text(max_size=200) | JSON.map(json.dumps)).map(str.encode)
MISSING = object()


def test_every_software_has_its_answers_here() -> None:
    assert {software for software, *_ in SETS} == set(SOFTWARE)


def read_or_refuse(software: str, replies: list[bytes]) -> MinerReading | None:
    try:
        reading = SOFTWARE[software].parse(replies)
    except BadReply:
        return None
    assert msgspec.json.decode(msgspec.json.encode(reading), type=MinerReading) == reading
    return reading


@CASES
def test_its_own_answers_are_read(answered: tuple[str, ...]) -> None:
    assert read_or_refuse(*answers(answered)) is not None


@pytest.mark.parametrize("software", SOFTWARE)
@settings(deadline=None, max_examples=60)
@given(ANYTHING)
def test_whatever_is_answered_is_read_or_is_a_bad_reply(software: str, reply: bytes) -> None:
    read_or_refuse(software, [reply])
    read_or_refuse(software, [reply] * len(SOFTWARE[software].questions))


@pytest.mark.parametrize("software", SOFTWARE)
def test_a_huge_or_deep_or_empty_answer_is_read_or_is_a_bad_reply(software: str) -> None:
    for reply in (
        b"",
        b"\0",
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b'"' + b"x" * 1_000_000 + b'"',
        b"9" * 1_000_000,
        b"NAME=a;ALGO=b;HS=1;CPUS=1;" + b"x=1|" * 200_000,
        b"\xff\xfe<html>",
    ):
        read_or_refuse(software, [reply])


@CASES
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_an_answer_with_anything_replaced_or_cut_off_is_read_or_is_a_bad_reply(
    answered: tuple[str, ...], data: st.DataObject
) -> None:
    software, replies = answers(answered)
    which = data.draw(st.integers(0, len(replies) - 1))
    spoilt = damaged_reply(replies[which], data)
    replies[which] = spoilt[: data.draw(st.just(len(spoilt)) | st.integers(0, len(spoilt)))]
    read_or_refuse(software, replies)


def damaged_reply(reply: bytes, data: st.DataObject) -> bytes:
    if not reply.startswith((b"{", b"[")):
        at, junk = data.draw(st.integers(0, len(reply))), data.draw(st.binary(max_size=10))
        return reply[:at] + junk + reply[at + len(junk) :]
    path = data.draw(st.lists(st.integers(0, 30), min_size=1, max_size=7))
    return json.dumps(damaged(json.loads(reply), path, data.draw(JSON))).encode()


def damaged(answer: object, path: list[int], value: object) -> object:
    """`answer` with what lies at the end of `path` replaced."""
    if not path or not isinstance(answer, dict | list) or not answer:
        return value
    keys = list(answer) if isinstance(answer, dict) else list(range(len(answer)))
    key = keys[path[0] % len(keys)]
    copy = answer.copy()
    copy[key] = damaged(answer[key], path[1:], value)
    return copy


Place = tuple[str | int, ...]


def leaves(answer: object, path: Place = ()) -> Iterator[Place]:
    items = answer.items() if isinstance(answer, dict) else enumerate(answer) if isinstance(answer, list) else []
    found = [leaf for key, value in items for leaf in leaves(value, (*path, key))]
    yield from found or [path]


def replaced(answer: object, path: Place, value: object) -> object:
    """`answer` with this leaf; a key whose value is MISSING goes, an element of a list becomes null."""
    if not path:
        return value
    key, *rest = path
    if isinstance(answer, dict):
        changed = {**answer, key: replaced(answer[key], tuple(rest), value)}
        return {other: each for other, each in changed.items() if each is not MISSING}
    assert isinstance(answer, list)
    changes = [replaced(each, tuple(rest), value) if at == key else each for at, each in enumerate(answer)]
    return [None if each is MISSING else each for each in changes]


def zeros(reading: MinerReading) -> int:
    """Returns the number of figures that are 0."""
    told = msgspec.to_builtins(reading)
    figures = [each for part in (*told["algorithms"], *told["devices"], told) for each in part.values()]
    rates = [rate for device in told["devices"] for rate in device["hashrates_hs"]]
    return sum(1 for each in (*figures, *rates) if each == 0 and not isinstance(each, bool | list | str))


@CASES
def test_what_the_software_does_not_tell_is_never_a_zero(answered: tuple[str, ...]) -> None:
    software, replies = answers(answered)
    told = zeros(SOFTWARE[software].parse(replies))
    for which, reply in enumerate(replies):
        for spoilt in not_told(reply):
            reading = read_or_refuse(software, [*replies[:which], spoilt, *replies[which + 1 :]])
            assert reading is None or zeros(reading) <= told, spoilt


def not_told(reply: bytes) -> Iterator[bytes]:
    """The answer once for each of its figures and each way of not telling it."""
    if not reply.startswith((b"{", b"[")):
        yield from not_told_in_text(reply)
        return
    answer = json.loads(reply)
    for path in leaves(answer):
        values: list[object] = [None, "", -1, MISSING, *([0] if path[-1] in UNKNOWN_AS_ZERO else [])]
        for value in values:
            yield json.dumps(replaced(answer, path, value)).encode()


def not_told_in_text(reply: bytes) -> Iterator[bytes]:
    records = [record.split(";") for record in reply.decode().split("|")]
    for at, record in enumerate(records):
        for position, pair in enumerate(record):
            key = pair.partition("=")[0]
            for instead in (f"{key}=", f"{key}=-1", "", *([f"{key}=0"] if key in ("TEMP", "POWER") else [])):
                changed = [*record[:position], instead, *record[position + 1 :]]
                yield "|".join(";".join(each) for each in [*records[:at], changed, *records[at + 1 :]]).encode()
