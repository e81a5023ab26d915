"""A rig mines what its commander has signed: not what a thief of everything but the key sends, and also after a restore
and a move of the database."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from postgresql_server import running_server

from tests.farm import PASSWORD, CommanderProcess, eventually, running_commander
from tests.mining_farm import MiningFarm, mining_farm

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
NOTICE = 'id="playbooks-refused"'


@pytest.fixture
def commander(tmp_path: Path) -> Iterator[CommanderProcess]:
    with running_commander(tmp_path) as serving:
        yield serving


@pytest.fixture
def farm(commander: CommanderProcess, tmp_path: Path) -> Iterator[MiningFarm]:
    with mining_farm(commander, tmp_path) as mining:
        yield mining


def mining_playbook(farm: MiningFarm) -> dict[str, Any]:
    playbook = farm.add_playbook(farm.software("Stand-in", "xmrig"), "Alpha", 2)
    await_devices(farm, 2)
    return playbook


def await_devices(farm: MiningFarm, devices: int) -> None:
    eventually(
        lambda: [f"--devices {devices}" in each for each in farm.miners()] == [True],
        within_s=60,
        what=f"a miner with {devices} devices (it is {farm.miners()})",
    )


def signing(farm: MiningFarm) -> dict[str, Any]:
    known: dict[str, Any] = farm.sentry.status()["signing"]
    return known


def rig_page(commander: CommanderProcess, rig_id: int) -> str:
    with httpx.Client(base_url=commander.url, verify=commander.trust, timeout=60) as browser:
        browser.post("/login", data={"password": PASSWORD}, headers={"Origin": commander.url})
        return browser.get(f"/cpu-gpu/{rig_id}").text


def test_who_has_all_but_the_key_can_not_change_what_a_rig_mines(commander: CommanderProcess, farm: MiningFarm) -> None:
    playbook = mining_playbook(farm)
    assert signing(farm)["pinned"] == "at enrolment"
    commander.stop()
    (commander.data_dir / "tls" / "playbook.key").unlink()  # a copy of the database and of the CA alone
    commander.start()
    farm.change(playbook, variables={"devices": "3"})
    eventually(
        lambda: (
            f"{NOTICE}><h2>Playbooks refused</h2>\n<p>Playbooks refused: It is signed with the key"
            in rig_page(commander, farm.rig_id)
        ),
        within_s=60,
        what="the refusal on the rig's page",
    )
    assert "enroll this rig again" in (signing(farm)["refused"] or "")
    await_devices(farm, 2)
    token = farm.people.post(f"/api/v1/cpu-gpu-rigs/{farm.rig_id}/token").json()["token"]
    farm.sentry.enroll(commander.url, token)
    await_devices(farm, 3)
    eventually(lambda: signing(farm)["refused"] is None, within_s=60, what="the end of the refusal")
    eventually(lambda: NOTICE not in rig_page(commander, farm.rig_id), within_s=60, what="the page without it")


@pytest.fixture
def restored(commander: CommanderProcess, farm: MiningFarm, tmp_path: Path) -> CommanderProcess:
    """Restores a backup that was made before the newest change, on an empty disk."""
    playbook = mining_playbook(farm)
    assert commander.run("backup", str(tmp_path / "farm.backup")).returncode == 0
    farm.change(playbook, variables={"devices": "3"})
    await_devices(farm, 3)
    commander.stop()
    shutil.rmtree(commander.data_dir)
    done = commander.run("restore", str(tmp_path / "farm.backup"))
    assert done.returncode == 0, done.stderr
    return commander


def test_after_a_restore_a_rig_takes_what_the_backup_has(restored: CommanderProcess, farm: MiningFarm) -> None:
    before = signing(farm)
    restored.start()
    await_devices(farm, 2)
    after = signing(farm)
    assert (after["key_id"], after["refused"]) == (before["key_id"], None)
    assert after["number"] > before["number"]


@pytest.mark.servers
def test_after_a_move_to_postgresql_a_rig_takes_the_next_change(
    commander: CommanderProcess, farm: MiningFarm, tmp_path: Path
) -> None:
    playbook = mining_playbook(farm)
    with running_server() as server:
        server.run("createdb", "farm")
        commander.stop()
        done = commander.run("migrate-data", "--to", server.url("farm"))
        assert done.returncode == 0, done.stderr
        commander.more = {**commander.more, "COMMANDER_DATABASE_URL": server.url("farm")}
        commander.start()
        farm.change(playbook, variables={"devices": "3"})
        await_devices(farm, 3)
        assert signing(farm)["refused"] is None
        commander.stop()
