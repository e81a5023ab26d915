"""The optional extra: what is made of its answers, and that it is asked to read only. The library itself is asked in
tests/system/test_wheels_alone.py: installed here, all other tests would find it too."""

import ast
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asic_sentry import models
from asic_sentry.dialects import pyasic_rs
from asic_sentry.dialects.pyasic_rs import PYASIC_RS
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.failures import BadReply, FailureKind
from asic_sentry.poll import as_log
from hypothesis import given
from hypothesis import strategies as st
from protocol.asic_messages import AsicLog, PoolState, PowerSource
from pyasic_rs_data import DATA

SOURCE = Path(pyasic_rs.__file__)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def log_of(**changes: object) -> AsicLog:
    """A poll's log. Raises `BadReply`."""
    reply = json.dumps(DATA | changes).encode()
    specs = PYASIC_RS.parse_specs([json.dumps(DATA).encode()])
    model = models.find(specs.make or "", specs.model or "")
    return as_log("10.0.0.1", PYASIC_RS.parse([reply], model), model, NOW)


def test_its_figures_become_ours() -> None:
    log = log_of(uptime=5000)
    assert (log.hashrate_hs, log.uptime_s, log.power_w, log.power_source) == (
        101.5e12,
        5000,
        3201,
        PowerSource.REPORTED,
    )
    assert (log.algorithm, log.coin, log.temperature_c, log.fans_rpm) == ("SHA-256", "Bitcoin", 70, [5800, None])
    assert [pool.state for pool in log.pools] == [PoolState.CONNECTED, PoolState.STANDBY]
    assert (log.boards[0].chips, log.boards[0].hashrate_hs) == (114, 34e12)
    specs = PYASIC_RS.parse_specs([json.dumps(DATA).encode()])
    assert (specs.model, specs.software_version, specs.mac) == ("S19 Pro", "BraiinsOS", "02:00:00:00:00:01")


@pytest.mark.parametrize(
    ("algo", "algorithm", "coin"),
    [
        ("SHA256", "SHA-256", "Bitcoin"),
        ("Scrypt", "Scrypt", "Litecoin"),
        ("KHeavyHash", "kHeavyHash", "Kaspa"),
        ("X11", "X11", "Dash"),
        ("Equihash", "Equihash", "Zcash"),
        ("EtHash", "Etchash", "Ethereum Classic"),
        ("Eaglesong", "Eaglesong", "Nervos"),
        ("Kadena", "Blake2s", "Kadena"),
        ("Blake2S256", "Blake2s", "Kadena"),
        ("Nonsense", None, None),
    ],
)
def test_a_model_that_is_not_in_the_table_has_the_algorithm_that_the_library_reports(
    algo: str, algorithm: str | None, coin: str | None
) -> None:
    data = DATA | {"device_info": {"make": "Other", "model": "X", "algo": algo}, "pools": []}
    log = as_log("10.0.0.1", PYASIC_RS.parse([json.dumps(data).encode()], None), None, NOW)
    assert (log.algorithm, log.coin) == (algorithm, coin)


@pytest.mark.parametrize(
    ("uptime", "uptime_s"), [(5000, 5000), ({"secs": 5000, "nanos": 1}, 5000), ("PT5000S", 5000), ("long", None)]
)
def test_an_uptime_may_have_several_shapes(uptime: object, uptime_s: int | None) -> None:
    assert log_of(uptime=uptime).uptime_s == uptime_s


def test_that_it_calls_a_dead_device_mining_is_not_believed() -> None:
    with pytest.raises(BadReply) as error:
        log_of(hashrate=None, uptime=None)
    assert error.value.kind is FailureKind.BAD_RESPONSE


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.sampled_from(sorted(set(DATA) - {"device_info"})), JSON)
def test_no_shape_of_one_field_breaks_it(field: str, value: object) -> None:
    with suppress(BadReply):
        assert isinstance(log_of(**{field: value}), AsicLog)


def test_it_is_the_only_dialect_that_is_tried_last() -> None:
    assert [dialect.name for dialect in DIALECTS if dialect.probe is None] == ["pyasic_rs"]


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
