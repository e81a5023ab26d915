"""Faults of cards, read from what the kernel, the driver and the PCI bus report."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cpu_gpu_sentry.ladder.card_faults import fault_in_line, is_about_cards, xid_fault
from cpu_gpu_sentry.ladder.facts import CardFault
from cpu_gpu_sentry.machine.kernel_log import KernelLine, KernelLog, parse_record
from cpu_gpu_sentry.machine.nvidia_events import XidEvents
from cpu_gpu_sentry.machine.pci_bus import cards_on_bus

CARD = "0000:03:00.0"
FELL_OFF = CardFault(CARD, "fell off the bus, Xid 79", 79)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("NVRM: Xid (PCI:0000:03:00): 79, pid=1234, name=lolMiner, GPU has fallen off the bus.", FELL_OFF),
        ("NVRM: Xid (0000:03:00): 79, GPU has fallen off the bus.", FELL_OFF),
        ("NVRM: Xid (PCI:00000000:03:00.0): 79, GPU has fallen off the bus.", FELL_OFF),
        (
            "NVRM: Xid (PCI:0000:0A:00): 119, pid=77, name=rigel, Timeout after 45s of waiting for RPC response",
            CardFault("0000:0a:00.0", "reported Xid 119 (GSP RPC timeout)", 119),
        ),
        (
            "NVRM: Xid (PCI:0000:03:00): 154, GPU recovery action changed from 0x0 (None) to "
            "0x2 (Node Reboot Required)",
            CardFault(CARD, "needs a reset or a reboot, as its driver says (Xid 154)", 154),
        ),
        ("NVRM: Xid (PCI:0000:03:00): 154, GPU recovery action changed from 0x2 (GPU Reset) to 0x0 (None)", None),
        ("NVRM: Xid (PCI:0000:03:00): 31, pid=9, name=trex, Ch 00000010, MMU Fault", None),
        ("NVRM: Xid (PCI:0000:03:00): 43, pid=9, name=trex, Ch 00000010", None),
        ("amdgpu 0000:03:00.0: amdgpu: device lost from bus!", CardFault(CARD, "was lost from the bus (amdgpu)")),
        ("amdgpu 0000:03:00.0: amdgpu: GPU reset end with ret = -110", CardFault(CARD, "could not be reset (amdgpu)")),
        ("amdgpu 0000:03:00.0: amdgpu: GPU reset end with ret = -11", None),
        ("amdgpu 0000:03:00.0: amdgpu: GPU reset(4) succeeded!", None),
        ("amdgpu 0000:03:00.0: amdgpu: GPU Recovery Failed: -19", CardFault(CARD, "could not be recovered (amdgpu)")),
        ("amdgpu 0000:03:00.0: amdgpu: VRAM: 8176M", None),
        ("usb 1-1: new high-speed USB device number 79", None),
    ],
)
def test_a_line_of_the_kernel_log_is_a_fault_if_only_a_reboot_repairs_it(line: str, fault: CardFault | None) -> None:
    assert fault_in_line(line) == fault


@pytest.mark.parametrize("xid", [13, 31, 32, 43, 45, 63, 94])
def test_an_xid_of_a_program_or_of_a_repaired_error_needs_no_reboot(xid: int) -> None:
    assert xid_fault(CARD, xid) is None


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ("NVRM: Xid (PCI:0000:03:00): 31, pid=9, MMU Fault", True),
        ("[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx timeout, signaled seq=1", True),
        ("[drm] amdgpu kernel modesetting enabled.", False),
        ("eth0: reset", False),
    ],
)
def test_xids_and_errors_of_amdgpu_are_shown_to_people(line: str, is_shown: bool) -> None:
    assert is_about_cards(line) is is_shown


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (b"6,1234,5140900,-;NVRM: loading\n SUBSYSTEM=pci\n DEVICE=+pci:0000:03:00.0\n", (5.1409, "NVRM: loading")),
        (b"4,1,0,-;first", (0.0, "first")),
        (b"4,1,77,-,caller=T1;with a caller; and a semicolon\n", (0.000077, "with a caller; and a semicolon")),
        (b"no record at all", None),
        (b"4,1,now,-;text", None),
        (b"4,1,5,-;\xff\xfe", (0.000005, "��")),
        (b"", None),
    ],
)
def test_a_record_of_kmsg_is_read(record: bytes, line: tuple[float, str] | None) -> None:
    assert parse_record(record) == (KernelLine(*line) if line else None)


class Kmsg:
    """/dev/kmsg as far as `os.read` shows it: a record or an error for each read, then nothing more."""

    def __init__(self, *answers: bytes | OSError) -> None:
        self.answers = list(answers)

    def read(self, _file: int, _most: int) -> bytes:
        if not self.answers:
            raise BlockingIOError
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


def test_the_kernel_log_goes_on_after_records_that_were_overwritten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "kmsg"
    path.touch()
    kmsg = Kmsg(b"4,1,1000000,-;one\n", OSError(errno.EPIPE, "overwritten"), b"4,9,2000000,-;nine\n")
    monkeypatch.setattr("cpu_gpu_sentry.machine.kernel_log.os.read", kmsg.read)
    log = KernelLog(path)
    assert log.read_new() == [KernelLine(1.0, "one"), KernelLine(2.0, "nine")]
    assert log.read_new() == []
    kmsg.answers.append(b"4,10,3000000,-;ten\n")
    assert log.read_new() == [KernelLine(3.0, "ten")]
    assert [each.text for each in log.lines] == ["one", "nine", "ten"]
    log.close()


def test_a_kernel_log_that_may_not_be_read_is_unknown_and_not_empty(tmp_path: Path) -> None:
    assert KernelLog(tmp_path / "missing").read_new() is None


@pytest.mark.skipif(not os.access("/dev/kmsg", os.R_OK), reason="/dev/kmsg can't be read here")
def test_this_machines_own_kernel_log_is_read() -> None:
    log = KernelLog()
    lines = log.read_new()
    log.close()
    assert lines is None or all(line.at_s >= 0 for line in lines)


def card(devices: Path, address: str, vendor: str, kind: str, config: bytes) -> None:
    folder = devices / address
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(f"{vendor}\n")
    (folder / "class").write_text(f"{kind}\n")
    (folder / "config").write_bytes(config)


def test_the_bus_has_the_graphics_cards_that_answer(tmp_path: Path) -> None:
    card(tmp_path, "0000:03:00.0", "0x10de", "0x030000", b"\xde\x10\x04\x22")
    card(tmp_path, "0000:03:00.1", "0x10de", "0x040300", b"\xde\x10\xef\x10")  # its sound device
    card(tmp_path, "0000:04:00.0", "0x10de", "0x030200", b"\xff\xff\xff\xff")  # fell off, and is still listed
    card(tmp_path, "0000:0A:00.0", "0x1002", "0x030000", b"\x02\x10\xbf\x73")
    card(tmp_path, "0000:06:00.0", "0x1a03", "0x030000", b"\x03\x1a\x00\x20")  # the board's own management chip
    assert cards_on_bus(tmp_path) == frozenset({"0000:03:00.0", "0000:0a:00.0"})


def test_where_there_is_no_list_of_the_bus_the_cards_are_unknown(tmp_path: Path) -> None:
    assert cards_on_bus(tmp_path / "missing") is None


class NvmlError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


class Nvml:
    """The driver's library as far as its event set goes; `error` is what it says when no event waits."""

    NVMLError = NvmlError
    NVML_ERROR_TIMEOUT, nvmlEventTypeXidCriticalError = 10, 8

    def __init__(self, *events: tuple[int, int]) -> None:
        self.events, self.error, self.registered, self.inits = list(events), 10, list[int](), 0
        self.lost: set[int] = set()

    def nvmlInit(self) -> None:
        self.inits += 1

    def nvmlShutdown(self) -> None: ...

    def nvmlEventSetCreate(self) -> str:
        return "set"

    def nvmlEventSetFree(self, _events: str) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceRegisterEvents(self, card: int, _kind: int, _events: str) -> None:
        if card == 0:
            raise NvmlError(3)  # not supported: an old card
        self.registered.append(card)

    def nvmlDeviceGetPciInfo(self, card: int) -> SimpleNamespace:
        if card in self.lost:
            raise NvmlError(15)
        return SimpleNamespace(busId=f"00000000:0{card + 3}:00.0")

    def nvmlEventSetWait_v2(self, _events: str, _timeout_ms: int) -> Any:
        if not self.events:
            raise NvmlError(self.error)
        card, xid = self.events.pop(0)
        return SimpleNamespace(device=card, eventType=8, eventData=xid)


def test_xids_come_from_the_drivers_event_set() -> None:
    nvml = Nvml((1, 79), (1, 31))
    events = XidEvents(lambda: nvml)
    assert events.read_new(0.0) == [("0000:04:00.0", 79), ("0000:04:00.0", 31)]
    assert events.read_new(1.0) == []
    assert nvml.registered == [1]


def test_a_card_that_has_no_address_any_longer_costs_its_own_event_only() -> None:
    nvml = Nvml((0, 79), (1, 119))
    nvml.lost = {0}
    assert XidEvents(lambda: nvml).read_new(0.0) == [("0000:04:00.0", 119)]


def test_a_driver_that_dies_is_tried_again_a_minute_later() -> None:
    nvml = Nvml()
    events = XidEvents(lambda: nvml)
    nvml.error = 999
    assert events.read_new(0.0) == []
    nvml.error, nvml.events = 10, [(1, 79)]
    assert events.read_new(30.0) == []
    assert events.read_new(61.0) == [("0000:04:00.0", 79)]
    assert nvml.inits == 2


def test_without_a_driver_there_are_no_events() -> None:
    assert XidEvents(lambda: None).read_new(0.0) == []
