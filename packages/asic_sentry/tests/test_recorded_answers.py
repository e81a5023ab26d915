"""Answers of real ASICs, and the figures that they contain."""

from collections.abc import Callable

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
    found = figures(recorded, "auradine", "auradine", "summary", "devs", "pools", "asccount")
    assert found.hashrate_hs == pytest.approx(8.7786e12, rel=1e-4)
    assert (found.uptime_s, found.temperature_c, found.fans_rpm) == (56_696, 30.12, [])
    assert [(board.slot, board.chips) for board in found.boards] == [(1, 132), (2, 132), (3, 132)]
    assert [pool.state for pool in found.pools] == [C, D, D]
    about = specs(recorded, "auradine", "auradine", "version", None)
    assert (about.make, about.software_version) == ("Auradine", "GCMiner 0.5")


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
