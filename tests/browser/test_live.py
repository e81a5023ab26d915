"""Open pages while other people change the farm (F2 to F4), and while the commander is away."""

import asyncio
import re
import time
from datetime import UTC, datetime

import pytest
from playwright.async_api import Page, Route, WebSocket, expect

from tests.farm import PASSWORD, CommanderProcess

from .conftest import OpenPage
from .people_and_sentries import Farm

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def live(page: Page) -> None:
    """Wait until the page listens."""
    await expect(page.locator("body")).to_have_attribute("data-state", "live")


def sockets_of(page: Page) -> list[str]:
    """Every socket that the page opens from now on, and every frame that comes through one.

    Frames about the number of open incidents are left out: they begin with an empty line, and incidents of earlier
    tests may end at any time.
    """
    seen: list[str] = []

    def received(frame: str | bytes) -> None:
        if not str(frame).startswith("\n"):
            seen.append(str(frame))

    def opened(socket: WebSocket) -> None:
        seen.append("opened")
        socket.on("framereceived", received)

    page.on("websocket", opened)
    return seen


async def test_three_people_see_what_concerns_them(farm: Farm, open_page: OpenPage) -> None:
    index, settings = await open_page("/cpu-gpu"), await open_page("/settings")
    frames = sockets_of(settings)
    await settings.reload()
    await live(index)

    rig = farm.add("rig-07")
    await expect(index.locator(f"#rig-{rig.id}")).to_contain_text("rig-07")
    await expect(index.locator('[data-total="alive"]')).to_have_text("0 of 1")
    await expect(index.get_by_text("No rigs yet")).to_be_hidden()

    about = await open_page(f"/cpu-gpu/{rig.id}")
    await live(about)
    farm.rename(rig, "rig-08")
    await expect(about.get_by_role("heading", level=1)).to_have_text("rig-08")
    await expect(about).to_have_title("rig-08 · Minewarden")
    await expect(index.locator(f"#rig-{rig.id}")).to_contain_text("rig-08")

    rig.report(hashrate_hs=17_000)
    await expect(index.locator(f'#rig-{rig.id} [data-figure="hashrate"]')).to_contain_text("17.0 kH/s")
    await expect(index.locator('[data-total="hashrate-Monero"]')).to_have_text("17.0 kH/s")
    await expect(about.locator('[data-figure="hashrate"]').first).to_have_text("17.0 kH/s")

    farm.remove(rig)
    await about.wait_for_url("**/cpu-gpu?removed=rig-08")
    await expect(about.get_by_text("rig-08 was removed.")).to_be_visible()
    await expect(index.locator(f"#rig-{rig.id}")).to_have_count(0)
    await expect(index.locator('[data-total="alive"]')).to_have_text("0 of 0")
    await expect(index.get_by_text("No rigs yet")).to_be_visible()
    assert set(frames) == {"opened"}, "the settings page has a socket, and nothing of rigs comes through it"


