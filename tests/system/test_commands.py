"""Commands from a real commander to a real sentry: each is carried out exactly once, whichever process is killed."""

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.farm import CommanderProcess, eventually, running_commander
from tests.sentry import SentryProcess, running

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

COMMANDS = "/api/v1/commands"
KILLS = 30
# A sentry whose machine boots as often as a file says another id.
ON_THIS_BOOT = """
import sys
from pathlib import Path
from cpu_gpu_sentry.machine import boot
boot.boot_id.__defaults__ = (Path(sys.argv.pop(1)),)
from cpu_gpu_sentry.__main__ import main
sys.exit(main())
"""
# The same, on a machine whose clock has begun at 1970: every module of the sentry sees that time.
IN_1970 = f"""
import datetime, importlib, pkgutil, sys, time
import cpu_gpu_sentry, sentry_kit
now_s, began_s = time.time, time.time()
real = datetime.datetime
class Clock(real):
    @staticmethod
    def now(tz=None):
        return real.fromtimestamp(time.time(), tz)
    fromtimestamp, fromisoformat, strptime = real.fromtimestamp, real.fromisoformat, real.strptime
for package in (cpu_gpu_sentry, sentry_kit):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(("__main__", "_windows")):
            importlib.import_module(module.name)
for name, module in list(sys.modules.items()):
    if name.startswith(("cpu_gpu_sentry", "sentry_kit")) and vars(module).get("datetime") is real:
        module.datetime = Clock
time.time = lambda: now_s() - began_s
{ON_THIS_BOOT}"""


@dataclass
class CommandedRig:
    """A rig whose reboots leave a line in a file, and the id of another boot in a second one."""

    commander: CommanderProcess
    sentry: SentryProcess
    key: str
    rig_id: int
    folder: Path

    def order(self, action: str, **more: object) -> int:
        with self.commander.client(self.key) as client:
            answer = client.post(COMMANDS, json={"action": action, "rigs": [self.rig_id], **more})
        assert answer.status_code == 202, answer.text
        command_id: int = answer.json()["id"]
        return command_id

    def target(self, command_id: int) -> dict[str, str]:
        with self.commander.client(self.key) as client:
            (only,) = client.get(f"{COMMANDS}/{command_id}").raise_for_status().json()["targets"]
        return dict(only)

    def result(self, command_id: int) -> dict[str, list[dict[str, object]]]:
        with self.commander.client(self.key) as client:
            answer = client.get(f"{COMMANDS}/{command_id}/rigs/{self.rig_id}").raise_for_status().json()
        return dict(answer)

    def becomes(self, command_id: int, *states: str, within_s: float = 60) -> dict[str, str]:
        def has_come() -> bool:
            try:
                return self.target(command_id)["state"] in states
            except httpx.TransportError:
                return False

        eventually(has_come, within_s=within_s, what=f"command {command_id} to be one of {states}")
        return self.target(command_id)

    @property
    def reboots(self) -> int:
        path = self.folder / "reboots"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def boot_again(self) -> None:
        """Cuts the rig's power: the sentry is killed, and starts in another boot."""
        self.sentry.kill()
        (self.folder / "boot_id").write_text(f"{uuid4()}\n")
        self.sentry.start()


@contextmanager
def commanded_rig(folder: Path, *, program: str = ON_THIS_BOOT, **more: str) -> Iterator[CommandedRig]:
    """A commander and an enrolled sentry, as long as the block lasts."""
    (folder / "boot_id").write_text(f"{uuid4()}\n")

    def command(_program: str, *arguments: str) -> list[str]:
        return [sys.executable, "-c", program, str(folder / "boot_id"), *arguments]

    with running_commander(folder) as commander:
        key = commander.api_key()
        with commander.client(key) as client:
            added = client.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).raise_for_status().json()
        environment = {
            "SSL_CERT_FILE": str(commander.ca),
            "CPU_GPU_SENTRY_REBOOT_COMMAND": f"sh -c 'echo reboot >> {folder / 'reboots'}'",
            "CPU_GPU_SENTRY_PLAYBOOKS_EVERY_S": "2",
            **more,
        }
        with running(SentryProcess(folder / "sentry", more=environment, command=command)) as sentry:
            sentry.enroll(commander.url, added["token"])
            yield CommandedRig(commander, sentry, key, added["id"], folder)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[CommandedRig]:
    with commanded_rig(tmp_path) as ready:
        yield ready


