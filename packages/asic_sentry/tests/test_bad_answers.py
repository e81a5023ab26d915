"""Whatever bytes come, a parser makes figures that may travel, or raises its one error; and never a false zero."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asic_payloads import KINDS
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import AsicReading
from asic_sentry.dialects.registry import BY_NAME, DIALECTS
from asic_sentry.failures import BadReply
from asic_sentry.models import MODELS
from asic_sentry.poll import as_log, utc_now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from protocol.asic_messages import AsicLog, AsicSpecs
from right_answers import KIND_OF, right_answers

pytestmark = pytest.mark.thorough

SMALL = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
dialects = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


def parsed(dialect: Dialect, replies: list[bytes]) -> AsicReading | None:
    """The figures, which must be fit to travel; None where the parser raised its error."""
    try:
        figures = dialect.parse(replies, MODELS[0])
    except BadReply:
        return None
    log = as_log("192.0.2.1", figures, MODELS[0], utc_now())
    assert msgspec.json.decode(msgspec.json.encode(log), type=AsicLog) == log
    return figures


def specs(dialect: Dialect, reply: bytes) -> None:
    """Specs that may travel, or the one error, from the recognition too."""
    try:
        about = dialect.parse_specs([reply] * len(dialect.specs_questions))
        assert msgspec.json.decode(msgspec.json.encode(about), type=AsicSpecs) == about
        dialect.recognise(reply)
    except BadReply:
        return


@dialects
def test_the_right_answers_give_figures(dialect: Dialect) -> None:
    figures = parsed(dialect, right_answers(dialect))
    assert figures is not None
    assert figures.hashrate_hs
    assert figures.uptime_s == 50_000
    assert figures.boards
    assert figures.pools


def with_strangers(value: Any) -> Any:
    """The same answer, with entries of another kind behind the objects of each list."""
    if isinstance(value, dict):
        return {key: with_strangers(each) for key, each in value.items()}
    if isinstance(value, list):
        strangers = [None, 7, "?"] if value and all(isinstance(each, dict) for each in value) else []
        return [*(with_strangers(each) for each in value), *strangers]
    return value


@pytest.mark.parametrize(
    "dialect", [each for each in DIALECTS if each.name != "axeos"], ids=lambda dialect: dialect.name
)  # an AxeOS answers no list of objects
def test_an_entry_that_is_no_object_costs_no_other_value(dialect: Dialect) -> None:
    replies = right_answers(dialect)
    strange = [json.dumps(with_strangers(json.loads(reply.strip(b"\0")))).encode() for reply in replies]
    assert strange != replies
    assert parsed(dialect, strange) == parsed(dialect, replies)


@dialects
@SMALL
@given(data=st.data())
def test_a_truncated_answer_is_never_a_sample(dialect: Dialect, data: st.DataObject) -> None:
    replies = right_answers(dialect)
    which = data.draw(st.integers(0, len(replies) - 1))
    shortest = 1 if dialect.poll_questions[which].optional else 0  # an empty one is missing
    replies[which] = replies[which][: data.draw(st.integers(shortest, len(replies[which]) - 1))]
    assert parsed(dialect, replies) is None
    specs(dialect, replies[which])


@dialects
@SMALL
@given(data=st.data())
def test_random_bytes_are_never_a_sample(dialect: Dialect, data: st.DataObject) -> None:
    replies = right_answers(dialect)
    junk = data.draw(
        st.binary(max_size=300) | st.sampled_from([b"", b"\0", b"{}", b"[]", b"null", b"0", b"[" * 99_999])
    )
    which = data.draw(st.integers(0, len(replies) - 1))
    is_right = junk == b"[]" and replies[which][:1] == b"["
    replies[which] = junk
    if not is_right and (junk or not dialect.poll_questions[which].optional):
        assert parsed(dialect, replies) is None
    specs(dialect, junk)


def with_other_bytes(replies: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yields the answers with bytes that are not UTF-8 at the begin of each name and text in turn."""
    for which, reply in enumerate(replies):
        for quote in [at for at, byte in enumerate(reply) if byte == ord('"')][::2]:
            yield [*replies[:which], reply[: quote + 1] + b"\xff\xfe" + reply[quote + 1 :], *replies[which + 1 :]]


