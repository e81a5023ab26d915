"""The commands of the dialogs connect both sentries, and ask for the token: all users can see a program's arguments."""

import html
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.asic_sentry import PORT_BASE, AsicSentryProcess, fake_asics
from tests.farm import PASSWORD, ROOT, CommanderProcess
from tests.sentry import SentryProcess
from tests.terminal import in_a_terminal
from tests.typed import blocks

pytestmark = pytest.mark.system

ICERIVER = str(PORT_BASE + 80)


@pytest.fixture
def browser(commander: CommanderProcess) -> Iterator[httpx.Client]:
    with commander.client() as client:
        client.post("/login", data={"password": PASSWORD})
        yield client


def shown_in(page: httpx.Response, element: str) -> str:
    found = re.search(rf'<pre id="{element}"[^>]*>([^<]*)</pre>', page.text)
    assert found, page.text[:2000]
    return html.unescape(found[1])


def types(sentry: SentryProcess | AsicSentryProcess, line: str, token: str = "") -> str:
    """Types a command as a person does who has the sentry's programs in the path; what the terminal shows."""
    sentry.folder.mkdir(exist_ok=True)
    programs = shlex.quote(str(Path(sys.executable).parent))
    done = in_a_terminal(f"PATH={programs}:$PATH; {line}", token, sentry.environment)
    assert done.code == 0, done.shown
    if token:
        assert "Token: " in done.shown
        assert token not in line + done.shown
    return done.shown


def test_a_rig_is_enrolled_as_its_dialog_and_the_readme_say(
    browser: httpx.Client, commander: CommanderProcess, tmp_path: Path
) -> None:
    page = browser.post("/cpu-gpu", data={"name": "rig-07"})
    line, token = shown_in(page, "enrol-linux"), shown_in(page, "enrol-token-linux")
    assert line.replace(commander.url, "https://commander.lan:8443") in "\n".join(blocks(ROOT / "README.md"))
    sentry = SentryProcess(tmp_path / "sentry")
    assert "Enrolled as “rig-07”" in types(sentry, line.replace(public(line), commander.url), token)
    assert sentry.status()["rig"]["name"] == "rig-07"


def public(line: str) -> str:
    """The commander's name in the line, which need not be known on this machine."""
    return next(word for word in line.split() if word.startswith("https://"))


def test_rigs_are_enrolled_as_the_page_of_a_farm_token_says(
    browser: httpx.Client, commander: CommanderProcess, tmp_path: Path
) -> None:
    fields = {"name": "hall 2", "uses": "2", "hours": "1", "name_pattern": "gpu-{n:03}", "tags": ""}
    page = browser.post("/cpu-gpu/farm-tokens", data=fields)
    line, token = shown_in(page, "farm-command-3"), shown_in(page, "farm-token")
    sentry = SentryProcess(tmp_path / "sentry")
    assert "Enrolled as “gpu-001”" in types(sentry, line.replace(public(line), commander.url), token)


def test_an_asic_is_added_as_its_dialog_says(
    browser: httpx.Client, commander: CommanderProcess, tmp_path: Path, network: str
) -> None:
    page = browser.post("/asics", data={"name": "ks-01"})
    sentry, ip = AsicSentryProcess(tmp_path / "sentry"), network.replace("0/24", "1")
    line, token = shown_in(page, "enrol-linux-url"), shown_in(page, "enrol-token-linux")
    types(sentry, line.replace(public(line), commander.url))
    with fake_asics(network, 1, "--kinds", "iceriver"):
        line = shown_in(page, "enrol-linux").replace("ASIC_IP", ip)
        assert "as “ks-01”" in types(sentry, f"{line} --port {ICERIVER}", token)
    assert list(sentry.list()) == [ip]


def test_a_site_token_is_entered_as_its_page_says(
    browser: httpx.Client, commander: CommanderProcess, tmp_path: Path, network: str
) -> None:
    page = browser.post("/settings/site-tokens", data={"site_name": "cellar"})
    line, token = shown_in(page, "created-site-command"), shown_in(page, "created-site")
    sentry = AsicSentryProcess(tmp_path / "sentry")
    types(sentry, line.replace(public(line), commander.url), token)
    with fake_asics(network, 1, "--kinds", "iceriver"):
        sentry.must("scan", network.replace("0/24", "1/32"), "--port", ICERIVER, "--adopt")
    assert list(sentry.list()) == [network.replace("0/24", "1")]
