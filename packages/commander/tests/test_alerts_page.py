"""The page of alerts as a browser without script gets it."""

import httpx
from pages import page


async def test_the_page_answers_and_is_live(person: httpx.AsyncClient) -> None:
    text = await page(person, "/alerts")
    assert 'data-live="/live?view=alerts"' in text
    assert "<h1" in text
