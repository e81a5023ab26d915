"""Pages are accessible: no axe violation (WCAG 2 A and AA, unique landmarks) on any, light and dark, wide or not."""

from pathlib import Path

import pytest
from commander_farm import an_asic_log
from playwright.async_api import Page

from .conftest import OpenPage
from .people_and_sentries import Farm

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE = Path(__file__).parents[2] / "packages/commander/frontend/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGES = [
    "/",
    "/incidents",
    "/incidents?rig=cpu-gpu-{full}",
    "/alerts",
    "/alerts?dialog=add-rule",
    "/alerts?dialog=add-maintenance",
    "/cpu-gpu",
    "/cpu-gpu?sort=power&dir=desc&q=rig",
    "/cpu-gpu?q=nothing-like-it",
    "/cpu-gpu?select=tag:hall:2",
    "/cpu-gpu?select=tga:hall",
    "/cpu-gpu?dialog=tags&rig={full}",
    "/cpu-gpu?dialog=add",
    "/cpu-gpu?dialog=add-many",
    "/cpu-gpu?dialog=remove&rig={full}",
    "/cpu-gpu/{unapproved}",
    "/cpu-gpu/farm-tokens",
    "/cpu-gpu/{full}",
    "/cpu-gpu/{full}?dialog=token",
    "/cpu-gpu/{twice}",
    "/cpu-gpu/{waiting}",
    "/cpu-gpu/{waiting}?dialog=edit",
    "/cpu-gpu/999999",
    "/settings",
    "/access",
    "/access?dialog=add",
    "/access?dialog=second-factor",
    "/access?dialog=password",
    "/audit",
    "/audit?from=2026-11-20T12:00&to=2026-11-20T11:00&who=x",
    "/tags",
    "/watchdog",
    "/watchdog?dialog=add",
    "/watchdog?dialog=edit&rule={rule}",
    "/watchdog?dialog=remove&rule={rule}",
    "/alerts?dialog=add-channel&kind=email",
    "/alerts?dialog=edit-channel&channel={channel}",
    "/alerts?dialog=remove-channel&channel={channel}",
    "/asics",
    "/asics?faults=yes",
    "/asics?health=waiting",
    "/asics?dialog=add",
    "/asics?dialog=remove&rig={well}",
    "/asics/{well}",
    "/asics/{ill}",
    "/asics/{mute}",
    "/asics/{new}",
    "/asics/{new}?dialog=token",
    "/asics/999999",
]


async def must_be_open_to_all(page: Page) -> None:
    """In both schemes, wide and at 360 px: no violation, and nothing that sticks out to the side."""
    await page.wait_for_load_state()
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    for width in (1280, 360):
        await page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = await page.evaluate(
                "rules => axe.run({runOnly: rules, rules: {'landmark-unique': {enabled: true}}})"
                ".then(r => r.violations.map(v =>"
                " `${v.id}: ${v.nodes[0].html} ${v.nodes[0].failureSummary}`))",
                RULES,
            )
            assert found == [], f"{page.url} at {width} px, {scheme}"
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{page.url} sticks out by {wide} px at {width} px"


def settled(farm: Farm) -> dict[str, int]:
    """Rigs in every state that a page can show."""
    full, twice, waiting = (
        farm.add("rig-01"),
        farm.add("rig-02 with a rather long name of sixty characters or so"),
        farm.add("rig-03"),
    )
    full.tell_specs(
        {"hostname": "rig01", "cpu": {"name": "AMD Ryzen 9"}, "motherboard": {"vendor": "ASUS", "name": "PRIME"}}
    )
    full.report()
    farm.tag("cpu-gpu", full.id, "hall:2", "rack:B", "owner:anna", "test")
    for run in ("a", "b", "a"):
        twice.report(run=run)
    rule = farm.add_watchdog_rule('tag:hall:2 -tag:"a-rather-long-tag-without-a-space"', reboots=True, low_percent=40)
    twice.act("rebooted", "rebooted: GPU 03:00.0 fell off the bus, Xid 79")
    token = farm.farm_token(name="hall 2 with a rather long name", uses=40, tags=["hall:2", "rack:B"])
    unapproved = farm.enrol(token, "a-machine-with-a-rather-long-name-that-waits-for-approval")
    unapproved.report()
    return {
        "unapproved": unapproved.id,
        "full": full.id,
        "twice": twice.id,
        "waiting": waiting.id,
        "rule": rule,
        "channel": farm.add_channel(),
    } | settled_asics(farm)


