"""The whole way of a playbook: made through the commander's API, carried out by a real sentry on a rig of its own, with
software from a vendor's HTTPS server, until the rig is removed and nothing of it is left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.farm import CommanderProcess, eventually
from tests.playbook_rig import miners_of, processes_of
from tests.playbook_software import EXECUTABLE, Vendor, sha256, stand_in, vendor
from tests.sentry import SentryProcess, running_sentry

pytestmark = pytest.mark.system
BODY = stand_in()
SCRIPT = "exec ./{executable} --software %s --port {api_port} --print-every 0.5 --devices {devices}"


@dataclass
class Farm:
    """One rig, whose playbooks are changed by the API for scripts."""

    people: httpx.Client
    rig_id: int
    sentry: SentryProcess
    shop: Vendor

    @property
    def data_dir(self) -> Path:
        return self.sentry.folder / "data"

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.people.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    def software(self, name: str, software: str, *, hashed: bool = True) -> int:
        url = self.shop.offer(f"{software}.tar.gz", BODY)
        linux = {
            "url": url, "archive": "tar.gz", "executable": EXECUTABLE, "script": SCRIPT % software,
            "sha256": sha256(BODY) if hashed else None,
        }  # fmt: skip
        added = self.post("mining-software", name=name, software=software, version="1.0", linux=linux)
        return int(added["id"])

    def work(self, coin: str) -> dict[str, Any]:
        pool = self.post("addresses", type="pool", name=f"{coin} pool", address="pool.example:443", coin=coin)
        wallet = self.post(
            "addresses", type="wallet", name=f"{coin} wallet", address=f"{coin.lower()}1q2w3e4r5t6y7u8i9o0p", coin=coin
        )
        return {"algorithm": "stand-in", "coin": coin, "pool_id": pool["id"], "wallet_id": wallet["id"]}

    def add_playbook(self, software_id: int, coin: str, devices: int, **other: Any) -> dict[str, Any]:
        body = {"software_id": software_id, "works": [self.work(coin)], "variables": {"devices": str(devices)}}
        return self.post(f"cpu-gpu-rigs/{self.rig_id}/playbooks", **(body | other))

    def change(self, playbook: dict[str, Any], **other: Any) -> None:
        kept = {name: playbook[name] for name in ("software_id", "name", "script", "works", "variables")}
        answer = self.people.put(f"/api/v1/playbooks/{playbook['id']}", json=kept | other)
        assert answer.status_code == 200, answer.text

    def status(self, playbook: dict[str, Any]) -> dict[str, Any]:
        now: dict[str, Any] = self.people.get(f"/api/v1/playbooks/{playbook['id']}").json()
        return now["status"] or {}

    def hashrates(self) -> dict[str, float]:
        """The farm's, by coin."""
        coins = self.people.get("/api/v1/cpu-gpu-stats").json()["coins"]
        return {each["coin"]: each["hashrate_hs"] for each in coins if each["hashrate_hs"]}

    def output(self) -> list[list[str]]:
        """Returns the last lines of each playbook's output."""
        answer = self.people.get(f"/api/v1/cpu-gpu-rigs/{self.rig_id}/output", params={"tail": 50})
        return [[line["text"] for line in each["lines"]] for each in answer.json()["output"]]

    def processes(self) -> list[psutil.Process]:
        return processes_of(self.data_dir)

    def miners(self) -> list[str]:
        return [" ".join(command) for command in miners_of(self.data_dir)]


def printed_last(lines: list[str], words: str) -> bool:
    """One that has printed nothing yet has not printed that either."""
    return bool(lines) and words in lines[-1]


@contextmanager
def farm_of(commander: CommanderProcess, folder: Path) -> Iterator[Farm]:
    with (
        vendor(folder / "vendor") as shop,
        commander.client(commander.api_key()) as people,
        running_sentry(folder / "sentry", SSL_CERT_FILE=str(shop.ca)) as sentry,
    ):
        rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).json()
        sentry.enroll(commander.url, rig["token"])
        sentry.becomes("online")
        yield Farm(people, rig["id"], sentry, shop)


@pytest.fixture
def farm(commander: CommanderProcess, tmp_path: Path) -> Iterator[Farm]:
    with farm_of(commander, tmp_path) as ready:
        yield ready


def test_a_rig_mines_what_it_is_told_until_it_is_removed(farm: Farm) -> None:
    begun = time.monotonic()
    cpu = farm.add_playbook(farm.software("Stand-in CPU", "xmrig"), "Alpha", 4)
    eventually(lambda: "Alpha" in farm.hashrates(), within_s=60, what="the first coin's hashrate")
    assert time.monotonic() - begun < 20  # 3 s on a machine that has nothing else to do
    eventually(lambda: farm.status(cpu)["state"] == "mining", within_s=10, what="its state")

    gpu = farm.add_playbook(farm.software("Stand-in GPU", "lolminer", hashed=False), "Beta", 2)
    eventually(lambda: set(farm.hashrates()) == {"Alpha", "Beta"}, within_s=60, what="both coins in the totals")
    assert len(farm.miners()) == 2
    assert farm.status(gpu)["pinned_sha256"] == sha256(BODY)

    first = [each.pid for each in farm.processes()]
    farm.change(gpu, variables={"devices": "6"})
    eventually(lambda: any("--devices 6" in line for line in farm.miners()), within_s=60, what="the swap")
    eventually(lambda: farm.hashrates().get("Beta", 0) > 300e6, within_s=30, what="six cards' hashrate")
    assert len(set(first) & {each.pid for each in farm.processes()}) == 2, "the other one was left running"

    eventually(lambda: all(printed_last(lines, "accepted (") for lines in farm.output()), within_s=20, what="output")
    assert not any("\x1b" in line for lines in farm.output() for line in lines)

    assert farm.people.delete(f"/api/v1/cpu-gpu-rigs/{farm.rig_id}").status_code in (200, 204)
    eventually(lambda: not farm.processes(), within_s=60, what="the end of all miners")
    farm.sentry.becomes("removed")
    folders = [farm.data_dir / name for name in ("playbooks", "software", "downloads")]
    eventually(lambda: not any(folder.exists() for folder in folders), within_s=30, what="no file")


def test_a_failure_reaches_the_commander_with_its_reason_and_last_words(farm: Farm) -> None:
    bad = farm.software("Stand-in", "xmrig")
    script = "echo no card for port {api_port} >&2; exit 9"
    playbook = farm.add_playbook(bad, "Alpha", 1, script=script, variables={})
    eventually(lambda: farm.status(playbook).get("state") == "failed", within_s=90, what="the failure")
    status = farm.status(playbook)
    assert "exit code 9" in status["reason"]
    assert status["last_lines"][-1].startswith("no card for port ")


def test_a_paused_one_rests_and_comes_back(farm: Farm) -> None:
    playbook = farm.add_playbook(farm.software("Stand-in", "xmrig"), "Alpha", 2)
    for paused, state in ((False, "mining"), (True, "paused"), (False, "mining")):
        farm.change(playbook, paused=paused)
        eventually(lambda state=state: farm.status(playbook).get("state") == state, within_s=60, what=state)  # type: ignore[misc]
        assert bool(farm.miners()) is not paused
    assert len(farm.shop.asked) == 1
