"""A row of the table of metrics is enough: history, charts, tables and Prometheus follow from it."""

import json
import re
from html import unescape

import msgspec
import pytest
from commander.history.resolution import scale_of
from commander.readings.series import asic_readings, cpu_gpu_readings
from commander.rig_metrics import FAMILIES
from commander.rig_pages.chart_kinds import CHARTS, cell, column_label
from commander_farm import Farm, a_log
from protocol.asic_messages import AsicBoard, AsicLog
from protocol.figure_types import Figure, Holder
from protocol.figures import SERIES, gauges_of
from protocol.messages import CpuGpuLog, CpuReading, GpuReading, MinerDevice, MinerReading, MinerState

TAKEN_AT = "2026-11-20T12:00:00Z"
CARD = "0000:03:00.0"
GAUGES = [row for row in SERIES if not row.by_work]
# History that is stored already has these steps.
STORED = {
    **dict.fromkeys(("hashrate_hs",)),
    **dict.fromkeys(("power_w", "temperature_c", "memory_temperature_c", "chip_temperature_c"), -1),
    **dict.fromkeys(("inlet_temperature_c", "outlet_temperature_c"), -1),
    **dict.fromkeys(("fan_percent", "load_percent", "rejected_percent"), -1),
    **dict.fromkeys(("fan_rpm", "core_clock_mhz", "memory_clock_mhz"), 0),
    "memory_used_bytes": 6,
    "a metric that is no longer in the table": -1,
}


def middle(name: str) -> float:
    bounds = next(row.bounds for row in SERIES if row.name == name)
    return round((bounds.lowest + bounds.highest) / 2)


def filled(holder: Holder) -> dict[str, float]:
    return {name: middle(name) for name in gauges_of(holder)}


def test_what_is_stored_keeps_its_steps() -> None:
    assert {name: scale_of(name) for name in STORED} == STORED


@pytest.mark.parametrize("holder", [Holder.CPU, Holder.GPU, Holder.RIG])
def test_each_gauge_of_a_cpu_gpu_rig_has_a_series(holder: Holder) -> None:
    values = filled(holder)
    parts: dict[Holder, dict[str, object]] = {
        Holder.CPU: {"cpu": values},
        Holder.GPU: {"gpus": [{"pci_address": CARD, **values}]},
        Holder.RIG: {**values},
    }
    message = {"taken_at": TAKEN_AT, **parts[holder]}
    device = {Holder.CPU: "cpu", Holder.GPU: CARD, Holder.RIG: None}[holder]
    readings = cpu_gpu_readings(json.dumps(message).encode())
    assert {name: readings[name, device, None, None] for name in values} == values


@pytest.mark.parametrize("holder", [Holder.ASIC, Holder.BOARD])
def test_each_gauge_of_an_asic_has_a_series(holder: Holder) -> None:
    values = filled(holder)
    part: dict[str, object] = {**values} if holder is Holder.ASIC else {"boards": [{"slot": 1, **values}]}
    message = {"taken_at": TAKEN_AT, **part}
    readings = asic_readings(json.dumps(message).encode())
    device = None if holder is Holder.ASIC else "board1"
    assert {name: readings[name, device, None, None] for name in values} == values


@pytest.mark.parametrize("name", [name for name in gauges_of(Holder.GPU) if name in MinerDevice.__struct_fields__])
def test_a_gauge_that_the_driver_does_not_report_is_the_miners(name: str) -> None:
    device = msgspec.convert({"device": CARD, name: middle(name)}, MinerDevice)
    miner = MinerReading(software="trex", state=MinerState.MINING, devices=[device])
    log = msgspec.convert({"taken_at": TAKEN_AT, "gpus": [{"pci_address": CARD}]}, CpuGpuLog)
    readings = cpu_gpu_readings(msgspec.json.encode(msgspec.structs.replace(log, miners=[miner])))
    assert readings[name, CARD, None, None] == middle(name)


@pytest.mark.parametrize("row", GAUGES, ids=lambda row: row.name)
def test_a_gauge_has_a_chart_a_cell_and_a_prometheus_name(row: Figure) -> None:
    series = (row.name, CARD, None, None)
    if row.chart:
        assert row.name in CHARTS[row.chart.id].figures
    assert column_label(series) == f"{row.label}, GPU 03:00"
    assert cell(series, middle(row.name)).text.endswith(row.unit.text)
    assert any(family.name.endswith(f"_{row.prometheus}") for family in FAMILIES)


def test_no_message_of_a_report_lacks_a_holder() -> None:
    kinds = {Holder.CPU: CpuReading, Holder.GPU: GpuReading, Holder.BOARD: AsicBoard, Holder.ASIC: AsicLog}
    for holder, kind in kinds.items():
        assert set(gauges_of(holder)) <= set(kind.__struct_fields__)


async def test_a_page_with_charts_brings_them_as_json(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add("rig-01")
    await farm.report(rig, a_log())
    html = (await farm.client.get(f"/cpu-gpu/{rig.id}")).text
    found = re.search(r'<data id="chart-kinds" value="(.*?)" hidden>', html)
    assert found
    assert [chart["id"] for chart in json.loads(unescape(found[1]))] == list(CHARTS)
