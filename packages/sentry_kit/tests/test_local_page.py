import asyncio
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import httpx
import pytest
from sentry_kit.errors import BadSetting
from sentry_kit.local_page.access import Access
from sentry_kit.local_page.forms import form_of
from sentry_kit.local_page.one_time import new_code
from sentry_kit.local_page.shell import Fragments, Live, LocalApp, page_templates
from sentry_kit.service import check_reach, listen, serving
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PAGE = "http://127.0.0.1:8471"
SECRET = bytes(range(32))
PASSWORD = "correct horse battery"


async def _echo(request: Request) -> Response:
    return PlainTextResponse(str(sorted((await form_of(request)).items())))


class Figures:
    def __init__(self) -> None:
        self.values = {"a": "<p id=a>1</p>", "b": "<p id=b>\n2</p>"}

    def render(self) -> dict[str, str]:
        return dict(self.values)


def app_with(password: str | None = None) -> LocalApp:
    routes = [Route("/", _echo, methods=["GET", "POST"])]
    templates = page_templates("sentry_kit.local_page", "Sentry", "a-sentry", "1.0")
    live = Live(Fragments(dict), Fragments(dict))
    return LocalApp(routes, live, "127.0.0.1", Access(SECRET, "a_sentry_8471", password), templates)


def browser_at(app: LocalApp, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """A browser that has not logged in."""
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=PAGE, headers={"Origin": PAGE})


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """The owner's browser."""
    async with browser_at(app_with()) as client:
        assert (await client.get("/login", params={"code": new_code(SECRET, time.time())})).status_code == 303
        yield client


async def test_answers_carry_strict_headers(http: httpx.AsyncClient) -> None:
    headers = (await http.get("/static/live.js")).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["localhost:8471", "127.0.0.1", "192.168.1.20:8471", "[::1]:8471"])
async def test_the_page_is_reached_by_address_or_localhost(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8471", "", "[", "[::1", "]"])
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


async def test_a_form_in_chunks_does_not_pass_by_a_small_length_beside_them() -> None:
    with listen("127.0.0.1", 0, "X") as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        async with serving(app_with(), listener), asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(*address.split(":"))
            head = f"POST /login HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nContent-Length: 9\r\n"
            body = b"Transfer-Encoding: chunked\r\n\r\n4e20\r\n" + b"x" * 20_000 + b"\r\n0\r\n\r\n"
            writer.write(head.encode() + body)
            assert (await reader.readline()).split()[1] == b"413"
            writer.close()


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
    """Returns whether the last change reached the viewer."""
    return any(">19<" in event for event in [event async for event in events])


def code(made_s: float = 0.0, secret: bytes = SECRET) -> str:
    """A code that was made so many seconds ago."""
    return new_code(secret, time.time() - made_s)


async def test_a_form_without_the_owner_s_cookie_changes_nothing_and_says_how_to_get_it() -> None:
    async with browser_at(app_with()) as stranger:
        for cookie in ("", "a_sentry_8471=", "a_sentry_8471=x", "a_sentry_8471=\xff"):
            answer = await stranger.post("/", data={"a": "1"}, headers=[(b"cookie", cookie.encode("latin-1"))])
            assert answer.status_code == 403
            assert "a-sentry page" in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": PAGE}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": PAGE}, 200),
    ],
)
async def test_a_form_says_that_it_comes_from_this_page(
    http: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    del http.headers["Origin"]
    assert (await http.post("/", data={"a": "1"}, headers=headers)).status_code == status


async def test_a_one_time_address_gives_one_browser_a_cookie_that_scripts_can_not_read() -> None:
    app, made = app_with(), code()
    async with browser_at(app) as owner, browser_at(app) as second:
        assert (await owner.head("/login", params={"code": made})).status_code == 200
        answer = await owner.get("/login", params={"code": made})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(answer.headers["Set-Cookie"].split("; "))
        again = await second.get("/login", params={"code": made})
        assert (again.status_code, "used already" in again.text) == (403, True)
        assert (await owner.post("/", data={"a": "1"})).status_code == 200
        assert (await second.post("/", data={"a": "1"})).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: code(601),
        lambda: code(-60),
        lambda: code(secret=bytes(32)),
        lambda: f"9{code()}",
        lambda: f"{code()}0",
        lambda: "x",
        lambda: "1-2-3",
        lambda: "\udcff",
        lambda: "-",
        lambda: code()[:-1],
    ],
    ids=["too old", "of the future", "another secret", "later end", "longer", "a word", "numbers", "bad", "-", "cut"],
)
async def test_an_address_that_this_sentry_did_not_make_just_now_is_refused(wrong: Callable[[], str]) -> None:
    async with browser_at(app_with()) as stranger:
        answer = await stranger.get(f"/login?code={quote(wrong(), errors='surrogateescape')}")
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers


