"""The real sentry carries out commands: real processes and real HTTPS, with a commander that a test commands."""

import random
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from protocol.command_messages import Command, CommandArguments, CommandState, LadderSettings
from protocol.playbook_messages import PlaybookState

from tests.farm import eventually
from tests.playbook_rig import PlaybookRig, playbook_rig
from tests.playbook_software import package_of, playbook_of, sha256, stand_in

pytestmark = pytest.mark.system
BODY = stand_in()
KILLS = 30
LONGEST_S = 1.5


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PlaybookRig]:
    """A rig whose reboots only leave a line in a file."""
    reboots = tmp_path / "reboots"
    command = f"sh -c 'echo reboot >> {reboots}'"
    with playbook_rig(tmp_path, CPU_GPU_SENTRY_REBOOT_COMMAND=command) as ready:
        yield ready


def reboots(rig: PlaybookRig) -> int:
    path = rig.sentry.folder.parent / "reboots"
    return len(path.read_text().splitlines()) if path.exists() else 0


def mine(rig: PlaybookRig) -> str:
    """Returns the run that mines."""
    package = package_of(rig.shop.offer("miner.tar.gz", BODY), BODY, version=sha256(BODY)[:8])
    rig.commander.want(playbook_of(package))
    rig.becomes(PlaybookState.MINING)
    return run_of(rig)


def run_of(rig: PlaybookRig) -> str:
    ((_, run),) = rig.runs()
    return run


def ends(rig: PlaybookRig, name: str, state: CommandState, within_s: float = 60) -> str:
    """Waits for the command's state; returns its sentence."""
    eventually(
        lambda: rig.commander.state_of(name) is state,
        within_s=within_s,
        what=f"{name} to be {state} (it is {rig.commander.states_of(name)})",
    )
    return rig.commander.states_of(name)[-1].text


def command(name: str, action: str, valid_s: float = 600.0, arguments: CommandArguments | None = None) -> Command:
    return Command(id=name, action=action, valid_s=valid_s, arguments=arguments)


def test_each_command_is_carried_out_and_reported(rig: PlaybookRig) -> None:
    first = mine(rig)
    rig.commander.order(command("c1", "restart_playbook"))
    assert ends(rig, "c1", CommandState.DONE) == "Restarted “Monero on the CPU”."
    assert run_of(rig) != first
    assert rig.commander.states_of("c1")[0].state is CommandState.BEGUN
    rig.commander.order(command("c2", "stop_mining"))
    assert "Stopped “Monero on the CPU”." in ends(rig, "c2", CommandState.DONE)
    assert rig.miners() == []
    rig.becomes(PlaybookState.PAUSED)
    rig.commander.order(command("c3", "restart_playbook"))
    assert "does not run now" in ends(rig, "c3", CommandState.FAILED)
    rig.commander.order(command("c4", "start_mining"))
    ends(rig, "c4", CommandState.DONE)
    rig.becomes(PlaybookState.MINING)
    rig.commander.order(command("c5", "diagnose"), command("c6", "fetch_log", arguments=CommandArguments(lines=50)))
    ends(rig, "c6", CommandState.DONE)
    findings = rig.commander.states_of("c5")[-1].findings
    assert {"disk", "memory", "clock", "cards", "kernel", "version"} <= {each.check for each in findings}
    logs = {each.source: each.lines for each in rig.commander.states_of("c6")[-1].logs}
    assert any("command c5 diagnose" in line for line in logs["sentry"])
    assert logs["output"]


def test_what_a_person_has_stopped_stays_stopped_over_a_restart_of_the_sentry(rig: PlaybookRig) -> None:
    mine(rig)
    rig.commander.order(command("c1", "stop_mining"))
    ends(rig, "c1", CommandState.DONE)
    rig.sentry.kill()
    rig.sentry.start()
    seen = len(rig.commander.statuses)
    eventually(lambda: len(rig.commander.statuses) > seen, within_s=60, what="a status after the start")
    rig.becomes(PlaybookState.PAUSED)
    assert rig.miners() == []
    assert "stopped by a person" in rig.sentry.run("status").stdout


def test_a_reboot_is_begun_once_and_reported_with_the_boot_in_which_it_began(rig: PlaybookRig) -> None:
    rig.commander.order(command("c1", "reboot"))
    ends(rig, "c1", CommandState.BEGUN)
    eventually(lambda: reboots(rig) == 1, within_s=60, what="the reboot")
    rig.sentry.kill()
    rig.sentry.start()
    before = len(rig.commander.states_of("c1"))
    eventually(lambda: len(rig.commander.states_of("c1")) > before, within_s=60, what="its state once more")
    newest = rig.commander.command_statuses[-1]
    assert newest.boot_id == newest.commands[-1].boot_id
    assert reboots(rig) == 1


def test_what_is_vetoed_unknown_or_late_is_never_begun(tmp_path: Path) -> None:
    with playbook_rig(tmp_path, CPU_GPU_SENTRY_ALLOW="diagnose") as rig:
        rig.commander.order(
            command("c1", "stop_mining"), command("c2", "overclock"), command("c3", "diagnose", valid_s=0)
        )
        assert "CPU_GPU_SENTRY_ALLOW" in ends(rig, "c1", CommandState.REFUSED)
        assert "too old" in ends(rig, "c2", CommandState.REFUSED)
        ends(rig, "c3", CommandState.EXPIRED)
        assert [len(rig.commander.states_of(name)) for name in ("c1", "c2", "c3")] == [1, 1, 1]


def test_limits_of_the_ladder_arrive_and_are_kept_without_a_commander(rig: PlaybookRig) -> None:
    rig.commander.limit(LadderSettings(reboots=True, maintenance_s=3600))
    eventually(lambda: "in maintenance" in rig.sentry.run("status").stdout, within_s=60, what="the maintenance")
    rig.sentry.kill()
    status = rig.sentry.run("status", "--json").stdout
    assert '"reboots": true' in status


def is_known(rig: PlaybookRig, name: str) -> bool:
    return rig.commander.state_of(name) is not None


@pytest.mark.timeout(900)
def test_thirty_kills_at_random_moments_never_repeat_a_command(rig: PlaybookRig) -> None:
    chance = random.Random(20261128)  # noqa: S311 - the same moments each time
    for number in range(KILLS):
        name = f"c{number}"
        rig.commander.order(command(name, "reboot"))
        time.sleep(chance.uniform(0, LONGEST_S))
        rig.sentry.kill()
        rig.sentry.start()
        eventually(partial(is_known, rig, name), within_s=60, what=f"the state of {name}")
        assert rig.commander.state_of(name) is CommandState.BEGUN
        assert reboots(rig) <= number + 1
    eventually(lambda: bool(reboots(rig)), within_s=60, what="a reboot")
    begun = re.findall(r"command (c\d+) reboot begun", rig.sentry.log.read_text())
    assert len(begun) == len(set(begun))
    assert reboots(rig) <= KILLS