def settled_asics(farm: Farm) -> dict[str, int]:
    """Makes ASICs that mine well, have faults, report nothing, and wait for their sentry."""
    well, ill, mute, new = (farm.add_asic(name) for name in ("s19-01", "s19-02", "ks5l with a rather long name", "new"))
    well.report()
    farm.tag("asic", well.id, "hall:2")
    boards = [{"slot": 10, "chips": 1110, "expected_chips": 1114}, {"slot": 11, "hashrate_hs": 0.0}]
    ill.report(faults=["temperature", "error 2010"], boards=boards, fans_rpm=[6000, 0, None], power_w=None)
    mute.report(**dict.fromkeys(set(an_asic_log()) - {"taken_at", "boards", "fans_rpm", "pools"}), boards=[], pools=[])
    return {"well": well.id, "ill": ill.id, "mute": mute.id, "new": new.id}


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_open_to_all(farm: Farm, open_page: OpenPage, path: str) -> None:
    await must_be_open_to_all(await open_page(path.format(**settled(farm))))


async def test_the_login_page_is_open_to_all(open_page: OpenPage, farm: Farm) -> None:
    page = await open_page("/login", logged_in=False)
    await must_be_open_to_all(page)
    await page.get_by_label("Password").fill("wrong")
    await page.keyboard.press("Enter")
    await page.get_by_text("That is not the password.").wait_for()
    await must_be_open_to_all(page)


async def test_an_empty_farm_is_open_to_all(open_page: OpenPage, farm: Farm) -> None:
    for path in ("/", "/cpu-gpu", "/incidents"):
        await must_be_open_to_all(await open_page(path))


async def test_an_asics_token_and_a_sites_are_open_to_all(open_page: OpenPage, farm: Farm) -> None:
    page = await open_page("/asics?dialog=add")
    await page.get_by_label("Name", exact=True).fill("s19-01")
    await page.keyboard.press("Enter")
    await page.locator("#enrol-line-linux").wait_for()
    await must_be_open_to_all(page)
    await page.get_by_text("The sentry's page").click()
    await page.locator("#enrol-token").wait_for()
    await must_be_open_to_all(page)
    await page.goto("/settings")
    await page.get_by_label("Name of a new site").fill("hall 1")
    await page.keyboard.press("Enter")
    await page.locator("#created-site").wait_for()
    await must_be_open_to_all(page)
    await page.get_by_role("link", name="Revoke hall 1").click()
    await page.get_by_role("button", name="Revoke hall 1").wait_for()
    await must_be_open_to_all(page)


async def test_errors_and_tokens_are_open_to_all(open_page: OpenPage, farm: Farm) -> None:
    page = await open_page("/cpu-gpu?dialog=add")
    await page.keyboard.press("Enter")
    await page.locator("#error-name").wait_for()
    await must_be_open_to_all(page)
    await page.get_by_label("Name", exact=True).fill("rig-01")
    await page.keyboard.press("Enter")
    await page.locator("#enrol-line-linux").wait_for()
    await must_be_open_to_all(page)
    await page.get_by_text("The sentry's page").click()
    await page.locator("#enrol-token").wait_for()
    await must_be_open_to_all(page)
    await page.goto("/settings")
    await page.get_by_label("Name of a new key").fill("look")
    await page.keyboard.press("Enter")
    await page.locator("#created-key").wait_for()
    await must_be_open_to_all(page)
    await page.get_by_role("link", name="Revoke look").click()
    await page.get_by_role("button", name="Revoke look").wait_for()
    await must_be_open_to_all(page)
    await page.get_by_role("button", name="Revoke look").click()
