"""`make screenshots`: the pictures of the README and the docs, taken of a real commander with a simulated farm.

A day of logs is sent first. Then all rigs report every five seconds, but for those that have trouble: the rigs of one
switch are silent, a card is too hot, a miner has 0 H/s, a fan of an ASIC has stopped.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
from playwright.sync_api import Page, ViewportSize, sync_playwright
from protocol.messages import CpuGpuLog, MinerState
from simulated_asics import SimulatedAsic, simulated_asic
from simulated_rig import SimulatedRig, simulated_rig

from tests.farm import PASSWORD, ROOT, eventually, running_commander

from .conftest import ARGUMENTS
from .people_and_sentries import Asic, Farm, Rig

OUT = ROOT / "docs" / "images"
LIMIT_BYTES = 150_000
SEED = 5
RIGS, ASICS = 18, 8
PAST, PAST_EVERY = timedelta(hours=25), timedelta(seconds=50)
SILENT, HOT, IDLE = range(13, 18), 3, 8
EVERY_S = 5.0
DESKTOP, PHONE = ViewportSize(width=1240, height=800), ViewportSize(width=390, height=800)
SETTINGS = {"COMMANDER_INCIDENT_GROUP_WAIT_S": "2"}
AT_ONCE = {"offline": {"critical": 70}, "temperature": {"for_s": 0}, "no_hashrate": {"for_s": 0}, "fan": {"for_s": 0}}


@dataclass
class Reporting:
    """The rigs and ASICs with their simulations. `run` reports until `ended` is set."""

    rigs: list[tuple[Rig, SimulatedRig]] = field(default_factory=list)
    asics: list[tuple[Asic, SimulatedAsic]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def ill(self) -> int:
        """The first ASIC with several fans."""
        return next(number for number, (_, simulated) in enumerate(self.asics) if simulated.model.fans > 2)

    def send_past(self, now: datetime) -> None:
        moments = [now - PAST + PAST_EVERY * number for number in range(PAST // PAST_EVERY)]
        for rig, simulated in self.rigs:
            rig.tell_specs(plain(simulated.specs()))
            rig.send([plain(log) for moment in moments if (log := simulated.log(moment))])
        for asic, machine in self.asics:
            logs = [plain(asic_log) for moment in moments if (asic_log := machine.log(moment))]
            for start in range(0, len(logs), 300):
                item = {"token": asic.token, "specs": plain(machine.specs()), "logs": logs[start : start + 300]}
                asic.farm.report_asics(item)

    def run(self) -> None:
        while not self.ended.wait(EVERY_S):
            now = datetime.now(UTC)
            for number, (rig, simulated) in enumerate(self.rigs):
                if number not in SILENT and (log := simulated.log(now)):
                    rig.send([troubled(number, log)])
            for number, (asic, machine) in enumerate(self.asics):
                if asic_log := machine.log(now):
                    body = plain(asic_log)
                    if number == self.ill:
                        body["fans_rpm"] = [0.0, *body["fans_rpm"][1:]]
                    asic.farm.report_asics({"token": asic.token, "logs": [body]})


def plain(message: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(message))


def troubled(number: int, log: CpuGpuLog) -> dict[str, Any]:
    if number == HOT and log.gpus:
        hot = msgspec.structs.replace(log.gpus[0], temperature_c=91.0, fan_percent=100.0)
        log = msgspec.structs.replace(log, gpus=[hot, *log.gpus[1:]])
    body: dict[str, Any] = plain(log)
    if number == IDLE:
        for miner in body["miners"]:
            miner["state"] = MinerState.STALLED.value
            for work in miner["algorithms"]:
                work["hashrate_hs"] = 0.0
            for device in miner["devices"]:
                device["hashrates_hs"] = [0.0 for _ in device["hashrates_hs"]]
    return body


def made_farm(farm: Farm) -> Reporting:
    reporting = Reporting()
    for number in range(RIGS):
        rig = farm.add(f"rig-{number + 1:02d}")
        farm.tag("cpu-gpu", rig.id, f"hall:{1 + number // 9}", f"switch:sw-{1 + (number > 6) + (number in SILENT)}")
        cards = None if number % 6 == 5 else 6
        reporting.rigs.append((rig, simulated_rig(number, seed=SEED, cards=cards)))
    for number in range(ASICS):
        asic = farm.add_asic(f"asic-{number + 1:02d}")
        farm.tag("asic", asic.id, "hall:3")
        reporting.asics.append((asic, simulated_asic(number, seed=SEED)))
    return reporting


def quick_rules(client: httpx.Client) -> None:
    """The shipped rules wait for minutes; those of the pictures do not."""
    for rule in client.get("/api/v1/alert-rules").json()["rules"]:
        if change := AT_ONCE.get(rule["rule"]):
            body = {key: value for key, value in rule.items() if key not in ("id", "shipped")} | change
            client.put(f"/api/v1/alert-rules/{rule['id']}", json=body).raise_for_status()


def take(page: Page, name: str, path: str, ready: Callable[[Page], None]) -> None:
    page.goto(path)
    ready(page)
    picture = page.screenshot(path=OUT / f"{name}.png", animations="disabled", caret="hide")
    print(f"docs/images/{name}.png {len(picture):,} bytes")
    if len(picture) > LIMIT_BYTES:
        sys.exit(f"docs/images/{name}.png has more than {LIMIT_BYTES:,} bytes; make the page smaller.")


def charts_are_drawn(page: Page) -> None:
    page.locator("canvas").first.wait_for(timeout=20_000)
    page.wait_for_function("document.querySelectorAll('canvas').length > 2")
    page.get_by_role("heading", name="Over time").evaluate("heading => heading.scrollIntoView()")
    page.wait_for_timeout(1_500)  # the last chart is drawn in an animation frame of its own


def take_all(url: str, hot: int, incident: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*ARGUMENTS])
        context = browser.new_context(ignore_https_errors=True, base_url=url, viewport=DESKTOP, color_scheme="light")
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{url}/")
        take(page, "rig", f"/cpu-gpu/{hot}", settled)
        take(page, "charts", f"/cpu-gpu/{hot}/log?range=24h", charts_are_drawn)
        take(page, "incident", f"/incidents/{incident}", settled)
        take(page, "overview", "/", settled)
        page.emulate_media(color_scheme="dark")
        take(page, "dark", "/cpu-gpu", settled)
        state = context.storage_state()
        phone = browser.new_context(
            ignore_https_errors=True, base_url=url, viewport=PHONE, storage_state=state, is_mobile=True, has_touch=True
        )
        take(phone.new_page(), "phone", "/", settled)
        browser.close()


def settled(page: Page) -> None:
    page.wait_for_load_state("load")
    page.wait_for_timeout(2_500)  # the first frames of the live page


def main() -> None:
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_commander(Path(folder), **SETTINGS) as commander:
        farm, sentries = Farm.of(commander), Farm.of(commander)
        quick_rules(farm.client)
        reporting = made_farm(farm)
        reporting.rigs = [(Rig(sentries, rig.id, rig.name, rig.token), each) for rig, each in reporting.rigs]
        reporting.asics = [(Asic(sentries, asic.id, asic.name, asic.token), each) for asic, each in reporting.asics]
        started_s = time.monotonic()
        reporting.send_past(datetime.now(UTC))
        print(f"sent {PAST} of logs in {time.monotonic() - started_s:.0f} s")
        reports = threading.Thread(target=reporting.run, daemon=True)
        reports.start()
        try:
            incident = opened_incident(farm.client)
            take_all(commander.url, reporting.rigs[HOT][0].id, incident)
        finally:
            reporting.ended.set()
            reports.join()


def opened_incident(client: httpx.Client) -> int:
    """Returns the incident of the silent rigs, when all incidents are open."""
    found: dict[str, Any] = {}

    def are_open() -> bool:
        incidents = client.get("/api/v1/incidents?state=open").json()["incidents"]
        found.update({each["rule"]: each for each in incidents})
        return set(AT_ONCE) <= set(found) and len(found["offline"]["rigs"]) == len(SILENT)

    eventually(are_open, within_s=180, what="the incidents")
    return int(found["offline"]["id"])


if __name__ == "__main__":
    main()
