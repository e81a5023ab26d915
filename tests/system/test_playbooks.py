"""The whole of it with real processes: a person's playbook, a commander, a sentry, mining software from a vendor."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cpu_gpu_sentry.playbooks.processes import mark_of, marks_below

from tests.farm import eventually, running_commander
from tests.playbook_software import EXECUTABLE, stand_in, vendor
from tests.sentry import SentryProcess, running_sentry

pytestmark = pytest.mark.system
MONERO = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"
KASPA = "kaspa:qpauqsvk7yf9unexwmxsnmg547mhyga37csh0kj53q6xxgl24ydxjsgzthw5j"
SCRIPT = "#!/bin/sh\nexec ./{executable} --software SOFTWARE --port {api_port} --print-every 0.2 # {worker}"
Json = dict[str, Any]


@dataclass
class Farm:
    """A script's view of the farm, and the sentry of its one rig."""

    script: httpx.Client
    sentry: SentryProcess
    rig_id: int
    download: str

    def post(self, path: str, body: Json) -> Json:
        answer = self.script.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        made: Json = answer.json()
        return made

    def get(self, path: str) -> Any:
        return self.script.get(path).raise_for_status().json()

    def add(self, software: str, coin: str, wallet: str) -> Json:
        """A playbook with software, pool and wallet of its own."""
        pool = {"type": "pool", "name": f"{coin} pool", "coin": coin, "address": "127.0.0.1:3333"}
        purse = {"type": "wallet", "name": f"{coin} wallet", "coin": coin, "address": wallet}
        linux = {"url": self.download, "archive": "tar.gz", "executable": EXECUTABLE}
        linux["script"] = SCRIPT.replace("SOFTWARE", software)
        about = {"name": f"Stand-in {software}", "software": software, "version": "1.0", "linux": linux}
        work = {
            "pool_id": self.post("/api/v1/addresses", pool)["id"],
            "wallet_id": self.post("/api/v1/addresses", purse)["id"],
        }
        recipe = {"software_id": self.post("/api/v1/mining-software", about)["id"], "works": [work]}
        return self.post(f"/api/v1/cpu-gpu-rigs/{self.rig_id}/playbooks", recipe)

    def state(self, playbook: Json) -> str | None:
        status = self.get(f"/api/v1/playbooks/{playbook['id']}")["status"]
        return status and f"{status['state']} {status['revision']} {status['reason'] or ''}".strip()

    def coins(self) -> set[str]:
        """What the farm's totals name."""
        return {coin["coin"] for coin in self.get("/api/v1/cpu-gpu-stats")["coins"]}

    def runs(self) -> set[str]:
        return marks_below(f"{mark_of(self.sentry.folder / 'data')}:")


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with (
        vendor(tmp_path / "vendor") as shop,
        running_commander(tmp_path) as commander,
        running_sentry(tmp_path / "sentry", SSL_CERT_FILE=str(shop.ca)) as sentry,
        commander.client(commander.api_key()) as script,
    ):
        rig = script.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).json()
        sentry.enroll(commander.url, rig["token"])
        sentry.becomes("online")
        yield Farm(script, sentry, rig["id"], shop.offer("stand-in.tar.gz", stand_in()))


def within(seconds: float, what: str, condition: Callable[[], bool]) -> None:
    eventually(condition, within_s=seconds, what=what)


def test_two_playbooks_mine_side_by_side_are_edited_and_leave_nothing_behind(farm: Farm) -> None:
    began = time.monotonic()
    cpu = farm.add("xmrig", "Monero", MONERO)
    within(30, "mining", lambda: (farm.state(cpu) or "").startswith("mining 1"))
    within(20, "its hashrate", lambda: farm.coins() == {"Monero"})
    assert time.monotonic() - began < 40
    within(20, "its output", lambda: bool(farm.get(f"/api/v1/cpu-gpu-rigs/{farm.rig_id}/output")["output"][0]["lines"]))

    gpu = farm.add("lolminer", "Kaspa", KASPA)
    within(40, "both coins", lambda: farm.coins() == {"Monero", "Kaspa"})
    assert len(farm.runs()) == 2

    before = farm.runs()
    farm.script.patch(f"/api/v1/cpu-gpu-rigs/{farm.rig_id}", json={"name": "rig-99"}).raise_for_status()
    within(
        40,
        "the new revision of both",
        lambda: all((farm.state(each) or "").startswith("mining 2") for each in (cpu, gpu)),
    )
    assert not before & farm.runs()

    farm.script.post(f"/api/v1/playbooks/{gpu['id']}/pause").raise_for_status()
    within(30, "the pause", lambda: (farm.state(gpu) or "").startswith("paused 3"))
    assert len(farm.runs()) == 1

    farm.script.delete(f"/api/v1/cpu-gpu-rigs/{farm.rig_id}").raise_for_status()
    farm.sentry.becomes("removed", within_s=40)
    within(30, "nothing left", lambda: not farm.runs())
    folders = [farm.sentry.folder / "data" / name for name in ("playbooks", "software", "downloads")]
    within(20, "no file left", lambda: not any(folder.exists() for folder in folders))
