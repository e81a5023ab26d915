"""One contract for all dialects, checked with the answers of the fakes."""

import msgspec
import pytest
from asic_sentry.dialects.dialect import Dialect
from asic_sentry.dialects.parsing import AsicReading
from asic_sentry.dialects.registry import DIALECTS
from protocol.asic_messages import PoolState
from right_answers import right_answers, right_specs

OURS = [dialect for dialect in DIALECTS if dialect.name != "pyasic_rs"]  # the library's answer has no states
dialects = pytest.mark.parametrize("dialect", OURS, ids=lambda dialect: dialect.name)
ONE_BOARD = {"axeos", "avalon", "avalon_stats"}
WITHOUT_FANS = {"innosilicon"}


def reading(dialect: Dialect, state: str = "mining") -> AsicReading:
    return dialect.parse(right_answers(dialect, state), None)


@dialects
def test_an_idle_device_does_not_hash_and_is_no_failure(dialect: Dialect) -> None:
    idle = reading(dialect, "idle")
    assert idle.hashrate_hs == 0
    assert {board.hashrate_hs for board in idle.boards} <= {0, None}
    assert idle.uptime_s == 50_000


@dialects
def test_a_device_at_work_hashes_on_all_boards(dialect: Dialect) -> None:
    mining = reading(dialect)
    assert mining.hashrate_hs
    assert all(board.hashrate_hs for board in mining.boards)
    assert sum(board.hashrate_hs or 0 for board in mining.boards) == pytest.approx(mining.hashrate_hs, rel=0.01)
    assert mining.faults == []


@dialects
def test_a_dead_board_is_seen(dialect: Dialect) -> None:
    """As a board without a hashrate or chips, or as a fault."""
    if dialect.name in ONE_BOARD:
        pytest.skip("it has one board")
    healthy, dead = reading(dialect), reading(dialect, "dead_board")
    silent = [board for board in dead.boards if not board.hashrate_hs or board.chips == 0]
    assert silent or "board" in dead.faults or len(dead.boards) < len(healthy.boards)
    assert (dead.hashrate_hs or 0) < (healthy.hashrate_hs or 0)


@dialects
def test_all_fans_and_the_hottest_sensor_are_shown(dialect: Dialect) -> None:
    mining = reading(dialect)
    assert bool(mining.fans_rpm) == (dialect.name not in WITHOUT_FANS)
    assert all(rpm is not None for rpm in mining.fans_rpm)
    readings = [
        value
        for board in mining.boards
        for value in (board.inlet_temperature_c, board.outlet_temperature_c, board.chip_temperature_c)
        if value is not None
    ]
    assert readings
    assert mining.temperature_c is not None
    assert mining.temperature_c >= max(readings)


@dialects
def test_the_pool_in_use_is_connected_and_the_others_are_not(dialect: Dialect) -> None:
    first, *others = reading(dialect).pools
    assert first.state is PoolState.CONNECTED
    assert (first.url or "").rpartition("//")[2].startswith("pool.example")
    assert first.user
    assert first.accepted
    assert PoolState.CONNECTED not in {pool.state for pool in others}


@dialects
def test_no_password_of_a_pool_gets_out(dialect: Dialect) -> None:
    shown = msgspec.json.encode(reading(dialect)) + msgspec.json.encode(dialect.parse_specs(right_specs(dialect)))
    assert b"never-shown" not in shown


@dialects
def test_a_dialect_says_what_speaks_it(dialect: Dialect) -> None:
    assert dialect.firmware
    assert dialect.makes
