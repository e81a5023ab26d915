"""What tests of the commander say often, in the field's words."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import uvicorn
import websockets
from commander.accounts.gate import Gate
from commander.app import create_app
from commander.db import open_database
from commander.settings import Settings
from litestar.testing import AsyncTestClient

PASSWORD = "correct horse"
LOGS = "/api/v1/sentry/logs"
RIGS = "/api/v1/cpu-gpu-rigs"


def running(settings: Settings) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """The commander of these settings; inside, its client talks to it without a network."""
    return AsyncTestClient(create_app(settings))


def a_log(
    seconds_ago: float = 0, *, hashrate_hs: float | None = 17_000.0, power_w: float | None = 200.0
) -> dict[str, object]:
    """A full log of a rig with one GPU and xmrig, as JSON would say it."""
    taken_at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    algorithm = {
        "algorithm": "rx/0",
        "coin": "Monero",
        "hashrate_hs": hashrate_hs,
        "accepted": 99,
        "rejected": 1,
    }
    return {
        "taken_at": taken_at.isoformat(),
        "uptime_s": 86_400,
        "lan_ip": "192.168.1.20",
        "cpu": {"temperature_c": 61.0, "load_percent": 99.0},
        "gpus": [{"pci_address": "0000:03:00.0", "temperature_c": 64.0, "fan_percent": 70.0, "power_w": power_w}],
        "miners": [
            {
                "software": "xmrig",
                "version": "6.22.2",
                "state": "mining",
                "algorithms": [algorithm],
                "devices": [{"device": "cpu", "hashrates_hs": [hashrate_hs]}],
            }
        ],
    }


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The commander on a real socket, for what the in-process client can't do: WebSockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(settings), log_config=None, ws="websockets-sansio")
        server = uvicorn.Server(config)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with asyncio.TaskGroup() as group, httpx.AsyncClient(base_url=address) as client:
            group.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
                await asyncio.sleep(0.01)
            try:
                yield client
            finally:
                server.should_exit = True


@dataclass
class Rig:
    id: int
    name: str
    token: str

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Farm:
    """A running commander, and an API key for it."""

    client: httpx.AsyncClient
    settings: Settings
    auth: dict[str, str] = field(default_factory=dict)

    async def make_key(self) -> None:
        async with open_database(self.settings.database_url) as database:
            _, key = await Gate(database).create_api_key("tests")
        self.auth = {"Authorization": f"Bearer {key}"}

    async def add(self, name: str = "rig-01") -> Rig:
        answer = await self.client.post(RIGS, json={"name": name}, headers=self.auth)
        assert answer.status_code == 201, answer.text
        return Rig(answer.json()["id"], name, answer.json()["token"])

    async def report(self, rig: Rig, *logs: object, run: str = "") -> httpx.Response:
        headers = rig.auth | ({"Sentry-Run": run} if run else {})
        return await self.client.post(LOGS, json={"logs": list(logs)}, headers=headers)

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self.auth)

    def socket(self, path: str, **headers: str) -> websockets.connect:
        """A WebSocket to a served commander."""
        address = str(self.client.base_url).replace("http", "ws", 1).rstrip("/")
        return websockets.connect(address + path, additional_headers=headers, compression=None)

    async def log_in(self) -> None:
        answer = await self.client.post("/login", data={"password": PASSWORD})
        assert answer.is_redirect or answer.is_success, answer.text
