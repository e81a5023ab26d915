"""The wallet guard's fault: a rig mines to another wallet or pool than its playbook, since when, and where it shows."""

from datetime import UTC, datetime, timedelta

import httpx
import msgspec
from commander.live.operational_index import OperationalIndex
from commander.live.playbooks import PlaybookNow
from commander.live.rig_state import RigState
from commander.live.trouble import RigTrouble, trouble_of
from commander.readings.cpu_gpu import summary_of
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind
from commander.selections.live import LiveSelections
from commander.selections.parser import parse
from commander_farm import RIGS, Farm, Rig, a_log, on_sqlite
from pages import page
from playbook_farm import MONERO, OTHER_MONERO, Playbooks, a_status
from protocol.messages import CpuGpuLog
from protocol.playbook_messages import (
    Archive,
    Platform,
    Playbook,
    PlaybookState,
    PlaybookStatus,
    PlaybookWork,
    SoftwarePackage,
)
from protocol.reading import Reader

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
POOL = "pool.example:3333"
PACKAGE = SoftwarePackage(software="xmrig", version="6", url="https://x.example/a", archive=Archive.ZIP, executable="x")
_log = Reader(CpuGpuLog)


def a_playbook(playbook_id: int = 1, *, name: str = "Main", user: str = MONERO, revision: int = 1) -> PlaybookNow:
    wire = Playbook(
        id=str(playbook_id),
        name=name,
        revision=revision,
        package=PACKAGE,
        platform=Platform.LINUX,
        script=f"./x -u {user}",
        works=[PlaybookWork(algorithm="rx/0", pool=POOL, user=user)],
    )
    return PlaybookNow(playbook_id, wire, changed_at=NOW)


def a_status_of(playbook: PlaybookNow, *, since: datetime | None) -> PlaybookStatus:
    """Returns the status of a playbook that mines its newest revision since then."""
    wire = playbook.wire
    return PlaybookStatus(playbook_id=wire.id, revision=wire.revision, state=PlaybookState.MINING, since=since)


def a_miner(playbook_id: object, *, user: str | None = MONERO, pool: str | None = POOL) -> dict[str, object]:
    reading = {"algorithm": "rx/0", "hashrate_hs": 1.0, "pool": pool, "user": user}
    return {"software": "xmrig", "state": "mining", "playbook_id": str(playbook_id), "algorithms": [reading]}


def texts(state: RigState) -> list[str]:
    return [fault.text for fault in state.faults]


class OneRig:
    """A rig in an operational index; its logs are taken some seconds after 12:00."""

    def __init__(self, *playbooks: PlaybookNow) -> None:
        self.index = OperationalIndex(stale_after_s=4_500, offline_after_s=6_000)
        self.state = self.index.add(7, "rig-07")
        self.index.set_playbooks(7, list(playbooks))

    def report(self, at_s: float, *miners: dict[str, object]) -> list[str]:
        body, taken_at = msgspec.json.encode(a_log() | {"miners": miners}), NOW + timedelta(seconds=at_s)
        self.index.report(7, body, summary_of(_log.decode(body)), taken_at=taken_at, reported_at=taken_at, now_s=at_s)
        return texts(self.state)


def test_another_wallet_is_the_worst_fault_with_its_beginning() -> None:
    rig = OneRig(a_playbook())
    assert rig.report(600, a_miner(1)) == []
    thief = a_miner(1, user=OTHER_MONERO) | {"state": "stalled"}
    assert rig.report(610, thief) == ["Wallet differs", "Not mining"]
    assert rig.report(620, thief) == ["Wallet differs", "Not mining"]
    assert rig.state.faults_since["Wallet differs"] == NOW + timedelta(seconds=610)
    assert trouble_of(rig.state) == RigTrouble(rule="wallet", severity=Severity.CRITICAL, text="Wallet differs")
    assert rig.report(630, a_miner(1)) == []


