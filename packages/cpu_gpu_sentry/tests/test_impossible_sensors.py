"""Sensors with impossible values: the value is unknown and logged once, and all others are measured."""

import asyncio
import logging
import threading
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from cpu_gpu_sentry.machine.amd import Amd
from cpu_gpu_sentry.machine.cpu import cpu_temperature_c
from cpu_gpu_sentry.machine.nvidia import Nvidia
from cpu_gpu_sentry.machine.sensors import Sensors
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.messages import GpuReading


class Sensor(NamedTuple):
    """A sensor as psutil returns it."""

    label: str
    current: float | None


Chips = dict[str, list[Sensor]]


@pytest.mark.parametrize(
    ("chips", "temperature_c"),
    [
        ({"k10temp": [Sensor("", 4_294_948.3)]}, None),
        ({"k10temp": [Sensor("Tctl", 95.0), Sensor("Tdie", 68.0)]}, 68.0),
        ({"k10temp": [Sensor("Tctl", 71.0), Sensor("Tccd1", 66.0)]}, 71.0),
        ({"k10temp": [Sensor("Tctl", 61.0), Sensor("Tctl", 83.0)]}, 83.0),
        ({"k10temp": [Sensor("Tdie", 4_294_948.3), Sensor("Tctl", 71.0)]}, 71.0),
        ({"coretemp": [Sensor("Package id 0", 45.0), Sensor("Core 0", 99.0), Sensor("Package id 1", 97.0)]}, 97.0),
        ({"coretemp": [Sensor("Core 0", 51.0), Sensor("Core 1", 57.0)]}, 57.0),
        ({"soc_thermal": [Sensor("", 52.0)], "bigcore0_thermal": [Sensor("", 61.0)]}, 61.0),
        ({"gpu_thermal": [Sensor("", 80.0)], "littlecore_thermal": [Sensor("", 47.0)]}, 47.0),
        ({"cpu_thermal": [Sensor("", 48.5)]}, 48.5),
        ({"cpu-thermal": [Sensor("", 48.5)], "nvme": [Sensor("Composite", 70.0)]}, 48.5),
        ({"zenpower": [Sensor("Tdie", 64.0), Sensor("Tctl", 91.0)]}, 64.0),
        ({"acpitz": [Sensor("", 27.8)]}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_processor_s_temperature_is_that_of_its_hottest_part(
    monkeypatch: pytest.MonkeyPatch, chips: Chips, temperature_c: float | None
) -> None:
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: chips, raising=False)
    assert cpu_temperature_c() == temperature_c


def amd_card(root: Path, **told: str) -> Path:
    """Makes a directory tree as amdgpu does, with one card."""
    hwmon = root / "devices" / "0000:0a:00.0" / "hwmon" / "hwmon3"
    hwmon.mkdir(parents=True)
    (hwmon.parent.parent / "vendor").write_text("0x1002\n")
    for name, text in told.items():
        (hwmon / name).write_text(f"{text}\n")
    card = root / "drm" / "card0"
    card.mkdir(parents=True)
    (card / "device").symlink_to(hwmon.parent.parent)
    return root / "drm"


def test_a_lost_amd_card_has_neither_a_temperature_nor_a_clock(tmp_path: Path) -> None:
    drm = amd_card(tmp_path, temp1_input="511000", freq1_input="0", freq2_input="1990000000", fan1_input="0")
    assert Amd(drm).read() == [GpuReading(pci_address="0000:0a:00.0", memory_clock_mhz=1990.0, fan_rpm=0.0)]


def test_a_sensor_that_is_gone_does_not_hide_the_other(tmp_path: Path) -> None:
    drm = amd_card(tmp_path, temp1_input="511000", temp2_label="junction", temp2_input="71000")
    assert Amd(drm).read()[0].temperature_c == 71.0


class WildAmd(Amd):
    """A driver that returns nonsense."""

    def read(self) -> list[GpuReading]:
        return [GpuReading(pci_address="0000:0a:00.0", power_w=4_294_967.295, fan_percent=255, core_clock_mhz=2100)]


async def test_what_can_t_be_is_unknown_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sensors = Sensors(Nvidia(lambda: None), WildAmd(tmp_path))
    with caplog.at_level(logging.WARNING):
        for _round in range(3):
            machine = await sensors.read()
            assert machine.gpus == [GpuReading(pci_address="0000:0a:00.0", core_clock_mhz=2100)]
    said = [record.getMessage() for record in caplog.records if "figure_left_out" in record.getMessage()]
    assert len(said) == 2
    assert "fan_percent is left out: its value is 255, expected is 0 to 200 %" in said[0]


class SlowAmd(Amd):
    """A driver that needs time to wake its cards, once."""

    slow = True

    def read(self) -> list[GpuReading]:
        if self.slow:
            threading.Event().wait(0.3)
            self.slow = False
        return super().read()


async def test_the_first_log_waits_for_a_driver_that_wakes_its_cards(tmp_path: Path) -> None:
    drm = amd_card(tmp_path, temp1_input="51000")
    async with asyncio.timeout(20):
        machine = await Sensors(Nvidia(lambda: None), SlowAmd(drm), limit_s=0.05).read()
    assert [gpu.temperature_c for gpu in machine.gpus] == [51.0]


def test_an_impossible_figure_of_mining_software_costs_itself_alone() -> None:
    """xmrig's answer with an uptime that stands for "unknown"."""
    answer = (
        b'{"version": "6.22.2", "uptime": 4294967295, "algo": "rx/0", "hashrate": {"total": [17000.0, null, null]},'
        b' "connection": {"pool": "pool.example:443", "accepted": 5, "rejected": 0}, "results": {"shares_good": 5}}'
    )
    reading = SOFTWARE["xmrig"].parse([answer, b"[]"])
    assert (reading.uptime_s, reading.algorithms[0].hashrate_hs) == (None, 17_000.0)
