"""`commander serve` on PostgreSQL, and both of them killed under a farm that reports."""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from postgresql_server import PostgresqlServer, running_server

from tests.farm import CommanderProcess, eventually, running_commander, simulated_farm

pytestmark = [pytest.mark.system, pytest.mark.servers, pytest.mark.timeout(600)]

RIGS, KILLS = 50, 5
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Log = tuple[int, datetime]


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """It syncs as an operator's does: what it has committed must outlive its own crash."""
    with running_server(fsync="on", full_page_writes="on") as server:
        server.run("createdb", "farm")
        yield server


@pytest.fixture
def commander(server: PostgresqlServer, tmp_path: Path) -> Iterator[CommanderProcess]:
    with running_commander(tmp_path, COMMANDER_DATABASE_URL=server.url("farm")) as serving:
        yield serving


@pytest.mark.parametrize("seed", [20_261_120])
def test_what_was_acknowledged_is_stored_exactly_once_whichever_of_the_two_is_killed(
    commander: CommanderProcess, server: PostgresqlServer, tmp_path: Path, seed: int
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    options = ("--rigs", str(RIGS), "--every", "0.5", "--drain", "60", "--ledger", str(ledger))
    with simulated_farm(commander, commander.api_key(), *options) as farm:
        eventually(lambda: lines_in(ledger) > RIGS, within_s=60, what="a first round of reports")
        kill_again_and_again(commander, server, ledger, seed)
        farm.send_signal(signal.SIGTERM)
        _, complaints = farm.communicate(timeout=180)
    assert farm.returncode == 0, complaints
    acknowledged = read_ledger(ledger)
    assert len(acknowledged) > RIGS * 2 * KILLS
    assert Counter(logs_in(server)) == Counter(acknowledged)
    assert "Traceback" not in commander.log.read_text()
    assert "secret" not in commander.log.read_text()


def kill_again_and_again(commander: CommanderProcess, server: PostgresqlServer, ledger: Path, seed: int) -> None:
    """At moments that the seed chooses; whichever was killed is started again, the other one goes on by itself."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.3, 1.5))
        commander.kill()
        commander.start()
        time.sleep(chance.uniform(0.3, 1.5))
        server.stop()
        time.sleep(chance.uniform(0, 1))
        server.start()
        before = lines_in(ledger)
        eventually(lambda before=before: lines_in(ledger) > before, within_s=60, what="reports again")  # type: ignore[misc]


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def read_ledger(path: Path) -> list[Log]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(line["rig_id"], datetime.fromisoformat(line["taken_at"])) for line in lines]


def logs_in(server: PostgresqlServer) -> list[Log]:
    rows = server.run("psql", "-d", "farm", "-tAc", "SELECT rig_id, taken_at_us FROM cpu_gpu_logs").split()
    pairs = [row.split("|") for row in rows]
    return [(int(rig_id), EPOCH + timedelta(microseconds=int(taken_at_us))) for rig_id, taken_at_us in pairs]


def test_without_its_server_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    url = "postgresql://minewarden:hunter22@127.0.0.1:1/farm"
    for command in (("serve",), ("api-key", "list")):
        done = CommanderProcess(tmp_path / "data", more={"COMMANDER_DATABASE_URL": url}).run(*command)
        assert done.returncode == 1
        assert done.stderr.startswith("commander: PostgreSQL at 127.0.0.1:1 can't be used now")
        assert len(done.stderr.splitlines()) == 1
        assert "hunter22" not in done.stderr


def test_a_url_that_can_not_be_read_is_not_repeated(tmp_path: Path) -> None:
    more = {"COMMANDER_DATABASE_URL": "postgresql://minewarden:hunter/22@127.0.0.1/farm"}
    done = CommanderProcess(tmp_path / "data", more=more).run("serve")
    assert done.returncode == 1
    assert "COMMANDER_DATABASE_URL is not what was expected" in done.stderr
    assert "hunter" not in done.stderr
