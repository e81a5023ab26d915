"""Addresses for fake ASICs: of this test alone, so that tests can run beside each other."""

import itertools
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from asic_commander import SmallCommander, serving_commander
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.local.page import Page
from locked_asic import OFFSET
from page_browser import SECRET, Browser, browser_at
from sentry_farm import Sentry, running_sentry
from sentry_kit.local_page.access import Access
from sentry_kit.local_page.one_time import new_code

_NETWORKS = itertools.count()
SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "asic"


@pytest.fixture
def network() -> str:
    return f"127.{60 + os.getpid() % 150}.{next(_NETWORKS) % 250}.0/24"


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moves the usual ports by `OFFSET`: those below 1024 need root."""
    usual = tuple(dialect._replace(port=dialect.port + OFFSET) for dialect in DIALECTS)
    monkeypatch.setattr("asic_sentry.identify.DIALECTS", usual)
    monkeypatch.setattr("asic_sentry.scan.DIALECTS", usual)


@pytest.fixture
def answer() -> Callable[[str], bytes]:
    """An answer of our own, by its file's name."""
    return lambda name: (Path(__file__).parent / "answers" / f"{name}.json").read_bytes()


@pytest.fixture
def recorded() -> Callable[[str], bytes]:
    """An answer that was recorded from a real ASIC; those lie beside the repository, where they are there at all."""
    if not SHARED.is_dir():
        pytest.skip("no recorded answers here")
    return lambda name: (SHARED / f"{name}.json").read_bytes()


@pytest.fixture
async def commander(tmp_path: Path) -> AsyncIterator[SmallCommander]:
    """Real HTTPS by an authority of its own."""
    async with serving_commander(tmp_path / "commander") as serving:
        yield serving


@pytest.fixture
async def sentry(tmp_path: Path, commander: SmallCommander) -> AsyncIterator[Sentry]:
    """Connected to that commander, without ASICs."""
    async with running_sentry(tmp_path, commander) as running:
        yield running


@pytest.fixture
async def browser(sentry: Sentry) -> AsyncIterator[Browser]:
    page = Page(sentry.agent, sentry.path)
    app = page.app("127.0.0.1", Access(SECRET, "cookie"))
    async with browser_at(app) as http, browser_at(app) as other_mac:
        assert (await http.get("/login", params={"code": new_code(SECRET, time.time())})).status_code == 303
        yield Browser(sentry, page, http, other_mac)
