"""Pages beside an open API: read with a log-in, and never needed for a sample."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from asic_payloads import body_of
from asic_sentry.access import Token, using
from asic_sentry.asics.login_check import refusal_of_pages, refused
from asic_sentry.dialects.dialect import Dialect, LibraryCall, Question
from asic_sentry.dialects.registry import ALLOWED, BY_NAME
from asic_sentry.failures import BadReply
from asic_sentry.poll import Identity, Sample, poll, specs_of
from asic_server import NOT_HTTP, read_request, serving
from asic_wire import framed
from fake_asics import make_asics, running
from locked_asic import RIGHT, TOKEN, WRONG
from protocol.asic_messages import AsicSpecs
from right_answers import moment
from virtual_time import in_virtual_time


class Pages(NamedTuple):
    """Pages of a fake that want a token: the request for it, with the right password, and how the token is given and
    shown. `denial` is the answer without one, and `broken` a request whose answer has another shape."""

    kind: str
    port: int
    log_in: str
    answer: str
    header: str
    denial: str
    broken: str = ""


PAGES = (
    Pages(
        "auradine",
        8080,
        'POST /token {"command":"token","user":"root","password":"s3cret päss"}',
        '{"STATUS":[{"STATUS":"S"}],"Token":[{"Token":"tok-1"}]}',
        f"Token: {TOKEN}",
        '{"STATUS":[{"STATUS":"E","Msg":"Invalid or expired token"}]}',
    ),
    Pages(
        "innosilicon",
        80,
        "POST /api/auth username=root&password=s3cret%20p%C3%A4ss",
        '{"jwt":"tok-1"}',
        f"Authorization: Bearer {TOKEN}",
        '{"success":false,"token":"expired"}',
    ),
    Pages(
        "goldshell",
        80,
        "GET /user/login?username=root&password=s3cret%20p%C3%A4ss&cipher=false",
        '{"JWT Token":"tok-1"}',
        f"Authorization: Bearer {TOKEN}",
        "<html>Log in</html>",
    ),
)
BASE = 20_000


@asynccontextmanager
async def with_pages(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch, *, after_s: float = 0.0
) -> AsyncIterator[tuple[Identity, list[str]]]:
    """A fake ASIC with an open API and locked pages, at usual ports + 20,000; and the requests to its pages.

    A page answers after `after_s`, unless the sentry has gone by then.
    """
    dialect = moved(BY_NAME[pages.kind])
    monkeypatch.setitem(BY_NAME, pages.kind, dialect)
    monkeypatch.setitem(cast(dict[str, Any], ALLOWED), pages.kind, {each.name: each for each in dialect.questions})
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader) -> bytes:
        request = await read_request(reader)
        if request is None:
            return NOT_HTTP
        asked = " ".join([request.line, *([request.body] if request.body else [])])
        seen.append(asked)
        if asked == pages.log_in:
            body = pages.answer.encode()
        elif f"\r\n{pages.header}\r\n" in request.head:
            body = b'{"STATUS":"S"}' if asked == pages.broken else body_of(pages.kind, asked, moment())
        else:
            body = pages.denial.encode()
        return b"" if after_s and await has_gone(reader, after_s) else framed("http", body)

    async with running(make_asics(1, network, [pages.kind], port_base=BASE)) as farm:
        ip = farm.asics[0].ip
        async with serving(ip, pages.port + BASE, answer):
            yield Identity(ip=ip, port=dialect.port, dialect=pages.kind, specs=AsicSpecs()), seen


async def has_gone(reader: asyncio.StreamReader, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            with suppress(ConnectionError):
                await reader.read()
    except TimeoutError:
        return False
    return True


def moved(dialect: Dialect) -> Dialect:
    def at_other_port(question: Question | LibraryCall) -> Question | LibraryCall:
        if isinstance(question, Question) and question.port is not None:
            return question._replace(port=question.port + BASE)
        return question

    return dialect._replace(
        port=dialect.port + BASE,
        poll_questions=tuple(map(at_other_port, dialect.poll_questions)),
        specs_questions=tuple(map(at_other_port, dialect.specs_questions)),
    )


LOG_IN_PAGES = ["<!doctype html><title>Log in</title>", " unauthorized"]
DENIALS = [
    *(pytest.param(pages, pages.denial, id=pages.kind) for pages in PAGES),
    *(pytest.param(pages, page, id=f"{pages.kind}-{page[:2]!r}") for pages in PAGES for page in LOG_IN_PAGES),
    *(
        pytest.param(PAGES[0], text, id=text)
        for text in ('{"error":"invalid token"}', '{"STATUS":[{"STATUS":"E","Msg":"Session expired"}]}')
    ),
]


@pytest.mark.parametrize(("pages", "denial"), DENIALS)
async def test_pages_beside_an_open_api_add_power_and_mac_with_the_password(
    pages: Pages, denial: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token they show an error or the log-in, and are asked again with one."""
    async with with_pages(pages._replace(denial=denial), network, monkeypatch) as (identity, seen):
        with using(RIGHT):
            sample, about = await poll(identity), await specs_of(identity)
            again = await poll(identity)
    assert isinstance(sample, Sample)
    assert isinstance(again, Sample)
    assert isinstance(about, AsicSpecs)
    assert sample.log.power_w
    assert again.log.power_w
    assert about.mac is not None
    assert seen.count(pages.log_in) == 1  # the token is used again


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
async def test_pages_beside_an_open_api_are_left_alone_without_a_password(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_pages(pages, network, monkeypatch) as (identity, seen):
        sample, about = await poll(identity), await specs_of(identity)
    assert isinstance(sample, Sample)
    assert isinstance(about, AsicSpecs)
    assert (sample.log.power_w, about.mac) == (None, None)
    assert sample.log.hashrate_hs
    assert [each for each in seen if each != "GET /mcb/status"] == []  # which needs no password in a Goldshell


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
async def test_a_wrong_password_for_pages_costs_no_sample_and_is_not_sent_again(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_pages(pages, network, monkeypatch) as (identity, seen):
        with using(WRONG):
            samples = [await poll(identity) for _ in range(3)]
        noted, not_noted = (refusal_of_pages(identity, login) for login in (WRONG, RIGHT))
        log_ins = [each for each in seen if WRONG.password in each]
        reason = await refused(identity, WRONG)
        assert await refused(identity, RIGHT) is None
    assert all(isinstance(each, Sample) and each.log.hashrate_hs and each.log.power_w is None for each in samples)
    assert len(log_ins) == 1
    assert (noted or "").startswith("It refuses the password")
    assert not_noted is None
    assert reason is not None  # entered again, it is tried again
    assert WRONG.password not in reason


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
async def test_a_password_that_pages_refused_is_tried_again_after_a_quarter_of_an_hour(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("asic_sentry.access.time", SimpleNamespace(monotonic=lambda: now[0]))
    async with with_pages(pages, network, monkeypatch) as (identity, seen):

        async def log_ins_after(seconds: float) -> int:
            now[0] += seconds
            with using(WRONG):
                assert isinstance(await poll(identity), Sample)
            return sum(WRONG.password in each for each in seen)

        counts = [await log_ins_after(seconds) for seconds in (0, 10, 880, 20, 10)]
        assert refusal_of_pages(identity, WRONG) is not None
    assert counts == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
async def test_pages_of_an_asic_at_an_unusual_port_are_not_asked(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_pages(pages, network, monkeypatch) as (identity, seen):
        monkeypatch.setitem(BY_NAME, pages.kind, BY_NAME[pages.kind]._replace(port=4028))
        with using(RIGHT):
            sample = await poll(identity)
    assert isinstance(sample, Sample)
    assert sample.log.power_w is None
    assert seen == []


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
@pytest.mark.parametrize(("after_s", "requests"), [(60.0, 1), (1.9, 3)])
@in_virtual_time
async def test_pages_that_are_silent_or_slow_cost_no_sample(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch, after_s: float, requests: int
) -> None:
    async with with_pages(pages, network, monkeypatch, after_s=after_s) as (identity, seen):
        with using(RIGHT):
            sample = await poll(identity)
            asked = len(seen)
            about = await specs_of(identity)
    assert isinstance(sample, Sample), sample
    assert isinstance(about, AsicSpecs)
    assert sample.log.hashrate_hs
    assert asked <= requests


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
@pytest.mark.parametrize("body", ["[]", "{}", "7", '{"STATUS":"S"}', "{", '{"a":' * 60_000])
async def test_an_unexpected_page_costs_no_value_of_the_api(
    pages: Pages, body: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_pages(pages._replace(denial=body), network, monkeypatch) as (identity, _seen):
        without = await poll(identity)
        with using(RIGHT):
            sample, about = await poll(identity), await specs_of(identity)
    assert isinstance(without, Sample)
    assert isinstance(sample, Sample), sample
    assert isinstance(about, AsicSpecs), about
    assert (sample.log.boards != [], len(sample.log.pools)) == (True, len(without.log.pools))


async def test_one_unexpected_page_costs_its_own_values_alone(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with with_pages(PAGES[0]._replace(broken="GET /fan"), network, monkeypatch) as (identity, seen):
        with using(RIGHT):
            sample = await poll(identity)
    assert "GET /fan" in seen
    assert isinstance(sample, Sample)
    assert sample.log.power_w
    assert any(board.chip_temperature_c for board in sample.log.boards)


ANSWERS = [
    b"",
    b"7",
    b"null",
    b"[]",
    b"{}",
    b"{",
    b"\0",
    b'{"token":1}',
    b'{"STATUS":7,"session":{}}',
    b'[{"token":[]}]',
]


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
def test_whether_a_page_denies_is_known_of_any_answer(pages: Pages, answer: bytes) -> None:
    for question in BY_NAME[pages.kind].questions:
        if isinstance(question, Question) and isinstance(question.access, Token):
            with suppress(BadReply):
                question.access.denies(answer)


@pytest.mark.parametrize("answer", ["[" * 60_000, '{"a":' * 60_000, '{"Token":[],"jwt":7}', "7", "", "<html>"])
@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
async def test_an_answer_to_the_log_in_that_can_not_be_read_costs_no_sample(
    pages: Pages, answer: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_pages(pages._replace(answer=answer), network, monkeypatch) as (identity, seen):
        with using(RIGHT):
            sample = await poll(identity)
    assert isinstance(sample, Sample)
    assert seen.count(pages.log_in) == 1
    assert (sample.log.power_w, sample.log.hashrate_hs is None) == (None, False)
