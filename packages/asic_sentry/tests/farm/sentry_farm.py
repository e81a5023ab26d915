"""A whole ASIC sentry in this process, before fake ASICs and a small real commander."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from asic_commander import Rig as CommandersRig
from asic_commander import SmallCommander
from asic_sentry.agent import Agent, Pace
from asic_sentry.asics import store
from asic_sentry.asics.asic import Asic, Rig
from asic_sentry.asics.store import SCHEMA, STORE, NewAsic
from asic_sentry.connect import connect
from asic_sentry.device import Device
from asic_sentry.poll import Identity
from asic_sentry.settings import Settings
from fake_asics import FakeAsic
from protocol.asic_messages import AsicSpecs
from protocol.tokens import Token, TokenKind, new_token
from sentry_kit import store as kit
from sentry_kit.worker import Worker

BASE = 20_000
DIALECTS = {
    "antminer": "antminer",
    "whatsminer": "whatsminer_v1",
    "avalon": "avalon",
    "axeos": "axeos",
    "iceriver": "iceriver",
}
SPECS = {
    "antminer": AsicSpecs(make="Antminer", model="S19 Pro"),
    "whatsminer": AsicSpecs(make="Whatsminer", model="M30S++"),
    "avalon": AsicSpecs(make="Avalon", model="Q"),
    "axeos": AsicSpecs(make="BitAxe", model="Gamma"),
    "iceriver": AsicSpecs(make="IceRiver", model="KS5L"),
}
PACE = Pace(write_every_s=0.05, store_check_s=0.05, probe_every_s=0.05, over_budget_s=0.05)


def identity_of(asic: FakeAsic) -> Identity:
    return Identity(ip=asic.ip, port=asic.port, dialect=DIALECTS[asic.kind], specs=SPECS[asic.kind])


def put(db: sqlite3.Connection, asic: FakeAsic, rig: CommandersRig | None = None, *, mac: str | None = None) -> Asic:
    """Adds it without asking anybody."""
    return put_identity(db, identity_of(asic), rig, mac=mac)


def put_identity(
    db: sqlite3.Connection, identity: Identity, rig: CommandersRig | None = None, *, mac: str | None = None
) -> Asic:
    token = rig.token if rig else new_token(TokenKind.ASIC, pin=None)
    known = Rig(rig.id, rig.name) if rig else Rig(None, None)
    new = NewAsic(identity=identity, operator_model=None, mac=mac, token=token, rig=known)
    with kit.transaction(db):
        key = store.put_asic(db, new, datetime.now(UTC))
    return next(each for each in store.load_asics(db) if each.id == key)


@dataclass
class Sentry:
    """Its loops run as long as the test does; `db` is another process's view of its store."""

    agent: Agent
    db: sqlite3.Connection
    path: Path
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def device(self, ip: str) -> Device:
        return next(device for device in self.agent.poller if device.asic.ip == ip)

    def asic(self, ip: str) -> Asic:
        return next(asic for asic in store.load_asics(self.db) if asic.ip == ip)

    def add(self, asics: Sequence[FakeAsic], commander: SmallCommander) -> dict[str, CommandersRig]:
        rigs = {asic.ip: commander.add_rig(asic.ip) for asic in asics}
        for asic in asics:
            put(self.db, asic, rigs[asic.ip])
        return rigs

    def give(self, ip: str, token: Token, rig: Rig) -> None:
        with kit.transaction(self.db):
            store.give_token(self.db, self.asic(ip).id, token, rig)

    async def until(self, condition: Callable[[], bool], within_s: float = 60) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await self.news.wait()
                self.news.clear()


@asynccontextmanager
async def running_sentry(
    folder: Path, commander: SmallCommander | None, *, every_s: float = 0.1, pace: Pace = PACE
) -> AsyncIterator[Sentry]:
    path = folder / STORE
    if commander is not None:
        await connect(path, commander.url, str(commander.site_token), "tests")
    disk = Worker("test")
    with closing(kit.open_store(path, SCHEMA)) as db, closing(kit.open_store(path, SCHEMA)) as own:
        agent = Agent(Settings(data_dir=folder, poll_every_s=every_s), own, disk, connections=500, pace=pace)
        sentry = Sentry(agent, db, path)
        agent.changed = sentry.news.set
        await agent.reload()
        async with asyncio.TaskGroup() as group:
            loops = [agent.poller.poll_for_ever, agent.write_for_ever, agent.follow_store_for_ever, agent.uploader.run]
            tasks = [group.create_task(loop()) for loop in loops]
            try:
                yield sentry
            finally:
                for task in tasks:
                    task.cancel()
        assert disk.end(within_s=10)
