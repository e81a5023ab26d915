"""One contract for all dialects, checked with the answers of the fakes."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from asic_sentry.dialects.dialect import Dialect, Part
from asic_sentry.dialects.parsing import AsicReading
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.failures import BadReply
from asic_sentry.models import find
from protocol.asic_messages import PoolState
from right_answers import right_answers, right_specs

OURS = [dialect for dialect in DIALECTS if dialect.name != "pyasic_rs"]  # the library's answer has no states
dialects = pytest.mark.parametrize("dialect", OURS, ids=lambda dialect: dialect.name)
ONE_BOARD = {"axeos", "avalon", "avalon_stats"}
WITHOUT_FANS = {"innosilicon"}


# A fault as the device itself tells it: the answer, the place in it, what stands there, and how it is shown.
Fault = tuple[int, tuple[str | int, ...], object, str]
DEAD: Fault = (1, ("DEVS", 0, "Status"), "Dead", "board")
BAD_CHIP: Fault = (0, ("STATS", 1, "chain_acs1"), " ooxo", "chips")
OVERHEATED = [{"type": "temp", "status": "e", "code": 3, "msg": "too hot"}]
NOW = datetime.now(UTC).isoformat()
FAULTS: dict[str, Fault] = {
    **dict.fromkeys(("braiins", "auradine", "goldshell"), DEAD),
    **dict.fromkeys(("hammer", "volcminer"), BAD_CHIP),
    "luxos": (4, ("EVENTS",), [{"Code": "FAN_FAILURE", "Target": "MINER"}], "fan failure"),
    **dict.fromkeys(
        ("whatsminer_v1", "whatsminer_v2"),
        (0, ("SUMMARY", 0), {"MHS 5m": 1.0, "Error Code Count": 1, "Error Code 0": 540}, "error 540"),
    ),
    **dict.fromkeys(("antminer_web", "elphapex"), (2, ("SUMMARY", 0, "status"), OVERHEATED, "temperature")),
    "antminer": (0, ("STATS", 1, "psu_status"), "PSU FAIL", "power"),
    "sealminer": (0, ("STATS", 0, "PSU Error"), "0x00000004", "power"),
    "innosilicon": (5, ("code",), "23", "error 23"),
    "whatsminer_v3": (3, ("msg", "error-code"), [{"264": "2026-01-05", "reason": "?"}], "error 264"),
    "axeos": (0, ("power_fault",), "VIN undervoltage", "power"),
    "iceriver": (0, ("data", "fanstate"), False, "fan"),
    "vnish": (0, ("miner", "miner_status", "failure_code"), 7, "error 7"),
    "proto": (4, (), [{"source": "psu", "error_code": "PsuFault"}], "psu PsuFault"),
    "braiins_rest": (
        5,
        ("errors",),
        [{"error_codes": [{"code": "F1", "reason": "Fan lost"}], "timestamp": NOW}],
        "F1 Fan lost",
    ),
    "braiins_graphql": (1, ("data", "events", "appeals"), [{"__typename": "FanLostAppeal"}], "fan lost"),
    **dict.fromkeys(
        ("avalon", "avalon_stats"), (1, ("STATS", 0, "MM ID0:Summary"), "GHSspd[88000.00] FanErr[1]", "fan")
    ),
    "epic": (0, ("Status", "Last Error"), "Fan failure", "Fan failure"),
}


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


# In H/s: the ASIC's hashrate, and that of a board.
HASHRATES = {
    **dict.fromkeys(("antminer", "antminer_web", "vnish"), (109.8e12, 36.6e12)),
    **dict.fromkeys(("whatsminer_v1", "whatsminer_v2"), (111.9e12, 37.3e12)),
    "whatsminer_v3": (186e12, 62e12),
    **dict.fromkeys(("avalon", "avalon_stats"), (88e12, 88e12)),
    "axeos": (1.18e12, 1.18e12),
    "iceriver": (12e12, 4e12),
    "braiins": (94.8e12, 31.6e12),
    **dict.fromkeys(("braiins_graphql", "braiins_rest"), (108e12, 36e12)),
    "auradine": (150e12, 50e12),
    "luxos": (120e12, 40e12),
    "proto": (144e12, 36e12),
    "epic": (141e12, 47e12),
    "sealminer": (219e12, 73e12),
    "innosilicon": (57e12, 19e12),
    "goldshell": (1.6e12, 0.8e12),
    "elphapex": (13.98e9, 4.66e9),
    **dict.fromkeys(("hammer", "volcminer"), (15.9e9, 5.3e9)),
}


@dialects
def test_all_hashrates_are_in_hashes_per_second(dialect: Dialect) -> None:
    mining, (hashrate_hs, of_board_hs) = reading(dialect), HASHRATES[dialect.name]
    assert mining.hashrate_hs == pytest.approx(hashrate_hs, rel=0.1)
    assert [board.hashrate_hs for board in mining.boards] == pytest.approx([of_board_hs] * len(mining.boards), rel=0.1)
    others = [each for each in (mining.average_hashrate_hs, mining.expected_hashrate_hs) if each is not None]
    assert others == pytest.approx([hashrate_hs] * len(others), rel=0.1)


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


def placed(answer: Any, place: Sequence[str | int], value: object) -> Any:
    """Returns the answer with the value at this place."""
    if not place:
        return value
    if isinstance(answer, dict):
        return {**answer, place[0]: placed(answer.get(str(place[0])), place[1:], value)}
    return [placed(each, place[1:], value) if at == place[0] else each for at, each in enumerate(answer)]


@dialects
def test_a_fault_that_the_device_tells_is_shown(dialect: Dialect) -> None:
    which, place, value, shown = FAULTS[dialect.name]
    answers = right_answers(dialect)
    answers[which] = json.dumps(placed(json.loads(answers[which]), place, value)).encode()
    assert dialect.parse(answers, None).faults == [shown]


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys_in, value.values()))
    return set().union(*map(keys_in, value)) if isinstance(value, list) else set()


def without_key(value: Any, key: str) -> Any:
    """Returns the answer without what stands under this name, wherever it is, also in an Avalon's text."""
    if isinstance(value, dict):
        return {name: without_key(each, key) for name, each in value.items() if name != key}
    if isinstance(value, list):
        return [without_key(each, key) for each in value]
    return re.sub(rf"\b{re.escape(key)}\[[^\]]*\]", "", value) if isinstance(value, str) else value


