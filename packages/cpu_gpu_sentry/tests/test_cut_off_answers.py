"""Answers whose end is missing: what is complete is read, what may have had more is unknown, nothing is wrong."""

import json
from collections.abc import Iterator, Mapping

import msgspec
import pytest
from cpu_gpu_sentry.miners.parsing import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from miner_answers import CASES, SETS, answers, read
from protocol.messages import UNKNOWN_ALGORITHM, MinerReading, MinerState
from sentry_kit.parsing import BadReply

pytestmark = pytest.mark.thorough

Answered = tuple[str, ...]
OBJECTS = [each for each in SETS if answers(each)[1][0].startswith(b"{")]

ANY_ORDER = [each for each in OBJECTS if each[0] != "trex"]  # T-Rex sorts its members by name


def read_if_readable(software: str, replies: list[bytes]) -> MinerReading | None:
    try:
        return read(software, replies)
    except BadReply:
        return None


def compact(reply: bytes) -> bytes:
    return json.dumps(json.loads(reply), separators=(",", ":")).encode() if reply[:1] in b"{[" else reply.strip()


def reordered(reply: bytes, keys: list[str]) -> bytes:
    answer = json.loads(reply)
    return json.dumps({key: answer[key] for key in keys}, separators=(",", ":")).encode()


def figures(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yields each known value with its path. A state follows from other values; "gpu1" is a card of unknown place."""
    parts: Mapping[object, object] = {}
    if isinstance(value, dict):
        parts = {key: each for key, each in value.items() if key != "state"}
    elif isinstance(value, list):
        parts = dict(enumerate(value))
    for key, each in parts.items():
        yield from figures(each, f"{path}.{key}")
    is_unplaced = path.endswith(".device") and str(value).startswith("gpu")
    if not isinstance(value, dict | list) and value not in (None, UNKNOWN_ALGORITHM) and not is_unplaced:
        yield path, value


def known(miner: MinerReading) -> set[tuple[str, object]]:
    return set(figures(msgspec.to_builtins(miner)))


def right_values(software: str, replies: list[bytes], which: int) -> set[tuple[str, object]]:
    """Returns the values of the whole answer. Without a part of a further answer, other sources of a value count."""
    shorter = [replies]
    if which:
        before, after = replies[:which], replies[which + 1 :]
        shorter += [[*before, *after], *([*before, part, *after] for part in beginnings(replies[which]))]
    return {value for each in shorter if (miner := read_if_readable(software, each)) for value in known(miner)}


def beginnings(reply: bytes) -> list[bytes]:
    """Returns valid answers with the first members of this one, if it is an object."""
    answer = json.loads(reply) if reply.startswith(b"{") else {}
    return [json.dumps(dict(list(answer.items())[:length])).encode() for length in range(len(answer))]


@CASES
def test_each_beginning_of_an_answer_gives_right_values_or_none(answered: Answered) -> None:
    software, replies = answers(answered)
    for which, reply in enumerate(replies):
        whole, right = compact(reply), right_values(software, replies, which)
        for length in range(len(whole)):
            miner = read_if_readable(software, [*replies[:which], whole[:length], *replies[which + 1 :]])
            assert miner is None or known(miner) <= right, whole[:length][-60:]


@pytest.mark.parametrize("answered", ANY_ORDER, ids=[names[1] for names in ANY_ORDER])
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_the_order_of_an_answer_does_not_matter_where_it_is_cut_off(answered: Answered, data: st.DataObject) -> None:
    software, (first, *more) = answers(answered)
    whole = reordered(first, data.draw(st.permutations(list(json.loads(first)))))
    miner = read_if_readable(software, [whole[: data.draw(st.integers(len(whole) // 4, len(whole)))], *more])
    assert miner is None or known(miner) <= right_values(software, [first, *more], 0)


@pytest.mark.parametrize("answered", OBJECTS, ids=[names[1] for names in OBJECTS])
def test_an_answer_that_lacks_only_its_last_brace_loses_nothing(answered: Answered) -> None:
    software, replies = answers(answered)
    first, *more = replies
    assert read(software, [first.rstrip().removesuffix(b"}"), *more]) == read(software, replies)


def test_a_t_rex_with_one_algorithm_that_lacks_its_last_brace_loses_nothing() -> None:
    _, (first,) = answers(("trex", "trex__dual.json"))
    told = {key: each for key, each in sorted(json.loads(first).items()) if key != "dual_stat"}
    reply = json.dumps(told | {"version": "0.26.8"}).encode()
    miner = read("trex", [reply.removesuffix(b"}")])
    assert miner == read("trex", [reply])
    assert [card.accepted for card in miner.devices] == [200, 100]


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (b'{"a": 5, "b": [1, 2]', {"a": 5, "b": [1, 2]}),
        (b'{"a": 5, "b": {"c": 1}', {"a": 5, "b": {"c": 1}}),
        (b'{"a": 5, "b": "30 MH/s"', {"a": 5, "b": "30 MH/s"}),
        (b'{"a": 5, "b": "30 MH', {"a": 5}),
        (b'{"b": [1, 2]', {"b": [1, 2]}),
        (b'{"a": 5, "b": 1234', {"a": 5}),
        (b'{"a": 5, "b": 1234\r\n', {"a": 5}),
        (b'{"a": 5, "b": {"c": 1234', {"a": 5}),
        (b'{"a": 5, "b": tru', {"a": 5}),
    ],
)
def test_only_an_open_value_is_lost(reply: bytes, right: object) -> None:
    assert decode(reply) == right


@pytest.mark.parametrize(
    ("software", "key", "state"), [("trex", "gpus", MinerState.MINING), ("rigel", "devices", MinerState.UNKNOWN)]
)
def test_a_hashrate_that_is_cut_off_is_no_stalled_miner_and_no_missing_job(
    software: str, key: str, state: MinerState
) -> None:
    _, (first,) = answers((software, f"{software}__dual.json"))
    reply = json.dumps({key: json.loads(first)[key], "uptime": 7200}).encode()
    miner = read(software, [reply.removesuffix(b"}") + b","])
    assert (miner.state, miner.trouble) == (state, None)


def test_a_number_that_is_cut_off_is_never_shown() -> None:
    reply = b'{"id": 1, "result": ["9.3 - ETH", "21", "182724;51;0"], "version": 12345'
    for length in range(reply.index(b"12345") + 1, len(reply) + 1):
        assert "version" not in decode(reply[:length])
    assert decode(reply + b"}")["version"] == 12345


def test_the_threads_of_a_cpu_that_are_cut_off_are_no_smaller_hashrate() -> None:
    software, replies = answers(("cpuminer", "cpuminer__summary.txt", "cpuminer__threads.txt"))
    summary, threads = replies
    for cut in (threads[: threads.index(b"|") + 1], threads[: threads.index(b"CPU=1;") + 6]):
        miner = read(software, [summary, cut])
        assert miner.devices[0].hashrates_hs == [81_500.5], "that of the summary"
