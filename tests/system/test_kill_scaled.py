"""Two web nodes, two workers, NATS and PostgreSQL, each killed again and again under a farm of 500 rigs.

Each acknowledged log is in the database once, and pages are right again within seconds. The test only starts ended
processes again, as a service manager does.
"""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx
import psutil
import pytest
from commander.accounts.cookies import Cookies
from commander.scaled.stream import STUCK_AFTER_S
from scaled_farm import PASSWORD, ScaledFarm, WebNode, scaled_farm

from tests.farm import ROOT, eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

RIGS, KILLS_EACH, EVERY_S, RIGHT_WITHIN_S = 500, 5, 2, 5.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Log = tuple[int, datetime]


@dataclass
class Ledger:
    """The acknowledged logs, read from the simulated farm's file as it grows."""

    path: Path
    logs: list[Log] = field(default_factory=list)
    _read: int = 0

    def read_on(self) -> list[Log]:
        text = self.path.read_bytes() if self.path.exists() else b""
        whole = text.rfind(b"\n") + 1
        for line in text[self._read : whole].splitlines():
            entry = json.loads(line)
            self.logs.append((entry["rig_id"], datetime.fromisoformat(entry["taken_at"])))
        self._read = whole
        return self.logs

    def newest(self) -> dict[int, datetime]:
        newest: dict[int, datetime] = {}
        for rig_id, taken_at in self.read_on():
            newest[rig_id] = max(taken_at, newest.get(rig_id, taken_at))
        return newest


class People(NamedTuple):
    """The people of the farm: a script with its key, a browser with its cookie."""

    key: str
    cookie: str


@pytest.mark.parametrize("seed", [20_261_120])
def test_whatever_is_killed_every_acknowledged_log_is_stored_once(tmp_path: Path, seed: int) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    with scaled_farm(tmp_path) as farm:
        key = farm.api_key()
        people = People(key, log_in(farm.web[0]))
        with simulated(farm, key, ledger.path) as sentries:
            eventually(lambda: len(ledger.read_on()) > RIGS, within_s=60, what="a first round of reports")
            kill_again_and_again(farm, people, ledger, seed)
            sentries.send_signal(signal.SIGTERM)
            said, complaints = sentries.communicate(timeout=180)
        assert sentries.returncode == 0, complaints
        acknowledged = Counter(ledger.read_on())
        assert re.search(r"unacknowledged 0$", said.strip()), said
        assert max(acknowledged.values()) == 1
        await_empty_queue(farm, acknowledged)
        assert missing_and_more(stored(farm), acknowledged) == ([], [])
        assert nothing_put_aside(farm)
        assert acknowledged.total() > RIGS * KILLS_EACH * 4


