"""All tables and charts write times in the viewer's language."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, expect

from .chart_pages import chart, drawn
from .conftest import OpenPage
from .people_and_sentries import Farm, past_of
from .test_playbooks import settled

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TWELVE_HOURS = re.compile(r"\d{1,2}:\d\d(:\d\d)? [AP]M")


async def times_on(page: Page) -> list[str]:
    """Returns the times of the chart's text and table, of the table beside it, and of the heading."""
    await drawn(page)
    await chart(page, "Power").get_by_text("As a table").click()
    cells = [chart(page, "Power").locator("tbody td:first-child").first, page.locator("#log-table tbody time").first]
    texts = [await cell.inner_text() for cell in [*cells, page.locator(".span").first]]
    return [text.replace("\u202f", " ") for text in texts]


@pytest.mark.parametrize(("locale", "is_twelve"), [("en-US", True), ("de-DE", False)])
async def test_charts_and_tables_have_one_clock(farm: Farm, open_page: OpenPage, locale: str, is_twelve: bool) -> None:
    rig = farm.add("rig-07")
    rig.send(past_of(minutes=30))
    page = await open_page(f"/cpu-gpu/{rig.id}/log?range=1h", locale=locale, timezone_id="Europe/Berlin")
    for text in await times_on(page):
        assert re.search(r"\d:\d\d", text), text
        assert bool(TWELVE_HOURS.search(text)) is is_twelve, text


async def test_a_playbook_says_for_how_long_it_mines_and_when_it_failed(farm: Farm, open_page: OpenPage) -> None:
    rig, sentry, _ = settled(farm)
    rig.report()
    since = datetime.now(UTC) - timedelta(minutes=3, seconds=5)
    sentry.tell("mining", since=since.isoformat())
    page = await open_page(f"/cpu-gpu/{rig.id}")
    state = page.locator("#rig-playbooks tbody td").last
    await expect(state).to_have_text(re.compile(r"^Mining for 3 min$"))
    sentry.tell("failed", since=since.isoformat())
    await expect(state).to_have_text(re.compile(r"^Failed 3 min ago$"))


async def test_a_young_rig_s_charts_begin_with_its_first_figure(farm: Farm, open_page: OpenPage) -> None:
    young, old = farm.add("young"), farm.add("old")
    young.send(past_of(minutes=150, every_s=60))
    old.send(past_of(minutes=26 * 60, every_s=600))
    page = await open_page(f"/cpu-gpu/{young.id}")
    await drawn(page)
    await expect(page.locator(".span")).to_contain_text("no older figures")
    assert await shown_h(page) == pytest.approx(2.5, abs=0.1)
    await page.goto(f"/cpu-gpu/{old.id}")
    await drawn(page)
    await expect(page.locator(".span")).not_to_contain_text("no older figures")
    assert await shown_h(page) == pytest.approx(24, abs=0.1)


async def shown_h(page: Page) -> float:
    """Returns how many hours the charts requested last."""
    names = await page.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
    text = [name for name in names if "/history?" in name][-1]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(text).query).items()}
    return (datetime.fromisoformat(asked["to"]) - datetime.fromisoformat(asked["from"])) / timedelta(hours=1)
