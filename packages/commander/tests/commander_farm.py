"""A farm of a real commander, with the requests that many tests make."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
import uvicorn
import websockets
from commander.accounts.actions import AccountActions
from commander.accounts.domain import Role
from commander.accounts.tables import sessions
from commander.app import create_app
from commander.db import open_database
from commander.live.long_poll import LongPoll
from commander.settings import Settings, load_settings
from litestar.testing import AsyncTestClient

PASSWORD = "correct horse"
LOGS = "/api/v1/sentry/logs"
RIGS = "/api/v1/cpu-gpu-rigs"
ASIC_LOGS = "/api/v1/sentry/asic-logs"
ASICS = "/api/v1/asic-rigs"

SQLITE = pytest.param("sqlite", marks=pytest.mark.commander)
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.servers)
on_sqlite = pytest.mark.parametrize("kind", [SQLITE], indirect=True)
on_postgresql = pytest.mark.parametrize("kind", [POSTGRESQL], indirect=True)


def settings_of(folder: Path, database_url: str) -> Settings:
    """The settings of a commander that keeps its data in this folder and needs no TLS."""
    return load_settings(
        {
            "COMMANDER_DATA_DIR": str(folder),
            "COMMANDER_HOST": "127.0.0.1",
            "COMMANDER_TLS": "off",
            "COMMANDER_HOSTS": "testserver.local",  # of the client without a network
            "COMMANDER_DATABASE_URL": database_url,
        }
    )


def running(settings: Settings) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """The commander of these settings; inside, its client talks to it without a network."""
    return AsyncTestClient(create_app(settings))


def a_log(
    seconds_ago: float = 0, *, hashrate_hs: float | None = 17_000.0, power_w: float | None = 200.0
) -> dict[str, object]:
    """Returns a full log of a rig with one GPU and xmrig, in the form of JSON."""
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


def an_asic_log(seconds_ago: float = 0, **more: object) -> dict[str, object]:
    """Returns a full log of an Antminer S19 Pro that mines well, in the form of JSON."""
    board = {"hashrate_hs": 36.7e12, "chip_temperature_c": 66.0, "chips": 114, "expected_chips": 114}
    pool = {"url": "stratum+tcp://pool.example:3333", "user": "farm.s19", "state": "connected"}
    return {
        "taken_at": (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat(),
        "uptime_s": 50_474,
        "lan_ip": "192.168.1.50",
        "algorithm": "SHA-256",
        "coin": "Bitcoin",
        "hashrate_hs": 110e12,
        "hashrate_window_s": 5,
        "average_hashrate_hs": 109.5e12,
        "expected_hashrate_hs": 110e12,
        "power_w": 3250.0,
        "power_source": "reported",
        "temperature_c": 66.0,
        "boards": [{"slot": slot, **board} for slot in (1, 2, 3)],
        "fans_rpm": [6000.0, 5880.0, 5040.0, 5040.0],
        "pools": [pool | {"accepted": 990, "rejected": 10}, {"url": "backup.example:3333", "state": "standby"}],
    } | more


S19_PRO = {"make": "Antminer", "model": "S19 Pro", "mac": "02:00:5E:10:00:01", "firmware_version": "2022-07-05"}


class Clock:
    """A monotonic clock that a test sets."""

    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def serving(settings: Settings, long_poll: LongPoll | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """The commander on a real socket, for what the in-process client can't do: WebSockets and long polls."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(settings, long_poll=long_poll), log_config=None, ws="websockets-sansio")
        server = uvicorn.Server(config)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Shorter than the 50 s for which a request is held.
        async with asyncio.TaskGroup() as group, httpx.AsyncClient(base_url=address, timeout=40) as client:
            group.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
                await asyncio.sleep(0.01)
            try:
                yield client
            finally:
                server.should_exit = True


async def post_form(person: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """A form of a page, sent as a browser without script does; its redirect is not followed."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return await person.post(path, data=fields, headers=headers, follow_redirects=False)


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

    async def make_key(self, name: str = "tests") -> None:
        async with open_database(self.settings.database_url) as database:
            _, key = await AccountActions(database).create_api_key(name, Role.OWN)
        self.auth = {"Authorization": f"Bearer {key}"}

    async def add(self, name: str = "rig-01") -> Rig:
        answer = await self.client.post(RIGS, json={"name": name}, headers=self.auth)
        assert answer.status_code == 201, answer.text
        return Rig(answer.json()["id"], name, answer.json()["token"])

    async def report(self, rig: Rig, *logs: object, run: str = "") -> httpx.Response:
        headers = rig.auth | ({"Sentry-Run": run} if run else {})
        return await self.client.post(LOGS, json={"logs": list(logs)}, headers=headers)

    async def add_asic(self, name: str = "asic-01") -> Rig:
        answer = await self.client.post(ASICS, json={"name": name}, headers=self.auth)
        assert answer.status_code == 201, answer.text
        return Rig(answer.json()["id"], name, answer.json()["token"])

    async def report_asics(self, *items: object, run: str = "") -> httpx.Response:
        headers = {"Sentry-Run": run} if run else {}
        return await self.client.post(ASIC_LOGS, json={"items": items}, headers=headers)

    async def report_asic(self, asic: Rig, *logs: object, run: str = "", **more: object) -> dict[str, object]:
        """The one result of a report about one ASIC; `more` are further fields of its item, such as `specs`."""
        answer = await self.report_asics({"token": asic.token, "logs": logs, **more}, run=run)
        assert answer.status_code == 200, answer.text
        (result,) = answer.json()["results"]
        return dict(result)

    async def site_token(self, name: str = "hall 1") -> dict[str, str]:
        """The header with which a site's sentry comes."""
        answer = await self.client.post("/api/v1/site-tokens", json={"name": name}, headers=self.auth)
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self.auth)

    @property
    def cookie(self) -> str:
        """The cookies of the client, as a header has them."""
        return "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())

    def socket(self, path: str, **headers: str) -> websockets.connect:
        """A WebSocket to a served commander."""
        address = str(self.client.base_url).replace("http", "ws", 1).rstrip("/")
        return websockets.connect(address + path, additional_headers=headers, compression=None, open_timeout=60)

    async def log_in(self) -> None:
        answer = await self.client.post("/login", data={"password": PASSWORD})
        assert answer.is_redirect or answer.is_success, answer.text


async def make_stale(farm: Farm) -> None:
    """Lets the passwords of all sessions have been typed eleven minutes ago."""
    async with open_database(farm.settings.database_url) as database, database.transaction() as db:
        await db.execute(sa.update(sessions).values(confirmed_at=datetime.now(UTC) - timedelta(minutes=11)))