def names_in(answer: bytes) -> set[str]:
    return keys_in(json.loads(answer)) | set(re.findall(r"(\w+)\[", answer.decode()))


def figures_of(found: AsicReading) -> list[float | None]:
    """Returns every figure of which 0 would be a claim."""
    boards = [
        value
        for board in found.boards
        for value in (board.hashrate_hs, board.chips, board.inlet_temperature_c, board.outlet_temperature_c)
    ]
    pools = [pool.accepted for pool in found.pools if pool.state is PoolState.CONNECTED]
    return [found.hashrate_hs, found.average_hashrate_hs, found.expected_hashrate_hs, found.uptime_s, found.power_w,
            found.temperature_c, *found.fans_rpm, *boards, *pools]  # fmt: skip


@dialects
def test_a_value_that_is_missing_is_unknown_and_never_a_no(dialect: Dialect) -> None:
    """Firmware moves and renames values: without one there is no 0, no dead pool and no fault, and no two boards in
    one slot."""
    answers, whole = right_answers(dialect), reading(dialect)
    dead = {pool.url for pool in whole.pools if pool.state is PoolState.DISCONNECTED}
    for which, answer in enumerate(answers):
        for name in sorted(names_in(answer)):
            less = list(answers)
            less[which] = json.dumps(without_key(json.loads(answer), name)).encode()
            try:
                found = dialect.parse(less, None)
            except BadReply:
                continue
            assert 0 not in figures_of(found), name
            assert {pool.url for pool in found.pools if pool.state is PoolState.DISCONNECTED} <= dead | {None}, name
            assert found.faults == [], name
            assert len({board.slot for board in found.boards}) == len(found.boards), name


@dialects
def test_a_dialect_says_what_speaks_it(dialect: Dialect) -> None:
    assert dialect.firmware
    assert dialect.makes


def test_no_two_rows_of_the_docs_are_of_the_same_firmware() -> None:
    assert len({(dialect.makes, dialect.firmware) for dialect in DIALECTS}) == len(DIALECTS)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_dialect_reads_all_but_what_it_says_it_lacks(dialect: Dialect) -> None:
    about = dialect.parse_specs(right_specs(dialect))
    found = dialect.parse(right_answers(dialect), find(about.make or "", about.model or ""))
    read = {
        Part.HASHRATE: found.hashrate_hs,
        Part.BOARDS: found.boards,
        Part.CHIPS: any(board.chips for board in found.boards),
        Part.FANS: found.fans_rpm,
        Part.TEMPERATURES: found.temperature_c,
        Part.POWER: found.power_w,
        Part.POOLS: found.pools,
        Part.FAULTS: dialect.name in FAULTS,
        Part.MAC: about.mac,
    }
    assert tuple(part for part in Part if not read[part]) == dialect.lacks
