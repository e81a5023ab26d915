"""Kill -9 of a sentry and its commander at random moments: each log that the sentry kept is stored once, in order."""

import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.asic_sentry import PORT_BASE, AsicSentryProcess, fake_asics, running_asic_sentry
from tests.farm import CommanderProcess, eventually
from tests.kills import kills
from tests.sentry import SentryProcess, running_sentry

pytestmark = [pytest.mark.system, pytest.mark.timeout(3_600)]  # a guard, not a goal

KILLS = kills(2)
ASICS = 3
Sentry = SentryProcess | AsicSentryProcess


@pytest.fixture
def people(commander: CommanderProcess) -> Iterator[httpx.Client]:
    """The people's API."""
    with commander.client(commander.api_key()) as client:
        yield client


def spooled(sentry: Sentry) -> Counter[int]:
    """Returns the moments of the logs that wait in its store, in milliseconds."""
    with closing(sqlite3.connect(sentry.store)) as db:
        return Counter(row[0] for row in db.execute("SELECT taken_at_ms FROM spool"))


def measured(sentry: Sentry) -> int:
    """Returns how many logs were ever put into its store: each is, before it is sent."""
    with closing(sqlite3.connect(sentry.store)) as db:
        return int(db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'spool'").fetchone()[0])


def stored(commander: CommanderProcess, table: str) -> Counter[int]:
    """Returns the moments of the stored logs of all rigs, in milliseconds."""
    with closing(sqlite3.connect(commander.data_dir / "commander.db")) as db:
        return Counter(row[0] // 1_000 for row in db.execute(f"SELECT taken_at_us FROM {table}"))  # noqa: S608


def kill_both_again_and_again(sentry: Sentry, commander: CommanderProcess) -> Counter[int]:
    """Returns the moments of all logs that waited in the sentry's store when it was killed, in milliseconds."""
    chance, kept = random.Random(20_261_129), Counter[int]()  # noqa: S311 - moments, not secrets
    for _ in range(KILLS):
        time.sleep(chance.uniform(0, 1.5))  # the moment of a kill, not a wait for anything
        commander.kill()
        eventually(lambda: bool(spooled(sentry)), within_s=60, what="a log that waits")
        time.sleep(chance.uniform(0, 1.5))
        sentry.kill()
        kept |= spooled(sentry)
        sentry.start()
        commander.start()
    return kept


def check(sentry: Sentry, commander: CommanderProcess, table: str, kept: Counter[int]) -> None:
    """Waits until the spool is empty, and compares."""
    eventually(lambda: not spooled(sentry), within_s=120, what="an empty spool")
    sentry.kill()
    assert len(kept) >= KILLS
    arrived, waiting = stored(commander, table), spooled(sentry)
    assert kept - arrived == Counter(), "they waited when the sentry was killed"
    assert arrived.total() <= measured(sentry) <= arrived.total() + waiting.total()
    assert "Traceback" not in sentry.log.read_text()


def test_the_logs_of_a_cpu_gpu_sentry_survive_kills_of_both(
    commander: CommanderProcess, people: httpx.Client, tmp_path: Path
) -> None:
    rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).raise_for_status().json()
    with running_sentry(tmp_path / "sentry") as sentry:
        sentry.enroll(commander.url, rig["token"])
        sentry.becomes("online")
        check(sentry, commander, "cpu_gpu_logs", kill_both_again_and_again(sentry, commander))


def test_the_logs_of_an_asic_sentry_survive_kills_of_both(
    commander: CommanderProcess, people: httpx.Client, network: str, tmp_path: Path
) -> None:
    site = people.post("/api/v1/site-tokens", json={"name": "tests"}).raise_for_status().json()
    with fake_asics(network, ASICS, "--kinds", "iceriver"), running_asic_sentry(tmp_path / "sentry") as sentry:
        sentry.must("connect", "--url", commander.url, "--site-token", site["token"])
        found = sentry.must("scan", network, f"--port={PORT_BASE + 80}", "--adopt", "--json")
        assert len(json.loads(found)) == ASICS
        eventually(lambda: len(stored(commander, "asic_logs")) > 0, within_s=60, what="a first log")
        check(sentry, commander, "asic_logs", kill_both_again_and_again(sentry, commander))