def test_another_pool_is_named_as_such_and_of_two_playbooks_the_one() -> None:
    elsewhere = a_miner(1, pool="evil.example:1")
    assert OneRig(a_playbook()).report(600, elsewhere) == ["Pool differs"]
    both = OneRig(a_playbook(), a_playbook(2, name="Second"))
    assert both.report(600, elsewhere, a_miner(2)) == ["Pool differs: Main"]


def test_unknown_values_and_miners_without_a_playbook_are_no_fault() -> None:
    rig = OneRig(a_playbook())
    assert rig.report(600, a_miner(1, user=None, pool=None)) == []
    assert rig.report(610, a_miner(99, user=OTHER_MONERO)) == []


def test_after_a_change_the_old_wallet_is_no_fault_until_the_miner_is_restarted() -> None:
    rig, old = OneRig(a_playbook(user=OTHER_MONERO, revision=2)), a_miner(1)
    assert rig.report(10, old) == [], "the sentry has not taken the change yet"
    playbook = rig.state.playbooks[0]
    playbook.status = a_status_of(playbook, since=NOW + timedelta(seconds=15))
    rig.index.touch(7)
    assert texts(rig.state) == [], "the log was taken before the restart"
    assert rig.report(20, old) == ["Wallet differs"]


def test_a_miner_that_never_takes_over_its_new_wallet_is_a_fault_after_five_minutes() -> None:
    rig, old = OneRig(a_playbook(user=OTHER_MONERO, revision=2)), a_miner(1)
    wallets = LiveSelections(RigKind.CPU_GPU, rig.index).of(parse("incident:wallet"))
    assert rig.report(290, old) == []
    assert wallets.ids == set()
    assert rig.report(300, old) == ["Wallet differs"]
    assert wallets.ids == {7}, "nothing but the time has changed"


def test_a_fault_that_the_start_of_the_commander_finds_has_no_beginning() -> None:
    rig = OneRig()
    rig.report(600, a_miner(1, user=OTHER_MONERO))
    playbook = a_playbook()
    playbook.status, playbook.reported_at = a_status_of(playbook, since=None), NOW + timedelta(seconds=500)
    rig.index.set_playbooks(7, [playbook])
    assert rig.state.faults_since == {"Wallet differs": None}


async def robbed(farm: Farm, playbooks: Playbooks) -> Rig:
    """Returns a rig whose miner pays another wallet than its playbook."""
    rig = await farm.add("rig-07")
    added = await playbooks.add(rig, name="Main")
    await playbooks.tell(rig, a_status(added, "mining"))
    await farm.report(rig, a_log() | {"miners": [a_miner(added["id"], user=OTHER_MONERO)]})
    return rig


async def test_rows_pages_filter_and_scripts_show_another_wallet(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig, good = await robbed(farm, playbooks), await farm.add("rig-good")
    await farm.report(good, a_log())
    shown = (await farm.get(f"{RIGS}/{rig.id}")).json()
    assert shown["faults"] == ["Wallet differs"]
    assert shown["trouble"] == {"rule": "wallet", "severity": "critical", "text": "Wallet differs"}
    found = (await farm.get(f"{RIGS}?select=incident:wallet")).json()
    assert [each["name"] for each in found] == ["rig-07"]
    index = await page(person, "/cpu-gpu")
    assert f'<a class="state bad" href="/cpu-gpu/{rig.id}/playbooks">Wallet differs</a>' in index
    assert "1 with another wallet or pool than their playbook</a>" in index
    faulty = await page(person, "/cpu-gpu?faults=yes")
    assert (f'id="rig-{rig.id}"' in faulty, f'id="rig-{good.id}"' in faulty) == (True, False)
    assert "Wallet differs</a>" in await page(person, f"/cpu-gpu/{rig.id}")


@on_sqlite
async def test_a_wallet_in_neither_process_nor_script_is_a_fault_too(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add("rig-07")
    added = await playbooks.add(rig)
    await farm.report(rig, a_log() | {"miners": [a_miner(added["id"], user=None, pool=None)]})
    await playbooks.tell(rig, a_status(added, "mining", wallet_evidence="neither"))
    assert (await farm.get(f"{RIGS}/{rig.id}")).json()["faults"] == ["Wallet differs"]
