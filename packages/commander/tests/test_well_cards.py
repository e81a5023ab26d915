"""A summary skips the check of each card if all cards are well. It must find the same faults."""

from datetime import UTC, datetime

from commander.readings.cpu_gpu import summary_of
from commander.readings.faults import faults_of
from hypothesis import given
from hypothesis import strategies as st
from protocol.messages import CpuGpuLog, GpuReading


def near(*limits: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.sampled_from([each for limit in limits for each in (limit - 1, limit, limit + 1)])


gpus = st.lists(
    st.builds(
        GpuReading,
        pci_address=st.uuids().map(str),
        temperature_c=near(60.0, 85.0),
        memory_temperature_c=near(108.0),
        fan_percent=st.sampled_from([None, 0.0, 40.0]),
        fan_rpm=st.sampled_from([None, 0.0, 900.0]),
    ),
    max_size=4,
)


@given(gpus)
def test_a_summary_has_the_faults_of_every_card(cards: list[GpuReading]) -> None:
    log = CpuGpuLog(taken_at=datetime(2026, 11, 1, tzinfo=UTC), gpus=cards)
    assert summary_of(log).faults == faults_of(log, cards)
