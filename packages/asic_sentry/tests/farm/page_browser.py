"""A browser without its script at the local page of a real agent."""

import re
from dataclasses import dataclass

import httpx
from asic_sentry.local.page import Page
from sentry_farm import BASE, Sentry
from sentry_kit.local_page.shell import LocalApp

PORT = str(BASE + 80)
SECRET = bytes(range(32))


@dataclass
class Browser:
    sentry: Sentry
    page: Page
    http: httpx.AsyncClient  # the owner's
    other_mac: httpx.AsyncClient

    async def get(self, path: str = "/") -> str:
        answer = await self.http.get(path)
        assert answer.status_code == 200
        return answer.text

    async def send(self, path: str, **form: str | list[str]) -> httpx.Response:
        return await self.http.post(path, data=form)


def browser_at(app: LocalApp) -> httpx.AsyncClient:
    page = "http://127.0.0.1:8472"
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=page, headers={"Origin": page})


def row(html: str, key: int) -> str:
    found = re.search(rf'<tr id="asic-{key}">.*?</tr>', html, re.DOTALL)
    assert found, html
    return found[0]


def error(html: str, field: str) -> str:
    found = re.search(rf'id="{field}-error" role="alert">([^<]*)<', html)
    return found[1] if found else ""


async def live_parts(page: Page) -> str:
    """Returns the first event that a browser gets: all live parts."""
    async for event in page.live.owners.events():
        return event
    raise AssertionError("no event came")
