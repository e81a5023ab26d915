"""Faults of a CPU/GPU rig: their words, since when they last, and where pages show them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx
import msgspec
import pytest
from commander.live.operational_index import OperationalIndex
from commander.live.playbooks import PlaybookNow
from commander.live.rig_state import Health, OpenCondition, RigState
from commander.live.trouble import RigTrouble, trouble_of, troubles_of
from commander.readings.cpu_gpu import summary_of
from commander.readings.faults import surely_percent
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind
from commander.rig_pages.faults_view import faults_view
from commander.rig_pages.troubles import troubles
from commander_farm import ASICS, RIGS, Farm, a_log, an_asic_log, on_sqlite
from protocol.messages import CpuGpuLog
from protocol.playbook_messages import Archive, Platform, Playbook, PlaybookState, PlaybookStatus, SoftwarePackage
from protocol.reading import Reader

Json = dict[str, object]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_log = Reader(CpuGpuLog)
PACKAGE = SoftwarePackage(software="xmrig", version="6", url="https://x.example/a", archive=Archive.ZIP, executable="x")
CARD = {"pci_address": "0000:03:00.0", "temperature_c": 64.0, "fan_percent": 70.0}


def a_rig(**more: object) -> bytes:
    return msgspec.json.encode({**a_log(), **more})


def a_miner(**more: object) -> Json:
    algorithm = {"algorithm": "rx/0", "hashrate_hs": 17_000.0, "accepted": 99, "rejected": 1}
    return {"software": "xmrig", "state": "mining", "algorithms": [algorithm], "devices": [], **more}


def silent(trouble: str | None = None, state: str = "api_silent") -> Json:
    return a_miner(state=state, trouble=trouble, algorithms=[])


def shares(**counts: int) -> list[Json]:
    return [a_miner(algorithms=[{"algorithm": "rx/0", "hashrate_hs": 1.0, **counts}])]


def after(
    *bodies: bytes, specs: Mapping[str, object] | None = None, playbooks: list[PlaybookNow] | None = None
) -> RigState:
    """A rig in the operational index, after these logs came at intervals of 10 s."""
    index = OperationalIndex(stale_after_s=45, offline_after_s=60)
    state = index.add(7, "rig-07", None if specs is None else msgspec.json.encode(specs))
    if playbooks:
        index.set_playbooks(7, playbooks)
    for step, body in enumerate(bodies):
        at = NOW + timedelta(seconds=10 * step)
        index.report(7, body, summary_of(_log.decode(body)), taken_at=at, reported_at=at, now_s=10.0 * step)
    return state


@pytest.mark.parametrize(
    ("more", "texts"),
    [
        ({}, []),
        ({"miners": []}, ["No miner"]),
        ({"miners": [a_miner(state="failed")]}, ["Miner failed"]),
        ({"miners": [silent()]}, ["API silent"]),
        ({"miners": [silent("refused")]}, ["API silent"]),
        ({"miners": [silent("no_answer")]}, ["API silent"]),
        ({"miners": [silent("of a newer sentry")]}, ["API silent"]),
        ({"miners": [silent("access_denied")]}, ["Wants a token"]),
        ({"miners": [silent("unreadable")]}, ["Can't be read"]),
        ({"miners": [silent("unreadable"), a_miner(software="trex")]}, ["Can't be read: xmrig"]),
        ({"miners": [silent("access_denied", state="starting")]}, ["Wants a token"]),
        ({"miners": [silent("no_job", state="starting")]}, ["No job from the pool"]),
        ({"miners": [silent("no_job", state="stalled")]}, ["No job from the pool"]),
        ({"miners": [a_miner(state="stalled")]}, ["Not mining"]),
        ({"miners": [a_miner(state="stopped")]}, ["Not mining"]),
        ({"miners": [a_miner(state="starting", algorithms=[])]}, []),
        ({"miners": [a_miner(algorithms=[{"algorithm": "rx/0", "hashrate_hs": 0.0}])]}, ["Not mining"]),
        ({"miners": [a_miner(algorithms=[{"algorithm": "rx/0", "hashrate_hs": None}])]}, []),
        ({"miners": [a_miner(), a_miner(software="trex", state="failed")]}, ["Miner failed: trex"]),
        ({"gpus": [CARD | {"temperature_c": 97.0}]}, ["Too hot: GPU 03:00 97 °C"]),
        ({"gpus": [CARD | {"temperature_c": 84.0}]}, []),
        ({"gpus": [CARD | {"memory_temperature_c": 110.0}]}, ["Too hot: memory of GPU 03:00 110 °C"]),
        ({"cpu": {"temperature_c": 96.0}}, ["Too hot: CPU 96 °C"]),
        ({"gpus": [CARD | {"fan_percent": 0.0}]}, ["Fan 0 %: GPU 03:00"]),
        ({"gpus": [CARD | {"fan_percent": 0.0, "temperature_c": 45.0}]}, []),
        ({"gpus": [CARD | {"fan_percent": None}]}, []),
        ({"miners": shares(accepted=59, rejected=41)}, ["41 % rejected"]),
        ({"miners": shares(accepted=59, stale=41)}, ["41 % rejected"]),
        ({"miners": shares(accepted=18, rejected=2)}, []),
        ({"miners": shares(accepted=0, rejected=1)}, ["100 % rejected"]),
    ],
)
def test_a_fault_has_the_words_of_the_field(more: Json, texts: list[str]) -> None:
    assert [fault.text for fault in after(a_rig(**more)).faults] == texts


def test_ten_percent_of_twenty_shares_is_surely_three() -> None:
    assert round(surely_percent(2, 20), 1) == 2.8
    assert round(surely_percent(200, 2_000), 1) == 8.8


def test_a_card_that_the_specs_name_and_no_log_does_is_lost() -> None:
    specs = {"gpus": [CARD, CARD | {"pci_address": "0000:04:00.0"}]}
    assert [fault.text for fault in after(a_rig(), specs=specs).faults] == ["GPU lost: 1 of 2"]
    assert after(a_rig(), specs={"gpus": [CARD]}).faults == ()


def test_a_fault_keeps_its_beginning_while_its_value_changes() -> None:
    bodies = [a_rig(), *(a_rig(gpus=[CARD | {"temperature_c": hot_c}]) for hot_c in (97.0, 98.0))]
    state = after(*bodies)
    assert [fault.text for fault in state.faults] == ["Too hot: GPU 03:00 98 °C"]
    assert list(state.faults_since.values()) == [NOW + timedelta(seconds=10)]
    assert list(after(*bodies[1:]).faults_since.values()) == [NOW]


def test_the_beginning_of_a_fault_that_was_there_at_the_start_is_unknown() -> None:
    index = OperationalIndex(stale_after_s=45, offline_after_s=60)
    state = index.add(1, "rig-07")
    hot = a_rig(gpus=[CARD | {"temperature_c": 97.0}])
    index.restore(1, hot, summary_of(_log.decode(hot)), taken_at=NOW, now=NOW, now_s=0.0)
    assert list(state.faults_since.values()) == [None]


def a_playbook(state: PlaybookState, *, paused: bool = False) -> PlaybookNow:
    wire = Playbook(
        id="1", name="Main", revision=1, package=PACKAGE, platform=Platform.LINUX, script="x", paused=paused
    )
    return PlaybookNow(1, wire, PlaybookStatus(playbook_id="1", revision=1, state=state), reported_at=NOW)


def test_a_failed_playbook_is_a_fault_and_a_paused_one_is_meant() -> None:
    stopped = a_rig(miners=[a_miner(state="stopped")])
    failed = after(stopped, playbooks=[a_playbook(PlaybookState.FAILED)])
    assert [fault.text for fault in failed.faults] == ["Playbook failed: Main", "Not mining"]
    assert failed.faults_since["Playbook failed: Main"] == NOW
    assert after(stopped, playbooks=[a_playbook(PlaybookState.PAUSED, paused=True)]).faults == ()


@on_sqlite
async def test_pages_filter_and_show_faults(person: httpx.AsyncClient, farm: Farm) -> None:
    good, bad = await farm.add("rig-good"), await farm.add("rig-bad")
    await farm.report(good, a_log())
    await farm.report(bad, {**a_log(), "gpus": [CARD | {"temperature_c": 97.0}]})
    faulty = (await person.get("/cpu-gpu?faults=yes")).text
    assert f'id="rig-{bad.id}"' in faulty
    assert f'id="rig-{good.id}"' not in faulty
    assert "Too hot: GPU 03:00 97 °C" in faulty
    assert "Too hot: GPU 03:00 97 °C" in (await person.get(f"/cpu-gpu/{bad.id}")).text


@on_sqlite
async def test_scripts_read_the_worst_trouble_of_a_rig(farm: Farm) -> None:
    rig, asic = await farm.add("rig-07"), await farm.add_asic("asic-01")
    assert (await farm.get(f"{RIGS}/{rig.id}")).json()["trouble"] is None
    await farm.report(rig, {**a_log(), "gpus": [CARD | {"temperature_c": 97.0}], "miners": [a_miner(state="failed")]})
    shown = (await farm.get(f"{RIGS}/{rig.id}")).json()
    assert shown["trouble"] == {"rule": "no_hashrate", "severity": "critical", "text": "Miner failed"}
    assert shown["faults"] == ["Miner failed", "Too hot: GPU 03:00 97 °C"]
    await farm.report_asic(asic, an_asic_log(faults=["fan"]))
    of_asic = (await farm.get(f"{ASICS}/{asic.id}")).json()["trouble"]
    assert of_asic == {"rule": "asic_fault", "severity": "critical", "text": "Fan fault"}


@on_sqlite
@pytest.mark.parametrize(
    ("trouble", "text"),
    [(None, "API silent"), ("access_denied", "Wants a token"), ("unreadable", "Can't be read")],
)
async def test_every_page_and_the_api_say_why_a_miner_gives_no_values(
    person: httpx.AsyncClient, farm: Farm, trouble: str | None, text: str
) -> None:
    rig = await farm.add("rig-07")
    await farm.report(rig, {**a_log(), "miners": [silent(trouble)]})
    shown = (await farm.get(f"{RIGS}/{rig.id}")).json()
    assert shown["faults"] == [text]
    assert shown["trouble"] == {"rule": "no_hashrate", "severity": "critical", "text": text}
    for path in ("/", "/cpu-gpu", f"/cpu-gpu/{rig.id}"):
        html = unescape((await person.get(path)).text)
        assert text in html, path
        assert text == "API silent" or "API silent" not in html, path


def test_the_silence_of_a_rig_comes_before_its_last_faults() -> None:
    state = after(a_rig(miners=[a_miner(state="failed")]))
    state.health = Health.OFFLINE
    assert trouble_of(state) == RigTrouble(rule="offline", severity=Severity.CRITICAL, text="Offline")
    state = after(a_rig())
    state.two_sentries = True
    assert trouble_of(state) == RigTrouble(rule="two_sentries", severity=Severity.WARNING, text="Two sentries")


def test_a_rule_that_is_broken_for_too_long_stands_beside_the_faults() -> None:
    low = OpenCondition("hashrate_low", Severity.WARNING, "Hashrate 65 % of usual", NOW)
    hot = OpenCondition("temperature", Severity.CRITICAL, "Too hot: GPU 03:00 97 °C", NOW)
    own = OpenCondition("power<100", Severity.WARNING, "Power 90 W", NOW)
    gone = OpenCondition("offline", Severity.CRITICAL, "Offline", NOW)
    index = OperationalIndex(stale_after_s=45, offline_after_s=60)
    state = index.add(1, "rig-07")
    log = a_rig(gpus=[CARD | {"temperature_c": 97.0}])
    index.restore(1, log, summary_of(_log.decode(log)), taken_at=NOW, now=NOW, now_s=0.0)
    index.set_conditions(1, (hot, low, own, gone))
    all_of_it = troubles_of(state)
    assert [each.text for each in all_of_it] == [
        "Too hot: GPU 03:00 97 °C",
        "Hashrate 65 % of usual",
        "Power 90 W",
    ]
    assert [each.since for each in all_of_it] == [NOW] * 3, "the time is known even after a restart"
    views = faults_view(state, RigKind.CPU_GPU).faults
    assert [(view.text, view.tone) for view in views[1:]] == [
        ("Hashrate 65 % of usual", "warning"),
        ("Power 90 W", "warning"),
    ]
    found = troubles([state], RigKind.CPU_GPU)
    assert [each.text for each in found] == ["1 too hot", "1 with a low hashrate", "1 with power<100"]
    assert found[-1].href == "/cpu-gpu?select=incident%3A%22power%3C100%22+health%3Aonline%2Cstale"
