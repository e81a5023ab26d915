"""The local page for its owner, who alone may change something, and for everybody else, who may look at it."""

import re
from pathlib import Path

import pytest
from asic_commander import SmallCommander
from asic_sentry.local import views
from fake_asics import make_asics
from page_browser import Browser
from sentry_farm import BASE

FORMS: dict[str, dict[str, str]] = {
    "/connect": {"url": "https://192.0.2.1:8443", "token": ""},
    "/add": {"ip": "192.0.2.1", "model": "", "port": "", "token": "x"},
    "/token": {"id": "1", "token": "x"},
    "/remove": {"id": "1"},
    "/enter": {"id": "1", "power_w": "1", "coin": "x"},
    "/model": {"model": "S19 Pro", "power_w": "1", "coin": ""},
    "/password": {"id": "1", "user": "root", "password": "x"},
    "/model-password": {"model": "Elphapex DG1+", "user": "root", "password": "x"},
    "/scan": {"network": "192.0.2.0/30"},
    "/scan/stop": {},
    "/adopt": {"ip": "192.0.2.1", "name": "{ip}"},
}


def test_every_form_of_the_page_is_tried_without_its_owner() -> None:
    templates = Path(views.__file__).parent / "templates"
    forms = {found for each in templates.iterdir() for found in re.findall(r'action="([^"]+)"', each.read_text())}
    assert forms == set(FORMS)


@pytest.mark.parametrize("path", list(FORMS))
async def test_a_form_of_anybody_but_the_owner_changes_nothing(
    browser: Browser, commander: SmallCommander, network: str, path: str
) -> None:
    browser.sentry.add(make_asics(1, network, ["iceriver"], port_base=BASE), commander)
    await browser.sentry.until(lambda: len(browser.sentry.agent.poller.devices) == 1)
    before = "\n".join(browser.sentry.db.iterdump())
    assert len(_lasting(before)) == 2
    answer = await browser.other_mac.post(path, data=FORMS[path])
    assert (answer.status_code, "asic-sentry page" in answer.text) == (403, True)
    assert _lasting("\n".join(browser.sentry.db.iterdump())) == _lasting(before)
    assert browser.sentry.agent.scans.current is None


def _lasting(dump: str) -> list[str]:
    """Returns what the store keeps of ASICs, models and the commander's address, without the results of polls."""
    asics = re.findall(r"""INSERT INTO "asic" VALUES\(\d+,'([\d.]+)'.*?(mw_asic_\w+)'""", dump)
    return [
        *map(str, asics),
        *re.findall(r"""(?:INSERT INTO "(?:model_entry|login)".*|INSERT INTO "enrolment" VALUES\(1,'[^']*)""", dump),
    ]


async def test_anybody_may_look_but_sees_no_form(browser: Browser, commander: SmallCommander, network: str) -> None:
    rig = browser.sentry.add(make_asics(1, network, ["iceriver"], port_base=BASE), commander)
    await browser.sentry.until(lambda: len(browser.sentry.agent.poller.devices) == 1)
    key = browser.sentry.device(next(iter(rig))).asic.id
    page = (await browser.other_mac.get(f"/?change={key}")).text
    live = await anext(browser.page.live.others.events())
    for shown in (page, live):
        assert next(iter(rig)) in shown
        assert "<form" not in shown
        assert "Change" not in shown
        assert ">Edit</a>" not in shown
    assert "asic-sentry page" in page
    assert "Change" in await browser.get()
