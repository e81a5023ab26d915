"""The optional extra: what is made of its answers, and that it is asked to read only. The library itself is asked in
tests/system/test_wheels_alone.py: installed here, all other tests would find it too."""

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asic_sentry import all_firmware
from asic_sentry.all_firmware import log_from, specs_from
from asic_sentry.failures import FailureKind, PollFailure
from hypothesis import given
from hypothesis import strategies as st
from protocol.asic_messages import AsicLog, PoolState, PowerSource

SOURCE = Path(all_firmware.__file__)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
TOLD: dict[str, Any] = {
    "ip": "10.0.0.1", "mac": "02:00:00:00:00:01", "hostname": "x", "serial_number": None, "firmware_version": "24.09",
    "device_info": {"make": "AntMiner", "model": "S19 Pro", "firmware": "BraiinsOS", "algo": "SHA256"},
    "hashrate": {"value": 101.5, "unit": "TH/s", "algo": "SHA256"}, "expected_hashrate": None, "wattage": 3201.0,
    "uptime": 5000, "is_mining": True, "fans": [{"position": 0, "rpm": 5800.0}, {"position": 1, "rpm": None}],
    "hashboards": [{"position": 0, "hashrate": {"value": 34.0, "unit": "TH/s"}, "inlet_chip_temperature": 61.0,
                    "outlet_chip_temperature": 70.0, "working_chips": 114, "expected_chips": 114}],
    "pools": [{"name": "", "pools": [
        {"url": "stratum+tcp://pool.example:3333", "user": "w", "active": True, "alive": True, "accepted_shares": 9,
         "rejected_shares": 1},
        {"url": "stratum+tcp://backup.example:3333", "user": "w", "active": False, "alive": True}]}],
}  # fmt: skip


def log_of(**changes: object) -> AsicLog | PollFailure:
    return log_from(TOLD | changes, "10.0.0.1", lambda: NOW)


def test_its_figures_become_ours() -> None:
    log = log_of()
    assert isinstance(log, AsicLog)
    assert (log.hashrate_hs, log.uptime_s, log.power_w, log.power_source) == (
        101.5e12,
        5000,
        3201,
        PowerSource.REPORTED,
    )
    assert (log.algorithm, log.coin, log.temperature_c, log.fans_rpm) == ("SHA-256", "Bitcoin", 70, [5800, None])
    assert [pool.state for pool in log.pools] == [PoolState.CONNECTED, PoolState.STANDBY]
    assert (log.boards[0].chips, log.boards[0].hashrate_hs) == (114, 34e12)
    specs = specs_from(TOLD)
    assert (specs.model, specs.software_version, specs.mac) == ("S19 Pro", "BraiinsOS", "02:00:00:00:00:01")


def test_that_it_calls_a_dead_device_mining_is_not_believed() -> None:
    failure = log_of(hashrate=None, uptime=None)
    assert isinstance(failure, PollFailure)
    assert failure.kind is FailureKind.BAD_RESPONSE


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.sampled_from(sorted(set(TOLD) - {"device_info"})), JSON)
def test_no_shape_of_one_field_breaks_it(field: str, value: object) -> None:
    assert isinstance(log_from(TOLD | {field: value}, "10.0.0.1", lambda: NOW), AsicLog | PollFailure)


def test_only_two_calls_of_the_library_are_used_and_both_read() -> None:
    """Everything else that a `Miner` can do changes it."""
    awaited = {
        node.value.func.attr
        for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8")))
        if isinstance(node, ast.Await)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
    }
    assert awaited == {"get_miner", "get_data"}
    assert "getattr" not in SOURCE.read_text(encoding="utf-8")
