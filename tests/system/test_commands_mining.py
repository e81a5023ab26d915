"""Commands about mining, from a real commander to a real sentry whose playbook runs a real program.

Each run of the program leaves a line in a file: what happens twice is seen there.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.farm import CommanderProcess, eventually
from tests.mining_farm import SCRIPT, MiningFarm, mining_farm

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
COMMANDS = "/api/v1/commands"
ENDED = ("done", "failed")
KILLS = 8


@dataclass
class Mining:
    """A rig whose one playbook mines."""

    farm: MiningFarm
    commander: CommanderProcess
    playbook: dict[str, Any]
    runs_file: Path

    @property
    def runs(self) -> int:
        """The number of times that the program has been started."""
        return len(self.runs_file.read_text().splitlines())

    def order(self, action: str, **more: Any) -> int:
        body = {"action": action, "rigs": [self.farm.rig_id], **more}
        answer = self.farm.people.post(COMMANDS, json=body)
        assert answer.status_code == 202, answer.text
        return int(answer.json()["id"])

    def target(self, command_id: int) -> dict[str, str]:
        (only,) = self.farm.people.get(f"{COMMANDS}/{command_id}").raise_for_status().json()["targets"]
        return dict(only)

    def becomes(self, command_id: int, *states: str) -> dict[str, str]:
        def has_come() -> bool:
            try:
                return self.target(command_id)["state"] in states
            except httpx.TransportError:  # the commander was killed
                return False

        eventually(has_come, within_s=120, what=f"command {command_id} to be one of {states}")
        return self.target(command_id)

    def is_done(self, action: str, **more: Any) -> str:
        """Orders it; returns its result."""
        command_id = self.order(action, **more)
        ended = self.becomes(command_id, *ENDED, "refused", "expired")
        assert ended["state"] == "done", ended
        return ended["result"]

    def becomes_run(self, number: int) -> None:
        """Waits until the program has been started so often: a run begins before its script does."""
        eventually(lambda: self.runs == number, within_s=60, what=f"run {number} of the program")
        eventually(lambda: len(self.farm.miners()) == 1, within_s=60, what="one miner")

    def shows(self, state: str) -> None:
        eventually(
            lambda: self.farm.status(self.playbook).get("state") == state, within_s=60, what=f"the state {state}"
        )


@pytest.fixture
def mining(commander: CommanderProcess, tmp_path: Path) -> Iterator[Mining]:
    runs = tmp_path / "runs"
    reboot = f"sh -c 'echo reboot >> {tmp_path / 'reboots'}'"
    with mining_farm(commander, tmp_path, CPU_GPU_SENTRY_REBOOT_COMMAND=reboot) as farm:
        script = f"echo run >> '{runs}'\n{SCRIPT % 'xmrig'}"
        playbook = farm.add_playbook(farm.software("Stand-in", "xmrig"), "Alpha", 2, name="Main", script=script)
        ready = Mining(farm, commander, playbook, runs)
        ready.shows("mining")
        yield ready


def test_mining_is_restarted_stopped_and_started_from_the_commander(mining: Mining) -> None:
    farm = mining.farm
    (miner,) = [each.pid for each in farm.processes() if "--software" in each.cmdline()]
    assert mining.runs == 1
    assert mining.is_done("restart_playbook", reason="new cooler") == "Restarted “Main”."
    mining.becomes_run(2)
    assert miner not in [each.pid for each in farm.processes()]

    assert "Stopped “Main”" in mining.is_done("stop_mining")
    assert farm.miners() == []
    mining.shows("paused")
    farm.sentry.kill()
    farm.sentry.start()
    refused = mining.becomes(mining.order("restart_playbook"), *ENDED)
    assert (refused["state"], "does not run now" in refused["result"]) == ("failed", True)
    assert (mining.runs, farm.miners()) == (2, []), "what a person has stopped stays stopped"

    assert "Main" in mining.is_done("start_mining")
    mining.becomes_run(3)
    mining.shows("mining")
    assert (mining.runs, len(farm.miners())) == (3, 1)


def test_findings_and_logs_of_a_rig_that_mines_come_back(mining: Mining) -> None:
    diagnosis = mining.order("diagnose")
    mining.becomes(diagnosis, "done")
    path = f"{COMMANDS}/{diagnosis}/rigs/{mining.farm.rig_id}"
    findings = mining.farm.people.get(path).raise_for_status().json()["findings"]
    assert any("pool.example" in each["text"] for each in findings), "the playbook's pool is tried"
    fetched = mining.order("fetch_log", arguments={"lines": 50})
    mining.becomes(fetched, "done")
    logs = mining.farm.people.get(f"{COMMANDS}/{fetched}/rigs/{mining.farm.rig_id}").raise_for_status().json()["logs"]
    assert any("accepted (" in line for log in logs for line in log["lines"]), "what the software has printed"
    assert mining.runs == 1


def test_a_sentry_that_is_killed_before_a_restart_begins_makes_it_once(mining: Mining) -> None:
    mining.farm.sentry.kill()
    command_id = mining.order("restart_playbook")
    assert mining.target(command_id)["state"] == "waiting"
    assert mining.runs == 1
    mining.farm.sentry.start()
    assert mining.becomes(command_id, *ENDED)["state"] == "done"
    mining.becomes_run(2)
    mining.shows("mining")
    assert mining.runs == 2


def test_whatever_is_killed_no_restart_is_repeated(mining: Mining) -> None:
    """Sentry or commander, before the command begins and after: a miner is restarted by it once at most."""
    chance = random.Random(20_261_129)  # noqa: S311 - moments, not secrets
    for number in range(KILLS):
        before, command_id = mining.runs, mining.order("restart_playbook")
        time.sleep(chance.uniform(0, 1.0))
        killed = mining.commander if number % 3 == 2 else mining.farm.sentry
        killed.kill()
        killed.start()
        ended = mining.becomes(command_id, *ENDED)
        mining.shows("mining")
        if ended["state"] == "done":
            mining.becomes_run(before + 1)
        assert mining.runs - before <= 1, f"after {number + 1} kills: {ended}"
        assert ended["state"] == "failed" or mining.runs - before == 1, ended
        assert len(mining.farm.miners()) == 1
    assert mining.runs > 1
