"""An ASIC that writes invalid JSON costs the one field that can't be read, and not its figures."""

import json
import re
from typing import Any

import pytest
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import AsicReading, decode
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.failures import BadReply, PollFailure
from asic_sentry.framing import LIMIT_BYTES
from asic_sentry.identify import identify
from right_answers import right_answers
from sentry_kit.lenient import read_json
from wrong_servers import http, wrong_server

OURS = [dialect for dialect in DIALECTS if dialect.name != "pyasic_rs"]  # a library writes that answer
dialects = pytest.mark.parametrize("dialect", OURS, ids=lambda dialect: dialect.name)


def read(dialect: Dialect, replies: list[bytes]) -> AsicReading:
    return dialect.parse(replies, None)


def with_values(value: Any, new: str) -> Any:
    """The answer with one more member in each object, which no dialect reads."""
    if isinstance(value, dict):
        return {**{key: with_values(each, new) for key, each in value.items()}, "not read": new}
    return [with_values(each, new) for each in value] if isinstance(value, list) else value


@dialects
@pytest.mark.parametrize("figure", [b"nan", b"-nan", b"NaN", b"inf", b"-inf", b"03000", b"1.#IND", b'"\xfcber \xe4"'])
def test_a_figure_that_is_no_json_costs_no_other(dialect: Dialect, figure: bytes) -> None:
    right = read(dialect, right_answers(dialect))
    replies = [
        json.dumps(with_values(json.loads(reply), "HERE")).encode().replace(b'"HERE"', figure)
        for reply in right_answers(dialect)
    ]
    assert any(figure in reply for reply in replies)
    assert read(dialect, replies) == right


@dialects
def test_a_comma_too_many_costs_nothing(dialect: Dialect) -> None:
    replies = [re.sub(rb"(?<=[}\]])(?=[}\]])", b",", reply) for reply in right_answers(dialect)]
    assert read(dialect, replies) == read(dialect, right_answers(dialect))


@dialects
def test_a_worker_in_latin_1_costs_at_most_its_name(dialect: Dialect) -> None:
    replies = [reply.replace(b"stand-in.worker", b"stand-in.M\xfcller") for reply in right_answers(dialect)]
    found, right = read(dialect, replies), read(dialect, right_answers(dialect))
    assert [pool.user for pool in found.pools] == [
        pool.user and pool.user.replace("worker", "Müller") for pool in right.pools
    ]
    assert (found.hashrate_hs, found.boards, found.fans_rpm) == (right.hashrate_hs, right.boards, right.fans_rpm)


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (b'{"a":nan,"b":1}', {"a": None, "b": 1}),
        (b'{"fan":03000}', {"fan": "03000"}),
        (b'{"a":' + b"9" * 5000 + b',"b":,"c":1,}', {"a": float("inf"), "b": None, "c": 1}),
        (b'{"STATS":[{"Type":"x"}{"rate":-nan,}],}\0', {"STATS": [{"Type": "x"}, {"rate": None}]}),
        (b'{"SSID":"Caf\xe9\x01"}', {"SSID": "Café "}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}),
    ],
)
def test_invalid_json_is_read(reply: bytes, right: object) -> None:
    assert decode(reply) == right


@pytest.mark.parametrize(
    "reply",
    [
        b'{"a":1',
        b'{"STATS":[{"a":1}]',
        b'{"STATS":[{"a":1},{"b":nan}],"id":1,',
        b'[{"a":1},{"b":nan}',
        b"<html>",
        b"nan",
        b'{"a" 1}',
        b'{"a":"\\ud83d\xe9}',
    ],
)
def test_what_is_cut_off_or_no_json_is_the_one_error(reply: bytes) -> None:
    with pytest.raises(BadReply):
        decode(reply)


@pytest.fixture
def read_leniently(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the lenient reader gets from now on, in order."""
    texts: list[str] = []

    def counted(text: str, *, may_end_early: bool = True) -> Any:
        texts.append(text)
        return read_json(text, may_end_early=may_end_early)

    monkeypatch.setattr("asic_sentry.dialects.parsing.read_json", counted)
    return texts


def with_a_nan(size: int) -> bytes:
    return b'{"not read":nan,"a":[' + b"1," * ((size - 23) // 2) + b"]}"


def test_a_long_answer_that_is_invalid_is_not_read_leniently(read_leniently: list[str]) -> None:
    """The lenient reader would take seconds for it, in which no other ASIC is polled."""
    with pytest.raises(BadReply):
        decode(with_a_nan(LIMIT_BYTES))
    assert read_leniently == []
    assert decode(with_a_nan(64 * 1024))["a"][:2] == [1, 1]
    assert len(read_leniently) == 1


@pytest.mark.parametrize("answer", [with_a_nan(60_001), b"[" * 60_002])
async def test_one_answer_to_all_questions_is_read_leniently_once(answer: bytes, read_leniently: list[str]) -> None:
    async with wrong_server(http("200 OK", answer)) as port:
        found = await identify("127.0.0.1", port)
    assert isinstance(found, PollFailure)
    assert len(read_leniently) <= 2  # with the head, as cgminer's questions get it, and without
    assert len(set(read_leniently)) == len(read_leniently)
    assert answer.decode() in read_leniently
