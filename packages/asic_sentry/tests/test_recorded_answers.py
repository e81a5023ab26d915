"""Answers of real ASICs, and the figures that they contain."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from asic_sentry.dialects.parsing import AsicReading
from asic_sentry.dialects.registry import BY_NAME
from protocol.asic_messages import AsicSpecs, PoolState

Recorded = Callable[[str], bytes]
C, S, D = PoolState.CONNECTED, PoolState.STANDBY, PoolState.DISCONNECTED


def figures(recorded: Recorded, dialect: str, folder: str, *names: str) -> AsicReading:
    return BY_NAME[dialect].parse([recorded(f"{folder}/{name}") for name in names], None)


def specs(recorded: Recorded, dialect: str, folder: str, *names: str | None) -> AsicSpecs:
    return BY_NAME[dialect].parse_specs([recorded(f"{folder}/{name}") if name else None for name in names])


def test_an_antminer_s19_pro(recorded: Recorded) -> None:
    found = figures(recorded, "antminer", "antminer-s19pro-stock", "stats", "pools")
    assert found.hashrate_hs == pytest.approx(110.57e12, rel=1e-4)
    assert (found.hashrate_window_s, found.uptime_s, found.power_w) == (5, 50_474, None)
    assert found.average_hashrate_hs == pytest.approx(111.88e12, rel=1e-4)
    assert [board.chips for board in found.boards] == [114, 114, 114]
    assert [board.expected_chips for board in found.boards] == [114, 114, 114]
    assert found.fans_rpm == [6000, 5880, 5040, 5040]
    assert [pool.state for pool in found.pools] == [C, S, S]
    assert found.rejected_percent == 0.27
    assert found == figures(recorded, "antminer", "antminer-s19pro-stock", "stats", "pools", "summary")
    about = specs(recorded, "antminer", "antminer-s19pro-stock", "version")
    assert (about.make, about.model, about.mac) == ("Antminer", "S19 Pro", None)


def test_a_whatsminer_v1(recorded: Recorded) -> None:
    found = figures(recorded, "whatsminer_v1", "whatsminer-v1", "summary", "devs", "pools")
    assert found.hashrate_hs == pytest.approx(67.39e12, rel=1e-4)
    assert (found.power_w, found.uptime_s, len(found.boards)) == (3417, 10_154, 3)
    assert (found.fans_rpm, found.temperature_c) == ([6450, 6480], 92.5)
    about = specs(recorded, "whatsminer_v1", "whatsminer-v1", "summary", "get_version", None)
    assert (about.firmware_version, about.mac) == ("20210322.22.REL", "C4:08:28:00:A4:19")
    assert about.model is None


def test_a_whatsminer_v3(recorded: Recorded) -> None:
    names = [f"get_miner_status_{each}" for each in ("summary", "edevs", "pools")]
    found = figures(recorded, "whatsminer_v3", "whatsminer-v3", *names, "get_device_info")
    assert found.power_w == 3156
    assert found.hashrate_hs == pytest.approx(171.26e12, rel=1e-4)
    assert (len(found.boards), [pool.state for pool in found.pools]) == (3, [C, S, S])
    about = specs(recorded, "whatsminer_v3", "whatsminer-v3", "get_device_info")
    assert (about.model, about.model_variant, about.hostname) == ("M60S", "VK40", "WhatsMiner")


@pytest.mark.parametrize("stats", ["litestats", "stats"])
def test_an_idle_avalon_is_not_mining(recorded: Recorded, stats: str) -> None:
    found = figures(recorded, "avalon", "avalon-q-idle", "summary", stats, "pools")
    assert (found.hashrate_hs, [board.hashrate_hs for board in found.boards]) == (0, [0])
    assert (found.uptime_s, found.fans_rpm) == (37_714, [0, 0, 0, 0])
    assert [board.chip_temperature_c for board in found.boards] == [None]
    assert (found.average_hashrate_hs or 0) < 0.1e12
    assert specs(recorded, "avalon", "avalon-q-idle", "version").model == "Q"


def test_a_bitaxe_supra(recorded: Recorded) -> None:
    found = figures(recorded, "axeos", "bitaxe-supra", "system_info")
    assert found.hashrate_hs == pytest.approx(1.0e12)
    assert found.power_w == pytest.approx(2.65)
    assert (found.uptime_s, found.temperature_c, found.fans_rpm) == (4, 59.875, [3517])
    about = specs(recorded, "axeos", "bitaxe-supra", "system_info")
    assert (about.make, about.model, about.mac) == ("BitAxe", "Supra", "AA:BB:CC:DD:EE:FF")


def test_an_iceriver_ks5l(recorded: Recorded) -> None:
    found = figures(recorded, "iceriver", "iceriver-ks5l", "userpanel")
    assert found.hashrate_hs == pytest.approx(15.011e12)
    assert found.hashrate_window_s == 300
    assert found.average_hashrate_hs == pytest.approx(10.789e12)
    assert (found.fans_rpm, len(found.boards)) == ([5900, 5900, 5900, 5855], 3)
    assert [pool.state for pool in found.pools] == [C, D, D]
    assert (found.power_w, found.expected_hashrate_hs, found.uptime_s) == (None, None, 102_542)
    assert found.faults == ["temperature"]
    assert found.temperature_c == 67
    about = specs(recorded, "iceriver", "iceriver-ks5l", "userpanel")
    assert (about.make, about.model, about.mac) == ("IceRiver", "KS5L", None)


def test_an_auradine(recorded: Recorded) -> None:
    names = ("summary", "devs", "pools", "asccount")
    answers = [recorded(f"auradine/{name}") for name in names]
    found = BY_NAME["auradine"].parse([*answers, b"", b"", b""], None)  # without a password
    assert found.hashrate_hs == pytest.approx(8.7786e12, rel=1e-4)
    assert (found.uptime_s, found.temperature_c, found.fans_rpm, found.power_w) == (56_696, 30.12, [], None)
    assert [(board.slot, board.chips) for board in found.boards] == [(1, 132), (2, 132), (3, 132)]
    assert [pool.state for pool in found.pools] == [C, D, D]
    about = specs(recorded, "auradine", "auradine", "version", None, None)
    assert (about.make, about.software_version) == ("Auradine", "GCMiner 0.5")


def test_an_auradine_with_a_password(recorded: Recorded) -> None:
    names = ("summary", "devs", "pools", "asccount", "fan", "psu", "temperature")
    found = figures(recorded, "auradine", "auradine", *names)
    assert (found.power_w, found.fans_rpm) == (58.94, [7080, 7020, 7100, 7020, 4052, 4144])
    assert [board.outlet_temperature_c for board in found.boards][:2] == [41.5, 43.0]
    assert [board.chip_temperature_c for board in found.boards][:2] == pytest.approx([45.83, 48.22], abs=0.01)
    about = specs(recorded, "auradine", "auradine", "version", None, "ipreport")
    assert (about.model, about.mac, about.hostname) == ("AT1500", "02:00:00:22:D8:D7", "teraflux-01")


@pytest.mark.parametrize(
    ("folder", "hashrate_hs", "power_w", "shares", "version"),
    [
        ("braiins-25.07", 144.009e12, 3137, 10_460, "2025-08-06-0-3881c51d-25.07-plus"),
        ("braiins-25.11", 119.995e12, 2472, 5_048, "2025-11-21-0-eb658dcd-25.11-plus"),
    ],
)
def test_a_braiins_os_over_rest(
    recorded: Recorded, folder: str, hashrate_hs: float, power_w: float, shares: int, version: str
) -> None:
    names = ("miner_stats", "miner_hw_hashboards", "pools", "cooling_state", "miner_details", "miner_errors")
    found = figures(recorded, "braiins_rest", folder, *names)
    assert found.hashrate_hs == pytest.approx(hashrate_hs, rel=1e-4)
    assert (found.hashrate_window_s, found.power_w, len(found.fans_rpm)) == (60, power_w, 4)
    assert [board.chips for board in found.boards] == [110, 110, 110]
    assert [pool.state for pool in found.pools] == [C, S]
    assert (found.pools[0].accepted, found.faults) == (shares, [])  # its errors are months old
    assert found.temperature_c is not None
    assert all(board.inlet_temperature_c and board.outlet_temperature_c for board in found.boards)
    about = specs(recorded, "braiins_rest", folder, "miner_details", "performance_tuner_state")
    assert (about.make, about.model) == ("Antminer", "S19 XP")
    assert (about.software_version or "").startswith(f"{version}, power target ")
    assert about.mac is not None


def test_a_braiins_os_over_graphql(recorded: Recorded) -> None:
    """The recording has an answer of each part; the sentry asks for all of them at once."""
    parts = [json.loads(recorded(f"braiins-24.09/gql_{name}"))["data"] for name in ("system", "boards", "pools")]
    info: dict[str, Any] = {"workSolver": {}}
    for each in parts:
        of_part = each["bosminer"]["info"]
        info |= of_part | {"workSolver": info["workSolver"] | of_part.get("workSolver", {})}
    answer = {"data": {"bos": parts[0]["bos"], "bosminer": {"info": info}}}
    replies = [json.dumps(answer).encode(), recorded("braiins-24.09/gql_events")]
    found = BY_NAME["braiins_graphql"].parse(replies, None)
    assert found.faults == []
    assert found.hashrate_hs == pytest.approx(230.7e12, rel=1e-4)
    assert (found.power_w, found.uptime_s, found.fans_rpm) == (3572, 717_641, [6414, 6414, 6354, 6324])
    assert found.boards[0].chips == 65
    assert (found.boards[0].outlet_temperature_c, found.boards[0].chip_temperature_c) == (56.4375, 71.4375)
    assert [(pool.state, pool.accepted) for pool in found.pools] == [(C, 111_393), (S, 13)]
    about = BY_NAME["braiins_graphql"].parse_specs([recorded("braiins-24.09/gql_system"), None])
    assert (about.hostname, about.software_version) == ("IC078", "2024-10-17-0-75912fc7-24.09-plus")


def test_a_proto_rig(recorded: Recorded) -> None:
    names = ("mining", "telemetry_full", "pools", "cooling", "errors")
    found = figures(recorded, "proto", "proto-rig", *names)
    assert found.hashrate_hs == pytest.approx(141.147e12, rel=1e-4)
    assert found.power_w == pytest.approx(3447.0, rel=1e-4)
    assert found.fans_rpm == [4346, 4691, 4658, 4443]
    assert [board.outlet_temperature_c for board in found.boards] == pytest.approx(
        [55.24, 54.98, 55.44, 53.39], abs=0.01
    )
    about = specs(recorded, "proto", "proto-rig", "system", "network", "hardware")
    assert (about.make, about.model, about.firmware_version) == ("Proto", "Rig", "1.8.0")


def test_an_elphapex_that_has_just_started(recorded: Recorded) -> None:
    found = figures(recorded, "elphapex", "elphapex", "stats", "pools", "summary", "get_power")
    assert (found.hashrate_hs, found.expected_hashrate_hs, found.uptime_s) == (0, 3003.75e6, 0)
    assert [(board.slot, board.chips, board.chip_temperature_c) for board in found.boards] == [(3, 120, 25.687)]
    assert (found.fans_rpm, [pool.state for pool in found.pools]) == ([420, 420, 420, 1020], [D, D, D])
    about = specs(recorded, "elphapex", "elphapex", "get_system_info")
    assert (about.make, about.model) == ("Elphapex", "DG-Home1")
