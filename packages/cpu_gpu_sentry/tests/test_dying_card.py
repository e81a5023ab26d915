"""A rig whose card dies goes through the whole ladder: the real agent, its real store and a real miner process.

Only the hardware is simulated: a folder stands for the bus, a list for the driver's events, and the boot is a number.
A reboot ends the agent and everything that it started, and begins another boot.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from cpu_gpu_sentry.agent import Agent
from cpu_gpu_sentry.enrolment import SCHEMA, STORE
from cpu_gpu_sentry.ladder import store as ladder_store
from cpu_gpu_sentry.ladder.sources import Boot, Sources
from cpu_gpu_sentry.ladder.steps import GiveUp, MarkLost, Reboot, RestartPlaybook, Step
from cpu_gpu_sentry.machine.kernel_log import KernelLog
from cpu_gpu_sentry.machine.nvidia_events import XidEvents
from cpu_gpu_sentry.playbooks import runs
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.packages import package_key
from cpu_gpu_sentry.settings import Settings
from cpu_gpu_sentry.status import read_status, status_lines
from protocol.command_messages import LadderAct, LadderSettings, MinimumHashrate
from protocol.playbook_messages import Archive, Platform, Playbook, Playbooks, SoftwarePackage
from protocol.tokens import TokenKind, new_token
from sentry_kit import store
from sentry_kit.read_only import open_in_memory
from sentry_kit.store import Enrolment, State
from sentry_kit.worker import Worker

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(sys.platform == "win32", reason="the script is a shell's"),
]
DEVTOOLS = Path(__file__).parents[3] / "devtools"
CARD, OTHER_CARD = "0000:03:00.0", "0000:04:00.0"
ALIVE, DEAD = b"\xde\x10\x04\x22", b"\xff\xff\xff\xff"
TOKEN = new_token(TokenKind.RIG, pin=None)
PACKAGE = SoftwarePackage(
    software="lolminer", version="1", url="https://a/b", archive=Archive.NONE, executable="x", sha256="0" * 64
)
LIMITS = LadderSettings(reboots=True, low_for_s=1, grace_s=1)


class NvmlError(Exception):
    value = 10  # no event waits


class Nvml:
    """The driver's library, as far as its events go."""

    NVMLError = NvmlError
    NVML_ERROR_TIMEOUT, nvmlEventTypeXidCriticalError = 10, 8

    def __init__(self) -> None:
        self.events: list[int] = []

    def nvmlInit(self) -> None: ...

    def nvmlEventSetCreate(self) -> str:
        return "set"

    def nvmlDeviceGetCount(self) -> int:
        return 0

    def nvmlDeviceGetPciInfo(self, _card: str) -> SimpleNamespace:
        return SimpleNamespace(busId=f"0000{CARD}")

    def nvmlEventSetWait_v2(self, _events: str, _timeout_ms: int) -> Any:
        if not self.events:
            raise NvmlError
        return SimpleNamespace(device="card", eventType=8, eventData=self.events.pop())


