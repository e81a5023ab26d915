"""Playbooks of many rigs, from the ticks of the index page: copied, paused and resumed, by mouse and by keyboard."""

import pytest
from playwright.async_api import expect

from .conftest import OpenPage
from .people_and_sentries import Farm
from .test_choosing import tick
from .test_dialogs import tab_to
from .test_looks import must_be_open_to_all
from .test_playbooks import MONERO, Sentry, settled

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_playbook_is_copied_to_ticked_rigs_by_keyboard_alone(farm: Farm, open_page: OpenPage) -> None:
    settled(farm)
    rigs = [farm.add(name) for name in ("rig-08", "rig-09")]
    page = await open_page("/cpu-gpu")
    await tab_to(page, "Choose rig-08")
    await page.keyboard.press("Space")
    await tab_to(page, "Choose rig-09")
    await page.keyboard.press("Space")
    await tab_to(page, "Copy a playbook…")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Copy a playbook to 2 rigs")).to_be_visible()
    await must_be_open_to_all(page)
    await tab_to(page, "Preview: Main of rig-07")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row").filter(has_text="Gets it")).to_have_count(2)
    assert [Sentry(rig).client.get(f"/api/v1/cpu-gpu-rigs/{rig.id}/playbooks").json() for rig in rigs] == [[], []]
    await tab_to(page, "Copy Main to 2 rigs")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Main was copied to 2 rigs")).to_be_visible()
    for rig in rigs:
        assert f"{MONERO}.{rig.name}" in str(Sentry(rig).playbook()["script"])


async def test_playbooks_of_ticked_rigs_are_paused_and_resumed(farm: Farm, open_page: OpenPage) -> None:
    _, sentry, _ = settled(farm)
    farm.add("rig-08")
    page = await open_page("/cpu-gpu")
    for name in ("rig-07", "rig-08"):
        await tick(page, name)
    await page.get_by_role("button", name="Pause playbooks…").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Pause 1 playbook on 1 rig?")
    await expect(dialog).to_contain_text("rig-07")
    await must_be_open_to_all(page)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    assert sentry.playbook()["paused"] is False
    await page.get_by_role("button", name="Pause playbooks…").click()
    await page.get_by_role("button", name="Pause 1 playbook on 1 rig").click()
    await expect(dialog).to_have_count(0)
    assert sentry.playbook()["paused"] is True
    await tab_to(page, "Resume playbooks…")
    await page.keyboard.press("Enter")
    await expect(dialog).to_contain_text("Resume 1 playbook on 1 rig?")
    await tab_to(page, "Resume 1 playbook on 1 rig")
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    assert sentry.playbook()["paused"] is False
    await page.get_by_role("button", name="Resume playbooks…").click()
    await expect(dialog).to_contain_text("Nothing to resume")
