"""Answers that owners of miners posted in public, with the right values.

They are not in the repository; without them there is nothing to test.
"""

from pathlib import Path

import pytest
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.messages import MinerReading, MinerState

FIELD = Path(__file__).parents[4] / "shared" / "data" / "field" / "miners"
pytestmark = pytest.mark.skipif(not FIELD.exists(), reason="the field's answers are not here")


def parse(software: str, *names: str) -> MinerReading:
    return SOFTWARE[software].parse([(FIELD / name).read_bytes() for name in names])


def test_a_worker_without_quotes_costs_nothing() -> None:
    miner = parse("lolminer", "lolminer_1.46_numeric_worker.json")
    (work,) = miner.algorithms
    assert (miner.state, work.accepted) == (MinerState.MINING, 6)
    assert work.hashrate_hs == pytest.approx(240.32806821132527e6)


def test_an_xmrig_without_a_pool_starts() -> None:
    miner = parse("xmrig", "xmrig_no_pool_yet_algo_null.json", "xmrig_no_pool_yet_backends.json")
    (work,) = miner.algorithms
    assert (miner.state, miner.uptime_s, work.hashrate_hs) == (MinerState.STARTING, 1834, None)
    assert (work.pool, work.accepted, work.rejected) == ("pool.example:3333", 0, 0)


def test_a_missing_separator_makes_the_sensors_unknown() -> None:
    miner = parse("claymore", "claymore_9.3_mixed_amd_nvidia_temps.json")
    assert [card.temperature_c for card in miner.devices] == [None, None, None]
    assert [card.hashrates_hs for card in miner.devices] == [[23_979_000], [23_973_000], [19_159_000]]


def test_two_algorithms_in_one_text_are_two() -> None:
    miner = parse("gminer", "gminer_2.90_dual_ethash_ton.json")
    assert [(each.algorithm, each.accepted) for each in miner.algorithms] == [("Ethash", 222), ("TON", 6)]


def test_a_pool_that_no_device_works_for_is_not_mined() -> None:
    miner = parse("bzminer", "bzminer_9.0.0_phantom_second_pool.json")
    assert [(each.algorithm, each.hashrate_hs) for each in miner.algorithms] == [("ethash", 61_000_000)]


def test_511_degrees_are_unknown() -> None:
    miner = parse("ethminer", "ethminer_511.json")
    assert [card.temperature_c for card in miner.devices] == [None, None, 62, 61, 60]
