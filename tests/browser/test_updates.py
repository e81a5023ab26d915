"""Sentries are updated from the commander: rigs are ticked, a version is chosen, and the page follows the update."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.farm import CommanderProcess

from .conftest import OpenPage
from .people_and_sentries import Farm, Rig
from .test_choosing import tick
from .test_commands import Sentry, looks
from .test_live import live
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
OWN = ("minewarden_protocol", "minewarden_sentry_kit", "minewarden_cpu_gpu_sentry")


@pytest.fixture
def packages(commander: CommanderProcess) -> Iterator[Path]:
    """The commander's packages for rigs, of no version yet."""
    folder = commander.data_dir / "packages"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def put(packages: Path, *versions: str) -> None:
    for name in (f"{own}-{version}-py3-none-any.whl" for version in versions for own in OWN):
        (packages / name).write_bytes(name.encode())


def rigs_with(farm: Farm, version: str, count: int) -> list[Rig]:
    rigs = [farm.add(f"rig-{number:02}") for number in range(1, count + 1)]
    for rig in rigs:
        rig.tell_specs({"sentry_version": version})
        rig.report()
    return rigs


async def send_to(page: Page, rigs: Sequence[Rig]) -> Locator:
    """Ticks the rigs and opens the form of the bar. Returns the field with the versions."""
    for rig in rigs:
        await tick(page, rig.name)
    await page.get_by_role("button", name="Update sentry…").click()
    await expect(page.get_by_role("heading", name="New command")).to_be_visible()
    await expect(page.get_by_label("Action")).to_have_value("update_sentry")
    return page.get_by_label("Version")


def orders_of(rig: Rig) -> list[object]:
    return [each["arguments"]["version"] for each in Sentry(rig).fetch()]  # type: ignore[index]


async def test_ticked_rigs_are_updated_one_first_and_the_others_when_it_has_reported(
    farm: Farm, packages: Path, open_page: OpenPage
) -> None:
    put(packages, "0.9.0", "0.10.0")
    first, *others = rigs_with(farm, "0.1.0", 4)
    left = farm.add("rig-left")
    index = await open_page("/cpu-gpu?select=sentry:0.1.0")
    page = await open_page("/cpu-gpu")
    version = await send_to(page, [first, *others])
    await expect(version.get_by_role("option")).to_have_text(["0.10.0", "0.9.0"])
    await must_be_open_to_all(page)
    await looks(page, "update-form")
    await page.get_by_label("Reason").fill("the new release")
    await page.get_by_role("button", name="Send command").click()
    await expect(page.get_by_role("heading", name="Update sentry: 4 rigs")).to_be_visible()
    await expect(page.get_by_text("1 rig, then 1, then all; stops after 2 failures")).to_be_visible()
    await expect(page.get_by_role("term").filter(has_text="Version")).to_be_visible()
    await live(page)
    assert [orders_of(rig) for rig in (first, *others, left)] == [["0.10.0"], [], [], [], []]
    Sentry(first).report("begun", "Installing version 0.10.0.")
    row = page.get_by_role("row").filter(has_text="rig-01")
    await expect(row).to_contain_text("Begun")
    first.tell_specs({"sentry_version": "0.10.0"})
    Sentry(first).report("done", "Version 0.10.0 runs and has reported to the commander.")
    await expect(row).to_contain_text("Version 0.10.0 runs")
    await live(index)
    await expect(index.locator("#matches")).to_have_text("3 of 5 rigs match")
    Sentry(others[0]).report("done", "Version 0.10.0 runs and has reported to the commander.")
    await expect(page.get_by_role("progressbar")).to_have_attribute("value", "2")
    assert [orders_of(rig) for rig in others[1:]] == [["0.10.0"], ["0.10.0"]]
    await must_be_open_to_all(page)
    await looks(page, "update")


async def test_an_older_version_can_be_chosen_and_a_rig_that_went_back_says_why(
    farm: Farm, packages: Path, open_page: OpenPage
) -> None:
    put(packages, "0.9.0", "0.10.0")
    (rig,) = rigs_with(farm, "0.10.0", 1)
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await page.get_by_text("Command", exact=True).click()
    await page.get_by_role("link", name="Update sentry…").click()
    await expect(page.get_by_role("heading", name="1 rig")).to_be_visible()
    await page.get_by_label("Version").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.get_by_label("Reason").press("Enter")
    await expect(page.get_by_role("heading", name="Update sentry: 1 rig")).to_be_visible()
    assert orders_of(rig) == ["0.9.0"]
    why = "The new version 0.9.0 did not report to the commander within 3 minutes. Version 0.10.0 runs again."
    Sentry(rig).report("failed", why)
    row = page.get_by_role("row").filter(has_text="rig-01")
    await expect(row).to_contain_text("Failed")
    await expect(row).to_contain_text(why)
    await page.get_by_role("button", name="Retry failed").click()
    await expect(row).to_contain_text("Waiting")
    assert orders_of(rig) == ["0.9.0"]


async def test_without_packages_the_form_says_what_to_do_and_sends_nothing(
    farm: Farm, packages: Path, open_page: OpenPage
) -> None:
    (rig,) = rigs_with(farm, "0.1.0", 1)
    page = await open_page("/cpu-gpu")
    await expect(await send_to(page, [rig])).to_have_count(0)
    await page.get_by_label("Reason").fill("the new release")
    await page.get_by_role("button", name="Send command").click()
    await expect(page.get_by_role("alert")).to_contain_text("commander fetch-packages")
    await expect(page.get_by_label("Reason")).to_have_value("the new release")
    assert Sentry(rig).fetch() == []
    put(packages, "0.10.0")
    await page.get_by_role("button", name="Send command").click()
    await expect(page.get_by_role("heading", name="Update sentry: 1 rig")).to_be_visible()
    assert orders_of(rig) == ["0.10.0"]