async def test_guesses_are_stopped_and_the_owner_s_address_is_still_taken() -> None:
    async with browser_at(app_with()) as stranger:
        guesses = [(await stranger.get("/login", params={"code": f"{n}"})).status_code for n in range(7)]
        assert guesses == [403] * 5 + [429] * 2
        assert (await stranger.get("/login", params={"code": code()})).status_code == 303


async def test_with_a_password_nothing_is_shown_without_it() -> None:
    async with browser_at(app_with(PASSWORD)) as browser:
        for path in ("/", "/events", "/nothing"):
            answer = await browser.get(path)
            assert answer.status_code == 401
            assert 'name="password"' in answer.text
        assert (await browser.get("/static/page.css")).status_code == 200
        assert (await browser.post("/", data={"a": "1"})).status_code == 403
        assert (await browser.post("/login", data={"password": PASSWORD})).status_code == 303
        assert (await browser.get("/")).status_code == 200
        assert (await browser.post("/", data={"a": "1"})).status_code == 200


async def test_passwords_are_not_guessed_and_only_who_guesses_waits() -> None:
    app = app_with(PASSWORD)
    async with browser_at(app, "192.0.2.1") as stranger, browser_at(app, "192.0.2.2") as owner:
        guesses = [(await stranger.post("/login", data={"password": f"guess {n}"})).status_code for n in range(6)]
        assert guesses == [403] * 5 + [429]
        assert (await stranger.post("/login", data={"password": PASSWORD})).status_code == 429
        assert (await owner.post("/login", data={"password": PASSWORD})).status_code == 303


async def test_a_password_is_not_taken_where_none_is_set(http: httpx.AsyncClient) -> None:
    async with browser_at(app_with()) as stranger:
        for password in ("", "None", PASSWORD):
            assert (await stranger.post("/login", data={"password": password})).status_code == 403


def test_a_cookie_ends_after_half_a_day() -> None:
    now_s = [0.0]
    access = Access(SECRET, "cookie", monotonic_s=lambda: now_s[0])
    cookie = access.log_in(PlainTextResponse()).headers["Set-Cookie"].partition(";")[0]
    for moment_s, is_owner in ((0, True), (43_199, True), (43_201, False)):
        now_s[0] = moment_s
        assert access.is_owner(Headers({"cookie": cookie})) is is_owner


@pytest.mark.parametrize("path", ["/static/%00", f"/static/{'a' * 5000}", "/static/..%2f..%2fsettings.py"])
async def test_a_file_that_can_not_be_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "rig.lan", "127.1"])  # noqa: S104 - refused here
def test_other_machines_reach_the_page_by_a_password_alone(host: str) -> None:
    with pytest.raises(BadSetting, match="X_UI_PASSWORD"):
        check_reach(host, None, "X_")
    check_reach(host, PASSWORD, "X_")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
def test_this_machine_needs_no_password(host: str) -> None:
    check_reach(host, None, "X_")