@dialects
def test_bytes_that_are_not_utf_8_cost_their_own_field_and_no_other(dialect: Dialect) -> None:
    """A name with other bytes is another name, so that what stands under it is unknown."""
    replies, right = right_answers(dialect), parsed(dialect, right_answers(dialect))
    assert right is not None
    found = [parsed(dialect, each) for each in with_other_bytes(replies)]
    read = [each for each in found if each is not None]
    assert len(read) > 0.8 * len(found), "only a status or a part that must be there costs the whole answer"
    for each in read:
        assert each.hashrate_hs in (right.hashrate_hs, right.average_hashrate_hs, None)
        assert each.uptime_s in (right.uptime_s, None)
        assert each.power_w in (right.power_w, None)


@dialects
def test_a_mebibyte_of_nonsense_is_the_one_error_too(dialect: Dialect) -> None:
    for junk in (b" " * 2**20, b"}{" * 2**19, b"9" * 2**20, b'{"a":' * 2**17):
        assert parsed(dialect, [junk] * len(dialect.poll_questions)) is None
        specs(dialect, junk)


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["NaN", "-1", "1e999"]),
    st.just("x" * 1000), st.just([]), st.just({}),
)  # fmt: skip


def mutated(value: Any, data: st.DataObject) -> Any:
    """`value` with one of its parts replaced by something else."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 9)):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: mutated(value[key], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 9)):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], mutated(value[at], data), *value[at + 1 :]]
    return data.draw(leaves)


@dialects
@settings(SMALL, max_examples=150)
@given(data=st.data())
def test_any_part_of_an_answer_may_be_anything(dialect: Dialect, data: st.DataObject) -> None:
    replies = right_answers(dialect)
    which = data.draw(st.integers(0, len(replies) - 1))
    replies[which] = json.dumps(mutated(json.loads(replies[which]), data), allow_nan=True).encode()
    parsed(dialect, replies)
    specs(dialect, replies[which])


def _is_a_hashrate(key: str) -> bool:
    words = ("ghs", "mhs", "hs rt", "hashrate", "hash-", "factory-hash", "rtpow", "avgpow", "rate_", "total_rate")
    begins = key.lower().startswith((*words, "chain_rate", "expected", "gigahash", "hr_real", "hr_av"))
    return begins or "MHS" in key or "MHs" in key or "hashrate_ghs" in key


@dialects
@pytest.mark.parametrize("nothing", [None, "", "N/A", -1, [], True])
def test_a_hashrate_that_can_not_be_read_is_none_and_never_0(dialect: Dialect, nothing: object) -> None:
    def emptied(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: nothing if _is_a_hashrate(key) else emptied(each) for key, each in value.items()}
        return [emptied(each) for each in value] if isinstance(value, list) else value

    replies = [
        json.dumps(emptied(json.loads(reply))).replace("GHSspd[", "X[").encode() for reply in right_answers(dialect)
    ]
    figures = parsed(dialect, replies)
    assert figures is not None
    assert (figures.hashrate_hs, figures.average_hashrate_hs) == (None, None)
    assert {board.hashrate_hs for board in figures.boards} == {None}


def test_every_dialect_has_a_fake_that_speaks_it() -> None:
    assert set(KIND_OF) == set(BY_NAME) - {"pyasic_rs"}  # no fake speaks to the library
    assert set(KIND_OF.values()) <= set(KINDS)


def test_each_dialect_is_one_file() -> None:
    files = {path.stem for path in (Path(__file__).parents[1] / "src" / "asic_sentry" / "dialects").glob("*.py")}
    assert {dialect.parse.__module__.rpartition(".")[2] for dialect in DIALECTS} <= files


def test_what_can_t_be_is_unknown_and_hides_nothing_beside_it() -> None:
    """Missing sensors report 255, 511 or 65535 on any firmware."""
    answer = {
        "hashRate": 500.0, "ASICModel": "BM1370", "temp": 61.5, "temp2": 511, "power": 65_535, "fanrpm": 65_535,
        "uptimeSeconds": 2**32 - 1,
    }  # fmt: skip
    figures = BY_NAME["axeos"].parse([json.dumps(answer).encode()], None)
    log = as_log("192.0.2.1", figures, None, utc_now())
    assert (log.power_w, log.power_source, log.fans_rpm, log.uptime_s) == (None, None, [None], None)
    assert (log.temperature_c, log.hashrate_hs) == (61.5, 500e9)
    msgspec.json.decode(msgspec.json.encode(log), type=AsicLog)
