"""The fixed questions of `diagnose` and their answers, and the logs that `fetch_log` brings."""

import asyncio
import logging
from pathlib import Path

import pytest
from cpu_gpu_sentry.commands import findings
from cpu_gpu_sentry.commands.diagnose import Rig, diagnose
from cpu_gpu_sentry.ladder.sources import Boot, Sources
from cpu_gpu_sentry.machine.kernel_log import KernelLog
from cpu_gpu_sentry.machine.nvidia_events import XidEvents
from cpu_gpu_sentry.recent_log import RecentLog
from protocol.command_messages import Finding, Severity
from protocol.messages import CpuGpuSpecs, GpuReading, GpuSpecs
from protocol.playbook_messages import Archive, Platform, Playbook, PlaybookWork, SoftwarePackage
from sentry_kit.errors import SentryError

CARD, OTHER_CARD = "0000:03:00.0", "0000:04:00.0"
GOOD, WARNING, CRITICAL, UNKNOWN = Severity.GOOD, Severity.WARNING, Severity.CRITICAL, Severity.UNKNOWN
GB = 10**9
XID_79 = "NVRM: Xid (PCI:0000:03:00): 79, pid=1, GPU has fallen off the bus."


@pytest.mark.parametrize(
    ("finding", "severity", "words"),
    [
        (findings.disk(50 * GB, 100 * GB, is_read_only=False), GOOD, "50.0 GB of 100 GB are free."),
        (findings.disk(int(1.5 * GB), 100 * GB, is_read_only=False), WARNING, "nearly full"),
        (findings.disk(int(0.4 * GB), 100 * GB, is_read_only=False), CRITICAL, "nearly full"),
        (findings.disk(50 * GB, 100 * GB, is_read_only=True), CRITICAL, "can only be read"),
        (findings.disk(None, None, is_read_only=False), UNKNOWN, "could not be read"),
        (findings.memory(4 * GB, 8 * GB), GOOD, "4.0 GB of 8.0 GB are available."),
        (findings.memory(int(0.6 * GB), 8 * GB), WARNING, "Memory is short"),
        (findings.memory(int(0.1 * GB), 8 * GB), CRITICAL, "Memory is short"),
        (findings.memory(None, None), UNKNOWN, "could not be read"),
        (findings.clock(-3.0), GOOD, "agrees"),
        (findings.clock(-45.0), WARNING, "45 s behind the commander's"),
        (findings.clock(400.0), CRITICAL, "7 min ahead of the commander's"),
        (findings.clock(-1.7e9), CRITICAL, "behind"),
        (findings.clock(None), UNKNOWN, "could not be read"),
        (findings.name_resolution({}), GOOD, "no host name"),
        (findings.name_resolution({"a.example": True}), GOOD, "1 host name was resolved."),
        (findings.name_resolution({"a.example": True, "b.example": True}), GOOD, "2 host names were resolved."),
        (findings.name_resolution({"a.example": True, "b.example": False}), CRITICAL, "found for b.example;"),
        (
            findings.pool("Kaspa", "a:1", 12.4, has_port=True),
            GOOD,
            "“Kaspa”: the pool a:1 took a connection after 12 ms.",
        ),
        (findings.pool("Kaspa", "a:1", None, has_port=True), CRITICAL, "takes no connection"),
        (findings.pool("Kaspa", "a", None, has_port=False), UNKNOWN, "names no port"),
        (findings.version("NVIDIA driver", "570.86"), GOOD, "NVIDIA driver 570.86."),
        (findings.version("NVIDIA driver", None), UNKNOWN, "unknown"),
    ],
)
def test_each_question_has_an_answer_with_a_severity_and_a_sentence(
    finding: Finding, severity: Severity, words: str
) -> None:
    assert finding.severity is severity
    assert words in finding.text


def test_cards_on_the_bus_are_compared_with_those_that_report() -> None:
    answers = findings.cards({CARD, OTHER_CARD}, {CARD}, {"0000:05:00.0"})
    assert [(each.severity, each.text) for each in answers] == [
        (CRITICAL, "GPU 05:00.0 is gone from the bus; check riser and power."),
        (CRITICAL, "GPU 04:00.0 is on the bus, and its driver reports nothing of it."),
        (GOOD, "1 card reports."),
    ]
    assert [each.severity for each in findings.cards(None, {CARD}, set())] == [UNKNOWN]


def test_lines_about_cards_are_shown_and_the_faulty_ones_are_critical() -> None:
    lines = ["NVRM: Xid (PCI:0000:03:00): 31, MMU Fault", XID_79]
    assert [(each.severity, each.text) for each in findings.kernel_lines(lines)] == [
        (WARNING, lines[0]),
        (CRITICAL, lines[1]),
    ]
    assert [each.severity for each in findings.kernel_lines([])] == [GOOD]
    assert [each.severity for each in findings.kernel_lines(None)] == [UNKNOWN]
    assert len(findings.kernel_lines(lines * 50)) == 10


