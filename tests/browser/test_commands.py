"""Commands in a real browser: the menu, a command that is followed live, a batch that is stopped and retried."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from .conftest import OpenPage
from .people_and_sentries import Farm, Rig
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
WIDTHS = (360, 768, 1280, 1920, 2560)


class Sentry:
    """Requests of a rig's sentry about its commands."""

    def __init__(self, rig: Rig) -> None:
        self.client = rig.farm.client
        self.headers = {"Authorization": f"Bearer {rig.token}"}

    def fetch(self) -> list[dict[str, object]]:
        items = self.client.get("/api/v1/sentry/inbox", headers=self.headers).raise_for_status().json()["items"]
        return [command for item in items if item["kind"] == "commands" for command in item["body"]["commands"]]

    def report(self, state: str, text: str = "Done.", **more: object) -> None:
        """The newest command's state."""
        command = self.fetch()[-1]
        about = {"id": command["id"], "action": command["action"], "state": state, "text": text, "boot_id": "a"} | more
        body = {"boot_id": "a", "commands": [about]}
        self.client.put("/api/v1/sentry/commands/status", json=body, headers=self.headers).raise_for_status()


async def looks(page: Page, name: str) -> None:
    """Takes screenshots, if a folder for them is set."""
    if folder := os.environ.get("SCREENSHOTS"):
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            await page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)


async def test_diagnose_from_the_menu_and_read_the_findings(farm: Farm, rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await page.get_by_text("Command", exact=True).click()
    await looks(page, "menu")
    await must_be_open_to_all(page)
    await page.get_by_role("button", name="Diagnose").click()
    await expect(page.get_by_role("heading", name="Diagnose: 1 rig")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="rig-07")
    await expect(row).to_contain_text("Waiting")
    sentry = Sentry(rig)
    sentry.report("begun")
    await expect(row).to_contain_text("Begun")
    findings = [
        {"check": "disk", "severity": "critical", "text": "The disk has 12 MB left."},
        {"check": "cards", "severity": "unknown", "text": "The PCI bus could not be read."},
        {"check": "clock", "severity": "good", "text": "The clock is right."},
    ]
    sentry.report("done", "3 questions: 1 needs you.", findings=findings)
    await expect(row).to_contain_text("3 questions: 1 needs you.")
    await expect(page.get_by_text("Stop", exact=True)).to_have_count(0)
    await row.get_by_role("link", name="Findings of rig-07").click()
    await expect(page.get_by_role("heading", name="Diagnose: rig-07")).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text="12 MB")).to_contain_text("Critical")
    await must_be_open_to_all(page)
    await looks(page, "findings")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download as JSON").click()
    assert (await download.value).suggested_filename.startswith("diagnose-rig-07-")


async def test_shut_down_asks_for_the_rigs_name(farm: Farm, rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await page.get_by_text("Command", exact=True).click()
    await page.get_by_role("link", name="Shut down").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Shut down rig-07?")
    await must_be_open_to_all(page)
    await dialog.get_by_label("Name of the rig").fill("rig-08")
    await page.keyboard.press("Enter")
    await expect(dialog).to_contain_text("Type the rig's name: rig-07.")
    assert Sentry(rig).fetch() == []
    await dialog.get_by_label("Name of the rig").fill("rig-07")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Shut down: 1 rig")).to_be_visible()
    assert [each["action"] for each in Sentry(rig).fetch()] == ["shutdown"]


async def test_a_batch_is_ordered_followed_stopped_and_retried(farm: Farm, open_page: OpenPage) -> None:
    rigs = [farm.add(f"rig-{number:02}") for number in range(1, 8)]
    listed = await open_page("/commands")
    page = await open_page("/commands")
    await page.get_by_role("link", name="New command").click()
    await page.get_by_label("Rigs", exact=True).fill("name:rig-*")
    await page.get_by_label("Action").select_option("restart_playbook")
    await page.get_by_label("Rigs at a time").fill("2")
    await page.get_by_label("Reason").fill("after the update")
    await must_be_open_to_all(page)
    await looks(page, "form")
    await page.get_by_role("button", name="Send command").click()
    await expect(page.get_by_role("heading", name="Restart mining: 7 rigs")).to_be_visible()
    await expect(page.get_by_text("2 at a time; stops after 2 failures")).to_be_visible()
    await expect(listed.get_by_role("row").filter(has_text="after the update")).to_contain_text("7 waiting")
    for rig in rigs[:2]:
        Sentry(rig).report("failed", "xmrig did not start.")
    await expect(page.get_by_text("Stopped after 2 failures.").first).to_be_visible()
    Sentry(rigs[2]).report("done", "Restarted xmrig.")  # its turn had come with the first failure
    await expect(page.get_by_role("progressbar")).to_have_attribute("value", "7")
    await must_be_open_to_all(page)
    await looks(page, "batch")
    await expect(listed.get_by_role("row").filter(has_text="after the update")).to_contain_text("2 failed")
    await page.get_by_role("button", name="Retry failed").click()
    await expect(page.get_by_role("row").filter(has_text="rig-01")).to_contain_text("Waiting")
    left = [rig for rig in rigs if rig is not rigs[2]]
    for rig in left:
        Sentry(rig).report("done", "Restarted xmrig.")
    await expect(page.get_by_role("progressbar")).to_have_attribute("value", "7")
    await expect(page.get_by_role("heading", name="7 of 7 rigs have a result")).to_be_visible()
    await expect(listed.get_by_role("row").filter(has_text="after the update")).to_contain_text("7 done")
    await must_be_open_to_all(listed)
    await looks(listed, "list")


async def test_the_menu_is_reached_and_used_by_keyboard(farm: Farm, rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await page.get_by_text("Command", exact=True).focus()
    await page.keyboard.press("Enter")
    for _ in range(4):  # Restart, Start, Stop, Reboot
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Reboot: 1 rig")).to_be_visible()
    await page.get_by_role("button", name="Stop").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row").filter(has_text="rig-07")).to_contain_text("Cancelled")