def kill_again_and_again(farm: ScaledFarm, people: People, ledger: Ledger, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    webs, workers = cycle(farm.web), cycle(farm.workers)
    victims = ["web", "worker", "nats", "postgresql"] * KILLS_EACH
    chance.shuffle(victims)
    for victim in victims:
        time.sleep(chance.uniform(0.2, 1.0))
        away_s = chance.uniform(0.1, 1.0)
        if victim == "web":
            killed = next(webs)
            survivor = next(node for node in farm.web if node is not killed)
            killed.kill()
            await_right(survivor, people, ledger, victim)
            killed.start()
        elif victim == "worker":
            worker = next(workers)
            worker.kill()
            await_right(farm.web[0], people, ledger, victim)
            worker.start()
        elif victim == "nats":
            farm.nats.kill()
            time.sleep(away_s)
            farm.nats.start()
        else:
            kill_postgresql(farm)
            time.sleep(away_s)
            start_postgresql(farm)
        for node in farm.web:
            await_right(node, people, ledger, victim)
    assert not any(part.has_ended() for part in (*farm.web, *farm.workers)), "something ended of its own accord"


def kill_postgresql(farm: ScaledFarm) -> None:
    """The server and all of its processes, at one moment."""
    assert farm.postgresql.process is not None
    server = psutil.Process(farm.postgresql.process.pid)
    server.suspend()  # so that it makes no new process while they are counted
    for process in (*server.children(recursive=True), server):
        process.kill()
    farm.postgresql.process.wait(timeout=60)


def start_postgresql(farm: ScaledFarm) -> None:
    """As a service manager does: again, if what was killed has not let go of its memory yet."""
    (farm.postgresql.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
    eventually(lambda: started(farm.postgresql.start), within_s=60, what="PostgreSQL's start")


def started(start: Callable[[], None]) -> bool:
    try:
        start()
    except RuntimeError:
        return False
    return True


def log_in(node: WebNode) -> str:
    """The session's cookie, which every node knows."""
    with node.client() as browser:
        return browser.post("/login", data={"password": PASSWORD}).cookies[Cookies().session]


def await_right(node: WebNode, people: People, ledger: Ledger, after: str) -> None:
    """Every rig that was acknowledged up to now is shown with that log or a newer one, and counted as alive; on the
    page, too."""
    newest = ledger.newest()

    def is_right() -> bool:
        try:
            with node.client(people.key) as client:
                page = (
                    client.get("/cpu-gpu", headers={"Cookie": f"{Cookies().session}={people.cookie}"})
                    .raise_for_status()
                    .text
                )
                rigs = client.get("/api/v1/cpu-gpu-rigs").raise_for_status().json()
                stats = client.get("/api/v1/cpu-gpu-stats").raise_for_status().json()
        except httpx.HTTPError:
            return False
        shown = {rig["id"]: rig["latest"] and datetime.fromisoformat(rig["latest"]["taken_at"]) for rig in rigs}
        behind = [
            rig_id for rig_id, taken_at in newest.items() if not (shown.get(rig_id) and shown[rig_id] >= taken_at)
        ]
        return not behind and stats["rigs_alive"] == RIGS and f">{RIGS} of {RIGS}<" in page

    what = f"right pages at {node.url} after the {after} was killed"
    eventually(is_right, within_s=RIGHT_WITHIN_S, what=what)


@contextmanager
def simulated(farm: ScaledFarm, key: str, ledger: Path) -> Iterator["subprocess.Popen[str]"]:
    """500 rigs, whose connections go to both nodes."""
    command = [sys.executable, str(ROOT / "devtools" / "simulate_farm.py")]
    command += [word for node in farm.web for word in ("--commander", node.url)]
    command += ["--ca", str(farm.ca), "--rigs", str(RIGS), "--every", str(EVERY_S), "--gpus", "2", "--steady"]
    command += ["--drain", "60", "--connections", "64", "--ledger", str(ledger)]
    environment = os.environ | {"API_KEY": key}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as sentries:
        try:
            yield sentries
        finally:
            if sentries.poll() is None:
                sentries.kill()


def query(farm: ScaledFarm, text: str) -> list[asyncpg.Record]:
    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(farm.postgresql.url(), timeout=60)
        try:
            return list(await connection.fetch(text, timeout=60))
        finally:
            await connection.close()

    return asyncio.run(run())


def stored(farm: ScaledFarm) -> Counter[Log]:
    rows = query(farm, "SELECT rig_id, taken_at_us FROM cpu_gpu_logs")
    return Counter((rig_id, EPOCH + timedelta(microseconds=taken_at_us)) for rig_id, taken_at_us in rows)


def await_empty_queue(farm: ScaledFarm, acknowledged: Counter[Log]) -> None:
    """Counts, and compares afterwards: reading every log again and again would keep the workers from storing them."""
    try:
        within_s = STUCK_AFTER_S + 60  # NATS may have to be asked again for what it held when it was killed
        eventually(lambda: count_stored(farm) >= acknowledged.total(), within_s=within_s, what="the queue's emptying")
    except AssertionError as error:
        missing = acknowledged - stored(farm)
        figures = [{name: value for name, value in each.figures().items() if value} for each in farm.workers]
        raise AssertionError(f"{error}: {missing.total()} logs are missing; what the workers say: {figures}") from None


def count_stored(farm: ScaledFarm) -> int:
    return int(query(farm, "SELECT count(*) FROM cpu_gpu_logs")[0][0])


def missing_and_more(found: Counter[Log], acknowledged: Counter[Log]) -> tuple[list[Log], list[Log]]:
    """Returns logs that are acknowledged but not stored, and those that are stored but not acknowledged."""
    return sorted((acknowledged - found).elements())[:10], sorted((found - acknowledged).elements())[:10]


def nothing_put_aside(farm: ScaledFarm) -> bool:
    return not query(farm, "SELECT id FROM dead_letters")
