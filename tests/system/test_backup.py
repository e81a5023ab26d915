"""A farm is saved while it reports, lost, and brought back; its sentries never notice more than an outage."""

import json
import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from postgresql_server import PostgresqlServer, running_server

from tests.farm import CommanderProcess, commander_command, eventually, running_commander, simulated_farm

pytestmark = [pytest.mark.system, pytest.mark.servers, pytest.mark.timeout(600)]

RIGS, KILLS = 200, 3
Forget = Callable[[], None]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'commander.db'}"
    server: PostgresqlServer = request.getfixturevalue("server")
    server.run("createdb", tmp_path.name)
    return server.url(tmp_path.name)


@pytest.fixture
def commander(database_url: str, tmp_path: Path) -> Iterator[CommanderProcess]:
    with running_commander(tmp_path, COMMANDER_DATABASE_URL=database_url) as serving:
        yield serving


@pytest.fixture
def lose_everything(commander: CommanderProcess, database_url: str, request: pytest.FixtureRequest) -> Forget:
    def forget() -> None:
        shutil.rmtree(commander.data_dir)
        if database_url.startswith("postgresql"):
            server: PostgresqlServer = request.getfixturevalue("server")
            name = database_url.rpartition("/")[2]
            server.run("dropdb", name)
            server.run("createdb", name)

    return forget


def test_what_was_acknowledged_before_the_backup_is_there_after_the_loss_of_all_and_sentries_come_back(
    commander: CommanderProcess, lose_everything: Forget, tmp_path: Path
) -> None:
    ledger, saved = tmp_path / "ledger.jsonl", tmp_path / "farm.backup"
    key = commander.api_key()
    with simulated_farm(commander, key, "--rigs", str(RIGS), "--every", "1", "--ledger", str(ledger)):
        eventually(lambda: len(read(ledger)) > 3 * RIGS, within_s=60, what="some rounds of reports")
        before = read(ledger)
        done = commander.run("backup", str(saved))
        assert done.returncode == 0, done.stderr
        during = len(read(ledger))
        eventually(lambda: len(read(ledger)) > during + RIGS, within_s=60, what="reports after the backup")
        assert commander.stop() == 0
        lose_everything()
        done = commander.run("restore", str(saved))
        assert done.returncode == 0, done.stderr
        restored_at = len(read(ledger))
        commander.start()
        eventually(lambda: len(read(ledger)) > restored_at + RIGS, within_s=60, what="sentries that report again")
    stored = Counter(logs_by_api(commander, key))
    assert set(before) <= set(stored)
    assert set(read(ledger)[restored_at:]) <= set(stored)
    assert max(stored.values()) == 1


def test_a_restore_that_is_killed_leaves_the_old_farm_or_the_new_one(
    commander: CommanderProcess, tmp_path: Path
) -> None:
    key = commander.api_key()
    with commander.client(key) as people:
        people.post("/api/v1/cpu-gpu-rigs", json={"name": "saved"}).raise_for_status()
        fill(people)
        assert commander.run("backup", str(tmp_path / "farm.backup")).returncode == 0
        people.post("/api/v1/cpu-gpu-rigs", json={"name": "later"}).raise_for_status()
    chance = random.Random(20_261_120)  # noqa: S311 - moments, not secrets
    for _ in range(KILLS):
        commander.stop()
        kill_a_restore(commander, tmp_path / "farm.backup", after_s=chance.uniform(0, 0.3))
        commander.start()
        assert names(commander, key) in ({"saved", "later"}, {"saved"})
    commander.stop()
    done = commander.run("restore", "--force", str(tmp_path / "farm.backup"))
    assert done.returncode == 0, done.stderr
    commander.start()
    assert names(commander, key) == {"saved"}


def test_a_running_commander_is_not_overwritten(commander: CommanderProcess, tmp_path: Path) -> None:
    assert commander.run("backup", str(tmp_path / "farm.backup")).returncode == 0
    done = commander.run("restore", "--force", str(tmp_path / "farm.backup"))
    assert done.returncode == 1
    assert "stop it first" in done.stderr.splitlines()[-1]
    assert commander.run("backup", str(tmp_path / "farm.backup")).returncode == 1, "nor is a backup"


def kill_a_restore(commander: CommanderProcess, saved: Path, *, after_s: float) -> None:
    """Kills a restore `after_s` its first line of output."""
    command = commander_command("restore", "--force", str(saved))
    with subprocess.Popen(command, env=commander.environment, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.read(1)
        time.sleep(after_s)
        process.kill()


def fill(people: httpx.Client) -> None:
    """Something to write for a while: 20 MB that do not pack."""
    rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "filler"}).raise_for_status().json()
    start = datetime.now(UTC) - timedelta(hours=10)
    headers = {"Authorization": f"Bearer {rig['token']}"}
    for first in range(0, 3_000, 200):
        logs = [a_log_of_noise(start + timedelta(seconds=number)) for number in range(first, first + 200)]
        answer = people.post("/api/v1/sentry/logs", json={"logs": logs}, headers=headers).raise_for_status()
        assert answer.json()["stored"] == len(logs)


def a_log_of_noise(taken_at: datetime) -> dict[str, object]:
    noise = os.urandom(6_000).hex()
    devices = [{"device": noise[start : start + 60]} for start in range(0, len(noise), 60)]
    miner = {"software": "xmrig", "state": "mining", "devices": devices}
    return {"taken_at": taken_at.isoformat(), "miners": [miner]}


def names(commander: CommanderProcess, key: str) -> set[str]:
    with commander.client(key) as people:
        rigs = people.get("/api/v1/cpu-gpu-rigs").raise_for_status().json()
    return {rig["name"] for rig in rigs} - {"filler"}


def read(ledger: Path) -> list[tuple[int, datetime]]:
    lines = ledger.read_text().rpartition("\n")[0].splitlines() if ledger.exists() else []
    entries = [json.loads(line) for line in lines]
    return [(entry["rig_id"], datetime.fromisoformat(entry["taken_at"])) for entry in entries]


def logs_by_api(commander: CommanderProcess, key: str) -> list[tuple[int, datetime]]:
    found: list[tuple[int, datetime]] = []
    with commander.client(key) as people:
        for rig in people.get("/api/v1/cpu-gpu-rigs").raise_for_status().json():
            answer = people.get(f"/api/v1/cpu-gpu-rigs/{rig['id']}/logs", params={"limit": "1000"})
            logs = answer.raise_for_status().json()["logs"]
            found += [(rig["id"], datetime.fromisoformat(log["taken_at"])) for log in logs]
    return found
