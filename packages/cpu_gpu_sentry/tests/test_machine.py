"""The machine's sensors. NVIDIA's library is stood in for by an object, because most machines have no such
card."""

import re
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from cpu_gpu_sentry.machine import disk
from cpu_gpu_sentry.machine.amd import Amd
from cpu_gpu_sentry.machine.cpu import CpuMeter, cpu_specs, memory_used_bytes, uptime_s
from cpu_gpu_sentry.machine.nvidia import Nvidia, load_nvml
from cpu_gpu_sentry.machine.sensors import Sensors
from cpu_gpu_sentry.machine.specs import board_specs, machine_specs
from cpu_gpu_sentry.report import make_log
from protocol.messages import GpuReading, GpuSpecs, MotherboardSpecs


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


@pytest.fixture
def drm(tmp_path: Path) -> Path:
    """A tree as amdgpu makes it: one AMD card that tells everything, one that tells little, one of another
    vendor."""
    add_card(tmp_path, 0, "0000:0A:00.0", "0x1002")
    hwmon = tmp_path / "devices" / "0000:0A:00.0" / "hwmon" / "hwmon3"
    for name, text in {
        "temp1_label": "edge", "temp1_input": "51000", "temp2_label": "junction", "temp2_input": "63000",
        "temp3_label": "mem", "temp3_input": "78000", "power1_average": "142000000", "fan1_input": "1480",
        "pwm1": "102", "freq1_input": "2100000000", "freq2_input": "1990000000",
    }.items():  # fmt: skip
        write(hwmon / name, text)
    device = hwmon.parent.parent
    write(device / "product_name", "AMD Radeon RX 6800")
    write(device / "mem_info_vram_total", "17163091968")
    write(device / "vbios_version", "113-D41")
    add_card(tmp_path, 1, "0000:03:00.0", "0x1002")
    write(tmp_path / "devices" / "0000:03:00.0" / "hwmon" / "hwmon4" / "temp1_input", "not now")
    add_card(tmp_path, 2, "0000:00:02.0", "0x8086")
    (tmp_path / "drm" / "card0-DP-1").mkdir()
    return tmp_path / "drm"


def add_card(root: Path, number: int, address: str, vendor: str) -> None:
    device = root / "devices" / address
    write(device / "vendor", vendor)
    write(device / "device", "0x73bf")
    card = root / "drm" / f"card{number}"
    card.mkdir(parents=True)
    (card / "device").symlink_to(device)


def test_an_amd_card_is_read_from_sysfs_in_our_units(drm: Path) -> None:
    silent, full = Amd(drm).read()
    assert full == GpuReading(
        pci_address="0000:0a:00.0", temperature_c=51, memory_temperature_c=78, fan_percent=40, fan_rpm=1480,
        power_w=142, core_clock_mhz=2100, memory_clock_mhz=1990,
    )  # fmt: skip
    assert silent == GpuReading(pci_address="0000:03:00.0")


def test_an_amd_card_tells_what_it_is(drm: Path) -> None:
    first, second = Amd(drm).specs()
    assert first == GpuSpecs(
        pci_address="0000:0a:00.0", vendor="AMD", name="AMD Radeon RX 6800", memory_bytes=17163091968,
        vbios_version="113-D41",
    )  # fmt: skip
    assert second.name == "AMD GPU 73bf"


def test_an_amd_card_that_is_lost_stays_listed_with_nothing_known(drm: Path) -> None:
    amd = Amd(drm)
    amd.read()
    (drm / "card0" / "device").unlink()
    assert amd.read() == [GpuReading(pci_address="0000:03:00.0"), GpuReading(pci_address="0000:0a:00.0", is_lost=True)]
    (drm / "card1" / "device").unlink()
    assert [each.is_lost for each in amd.read()] == [None, None], "a driver without cards says nothing about them"


