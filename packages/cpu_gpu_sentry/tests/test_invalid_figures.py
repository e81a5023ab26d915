"""Values that are no JSON, at each place of each answer: they cost what stands there, and nothing else."""

import json
import re
from collections.abc import Iterator

import pytest
from cpu_gpu_sentry.miners.parsing import with_prefix
from cpu_gpu_sentry.miners.registry import SOFTWARE
from miner_answers import CASES, SETS, answers, read
from sentry_kit.parsing import number

pytestmark = pytest.mark.thorough

NO_FIGURES = [b"nan", b"-nan(ind)", b"NaN", b"inf", b"-Infinity", b"1.#INF", b"", b"9" * 5000]
Place = tuple[str | int, ...]
MARK = "<here>"
_SHORTER_LIST = re.compile(rb"[\[,]\s*\]")


def places(answer: object, at: Place = ()) -> Iterator[tuple[Place, object]]:
    """Yields each value that is no list and no object, with its place."""
    parts = answer.items() if isinstance(answer, dict) else enumerate(answer) if isinstance(answer, list) else None
    if parts is None:
        yield at, answer
        return
    for key, each in parts:
        yield from places(each, (*at, key))


def with_raw(answer: object, place: Place, raw: bytes) -> bytes:
    """Returns the answer as JSON, with these bytes at that place."""
    return json.dumps(_with_mark(answer, place)).encode().replace(f'"{MARK}"'.encode(), raw)


def _with_mark(answer: object, place: Place) -> object:
    if not place:
        return MARK
    assert isinstance(answer, dict | list)
    copy = answer.copy()
    copy[place[0]] = _with_mark(answer[place[0]], place[1:])  # type: ignore[index]  # a key of this part
    return copy


def spoilt(replies: list[bytes], raw: bytes, *, of_numbers: bool) -> Iterator[tuple[list[bytes], list[bytes], object]]:
    """Yields all answers with `raw` at each place in turn, the same with null there, and the value of that place."""
    for which, reply in enumerate(replies):
        if reply.startswith((b"{", b"[")):
            answer = json.loads(reply)
            for place, value in places(answer):
                if not of_numbers or (isinstance(value, int | float) and not isinstance(value, bool)):
                    both = [
                        [*replies[:which], with_raw(answer, place, each), *replies[which + 1 :]]
                        for each in (raw.replace(b"<value>", json.dumps(value).encode()), b"null")
                    ]
                    yield both[0], both[1], value


@pytest.mark.parametrize("no_figure", NO_FIGURES, ids=[each[:10].decode() for each in NO_FIGURES])
@CASES
def test_what_is_no_figure_is_as_unknown_as_null(answered: tuple[str, ...], no_figure: bytes) -> None:
    software, replies = answers(answered)
    for with_it, with_null, _ in spoilt(replies, no_figure, of_numbers=no_figure[:1] == b"9"):
        if not no_figure and any(_SHORTER_LIST.search(reply) for reply in with_it):
            continue  # a comma too many, and no value too few
        assert read(software, with_it) == read(software, with_null)


@CASES
def test_zeros_before_a_number_change_nothing(answered: tuple[str, ...]) -> None:
    software, replies = answers(answered)
    right = read(software, replies)
    for with_it, _, value in spoilt(replies, b"00<value>", of_numbers=True):
        assert read(software, with_it) == right, value


@CASES
def test_a_comma_before_each_end_changes_nothing(answered: tuple[str, ...]) -> None:
    software, replies = answers(answered)
    with_commas = [
        re.sub(rb"([^\s\[{])(\s*[\]}])", rb"\1,\2", reply) if reply.startswith((b"{", b"[")) else reply
        for reply in replies
    ]
    assert read(software, with_commas) == read(software, replies)


@CASES
def test_a_byte_in_latin_1_costs_no_other_text(answered: tuple[str, ...]) -> None:
    software, replies = answers(answered)
    for with_it, _, value in spoilt(replies, b'"caf\xe9"', of_numbers=False):
        if isinstance(value, str):
            in_utf_8 = [reply.replace(b"caf\xe9", "café".encode()) for reply in with_it]
            assert read(software, with_it) == read(software, in_utf_8)


def test_every_software_with_json_is_tried() -> None:
    assert sum(answers(each)[1][0].startswith((b"{", b"[")) for each in SETS) >= 20


@pytest.mark.parametrize("text", ["nan", "-nan(ind)", "inf", "1.#INF", "1.#QNAN", "-1.#IND", "0x1f", "", "-"])
def test_a_text_that_is_no_number_is_unknown(text: str) -> None:
    assert number(text) is None
    assert with_prefix(text) is None


def test_a_line_with_figures_that_are_none_keeps_the_others() -> None:
    summary = b"NAME=ccminer;VER=2.3;ALGO=x16r;GPUS=1;KHS=1.#INF;UPTIME=0300;ACC=0004;REJ=nan|"
    card = b"GPU=0;BUS=010;CARD=caf\xe9;TEMP=nan;FAN=inf;POWER=0150000;KHS=-1.#IND;ACC=4|"
    miner = SOFTWARE["ccminer"].parse([summary, card])
    (work,), (device,) = miner.algorithms, miner.devices
    assert (miner.uptime_s, work.hashrate_hs, work.accepted, work.rejected) == (300, None, 4, None)
    assert (device.device, device.temperature_c, device.fan_percent) == ("0000:0a:00.0", None, None)
    assert (device.power_w, device.hashrates_hs, device.accepted) == (150, [None], 4)
