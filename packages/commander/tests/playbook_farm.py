"""Makes addresses, mining software and playbooks of a farm, each by one call."""

from typing import Any

import httpx
from commander_farm import RIGS, Farm, Rig

ADDRESSES = "/api/v1/addresses"
SOFTWARE = "/api/v1/mining-software"
PLAYBOOKS = "/api/v1/playbooks"
FOR_SENTRY = "/api/v1/sentry/playbooks"
STATUS = "/api/v1/sentry/playbooks/status"
OUTPUT = "/api/v1/sentry/output"
MONERO = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"
OTHER_MONERO = "888tNkZrPN6JsEgekjMnABU4TBzc2Dt29EPAvkRxbANsAnjyPbb3iQ1YBRk1UXcdRsiKc9dhwMVgN5S9cQUiyoogDavup3H"
SCRIPT = "#!/bin/sh\nexec ./{executable} -o {pool} -u {wallet}.{worker} -p {password} --http-port={api_port}\n"
Json = dict[str, Any]


class Playbooks:
    """Requests of a script about a farm's playbooks."""

    def __init__(self, farm: Farm) -> None:
        self.farm = farm

    async def post(self, path: str, body: object, *, status: int = 201) -> Any:
        answer = await self.farm.client.post(path, json=body, headers=self.farm.auth)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def put(self, path: str, body: object, *, status: int = 200) -> Any:
        answer = await self.farm.client.put(path, json=body, headers=self.farm.auth)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def get(self, path: str) -> Any:
        answer = await self.farm.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def delete(self, path: str) -> httpx.Response:
        return await self.farm.client.delete(path, headers=self.farm.auth)

    async def pool(self, name: str = "HeroMiners", address: str = "pool.example:3333") -> int:
        body = {"type": "pool", "name": name, "coin": "Monero", "address": address}
        return int((await self.post(ADDRESSES, body))["id"])

    async def wallet(self, name: str = "Cold wallet", address: str = MONERO) -> int:
        body = {"type": "wallet", "name": name, "coin": "xmr", "address": address}
        return int((await self.post(ADDRESSES, body))["id"])

    async def software(self, **more: object) -> int:
        return int((await self.post(SOFTWARE, a_software(**more)))["id"])

    async def spec(self, **more: object) -> Json:
        """The body of a playbook, with a pool, a wallet and a software of its own."""
        work = {"algorithm": "rx/0", "pool_id": await self.pool(), "wallet_id": await self.wallet()}
        return {"software_id": await self.software(), "works": [work], **more}

    async def add(self, rig: Rig, spec: Json | None = None, **more: object) -> Json:
        body = {**(spec or await self.spec()), **more}
        added: Json = await self.post(f"{RIGS}/{rig.id}/playbooks", body)
        return added

    async def wire(self, rig: Rig, **headers: str) -> httpx.Response:
        return await self.farm.client.get(FOR_SENTRY, headers=rig.auth | headers)

    async def tell(self, rig: Rig, *statuses: Json) -> None:
        answer = await self.farm.client.put(STATUS, json={"playbooks": statuses}, headers=rig.auth)
        assert answer.status_code == 204, answer.text

    async def print(self, rig: Rig, playbook_id: int, lines: list[str], *, run: str = "a", first: int = 0) -> None:
        told = {"playbook_id": str(playbook_id), "run": run, "first_line": first, "lines": lines}
        answer = await self.farm.client.post(OUTPUT, json={"output": [told]}, headers=rig.auth)
        assert answer.status_code == 204, answer.text

    async def printed(self, rig: Rig, tail: int = 2000) -> list[str]:
        """The lines of the rig's first playbook."""
        output = (await self.get(f"{RIGS}/{rig.id}/output?tail={tail}"))["output"]
        return [line["text"] for line in output[0]["lines"]]


def a_software(**more: object) -> Json:
    linux = {
        "url": "https://downloads.example/miner-1.0.tar.gz",
        "archive": "tar.gz",
        "executable": "miner-1.0/miner",
        "script": SCRIPT,
        "sha256": "ab" * 32,
    }
    return {"name": "Miner", "software": "xmrig", "version": "1.0", "hardware": "cpu", "linux": linux, **more}


def another(mark: object) -> str:
    """Returns a script that differs from the others: a rig can't have two equal playbooks."""
    return f"{SCRIPT}# {mark}\n"


def a_status(playbook: Json, state: str, **more: object) -> Json:
    return {"playbook_id": str(playbook["id"]), "revision": playbook["revision"], "state": state, **more}