async def test_a_card_that_is_lost_stays_among_the_specs(drm: Path) -> None:
    sensors = Sensors(Nvidia(lambda: None), Amd(drm))
    before = await sensors.specs("1.0")
    (drm / "card0" / "device").unlink()
    after = await sensors.specs("1.0")
    assert before is not None
    assert before == after
    assert [gpu.pci_address for gpu in before.gpus] == ["0000:03:00.0", "0000:0a:00.0"]


def test_a_machine_without_cards_has_none(tmp_path: Path) -> None:
    assert Amd(tmp_path / "nothing").read() == []
    assert Nvidia(lambda: None).read(0) == []


class NvmlError(Exception):
    """The one error that the library raises."""


class Nvml:
    """The driver's library with one card; `silent` functions say not supported, `dead` makes all of them
    fail."""

    NVMLError = NvmlError
    NVML_TEMPERATURE_GPU, NVML_CLOCK_GRAPHICS, NVML_CLOCK_MEM, NVML_SUCCESS = 0, 0, 2, 0

    def __init__(self, *silent: str) -> None:
        self.silent, self.dead, self.inits = set(silent), False, 0

    def __getattribute__(self, name: str) -> object:
        get = object.__getattribute__
        if name.startswith("nvml") and (get(self, "dead") or name in get(self, "silent")):
            return _not_supported
        return get(self, name)

    def nvmlInit(self) -> None:
        self.inits += 1

    def nvmlShutdown(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetPciInfo(self, _card: int) -> SimpleNamespace:
        return SimpleNamespace(busId="00000000:0B:00.0")

    def nvmlDeviceGetTemperature(self, _card: int, _sensor: int) -> int:
        return 61

    def nvmlDeviceGetFieldValues(self, _card: int, fields: list[int]) -> list[SimpleNamespace]:
        assert fields == [82]
        return [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=84))]

    def nvmlDeviceGetPowerUsage(self, _card: int) -> int:
        return 221_500

    def nvmlDeviceGetNumFans(self, _card: int) -> int:
        return 2

    def nvmlDeviceGetFanSpeed_v2(self, _card: int, fan: int) -> int:
        return (60, 72)[fan]

    def nvmlDeviceGetFanSpeedRPM(self, _card: int) -> SimpleNamespace:
        return SimpleNamespace(speed=1800)

    def nvmlDeviceGetClockInfo(self, _card: int, clock: int) -> int:
        return {0: 1410, 2: 9501}[clock]


def _not_supported(*_arguments: object) -> None:
    raise NvmlError("Not Supported")


FULL = GpuReading(
    pci_address="0000:0b:00.0", temperature_c=61, memory_temperature_c=84, fan_percent=72, fan_rpm=1800,
    power_w=221.5, core_clock_mhz=1410, memory_clock_mhz=9501,
)  # fmt: skip
LOST = GpuReading(pci_address="0000:0b:00.0")


def test_an_nvidia_card_is_read_in_our_units() -> None:
    nvml = Nvml()
    assert Nvidia(lambda: nvml).read(0) == [FULL]


@pytest.mark.parametrize(
    ("function", "field"),
    [
        ("nvmlDeviceGetTemperature", "temperature_c"),
        ("nvmlDeviceGetFieldValues", "memory_temperature_c"),
        ("nvmlDeviceGetPowerUsage", "power_w"),
        ("nvmlDeviceGetNumFans", "fan_percent"),
        ("nvmlDeviceGetFanSpeedRPM", "fan_rpm"),
    ],
)
def test_what_an_nvidia_card_does_not_support_is_unknown_alone(function: str, field: str) -> None:
    nvml = Nvml(function)
    (gpu,) = Nvidia(lambda: nvml).read(0)
    unknown = [name for name in FULL.__struct_fields__ if getattr(gpu, name) != getattr(FULL, name)]
    assert unknown == [field]
    assert getattr(gpu, field) is None