def test_each_command_comes_back_with_its_result(rig: CommandedRig) -> None:
    diagnosis = rig.order("diagnose", reason="first look")
    assert rig.becomes(diagnosis, "done")["result"]
    findings = rig.result(diagnosis)["findings"]
    assert {"disk", "memory", "clock"} <= {finding["check"] for finding in findings}
    order = ["critical", "warning", "unknown", "good"]
    places = [order.index(str(finding["severity"])) for finding in findings]
    assert places == sorted(places), "the worst first"
    fetched = rig.order("fetch_log", arguments={"lines": 20})
    rig.becomes(fetched, "done")
    assert any("diagnose" in str(log["lines"]) for log in rig.result(fetched)["logs"])
    for action in ("stop_mining", "start_mining", "restart_playbook"):
        ended = rig.becomes(rig.order(action), "done", "failed")
        assert ended["result"], action  # there is no playbook here: a sentence says so


def test_a_reboot_is_done_when_the_rig_reports_from_another_boot(rig: CommandedRig) -> None:
    reboot = rig.order("reboot")
    rig.becomes(reboot, "begun")
    eventually(lambda: rig.reboots == 1, within_s=60, what="the reboot")
    rig.boot_again()
    assert "rebooted" in rig.becomes(reboot, "done")["result"]
    assert rig.reboots == 1


def test_what_the_rig_forbids_is_refused_and_what_is_late_expires(tmp_path: Path) -> None:
    with commanded_rig(tmp_path, CPU_GPU_SENTRY_ALLOW="diagnose") as rig:
        assert "CPU_GPU_SENTRY_ALLOW" in rig.becomes(rig.order("reboot"), "refused")["result"]
        assert rig.reboots == 0
        rig.sentry.kill()
        late = rig.order("diagnose", valid_s=10)
        assert "offline" in rig.becomes(late, "expired")["result"]
        rig.sentry.start()
        follows = rig.order("diagnose")
        rig.becomes(follows, "done")
        assert rig.target(late)["state"] == "expired"


def test_a_rig_whose_clock_says_1970_carries_out_commands_in_time(tmp_path: Path) -> None:
    with commanded_rig(tmp_path, program=IN_1970) as rig:
        diagnosis = rig.order("diagnose", valid_s=120)
        rig.becomes(diagnosis, "done")
        (clock,) = [each for each in rig.result(diagnosis)["findings"] if each["check"] == "clock"]
        assert (clock["severity"], "behind" in str(clock["text"])) == ("critical", True), clock
        reboot = rig.order("reboot", valid_s=120)
        rig.becomes(reboot, "begun")
        eventually(lambda: rig.reboots == 1, within_s=60, what="the reboot")
        rig.sentry.kill()
        late = rig.order("fetch_log", valid_s=10)
        rig.becomes(late, "expired")
        rig.boot_again()
        rig.becomes(reboot, "done")
        assert (rig.target(late)["state"], rig.reboots) == ("expired", 1)


def test_a_reboot_after_which_the_rig_reports_from_the_same_boot_is_not_done(rig: CommandedRig) -> None:
    reboot = rig.order("reboot")
    rig.becomes(reboot, "begun")
    eventually(lambda: rig.reboots == 1, within_s=60, what="the reboot")
    rig.sentry.kill()
    rig.sentry.start()
    rig.becomes(rig.order("diagnose"), "done")
    assert (rig.target(reboot)["state"], rig.reboots) == ("begun", 1)


def test_whatever_is_killed_no_command_is_repeated(rig: CommandedRig) -> None:
    """Commander or sentry, before the command is fetched, while it begins, and after: each reboot happens once."""
    chance = random.Random(20_261_128)  # noqa: S311 - moments, not secrets
    rig.becomes(rig.order("diagnose"), "done")
    for number in range(KILLS):
        before, command_id = rig.reboots, rig.order("reboot")
        time.sleep(chance.uniform(0, 0.8))
        if chance.random() < 0.5:
            rig.commander.kill()
            rig.commander.start()
        else:
            rig.sentry.kill()
            rig.sentry.start()
        rig.becomes(command_id, "begun", "done", "failed", within_s=90)
        assert rig.reboots - before <= 1, f"after {number} kills"
        rig.boot_again()
        rig.becomes(command_id, "done", within_s=90)
        assert rig.reboots - before <= 1, f"after {number} kills"
    assert rig.reboots >= 1
