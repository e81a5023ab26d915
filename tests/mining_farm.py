"""A real commander with a real sentry that mines: its playbooks download stand-ins from a vendor's HTTPS server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.farm import CommanderProcess
from tests.playbook_rig import miners_of, processes_of
from tests.playbook_software import EXECUTABLE, Vendor, sha256, stand_in, vendor
from tests.sentry import SentryProcess, running_sentry

BODY = stand_in()
SCRIPT = "exec ./{executable} --software %s --port {api_port} --print-every 0.5 --devices {devices}"


@dataclass
class MiningFarm:
    """One rig with its sentry, whose playbooks are changed by the API for scripts."""

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


@contextmanager
def mining_farm(commander: CommanderProcess, folder: Path, **more: str) -> Iterator[MiningFarm]:
    """An enrolled sentry and a vendor, as long as the block lasts. `more` is for the sentry's environment."""
    with (
        vendor(folder / "vendor") as shop,
        commander.client(commander.api_key()) as people,
        running_sentry(folder / "sentry", SSL_CERT_FILE=str(shop.ca), **more) as sentry,
    ):
        rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).json()
        sentry.enroll(commander.url, rig["token"])
        sentry.becomes("online")
        yield MiningFarm(people, rig["id"], sentry, shop)