@pytest.mark.parametrize("dies", ["nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex", "dead"])
def test_a_driver_that_dies_makes_its_figures_unknown_and_is_tried_again(dies: str) -> None:
    nvml = Nvml()
    nvidia = Nvidia(lambda: nvml)
    assert nvidia.read(0) == [FULL]
    nvml.silent, nvml.dead = {dies}, dies == "dead"
    assert nvidia.read(10) == [LOST]
    nvml.silent, nvml.dead = set(), False
    assert nvidia.read(20) == [LOST]
    assert nvidia.read(71) == [FULL]
    assert nvml.inits == 2


def test_a_driver_that_comes_later_is_found() -> None:
    drivers = [None, Nvml()]
    nvidia = Nvidia(lambda: drivers.pop(0))
    assert (nvidia.read(0), nvidia.read(30), nvidia.read(61)) == ([], [], [FULL])


def test_this_machine_s_own_driver_or_its_absence_is_survived() -> None:
    nvidia = Nvidia(load_nvml)
    assert len(nvidia.specs(0)) == len(nvidia.read(0))


def test_this_machine_tells_what_it_is() -> None:
    specs = machine_specs([], "1.2.3")
    assert specs.hostname
    assert specs.os
    assert specs.memory_bytes
    assert specs.cpu is not None
    assert (specs.cpu.threads or 0) >= 1
    assert specs.sentry_version == "1.2.3"


def test_this_machine_tells_what_it_does() -> None:
    meter = CpuMeter()
    assert meter.read().load_percent is None
    load = meter.read().load_percent
    assert load is not None
    assert 0 <= load <= 100
    assert (memory_used_bytes() or 0) > 1_000_000
    assert uptime_s() > 0


def test_the_processor_s_name_is_found(tmp_path: Path) -> None:
    write(tmp_path / "cpuinfo", "processor\t: 0\nmodel name\t: AMD Ryzen 9 7950X\nflags\t: fpu")
    assert cpu_specs(tmp_path / "cpuinfo").name == "AMD Ryzen 9 7950X"


async def test_a_disk_that_is_nearly_full_is_told_in_each_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sensors = Sensors(Nvidia(lambda: None), Amd(tmp_path), data_dir=tmp_path)
    monkeypatch.setattr(disk, "NEARLY_FULL_BYTES", 0)
    assert make_log(0, await sensors.read(), [], None).disk_problem is None
    monkeypatch.setattr(disk, "NEARLY_FULL_BYTES", 1 << 62)
    problem = make_log(0, await sensors.read(), [], None).disk_problem
    assert re.fullmatch(r"[\d.]+ GB of \d+ GB are free", problem or "")
    assert disk.disk_problem(tmp_path / "nothing") is None, "unknown is no problem"


def test_a_board_is_known_where_the_firmware_tells(tmp_path: Path) -> None:
    assert board_specs(tmp_path) is None
    write(tmp_path / "board_vendor", "ASRock")
    assert board_specs(tmp_path) == MotherboardSpecs(vendor="ASRock")


class HungAmd(Amd):
    """Its driver answers once, and hangs from then on."""

    def __init__(self, drm: Path) -> None:
        super().__init__(drm)
        self.hangs, self.free = False, threading.Event()

    def read(self) -> list[GpuReading]:
        if self.hangs:
            self.free.wait(30)
        return super().read()


async def test_a_hung_driver_costs_its_own_figures_only(drm: Path) -> None:
    nvml, amd = Nvml(), HungAmd(drm)
    sensors = Sensors(Nvidia(lambda: nvml), amd, limit_s=0.1)
    assert len((await sensors.read()).gpus) == 3
    amd.hangs = True
    for _round in range(3):
        machine = await sensors.read()
        assert machine.cpu is not None
        assert machine.gpus == [
            GpuReading(pci_address="0000:03:00.0"), GpuReading(pci_address="0000:0a:00.0"), FULL,
        ]  # fmt: skip
    amd.free.set()