async def test_the_first_log_turns_the_token_into_figures(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu?dialog=add")
    await page.get_by_label("Name", exact=True).fill("rig-01")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Enroll the sentry on rig-01")).to_be_visible()
    token = await page.locator("#enrol-token").inner_text()
    rig_id = page.url.rpartition("/")[2]
    assert rig_id.isdecimal(), "a reload asks for the rig's page, not for another rig"
    answer = farm.client.post(
        "/api/v1/sentry/logs",
        json={"logs": [{"taken_at": _now(), "cpu": {"temperature_c": 55}}]},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.json()["stored"] == 1
    await expect(page.locator("#enrol-first")).to_have_count(0)
    await expect(page.locator('[data-figure="temperature"]').first).to_have_text("55 °C")


async def test_a_new_token_stays_while_the_rig_reports(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-01")
    rig.report()
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await live(page)
    await page.get_by_role("link", name="New token").click()
    await page.get_by_role("button", name="Create a new token").click()
    panel = page.locator("#enrol-again")
    await expect(panel).to_be_visible()
    farm.rename(rig, "rig-02")
    await expect(page.get_by_role("heading", level=1)).to_have_text("rig-02")
    async with page.expect_websocket():
        await page.evaluate("dispatchEvent(new Event('offline'))")
    await live(page)
    await expect(panel).to_be_visible()


async def test_after_a_restart_every_open_page_is_right_again(
    farm: Farm, open_page: OpenPage, commander: CommanderProcess
) -> None:
    first, gone = farm.add("rig-01"), farm.add("rig-02")
    first.report(hashrate_hs=17_000)
    index, about = await open_page("/cpu-gpu"), await open_page(f"/cpu-gpu/{first.id}")
    await live(index)
    await live(about)
    await asyncio.to_thread(commander.stop)
    await expect(index.locator("#connection")).to_contain_text("Connection lost. Reconnecting… Figures are from")
    await expect(index.locator("body")).to_have_attribute("data-state", "offline")
    await asyncio.to_thread(commander.start)
    started = time.monotonic()
    farm.remove(gone)
    first.report(hashrate_hs=21_000)
    await expect(index.locator(f"#rig-{gone.id}")).to_have_count(0, timeout=2_000)
    await expect(index.locator(f'#rig-{first.id} [data-figure="hashrate"]')).to_contain_text("21.0 kH/s", timeout=2_000)
    await expect(about.locator('[data-figure="hashrate"]').first).to_have_text("21.0 kH/s", timeout=2_000)
    assert time.monotonic() - started < 2.5, "right again within 2 s of the first change"
    await expect(index.locator("#connection")).to_be_empty()


async def test_a_hidden_page_hears_nothing_and_catches_up(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu")
    await live(page)
    await _show(page, hidden=True)
    rig = farm.add("rig-01")
    await _show(page, hidden=False)
    await expect(page.locator(f"#rig-{rig.id}")).to_be_visible()


async def test_what_somebody_types_survives_a_new_start_of_the_page(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu")
    await live(page)
    search = page.get_by_role("searchbox")
    await search.fill('name:"half a na')  # not a selection yet: nothing is searched
    await expect(page.locator("#select-error")).not_to_be_empty()
    await _show(page, hidden=True)
    rig = farm.add("rig-01")
    await _show(page, hidden=False)
    await expect(page.locator(f"#rig-{rig.id}")).to_be_visible()
    await expect(search).to_have_value('name:"half a na')
    await expect(search).to_be_focused()


async def test_an_open_dialog_survives_a_new_start_of_the_page(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu")
    await live(page)
    await page.get_by_role("link", name="Add rig", exact=True).click()
    await page.get_by_label("Name", exact=True).fill("half a na")
    await _show(page, hidden=True)
    rig = farm.add("rig-01")
    await _show(page, hidden=False)
    await expect(page.locator(f"#rig-{rig.id}")).to_be_attached()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("half a na")
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()


async def test_focus_stays_on_a_row_that_moves(farm: Farm, open_page: OpenPage) -> None:
    rigs = [farm.add(name) for name in ("a", "b", "c")]
    page = await open_page("/cpu-gpu")
    await live(page)
    link = page.get_by_role("link", name="a", exact=True)
    await link.focus()
    farm.rename(rigs[0], "z")
    await expect(page.locator("#rows .name").last).to_have_text("z")
    await expect(page.get_by_role("link", name="z", exact=True)).to_be_focused()


async def test_a_session_that_is_ended_lands_on_the_login_page(open_page: OpenPage, farm: Farm) -> None:
    page = await open_page("/login", logged_in=False)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await live(page)
    other = await open_page("/settings")
    buttons = other.get_by_role("button", name="End: Chrome")
    await buttons.first.click()
    await page.wait_for_url("**/login?next=**")
    await other.wait_for_load_state()


async def test_a_page_without_figures_shows_that_the_commander_is_away_and_keeps_what_is_typed(
    open_page: OpenPage, commander: CommanderProcess
) -> None:
    page = await open_page("/mining-software/new")
    await live(page)
    await page.get_by_label("Name", exact=True).fill("Half a na")
    await page.locator("textarea").first.fill("#!/bin/sh\nhalf a script")
    await asyncio.to_thread(commander.stop)
    await expect(page.locator("#connection")).to_contain_text("Connection lost")
    await asyncio.to_thread(commander.start)
    await live(page)
    await expect(page.locator("#connection")).to_be_empty()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Half a na")
    await expect(page.locator("textarea").first).to_have_value("#!/bin/sh\nhalf a script")


async def test_the_end_of_a_session_is_seen_on_a_page_without_figures(open_page: OpenPage, farm: Farm) -> None:
    page = await open_page("/login?next=/templates", logged_in=False)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r":\d+/templates$"))
    await live(page)
    other = await page.context.new_page()
    await other.goto("/settings")
    await other.get_by_role("button", name="Log out", exact=True).click()
    await page.wait_for_url("**/login?next=**")


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def _show(page: Page, *, hidden: bool) -> None:
    """As if the tab went behind another, or came back."""
    value = "true" if hidden else "false"
    await page.evaluate(
        f"Object.defineProperty(document, 'hidden', {{configurable: true, get: () => {value}}});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


async def test_a_click_while_the_commander_is_away_leaves_the_page_as_it_is(
    farm: Farm, open_page: OpenPage, commander: CommanderProcess
) -> None:
    rig = farm.add("rig-01")
    rig.report()
    page, settings = await open_page(f"/cpu-gpu/{rig.id}"), await open_page("/settings")
    await live(page)
    await live(settings)
    figure = page.locator('[data-figure="hashrate"]').first
    bold = await figure.evaluate("figure => getComputedStyle(figure).color")
    await asyncio.to_thread(commander.stop)
    await expect(page.locator("body")).to_have_attribute("data-state", "offline")
    await expect(settings.locator("body")).to_have_attribute("data-state", "offline")
    await expect(page.locator("#connection")).to_contain_text("Reconnecting…")
    await expect(figure).not_to_have_css("color", bold)

    for name in ("History", "Rename", "ASICs"):
        await page.get_by_role("link", name=name, exact=True).click()
        await expect(page.get_by_role("alert")).to_have_text("The commander does not answer; nothing was changed.")
        assert page.url.endswith(f"/cpu-gpu/{rig.id}")
        await page.locator("#away").evaluate("note => note.remove()")
    await expect(figure).to_have_text("17.0 kH/s")
    await settings.get_by_label("Name of a new key").fill("backup script")
    await settings.get_by_role("button", name="Create key").click()
    await expect(settings.get_by_role("alert")).to_have_text("The commander does not answer; nothing was changed.")
    await expect(settings.get_by_label("Name of a new key")).to_have_value("backup script")

    await asyncio.to_thread(commander.start)
    await live(page)
    await expect(figure).to_have_css("color", bold)
    await page.get_by_role("link", name="History", exact=True).click()
    await page.wait_for_url("**/log")


async def test_a_page_says_that_the_log_in_at_a_proxy_has_ended(
    farm: Farm, open_page: OpenPage, commander: CommanderProcess
) -> None:
    """The proxy passes no socket then, and sends every page to its log-in on another host."""
    rig = farm.add("rig-01")
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await live(page)
    await page.get_by_role("link", name="Rename", exact=True).click()
    await page.get_by_label("Name", exact=True).fill("rig-02")
    await page.route(f"{commander.url}/**", send_to_log_in)
    await page.route("https://log-in.example/**", lambda route: route.fulfill(body="<h1>Log in</h1>"))
    await asyncio.to_thread(commander.stop)
    try:
        await expect(page.locator("#connection")).to_have_text("Your log-in has ended. Reload the page.")
        await page.get_by_label("Name", exact=True).press("Enter")
        failure = page.locator("[data-failure]")
        await expect(failure).to_have_text("Your log-in has ended; nothing was changed. Reload the page.")
        await expect(page.get_by_label("Name", exact=True)).to_have_value("rig-02")
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name="Rename", exact=True).click()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    finally:
        await asyncio.to_thread(commander.start)


async def send_to_log_in(route: Route) -> None:
    await route.fulfill(status=302, headers={"Location": "https://log-in.example/"})
