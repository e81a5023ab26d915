"""From nothing to mining, by a person in a browser and a stand-in sentry over the real API."""

import pytest
from playwright.async_api import Page, expect

from .conftest import OpenPage
from .people_and_sentries import Farm, Rig, log_of
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MONERO = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"
OTHER = "888tNkZrPN6JsEgekjMnABU4TBzc2Dt29EPAvkRxbANsAnjyPbb3iQ1YBRk1UXcdRsiKc9dhwMVgN5S9cQUiyoogDavup3H"
SCRIPT = "#!/bin/sh\nexec ./{executable} -o {pool} -u {wallet}.{worker} --http-port={api_port}"


class Sentry:
    """Reports of a rig's sentry about its one playbook."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.client = rig.farm.client
        self.headers = {"Authorization": f"Bearer {rig.token}"}

    def playbook(self) -> dict[str, object]:
        answer = self.client.get("/api/v1/sentry/playbooks", headers=self.headers)
        found: list[dict[str, object]] = answer.json()["playbooks"]
        return found[0]

    def tell(self, state: str, **more: object) -> None:
        playbook = self.playbook()
        status = {"playbook_id": playbook["id"], "revision": playbook["revision"], "state": state, **more}
        body = {"playbooks": [status]}
        self.client.put("/api/v1/sentry/playbooks/status", json=body, headers=self.headers).raise_for_status()

    def print(self, *lines: str, first: int = 0) -> None:
        told = {"playbook_id": self.playbook()["id"], "run": "one", "first_line": first, "lines": list(lines)}
        self.client.post("/api/v1/sentry/output", json={"output": [told]}, headers=self.headers).raise_for_status()

    def report(self, user: str, pool: str = "pool.example:443") -> None:
        log = log_of(17_000.0)
        miner = log["miners"][0]  # type: ignore[index]  # a list, as log_of makes it
        miner["playbook_id"] = self.playbook()["id"]
        miner["algorithms"][0] |= {"user": user, "pool": pool}
        self.client.post("/api/v1/sentry/logs", json={"logs": [log]}, headers=self.headers).raise_for_status()


def clear(farm: Farm) -> None:
    """Addresses and software of the tests before; nothing uses them any more."""
    for each in farm.client.get("/api/v1/addresses").json():
        farm.client.delete(f"/api/v1/addresses/{each['id']}").raise_for_status()
    for each in farm.client.get("/api/v1/mining-software").json():
        if not each["shipped"]:
            farm.client.delete(f"/api/v1/mining-software/{each['id']}").raise_for_status()


def settled(farm: Farm) -> tuple[Rig, Sentry, dict[str, object]]:
    """A rig with one playbook, and what it was made of."""
    clear(farm)
    rig = farm.add("rig-07")

    def post(path: str, body: dict[str, object]) -> dict[str, object]:
        answer = farm.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, object] = answer.json()
        return made

    pool = post("/api/v1/addresses", {"type": "pool", "name": "Pool", "address": "pool.example:443"})
    wallet = post("/api/v1/addresses", {"type": "wallet", "name": "Wallet", "coin": "Monero", "address": MONERO})
    known = {each["software"]: each["id"] for each in farm.client.get("/api/v1/mining-software").json()}
    work = {"algorithm": "rx/0", "pool_id": pool["id"], "wallet_id": wallet["id"]}
    body = {"software_id": known["xmrig"], "name": "Main", "works": [work]}
    playbook = post(f"/api/v1/cpu-gpu-rigs/{rig.id}/playbooks", body)
    return rig, Sentry(rig), {"pool": pool["id"], "wallet": wallet["id"], "playbook": playbook["id"], **known}


async def add_address(page: Page, what: str, name: str, coin: str, address: str) -> None:
    await page.get_by_role("link", name=f"Add {what}", exact=True).click()
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Coin").fill(coin)
    await page.get_by_label("Address").fill(address)
    await page.get_by_role("button", name=f"Add {what}").click()
    await expect(page.get_by_role("rowheader", name=name)).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["with-script", "without-script"])
async def test_from_a_template_to_mining(farm: Farm, open_page: OpenPage, script: bool) -> None:
    clear(farm)
    rig = farm.add("rig-07")
    page = await open_page("/templates", java_script_enabled=script)
    await add_address(page, "pool", "My pool", "Monero", "stratum+ssl://pool.example:443")
    await add_address(page, "wallet", "My wallet", "xmr", MONERO)

    await page.get_by_role("link", name="Mining software", exact=True).click()
    await page.get_by_role("link", name="Add mining software").click()
    for label, text in (("Name", "Our miner"), ("Version", "1.0"), ("Miner API type", "xmrig")):
        await page.get_by_label(label, exact=True).fill(text)
    linux = page.locator(".card", has=page.get_by_role("heading", name="For Linux"))
    await linux.get_by_label("Download address").fill("https://downloads.example/miner.tar.gz")
    await linux.get_by_label("Program in the archive").fill("miner/miner")
    await linux.get_by_label("Script template").fill(SCRIPT)
    await page.get_by_role("button", name="Add mining software").click()
    await expect(page.get_by_role("rowheader", name="Our miner yours")).to_be_visible()

    await page.goto(f"/cpu-gpu/{rig.id}")
    await page.get_by_role("link", name="Add playbook").click()
    await page.get_by_role("link", name="Our miner 1.0").click()
    await page.get_by_role("button", name="Add playbook").click()
    await expect(page.locator("#error-wallet")).to_contain_text("Choose a wallet")
    await page.get_by_label("Pool", exact=True).select_option(label="My pool – stratum+ssl://pool.example:443 (Monero)")
    await page.get_by_label("Wallet", exact=True).select_option(index=1)
    await page.get_by_label("Algorithm").fill("rx/0")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#preview")).to_contain_text(f"-u {MONERO}.rig-07")
    await page.get_by_role("button", name="Add playbook").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Our miner Monero")
    await expect(page.get_by_text("Not yet on the rig")).to_be_visible()

    sentry = Sentry(rig)
    for state, words in (("downloading", "Downloading 42 %"), ("installing", "Installing"), ("mining", "Mining")):
        sentry.tell(state, percent=42.0 if state == "downloading" else None)
        if not script:
            await page.reload()
        await expect(page.locator("#playbook-state")).to_contain_text(words)


async def test_the_rig_s_page_follows_its_playbook(farm: Farm, open_page: OpenPage) -> None:
    rig, sentry, _ = settled(farm)
    page, index = await open_page(f"/cpu-gpu/{rig.id}"), await open_page("/cpu-gpu")
    for opened in (page, index):
        await expect(opened.locator("body")).to_have_attribute("data-state", "live")
    sentry.tell("mining")
    await expect(page.locator("#rig-playbooks")).to_contain_text("Mining")
    sentry.print("one", "two")
    await expect(page.locator("#rig-output")).to_contain_text("two")
    sentry.print("two", "three", first=1)
    await expect(page.locator("#rig-output code")).to_have_text("one\ntwo\nthree")
    sentry.report(user=f"{MONERO}.rig-07")
    await expect(page.get_by_text("17.0 kH/s").first).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)
    sentry.report(user=OTHER)
    await expect(page.get_by_role("alert")).to_contain_text("Main does not mine what it should")
    sentry.tell("failed", reason="exit code 1", last_lines=["no GPU found"])
    await expect(index.locator(f"#rig-{rig.id}")).to_contain_text("Playbook failed")
    await index.get_by_role("link", name="Playbook failed").click()
    await expect(index.get_by_text("exit code 1")).to_be_visible()


async def test_a_new_name_reaches_every_page_that_shows_it(farm: Farm, open_page: OpenPage) -> None:
    rig, _, made = settled(farm)
    base = f"/cpu-gpu/{rig.id}/playbooks"
    other = farm.add("rig-09")
    paths = [base, f"{base}/new", f"{base}/{made['playbook']}", f"{base}/{made['playbook']}/edit"]
    pages = [await open_page(path) for path in paths]
    form, copying = pages[3], await open_page(f"{base}/{made['playbook']}/copy")
    for page in [*pages, copying]:
        await expect(page.locator("body")).to_have_attribute("data-state", "live")
    await form.get_by_label("Name", exact=True).fill("Half a na")
    farm.rename(rig, "rig-08")
    farm.rename(other, "rig-10")
    for page in [*pages, copying]:
        await expect(page.get_by_role("navigation", name="Breadcrumb")).to_contain_text("rig-08")
        await expect(page.get_by_text("rig-07")).to_have_count(0)
    await expect(pages[0]).to_have_title("Playbooks of rig-08 · Minewarden")
    await expect(pages[1]).to_have_title("New playbook for rig-08 · Minewarden")
    await expect(copying.get_by_label("rig-10")).to_be_visible()
    await expect(form.get_by_label("Name", exact=True)).to_have_value("Half a na")
    farm.remove(rig)
    for page in [*pages, copying]:
        await page.wait_for_url("**/cpu-gpu?removed=rig-08")


async def test_the_log_page_shows_what_the_mining_software_prints(farm: Farm, open_page: OpenPage) -> None:
    rig, sentry, _ = settled(farm)
    sentry.print("first line")
    page = await open_page(f"/cpu-gpu/{rig.id}/log")
    await expect(page.locator("#rig-output")).to_contain_text("first line")
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    sentry.print("first line", "second line")
    await expect(page.locator("#rig-output")).to_contain_text("second line")


async def test_an_edited_wallet_asks_first_and_then_reaches_the_rig(farm: Farm, open_page: OpenPage) -> None:
    rig, sentry, made = settled(farm)
    page, other = await open_page("/templates"), await open_page(f"/cpu-gpu/{rig.id}/playbooks/{made['playbook']}")
    await expect(other.locator("body")).to_have_attribute("data-state", "live")
    await page.get_by_role("link", name="Edit wallet Wallet").click()
    await page.get_by_label("Address").fill(OTHER)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Main on rig-07")
    await page.get_by_role("button", name="Save and restart 1 playbook").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert OTHER in str(sentry.playbook()["script"])
    await expect(other.get_by_text("The wallet Wallet was edited")).to_be_visible()
    await page.get_by_role("link", name="Remove wallet Wallet").click()
    await expect(page.get_by_role("dialog")).to_contain_text("is in use")
    await page.get_by_role("link", name="Close").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_playbook_is_copied_and_removed(farm: Farm, open_page: OpenPage) -> None:
    rig, _, made = settled(farm)
    second = farm.add("rig-08")
    page = await open_page(f"/cpu-gpu/{rig.id}/playbooks/{made['playbook']}")
    await page.get_by_role("link", name="Copy to other rigs").click()
    await page.get_by_label("rig-08").check()
    await page.get_by_role("button", name="Preview for the ticked rigs").click()
    await expect(page.get_by_role("row", name="rig-08")).to_contain_text("Gets it")
    await must_be_open_to_all(page)
    await page.get_by_role("button", name="Copy Main to 1 rig").click()
    await expect(page.get_by_role("row", name="rig-08")).to_contain_text("Copied")
    assert f"{MONERO}.rig-08" in str(Sentry(second).playbook()["script"])
    await must_be_open_to_all(page)
    await page.get_by_role("link", name="Back to the playbook").click()
    await page.get_by_role("link", name="Remove").click()
    await expect(page.get_by_role("dialog")).to_contain_text("The sentry of rig-07 stops this mining software")
    await page.get_by_role("button", name="Remove Main").click()
    await expect(page.get_by_text("No playbooks yet")).to_be_visible()


PAGES = [
    "/templates",
    "/templates?dialog=add&type=wallet",
    "/templates?dialog=remove&address={pool}",
    "/mining-software",
    "/mining-software/new",
    "/mining-software/{lolminer}",
    "/mining-software?dialog=remove&software={rigel}",
    "/cpu-gpu",
    "/cpu-gpu/{rig}",
    "/cpu-gpu/{rig}/playbooks",
    "/cpu-gpu/{rig}/playbooks/new",
    "/cpu-gpu/{rig}/playbooks/new?software={lolminer}",
    "/cpu-gpu/{rig}/playbooks/{playbook}?revision=1",
    "/cpu-gpu/{rig}/playbooks/{playbook}?dialog=remove",
    "/cpu-gpu/{rig}/playbooks/{playbook}/edit",
    "/cpu-gpu/{rig}/playbooks/{playbook}/copy",
    "/cpu-gpu/{rig}/playbooks/{playbook}/copy?select=tga:hall",
    "/playbooks/copy?select=name:*",
]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_open_to_all(farm: Farm, open_page: OpenPage, path: str) -> None:
    rig, sentry, made = settled(farm)
    farm.add("rig-08")
    sentry.tell("failed", reason="exit code 1", last_lines=["no GPU found"])
    sentry.print("a line of output " * 20)
    sentry.report(user=OTHER)
    await must_be_open_to_all(await open_page(path.format(rig=rig.id, **made)))


async def test_empty_pages_and_errors_are_open_to_all(farm: Farm, open_page: OpenPage) -> None:
    clear(farm)
    rig = farm.add("rig-07")
    for path in ("/templates", f"/cpu-gpu/{rig.id}/playbooks"):
        await must_be_open_to_all(await open_page(path))
    page = await open_page(f"/cpu-gpu/{rig.id}/playbooks/new")
    await page.get_by_role("link", name="XMRig").click()
    await page.get_by_label("Script template").fill("{mine}")
    await page.get_by_role("button", name="Add playbook").click()
    await page.locator("#error-script").wait_for()
    await must_be_open_to_all(page)
