"""A rig loses power and its sentry's file is damaged: mining and reports continue."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from protocol.playbook_messages import PlaybookState

from tests.asic_sentry import PORT_BASE, fake_asics, running_asic_sentry
from tests.farm import CommanderProcess, eventually
from tests.playbook_rig import PlaybookRig, playbook_rig
from tests.playbook_software import package_of, playbook_of, sha256, stand_in
from tests.sentry import ASIC_SENTRY, CPU_GPU_SENTRY, SentryProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
BODY = stand_in()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PlaybookRig]:
    with playbook_rig(tmp_path) as ready:
        package = package_of(ready.shop.offer(f"{sha256(BODY)[:8]}.tar.gz", BODY), BODY)
        ready.commander.want(playbook_of(package))
        ready.becomes(PlaybookState.MINING, within_s=60)
        yield ready


def damage(store: Path, how: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        path = Path(f"{store}{suffix}")
        if how == "gone" or suffix == "-shm":
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(b"" if how == "empty" else os.urandom(max(8192, path.stat().st_size)))


def _states(rig: PlaybookRig) -> tuple[str, list[str]]:
    """The sentry's state and those of its playbooks, as it has noted them last."""
    status = rig.sentry.status()
    return status["state"], [each["state"] for each in status["playbooks"]]


@pytest.mark.parametrize("how", ["noise", "empty", "gone"])
def test_a_damaged_store_ends_no_mining_and_no_enrolment(rig: PlaybookRig, how: str) -> None:
    before = {each.pid for each in rig.processes()}
    rig.sentry.kill()
    damage(rig.sentry.store, how)
    told, logs = len(rig.commander.statuses), len(rig.commander.logs)
    rig.sentry.start()
    eventually(lambda: len(rig.commander.statuses) > told, within_s=60, what="a status of the playbook")
    rig.becomes(PlaybookState.MINING, within_s=60)
    eventually(lambda: len(rig.commander.logs) > logs + 1, within_s=60, what="the next logs")
    assert {each.pid for each in rig.processes()} == before
    assert len(rig.miners()) == 1
    eventually(lambda: _states(rig) == ("online", ["mining"]), within_s=60, what="the states that it notes")
    assert (rig.sentry.store.with_name("sentry.db.damaged").exists()) is (how == "noise")


def test_without_its_copies_too_it_mines_on_and_waits_for_its_token(rig: PlaybookRig) -> None:
    before = {each.pid for each in rig.processes()}
    rig.sentry.kill()
    damage(rig.sentry.store, "noise")
    for copy in rig.sentry.store.parent.glob("*.copy"):
        copy.write_bytes(os.urandom(200))
    rig.sentry.start()
    assert rig.sentry.status()["state"] == "not_enrolled"
    with rig.sentry.browser() as browser:
        assert "Not enrolled" in browser.get("/").text
    assert {each.pid for each in rig.processes()} == before


def test_who_has_left_stays_away(rig: PlaybookRig) -> None:
    assert rig.sentry.run("leave", "--yes").returncode == 0
    rig.sentry.kill()
    damage(rig.sentry.store, "noise")
    rig.sentry.start()
    assert rig.sentry.status()["state"] == "not_enrolled"
    assert rig.is_clean()


def test_an_asic_sentry_keeps_its_commander_its_asics_and_their_tokens(
    commander: CommanderProcess, tmp_path: Path, network: str
) -> None:
    ips = [network.replace("0/24", str(number)) for number in (1, 2)]
    with (
        commander.client(commander.api_key()) as people,
        fake_asics(network, 2, "--kinds", "iceriver"),
        running_asic_sentry(tmp_path / "sentry") as sentry,
    ):
        rigs = [people.post("/api/v1/asic-rigs", json={"name": f"ks-{ip}"}).raise_for_status().json() for ip in ips]
        sentry.must("connect", "--url", commander.url)
        for ip, rig in zip(ips, rigs, strict=True):
            sentry.must("add", "--ip", ip, "--port", str(PORT_BASE + 80), "--token", rig["token"])
        sentry.must("set", "--ip", ips[0], "--power-w", "3400")
        sentry.kill()
        damage(sentry.store, "noise")
        before = [_logs(people, rig["id"]) for rig in rigs]
        sentry.start()
        eventually(
            lambda: all(_logs(people, rig["id"]) > known for rig, known in zip(rigs, before, strict=True)),
            within_s=60,
            what="logs of both",
        )
        known = sentry.list()
    assert {ip: (asic["name"], asic["power_w"]) for ip, asic in known.items()} == {
        ips[0]: (f"ks-{ips[0]}", 3400.0),
        ips[1]: (f"ks-{ips[1]}", None),
    }


def _logs(people: httpx.Client, rig_id: int) -> int:
    return len(people.get(f"/api/v1/asic-rigs/{rig_id}/logs", params={"limit": 1000}).json()["logs"])


@pytest.mark.parametrize("program", [CPU_GPU_SENTRY, ASIC_SENTRY])
@pytest.mark.parametrize("name", ["run.lock", "sentry.db"])
def test_a_folder_in_a_file_s_place_is_one_sentence(program: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "data" / name).mkdir(parents=True)
    done = SentryProcess(tmp_path, program).run("run")
    assert done.returncode == 1
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
