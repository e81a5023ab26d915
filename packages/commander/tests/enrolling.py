"""Machines that enrol by themselves, as far as the commander sees them."""

import secrets
from dataclasses import dataclass, field

import httpx
from commander_farm import RIGS, Farm, Rig
from protocol.enrolment_messages import KEY_HEADER

ENROL = "/api/v1/sentry/enrol"
IDENTITY = "/api/v1/sentry/identity"
FARM_TOKENS = "/api/v1/farm-tokens"
APPROVE = f"{RIGS}/approve"
Json = dict[str, object]


def a_mac() -> str:
    return "02:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(5))


@dataclass
class Machine:
    """A computer with a sentry's data folder. A copy of the folder on another machine has the same `key`."""

    farm: Farm
    hostname: str = "rig"
    macs: list[str] = field(default_factory=lambda: [a_mac()])
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    former_key: str | None = None

    @property
    def identity(self) -> Json:
        about: Json = {"key": self.key, "macs": self.macs, "hostname": self.hostname}
        return about | ({"former_key": self.former_key} if self.former_key else {})

    async def ask(self, token: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await self.farm.client.post(ENROL, json=self.identity, headers=headers)

    async def enrol(self, token: str) -> Rig:
        answer = await self.ask(token)
        assert answer.status_code == 201, answer.text
        rig = answer.json()["rig"]
        return Rig(rig["id"], rig["name"], answer.json()["token"])

    async def start(self, rig: Rig) -> httpx.Response:
        """Sends what a sentry sends at its start, as one that does not show its key with the rig's token."""
        return await self.farm.client.put(IDENTITY, json=self.identity, headers=rig.auth)

    def headers(self, rig: Rig) -> dict[str, str]:
        """The headers of this machine's sentry. A copy has the token of the rig with its former key."""
        return rig.auth | {KEY_HEADER: self.former_key or self.key}

    async def bind(self, rig: Rig) -> httpx.Response:
        """Sends what a sentry sends at its start, with its key beside the token."""
        return await self.farm.client.put(IDENTITY, json=self.identity, headers=self.headers(rig))

    def with_new_key(self) -> None:
        """Makes another identity, as a sentry does that was answered 409 `clone`."""
        self.former_key, self.key = self.key, secrets.token_hex(16)


async def farm_token(farm: Farm, **more: object) -> Json:
    """A new farm token as the API shows it."""
    answer = await farm.client.post(FARM_TOKENS, json=more, headers=farm.auth)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def token_text(farm: Farm, **more: object) -> str:
    return str((await farm_token(farm, **more))["token"])


async def approve(farm: Farm, **what: object) -> int:
    answer = await farm.client.post(APPROVE, json=what, headers=farm.auth)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["approved"])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"] if answer.content else ""