class SimulatedRig:
    """Two cards, of which one can die. `age_s` is the age of the boot, which the test moves on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.boots, self.age_s, self.nvml = folder, 1, 5000.0, Nvml()
        self.data_dir = folder / "data"
        self.data_dir.mkdir(mode=0o700)
        self.bus, self.dead, self.reboots = folder / "pci", folder / "card-is-dead", folder / "reboots"
        for address in (CARD, OTHER_CARD):
            device = self.bus / address
            device.mkdir(parents=True)
            (device / "vendor").write_text("0x10de\n")
            (device / "class").write_text("0x030000\n")
            (device / "config").write_bytes(ALIVE)
        self._install()

    def _install(self) -> None:
        software = Folders(self.data_dir).software / package_key(PACKAGE)
        software.mkdir(parents=True)
        for each in DEVTOOLS.glob("fake_miner*.py"):
            shutil.copy(each, software)

    def playbook(self) -> Playbook:
        """The miner uses the cards that it finds at its start."""
        script = (
            f"devices=2; test -e {self.dead} && devices=1\n"
            f"exec {sys.executable} ./fake_miner.py --software lolminer --port {{api_port}} --devices $devices\n"
        )
        return Playbook(
            id="p1", name="Ergo", revision=1, package=PACKAGE, platform=Platform.LINUX, script=script
        )  # fmt: skip

    def card_dies(self) -> None:
        """It falls off the bus, and its miner with it."""
        self.dead.touch()
        (self.bus / CARD / "config").write_bytes(DEAD)
        self.nvml.events.append(79)
        runs.end_all(Folders(self.data_dir))

    def ordered_reboots(self) -> int:
        return len(self.reboots.read_text().splitlines()) if self.reboots.exists() else 0

    def sources(self) -> Sources:
        return Sources(
            boot=lambda: Boot(f"boot-{self.boots}", self.age_s),
            pci_devices=self.bus,
            kernel_log=KernelLog(self.folder / "no-kernel-log"),
            xid_events=XidEvents(lambda: self.nvml),
        )

    @asynccontextmanager
    async def booted(
        self, *, reboot_command: str | None = None, allow: str = Settings().allow, is_read_only: bool = False
    ) -> AsyncIterator["RunningAgent"]:
        """The agent of one boot. At its end everything ends, as at a reboot."""
        command = reboot_command or f"sh -c 'echo reboot >> {self.reboots}'"
        settings = Settings(data_dir=self.data_dir, reboot_command=command, allow=allow)
        db, disk = (open_in_memory if is_read_only else store.open_store)(self.data_dir / STORE, SCHEMA), Worker("disk")
        if store.load_enrolment(db) is None:
            store.save_enrolment(db, Enrolment("https://127.0.0.1:1", TOKEN, None, 1, "rig", State.ONLINE))
        agent = Agent(settings, db, disk, sources=self.sources())
        await agent.reload()
        mining = asyncio.create_task(agent.supervisor.run())
        try:
            yield RunningAgent(self, agent)
        finally:
            mining.cancel()
            with suppress(asyncio.CancelledError):
                await mining
            runs.end_all(Folders(self.data_dir))
            disk.end(within_s=10)
            db.close()
            self.boots, self.age_s = self.boots + 1, 5000.0


class RunningAgent:
    """The agent, whose ladder looks when the test says so. Between two looks the rig's clock moves on by 20 s."""

    def __init__(self, rig: SimulatedRig, agent: Agent) -> None:
        self._rig, self.agent = rig, agent

    async def wants(self, playbook: Playbook) -> None:
        body = msgspec.json.encode(Playbooks(playbooks=[playbook]))
        await self.agent.supervisor.take_wanted(TOKEN, None, body)

    async def next_step(self) -> Step:
        """Measures and looks until the ladder does something."""
        async with asyncio.timeout(120), httpx.AsyncClient(trust_env=False, timeout=3) as http:
            while True:
                await self.agent.measure(http)
                self._rig.age_s += 20
                step = await self.agent.operations.ladder.look()
                if step is not None:
                    return step
                await asyncio.sleep(0.1)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(120), httpx.AsyncClient(trust_env=False, timeout=3) as http:
            while not condition():
                await self.agent.measure(http)
                await asyncio.sleep(0.1)

    def devices(self) -> int:
        reading = next((each for each in self.agent.latest.playbook_miners), None)
        return len(reading.devices) if reading is not None else 0

    def hashrate_hs(self) -> float:
        reading = next(iter(self.agent.latest.playbook_miners), None)
        return sum(each.hashrate_hs or 0 for each in reading.algorithms) if reading is not None else 0.0

    def algorithm(self) -> str:
        return self.agent.latest.playbook_miners[0].algorithms[0].algorithm

    def run_id(self) -> str | None:
        state = self.agent.supervisor.run_states.get("p1")
        return state.note.run if state is not None and state.note is not None else None


@pytest.fixture
def rig(tmp_path: Path) -> SimulatedRig:
    return SimulatedRig(tmp_path)


async def climbs_to_reboot(running: RunningAgent) -> list[Step]:
    """Restarted twice, each time with another run, and still slow."""
    steps: list[Step] = []
    for _ in range(2):
        before = running.run_id()
        steps.append(await running.next_step())
        await running.until(lambda before=before: running.run_id() not in (None, before))  # type: ignore[misc]
    return [*steps, await running.next_step()]


@pytest.mark.timeout(300)
async def test_a_rig_with_a_dying_card_goes_through_the_ladder_until_it_gives_up(rig: SimulatedRig) -> None:
    async with rig.booted() as running:
        await running.wants(rig.playbook())
        await running.until(lambda: running.devices() == 2 and running.hashrate_hs() > 0)
        enough_hs = 0.8 * running.hashrate_hs()
        minimum = MinimumHashrate(algorithm=running.algorithm(), hashrate_hs=enough_hs)
        limits = msgspec.structs.replace(LIMITS, minimum_hashrates=[minimum])
        await running.agent.operations.ladder.take_settings(limits)
        assert await running.agent.operations.ladder.look() is None
        rig.card_dies()
        first = await running.next_step()
        assert isinstance(first, Reboot)
        assert first.reason == "rebooted: GPU 03:00.0 fell off the bus, Xid 79"
        assert rig.ordered_reboots() == 1
        assert await running.agent.operations.ladder.look() is None, "the rig reboots"
    async with rig.booted() as running:
        lost = await running.next_step()
        assert isinstance(lost, MarkLost)
        assert lost.reason == "lost: GPU 03:00.0 is gone from the bus, again within 24 h of a reboot; the others go on"
        await running.until(lambda: running.devices() == 1)
        climb = await climbs_to_reboot(running)
        assert [type(step) for step in climb] == [RestartPlaybook, RestartPlaybook, Reboot]
        assert rig.ordered_reboots() == 2
    async with rig.booted() as running:
        await running.until(lambda: running.devices() == 1)
        climb = await climbs_to_reboot(running)
        assert [type(step) for step in climb] == [RestartPlaybook, RestartPlaybook, GiveUp]
        assert climb[-1].reason.endswith("and 2 restarts did not help, after 2 reboots in 24 h")
        assert await running.agent.operations.ladder.look() is None
        assert rig.ordered_reboots() == 2
    said_by_the_store(rig)


