"""The table of metrics: each row is whole, and no number of a report is without a row."""

from collections.abc import Iterator

import msgspec
import pytest
from protocol.asic_messages import AsicBoard, AsicLog, AsicPool
from protocol.figure_types import Bounds, Figure, Holder, Kind, Unit
from protocol.figures import CHARTS, FIGURES, SERIES, figures_on
from protocol.messages import AlgorithmReading, CpuGpuLog, CpuReading, GpuReading, Message, MinerDevice

HOLDERS: dict[Holder, type[Message]] = {
    Holder.RIG: CpuGpuLog,
    Holder.CPU: CpuReading,
    Holder.GPU: GpuReading,
    Holder.MINER: AlgorithmReading,
    Holder.ASIC: AsicLog,
    Holder.BOARD: AsicBoard,
    Holder.POOL: AsicPool,
}
WITHOUT_HISTORY = {
    *("uptime_s", "hashrate_window_s", "average_hashrate_hs", "expected_hashrate_hs", "chips", "expected_chips", "slot")
}


def numbers_of(message: type[Message]) -> Iterator[str]:
    for field in msgspec.structs.fields(message):
        if any(kind in str(field.type) for kind in ("float", "int")) and "list" not in str(field.type):
            yield field.name


@pytest.mark.parametrize("holder", HOLDERS)
def test_each_number_of_a_message_is_a_row_of_its_holder(holder: Holder) -> None:
    rows = {row.name for row in SERIES if holder in row.of}
    assert set(numbers_of(HOLDERS[holder])) - WITHOUT_HISTORY == rows


def test_what_mining_software_measures_of_a_card_is_a_field_of_the_card() -> None:
    measured = set(numbers_of(MinerDevice)) - {"accepted", "rejected"}
    assert measured <= {row.name for row in SERIES if Holder.GPU in row.of}


@pytest.mark.parametrize("row", SERIES, ids=lambda row: row.name)
def test_a_row_of_the_history_is_whole(row: Figure) -> None:
    assert row.label
    if row.kind is Kind.COUNTER:
        assert row.prometheus.endswith("_total")
    else:
        assert row.prometheus.endswith(row.unit.base), "Prometheus expects the base unit at the end of the name"
        assert not row.prometheus.endswith(("_total", "_count", "_sum", "_bucket", "_info"))


def test_no_two_rows_share_a_name() -> None:
    assert len({row.name for row in SERIES}) == len(SERIES)
    assert len({row.prometheus for row in SERIES}) == len(SERIES)
    assert len({chart.id for chart in CHARTS}) == len(CHARTS)


def test_the_metrics_of_a_chart_share_its_scale_and_each_has_a_word() -> None:
    for chart in CHARTS:
        rows = figures_on(chart)
        assert len({(row.unit, row.kind, row.decimals) for row in rows}) == 1, chart.id
        assert len({row.word for row in rows}) == len(rows), chart.id


def test_a_value_is_turned_into_its_base_unit_without_a_remainder() -> None:
    assert Unit("%", "ratio", parts=100).in_base(70.3) == 0.703
    assert FIGURES["core_clock_mhz"].unit.in_base(1_410) == 1_410_000_000
    assert FIGURES["temperature_c"].unit.in_base(64.5) == 64.5
    assert FIGURES["api_port"].bounds == Bounds(1, 65_535, "a TCP port")