def test_the_worst_answers_come_first_and_are_counted() -> None:
    answers = [findings.clock(0.0), findings.clock(None), findings.clock(60.0), findings.clock(900.0)]
    assert [each.severity for each in findings.worst_first(answers)] == [CRITICAL, WARNING, UNKNOWN, GOOD]
    assert findings.summary(answers) == "2 of 4 answers need attention; 1 could not be answered."
    assert findings.summary(answers[:1]) == "1 answer is good."


def playbook(pool: str) -> Playbook:
    package = SoftwarePackage(software="trex", version="0.26.8", url="https://a/b", archive=Archive.ZIP, executable="x")
    return Playbook(
        id="7", name="Raven", revision=1, package=package, platform=Platform.LINUX, script="x",
        works=[PlaybookWork(algorithm="kawpow", pool=pool)],
    )  # fmt: skip


def card(devices: Path, address: str, config: bytes) -> None:
    folder = devices / address
    folder.mkdir(parents=True)
    (folder / "vendor").write_text("0x10de\n")
    (folder / "class").write_text("0x030000\n")
    (folder / "config").write_bytes(config)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A rig with two cards, of which one fell off the bus."""
    card(tmp_path / "pci", CARD, b"\xff\xff\xff\xff")
    card(tmp_path / "pci", OTHER_CARD, b"\xde\x10\x04\x22")
    (tmp_path / "kmsg").write_text(f"4,1,1000000,-;eth0: link up\n4,2,2000000,-;{XID_79}\n")
    return Sources(
        boot=lambda: Boot("boot-1", 5000.0),
        pci_devices=tmp_path / "pci",
        kernel_log=KernelLog(tmp_path / "kmsg"),
        xid_events=XidEvents(lambda: None),
    )


def rig(tmp_path: Path, pool: str) -> Rig:
    return Rig(
        data_dir=tmp_path,
        commander_url="https://127.0.0.1:8443",
        playbooks=[playbook(pool)],
        gpus=[GpuReading(pci_address=CARD, is_lost=True), GpuReading(pci_address=OTHER_CARD, temperature_c=60.0)],
        specs=CpuGpuSpecs(os="Debian 13", gpus=[GpuSpecs(pci_address=OTHER_CARD, driver_version="570.86")]),
        expected_cards=frozenset({CARD, OTHER_CARD}),
        sentry_version="0.2.0",
    )


async def behind() -> float | None:
    return -400.0


async def no_commander() -> float | None:
    raise SentryError("The commander can't be reached.")


async def test_a_rig_with_a_dead_card_and_a_wrong_clock_says_so_first(tmp_path: Path, sources: Sources) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answers = await diagnose(rig(tmp_path, f"stratum+tcp://127.0.0.1:{port}"), sources, behind)
    server.close()
    await server.wait_closed()
    critical = [(each.check, each.text) for each in answers if each.severity is CRITICAL]
    assert critical == [
        ("clock", "The clock is 7 min behind the commander's; switch time synchronization on."),
        ("cards", "GPU 03:00.0 is gone from the bus; check riser and power."),
        ("kernel", XID_79),
    ]
    assert answers[: len(critical)] == [each for each in answers if each.severity is CRITICAL]
    checks = {each.check for each in answers}
    assert checks == {"disk", "memory", "clock", "names", "pool", "cards", "kernel", "version"}
    versions = {each.text for each in answers if each.check == "version"}
    assert {"Sentry 0.2.0.", "NVIDIA driver 570.86.", "“Raven”: trex 0.26.8."} <= versions
    assert "took a connection" in next(each.text for each in answers if each.check == "pool")


async def test_a_dead_pool_and_an_unreachable_commander_are_answers_and_no_failure(
    tmp_path: Path, sources: Sources
) -> None:
    answers = await diagnose(rig(tmp_path, "127.0.0.1:1"), sources, no_commander)
    assert next(each.severity for each in answers if each.check == "pool") is CRITICAL
    assert next(each.severity for each in answers if each.check == "clock") is UNKNOWN


async def test_looking_at_the_kernels_log_hides_no_fault_from_the_ladder(sources: Sources) -> None:
    assert await sources.kernel_lines()
    assert [fault.xid for fault in await sources.recent_faults(100.0)] == [79]


async def test_a_fault_of_long_ago_counts_no_longer(sources: Sources) -> None:
    assert await sources.recent_faults(2.0 + 1800.0) == ()


def test_the_sentrys_newest_lines_are_kept_with_tokens_masked() -> None:
    recent, log = RecentLog(), logging.getLogger("recent")
    log.addHandler(recent)
    log.warning("enrolled with %s", f"mw_rig_{'ab' * 32}")
    for number in range(2500):
        log.warning("line %d", number)
    log.removeHandler(recent)
    assert len(recent.lines) == 2000
    assert recent.lines[-1].endswith("line 2499")
    recent.handle(log.makeRecord("recent", logging.WARNING, "", 0, f"token mw_rig_{'ab' * 32}", (), None))
    assert recent.lines[-1].endswith("token mw_rig_abab…")
