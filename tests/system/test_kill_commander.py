"""Twenty times SIGKILL under a farm of 200 rigs: what was acknowledged is there, once, and nothing waits."""

import json
import random
import re
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.farm import CommanderProcess, eventually, simulated_farm
from tests.kills import kills

pytestmark = [pytest.mark.system, pytest.mark.timeout(3_600)]  # a guard, not a goal

RIGS, KILLS = 200, kills(20)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Log = tuple[int, datetime]


@pytest.mark.parametrize("seed", [20_261_120])
def test_what_was_acknowledged_is_stored_exactly_once_however_often_the_commander_is_killed(
    commander: CommanderProcess, tmp_path: Path, seed: int
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    key = commander.api_key()
    options = ("--rigs", str(RIGS), "--every", "1", "--drain", "60", "--ledger", str(ledger))
    with simulated_farm(commander, key, *options) as farm:
        eventually(lambda: lines_in(ledger) > RIGS, within_s=60, what="a first round of reports")
        kill_again_and_again(commander, seed)
        farm.send_signal(signal.SIGTERM)
        said, complaints = farm.communicate(timeout=180)
    assert farm.returncode == 0, complaints
    acknowledged = read_ledger(ledger)
    assert summary_of(said) == (len(acknowledged), 0)
    assert max(Counter(acknowledged).values()) == 1
    assert Counter(logs_by_api(commander, key)) == Counter(acknowledged)
    assert Counter(logs_in_database(commander)) == Counter(acknowledged)
    assert len(acknowledged) > RIGS * KILLS


def kill_again_and_again(commander: CommanderProcess, seed: int) -> None:
    """At moments that the seed chooses; the commander is started again at once."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.3, 2.5))
        commander.kill()
        commander.start()


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def summary_of(said: str) -> tuple[int, int]:
    """Returns the numbers of logs that were acknowledged and that were not, from the farm's last line."""
    found = re.search(r"acknowledged (\d+) logs .*unacknowledged (\d+)$", said.strip())
    assert found, said
    return int(found[1]), int(found[2])


def read_ledger(path: Path) -> list[Log]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(line["rig_id"], datetime.fromisoformat(line["taken_at"])) for line in lines]


def logs_by_api(commander: CommanderProcess, key: str) -> list[Log]:
    with commander.client(key) as client:
        rigs = client.get("/api/v1/cpu-gpu-rigs").raise_for_status().json()
        return [log for rig in rigs for log in logs_of_rig(client, rig["id"])]


def logs_of_rig(client: httpx.Client, rig_id: int) -> list[Log]:
    """Page by page."""
    logs: list[Log] = []
    cursor: str | None = ""
    while cursor is not None:
        parameters = {"limit": "40", **({"cursor": cursor} if cursor else {})}
        answer = client.get(f"/api/v1/cpu-gpu-rigs/{rig_id}/logs", params=parameters)
        page = answer.raise_for_status().json()
        logs += [(rig_id, datetime.fromisoformat(log["taken_at"])) for log in page["logs"]]
        cursor = page.get("cursor")
    return logs


def logs_in_database(commander: CommanderProcess) -> list[Log]:
    with closing(sqlite3.connect(commander.data_dir / "commander.db")) as database:
        rows = database.execute("SELECT rig_id, taken_at_us FROM cpu_gpu_logs").fetchall()
    return [(rig_id, EPOCH + timedelta(microseconds=taken_at_us)) for rig_id, taken_at_us in rows]
