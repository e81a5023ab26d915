"""`commander migrate-data`, killed again and again, and the same sentries afterwards on PostgreSQL."""

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from postgresql_server import PostgresqlServer, running_server

from tests.farm import CommanderProcess, commander_command, running_commander

pytestmark = [pytest.mark.system, pytest.mark.servers, pytest.mark.timeout(600)]

LOGS, LOGS_A_REPORT = 10_000, 500
KILLED_AFTER_S = (0, 0.02, 0.1, 0.3)


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    with running_server() as server:
        server.run("createdb", "farm")
        yield server


def test_a_farm_moves_though_the_command_is_killed_and_its_rigs_report_on(
    server: PostgresqlServer, tmp_path: Path
) -> None:
    with running_commander(tmp_path) as commander:
        key = commander.api_key()
        with commander.client(key) as people:
            rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "mover"}).raise_for_status().json()
        with commander.client(rig["token"]) as sentry:
            for first in range(0, LOGS, LOGS_A_REPORT):
                report(sentry, range(first, first + LOGS_A_REPORT))
        before = logs_by_api(commander, key, rig["id"])
        refused = commander.run("migrate-data", "--to", server.url("farm"))
        assert refused.returncode == 1
        assert "stop it first" in refused.stderr
        commander.stop()
        kill_again_and_again(commander, server)
        done = commander.run("migrate-data", "--to", server.url("farm"))
        assert done.returncode == 0, done.stderr
        assert ":secret" not in done.stderr
    with running_commander(tmp_path, COMMANDER_DATABASE_URL=server.url("farm")) as moved:
        assert Counter(logs_by_api(moved, key, rig["id"])) == Counter(before)
        assert len(before) == LOGS
        with moved.client(rig["token"]) as sentry:
            report(sentry, range(LOGS, LOGS + 1))


def kill_again_and_again(commander: CommanderProcess, server: PostgresqlServer) -> None:
    """Kills the copy again and again, each time a little later. The last kill may come when the copy is complete."""
    command = commander_command("migrate-data", "--to", server.url("farm"))
    for after_s in KILLED_AFTER_S:
        with subprocess.Popen(command, env=commander.environment, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            process.stderr.read(1)
            time.sleep(after_s)
            process.kill()
        assert process.returncode in (-signal.SIGKILL, 0)


def report(sentry: httpx.Client, numbers: range) -> None:
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    logs = [
        {
            "taken_at": (start + timedelta(seconds=5 * number)).isoformat(),
            "lan_ip": f"10.0.{number // 256}.{number % 256}",
        }
        for number in numbers
    ]
    answer = sentry.post("/api/v1/sentry/logs", json={"logs": logs}).raise_for_status().json()
    assert answer["stored"] == len(logs)


def logs_by_api(commander: CommanderProcess, key: str, rig_id: int) -> list[tuple[str, str]]:
    logs: list[tuple[str, str]] = []
    cursor: str | None = ""
    with commander.client(key) as people:
        while cursor is not None:
            parameters = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
            page = people.get(f"/api/v1/cpu-gpu-rigs/{rig_id}/logs", params=parameters).raise_for_status().json()
            logs += [(log["taken_at"], log["lan_ip"]) for log in page["logs"]]
            cursor = page.get("cursor")
    return logs