def said_by_the_store(rig: SimulatedRig) -> None:
    """Returns the events that a person reads, and those that wait for the commander."""
    status = read_status(rig.data_dir)
    acts = [each.act for each in reversed(status.ladder.events)]
    restarts = [LadderAct.RESTARTED_PLAYBOOK] * 2
    assert acts == [
        LadderAct.REBOOTED, LadderAct.CARD_LOST, *restarts, LadderAct.REBOOTED, *restarts, LadderAct.GAVE_UP
    ]  # fmt: skip
    assert status.ladder.events[-1].device == CARD
    lines = "\n".join(status_lines(status))
    assert "Watchdog: GPU 03:00.0 is lost; the others go on." in lines
    assert "rebooted: GPU 03:00.0 fell off the bus, Xid 79" in lines
    db = store.open_store(rig.data_dir / STORE, SCHEMA)
    assert [each.event.act for each in ladder_store.unsent_events(db)] == acts
    assert {each.event.boot_id for each in ladder_store.unsent_events(db)} == {"boot-1", "boot-2", "boot-3"}
    db.close()


async def test_a_rig_that_refuses_the_command_reboot_is_not_rebooted_by_the_commanders_limits_either(
    rig: SimulatedRig,
) -> None:
    async with rig.booted(allow="restart_playbook,diagnose") as running:
        await running.agent.operations.ladder.take_settings(LIMITS)
        assert not running.agent.operations.ladder.may_reboot
        assert await running.agent.operations.ladder.look() is None
        rig.card_dies()
        lost = await running.next_step()
        assert isinstance(lost, MarkLost)
        assert lost.reason.endswith("the setting CPU_GPU_SENTRY_ALLOW of this rig does not allow reboots")
    assert rig.ordered_reboots() == 0


async def test_a_rig_whose_disk_can_only_be_read_is_not_rebooted_because_nothing_would_count_that(
    rig: SimulatedRig,
) -> None:
    async with rig.booted() as running:
        await running.agent.operations.ladder.take_settings(LIMITS)
    for _ in range(3):
        async with rig.booted(is_read_only=True) as running:
            assert running.agent.operations.ladder.settings.reboots
            assert await running.agent.operations.ladder.look() is None
            rig.card_dies()
            lost = await running.next_step()
            assert isinstance(lost, MarkLost)
            assert lost.reason.endswith("the disk can only be read, so reboots could not be counted")
            (rig.bus / CARD / "config").write_bytes(ALIVE)
    assert rig.ordered_reboots() == 0


async def test_a_reboot_that_fails_is_an_event_and_not_tried_again(rig: SimulatedRig) -> None:
    rig.reboots.mkdir()  # so that the command can't write there
    async with rig.booted() as running:
        await running.agent.operations.ladder.take_settings(LIMITS)
        assert await running.agent.operations.ladder.look() is None
        rig.card_dies()
        assert isinstance(await running.next_step(), Reboot)
        newest = running.agent.operations.ladder.newest_events[0].event
        assert (newest.act, newest.device) == (LadderAct.FAILED, CARD)
        assert "exit code" in newest.reason
        rig.age_s += 600
        lost = await running.next_step()
        assert isinstance(lost, MarkLost)
        assert lost.reason.endswith("the rig could not be rebooted")


async def test_a_sentry_that_is_killed_while_it_reboots_does_not_order_a_second_reboot(rig: SimulatedRig) -> None:
    async with rig.booted(reboot_command="sleep 5") as running:
        await running.agent.operations.ladder.take_settings(LIMITS)
        assert await running.agent.operations.ladder.look() is None
        rig.card_dies()
        reboot = asyncio.create_task(running.next_step())
        await running.until(lambda: bool(running.agent.operations.ladder.history.reboots))
        reboot.cancel()
        with suppress(asyncio.CancelledError):
            await reboot
        age_s = rig.age_s
    rig.boots, rig.age_s = rig.boots - 1, age_s  # the machine has not rebooted
    async with rig.booted() as running:
        assert await running.agent.operations.ladder.look() is None
        assert rig.ordered_reboots() == 0
        rig.age_s += 600
        assert isinstance(await running.next_step(), MarkLost)
        assert rig.ordered_reboots() == 0
