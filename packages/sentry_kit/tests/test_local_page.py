import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sentry_kit.local_page.shell import Fragments, LocalApp, form_of
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


async def _echo(request: Request) -> Response:
    return PlainTextResponse(str(sorted((await form_of(request)).items())))


class Figures:
    def __init__(self) -> None:
        self.values = {"a": "<p id=a>1</p>", "b": "<p id=b>\n2</p>"}

    def render(self) -> dict[str, str]:
        return dict(self.values)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    routes = [Route("/", _echo, methods=["GET", "POST"])]
    app = LocalApp(routes, Fragments(dict), "127.0.0.1")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8471") as client:
        yield client


async def test_answers_carry_strict_headers(http: httpx.AsyncClient) -> None:
    headers = (await http.get("/static/live.js")).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["localhost:8471", "127.0.0.1", "192.168.1.20:8471", "[::1]:8471"])
async def test_the_page_is_reached_by_address_or_localhost(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8471", ""])
async def test_a_foreign_name_for_this_machine_is_refused(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.get("/", headers={"Host": host})).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_form_from_a_foreign_page_is_refused(http: httpx.AsyncClient, origin: str) -> None:
    assert (await http.post("/", data={"a": "1"}, headers={"Origin": origin})).status_code == 403


async def test_the_page_s_own_form_is_taken(http: httpx.AsyncClient) -> None:
    answer = await http.post("/", data={"a": "ü", "b": ""}, headers={"Origin": "http://127.0.0.1:8471"})
    assert answer.text == "[('a', 'ü'), ('b', '')]"


async def test_a_huge_form_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post("/", data={"a": "x" * 20_000})).status_code == 413


async def test_a_viewer_gets_everything_first_and_then_what_changed() -> None:
    figures = Figures()
    fragments = Fragments(figures.render)
    events = fragments.events()
    assert await anext(events) == "data: <p id=a>1</p><p id=b>\ndata: 2</p>\n\n"
    fragments.publish()
    figures.values["b"] = "<p id=b>3</p>"
    fragments.publish()
    assert await anext(events) == "data: <p id=b>3</p>\n\n"
    fragments.close()
    async with asyncio.timeout(5):
        assert [event async for event in events] == []


async def test_a_viewer_who_cannot_keep_up_is_dropped() -> None:
    figures = Figures()
    fragments = Fragments(figures.render)
    events = fragments.events()
    await anext(events)
    for number in range(20):
        figures.values["a"] = f"<p id=a>{number}</p>"
        fragments.publish()
    assert not await asyncio.wait_for(_rest(events), 5)


async def _rest(events: AsyncIterator[str]) -> bool:
    """Whether the last change reached the viewer."""
    return any(">19<" in event for event in [event async for event in events])
