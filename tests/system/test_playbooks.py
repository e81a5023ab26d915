"""The whole way of a playbook: made through the commander's API, carried out by a real sentry on a rig of its own, with
software from a vendor's HTTPS server, until the rig is removed and nothing of it is left."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.farm import CommanderProcess, eventually
from tests.mining_farm import BODY, MiningFarm, mining_farm
from tests.playbook_software import sha256

pytestmark = pytest.mark.system


def printed_last(lines: list[str], words: str) -> bool:
    """One that has printed nothing yet has not printed that either."""
    return bool(lines) and words in lines[-1]


@pytest.fixture
def farm(commander: CommanderProcess, tmp_path: Path) -> Iterator[MiningFarm]:
    with mining_farm(commander, tmp_path) as ready:
        yield ready


def test_a_rig_mines_what_it_is_told_until_it_is_removed(farm: MiningFarm) -> None:
    begun = time.monotonic()
    cpu = farm.add_playbook(farm.software("Stand-in CPU", "xmrig"), "Alpha", 4)
    eventually(lambda: "Alpha" in farm.hashrates(), within_s=60, what="the first coin's hashrate")
    assert time.monotonic() - begun < 20  # 3 s on a machine that has nothing else to do
    eventually(lambda: farm.status(cpu).get("state") == "mining", within_s=60, what="its state")

    gpu = farm.add_playbook(farm.software("Stand-in GPU", "lolminer", hashed=False), "Beta", 2)
    eventually(lambda: set(farm.hashrates()) == {"Alpha", "Beta"}, within_s=60, what="both coins in the totals")
    assert len(farm.miners()) == 2
    assert farm.status(gpu)["pinned_sha256"] == sha256(BODY)

    first = [each.pid for each in farm.processes()]
    farm.change(gpu, variables={"devices": "6"})
    eventually(lambda: any("--devices 6" in line for line in farm.miners()), within_s=60, what="the swap")
    eventually(lambda: farm.hashrates().get("Beta", 0) > 300e6, within_s=60, what="six cards' hashrate")
    assert len(set(first) & {each.pid for each in farm.processes()}) == 2, "the other one was left running"

    eventually(lambda: all(printed_last(lines, "accepted (") for lines in farm.output()), within_s=60, what="output")
    assert not any("\x1b" in line for lines in farm.output() for line in lines)

    assert farm.people.delete(f"/api/v1/cpu-gpu-rigs/{farm.rig_id}").status_code in (200, 204)
    eventually(lambda: not farm.processes(), within_s=60, what="the end of all miners")
    farm.sentry.becomes("removed")
    folders = [farm.data_dir / name for name in ("playbooks", "software", "downloads")]
    eventually(lambda: not any(folder.exists() for folder in folders), within_s=60, what="no file")


def test_a_failure_reaches_the_commander_with_its_reason_and_last_words(farm: MiningFarm) -> None:
    bad = farm.software("Stand-in", "xmrig")
    script = "echo no card for port {api_port} >&2; exit 9"
    playbook = farm.add_playbook(bad, "Alpha", 1, script=script, variables={})
    eventually(lambda: farm.status(playbook).get("state") == "failed", within_s=180, what="the failure")
    status = farm.status(playbook)
    assert "exit code 9" in status["reason"]
    assert status["last_lines"][-1].startswith("no card for port ")


def test_a_paused_one_rests_and_comes_back(farm: MiningFarm) -> None:
    playbook = farm.add_playbook(farm.software("Stand-in", "xmrig"), "Alpha", 2)
    for paused, state in ((False, "mining"), (True, "paused"), (False, "mining")):
        farm.change(playbook, paused=paused)
        eventually(lambda state=state: farm.status(playbook).get("state") == state, within_s=60, what=state)  # type: ignore[misc]
        assert bool(farm.miners()) is not paused
    assert len(farm.shop.asked) == 1
