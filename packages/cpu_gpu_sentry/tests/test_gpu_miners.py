"""Software that mines on cards, asked over HTTP: bytes in, message out. The figures were worked out by hand."""

import json
import time
from pathlib import Path

import pytest
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading, MinerState

ANSWERS = Path(__file__).parent / "answers"


def parse(software: str, *names: str) -> MinerReading:
    return SOFTWARE[software].parse([(ANSWERS / name).read_bytes() for name in names])


def test_trex_tells_two_algorithms_and_reads_its_place_in_decimal() -> None:
    miner = parse("trex", "trex__dual.json")
    assert (miner.software, miner.version, miner.uptime_s, miner.state) == ("trex", "0.26.8", 7200, MinerState.MINING)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="ethash", hashrate_hs=91_000_000, accepted=300, rejected=4, invalid=1,
            pool="stratum+ssl://pool.example:5555", user="0xa-wallet",
        ),
        AlgorithmReading(
            algorithm="kheavyhash", coin="Kaspa", hashrate_hs=700_000_000, accepted=50, rejected=2, invalid=3,
            pool="stratum+tcp://dual.example:4444", user="kaspa:a-wallet",
        ),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:0a:00.0", hashrates_hs=[60_000_000, 700_000_000], accepted=250, rejected=5,
            temperature_c=61, memory_temperature_c=86, fan_percent=70, power_w=221,
            core_clock_mhz=1410, memory_clock_mhz=9501,
        ),
        MinerDevice(device="gpu1", hashrates_hs=[31_000_000, None], accepted=100, rejected=1),
    ]  # fmt: skip


def test_gminer_adds_its_cards_up_and_reads_its_place_in_hexadecimal() -> None:
    miner = parse("gminer", "gminer__dual.json")
    assert (miner.version, miner.uptime_s) == ("3.44", 7260)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="Etchash", coin="Ethereum Classic", hashrate_hs=81_500_000, accepted=120, rejected=3, stale=2,
            invalid=1, pool="stratum+ssl://pool.example:7777", user="a-wallet.rig",
        ),
        AlgorithmReading(
            algorithm="kHeavyHash", coin="Kaspa", hashrate_hs=450_750_000, accepted=40, rejected=1, stale=4, invalid=5,
            pool="stratum+tcp://dual.example:4444", user="kaspa:a-wallet",
        ),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:0a:00.0", hashrates_hs=[60_500_000, 350_500_000], accepted=110, rejected=2,
            temperature_c=58, memory_temperature_c=82, fan_percent=64, power_w=121,
            core_clock_mhz=1410, memory_clock_mhz=8100,
        ),
        MinerDevice(
            device="0000:10:00.0", hashrates_hs=[21_000_000, 100_250_000], accepted=50, rejected=2, fan_percent=0,
            core_clock_mhz=1500, memory_clock_mhz=7300,
        ),
    ]  # fmt: skip


def test_an_old_gminer_tells_neither_algorithm_nor_totals() -> None:
    miner = parse("gminer", "gminer__old.json")
    assert (miner.version, miner.uptime_s) == (None, 376)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="unknown", hashrate_hs=36.5, accepted=4, rejected=1, pool="stratum://pool.example:1445",
            user="account.rig",
        )
    ]  # fmt: skip
    assert [device.power_w for device in miner.devices] == [None, 98]


def test_srbminer_s_maps_are_joined_with_its_cards() -> None:
    miner = parse("srbminer", "srbminer__dual.json")
    assert (miner.version, miner.uptime_s) == ("3.4.6", 7200)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="autolykos2", coin="Ergo", hashrate_hs=250_000_000.5, accepted=125, rejected=7, invalid=3,
            pool="pool.example:1200", user="a-wallet.rig",
        ),
        AlgorithmReading(
            algorithm="pearlhash", hashrate_hs=11e12, accepted=13, rejected=7, invalid=3,
            pool="dual.example:1300", user="a-wallet.rig",
        ),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:0c:00.0", hashrates_hs=[120_000_000.5, 5e12], accepted=66, rejected=8, temperature_c=68,
            fan_percent=70, power_w=171, core_clock_mhz=1305, memory_clock_mhz=7800,
        ),
        MinerDevice(
            device="0000:0d:00.0", hashrates_hs=[130_000_000, 6e12], accepted=72, rejected=6,
            fan_percent=71, core_clock_mhz=1306, memory_clock_mhz=7801,
        ),
    ]  # fmt: skip


def test_srbminer_on_a_cpu_is_one_device() -> None:
    miner = parse("srbminer", "srbminer__cpu.json")
    assert miner.algorithms[0].hashrate_hs == 901.5
    assert miner.devices == [MinerDevice(device="cpu", hashrates_hs=[901.5])]


def test_srbminer_s_cpu_and_cards_each_mine_what_they_mine() -> None:
    cards, cpu = (json.loads((ANSWERS / f"srbminer__{name}.json").read_bytes()) for name in ("dual", "cpu"))
    cards["algorithms"][1:] = cpu["algorithms"]
    miner = SOFTWARE["srbminer"].parse([json.dumps(cards).encode()])
    assert [each.hashrate_hs for each in miner.algorithms] == [250_000_000.5, 901.5]
    assert [(device.device, device.hashrates_hs) for device in miner.devices] == [
        ("0000:0c:00.0", [120_000_000.5, None]),
        ("0000:0d:00.0", [130_000_000, None]),
        ("cpu", [None, 901.5]),
    ]
    assert miner.devices[0].accepted == 60


def test_an_old_srbminer_s_cards_are_listed_though_it_describes_one_of_them() -> None:
    miner = parse("srbminer", "srbminer__old.json")
    (algorithm,) = miner.algorithms
    assert (algorithm.algorithm, algorithm.hashrate_hs) == ("kadena", 2_100_000_000.5)
    assert (algorithm.accepted, algorithm.rejected, algorithm.stale) == (20, 2, 3)
    assert [(device.device, device.temperature_c) for device in miner.devices] == [("0000:0b:00.0", 55), ("gpu1", None)]
    assert [device.hashrates_hs for device in miner.devices] == [[1_050_000_000.25]] * 2


def test_rigel_s_nulls_are_unknown_and_cards_left_out_are_not_listed() -> None:
    miner = parse("rigel", "rigel__dual.json")
    assert (miner.version, miner.uptime_s) == ("1.23.2", 286)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="autolykos2", coin="Ergo", hashrate_hs=150_000_000.5, accepted=11, rejected=2, invalid=1,
            pool="pool.example:3000", user="9a-wallet",
        ),
        AlgorithmReading(
            algorithm="kheavyhash", coin="Kaspa", hashrate_hs=500_000_000, accepted=21, rejected=3, invalid=4,
            pool="dual.example:4444", user="kaspa:a-wallet",
        ),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:1b:00.0", hashrates_hs=[150_000_000.5, 500_000_000], accepted=30, rejected=5,
            temperature_c=72, memory_temperature_c=88, fan_percent=83, power_w=240.5,
            core_clock_mhz=1980, memory_clock_mhz=9251,
        ),
        MinerDevice(device="0000:1c:00.0", hashrates_hs=[None, None]),
    ]  # fmt: skip


def test_nbminer_s_second_algorithm_has_a_2_and_its_start_is_an_epoch() -> None:
    miner = parse("nbminer", "nbminer__dual.json")
    assert miner.version == "42.3"
    assert miner.uptime_s == pytest.approx(time.time() - 1_795_000_000, abs=60)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="hns", hashrate_hs=300_500_000.5, accepted=70, rejected=2, invalid=1,
            pool="pool.example:3008", user="hs1a-wallet.rig",
        ),
        AlgorithmReading(
            algorithm="ethash", hashrate_hs=60_250_000, accepted=30, rejected=3, invalid=4,
            pool="dual.example:3333", user="0xa-wallet.rig",
        ),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:30:00.0", hashrates_hs=[150_500_000.5, 30_000_000], accepted=60, rejected=3,
            temperature_c=57, fan_percent=59, power_w=131, core_clock_mhz=1530, memory_clock_mhz=8000,
        ),
        MinerDevice(
            device="0000:01:00.0", hashrates_hs=[150_000_000, 30_250_000], accepted=40, rejected=2,
            memory_temperature_c=104, fan_percent=60, power_w=120, core_clock_mhz=1035, memory_clock_mhz=10251,
        ),
    ]  # fmt: skip


def test_bzminer_s_figures_belong_to_the_pools_that_a_card_works_for() -> None:
    miner = parse("bzminer", "bzminer__zil.json")
    assert (miner.version, miner.uptime_s) == ("24.0.2", 7200)
    assert [(each.algorithm, each.hashrate_hs, each.pool) for each in miner.algorithms] == [
        ("autolykos2", 250_000_000.5, "stratum+tcp://pool.example:3000"),
        ("kaspa", 500_000_000, "stratum+tcp://dual.example:4444"),
        ("zil", 30_000_000, "stratum+tcp://zil.example:1"),
    ]
    assert [(each.accepted, each.rejected, each.stale, each.invalid) for each in miner.algorithms] == [
        (60, 1, 2, 3), (50, 4, 5, 6), (7, 8, 9, 10),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:ab:00.0", hashrates_hs=[150_000_000.5, None, 30_000_000], accepted=47, rejected=9,
            temperature_c=60, memory_temperature_c=88, fan_percent=50, power_w=151.5,
            core_clock_mhz=1410, memory_clock_mhz=9501,
        ),
        MinerDevice(
            device="0000:0a:00.0", hashrates_hs=[100_000_000, 500_000_000, None], accepted=70, rejected=6,
            temperature_c=61, fan_percent=51, core_clock_mhz=1411, memory_clock_mhz=9502,
        ),
    ]  # fmt: skip


def test_onezerominer_s_arrays_line_up_with_its_cards() -> None:
    miner = parse("onezerominer", "onezerominer__dual.json")
    assert (miner.version, miner.uptime_s) == ("1.8.1", 600)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="dynexsolve", coin="Dynex", hashrate_hs=4000.5, accepted=40, rejected=2, invalid=1,
            pool="pool.example:443",
        ),
        AlgorithmReading(
            algorithm="zil", coin="Zilliqa", hashrate_hs=15, accepted=5, rejected=6, invalid=7, pool="zil.example:1"
        ),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:0a:00.0", hashrates_hs=[4000.5, 7], accepted=32, rejected=4, temperature_c=60,
            memory_temperature_c=88, fan_percent=50, power_w=151, core_clock_mhz=1410, memory_clock_mhz=9501,
        ),
        MinerDevice(
            device="0000:0b:00.0", hashrates_hs=[None, 8], accepted=13, rejected=4,
            core_clock_mhz=1411, memory_clock_mhz=9502,
        ),
    ]  # fmt: skip


def test_wildrig_s_sensors_line_up_with_its_threads() -> None:
    miner = parse("wildrig", "wildrig__hwmon.json")
    assert (miner.version, miner.uptime_s) == ("0.49.6", 370)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="firopow", coin="Firo", hashrate_hs=45_000_000.5, accepted=30, rejected=3,
            pool="pool.example:4000",
        )
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:0a:00.0", hashrates_hs=[25_000_000.5], accepted=20, rejected=2, temperature_c=61,
            fan_percent=70, power_w=150, core_clock_mhz=1410, memory_clock_mhz=9501,
        ),
        MinerDevice(
            device="0000:11:00.0", hashrates_hs=[20_000_000], accepted=10, rejected=1, fan_percent=71,
            core_clock_mhz=1411, memory_clock_mhz=9502,
        ),
    ]  # fmt: skip


def test_miniz_counts_solutions_and_its_place_may_be_a_placeholder() -> None:
    miner = parse("miniz", "miniz__getstat.json")
    assert miner.version == "2.5e3"
    assert miner.uptime_s == pytest.approx(time.time() - 1_795_000_000, abs=60)
    assert miner.algorithms == [
        AlgorithmReading(algorithm="144,5", hashrate_hs=100.5, accepted=50, rejected=3, pool="pool.example:4040")
    ]
    assert miner.devices == [
        MinerDevice(
            device="0000:0a:00.0", hashrates_hs=[60.5], accepted=30, rejected=1, temperature_c=68,
            fan_percent=60, power_w=150.5, core_clock_mhz=1746, memory_clock_mhz=3504,
        ),
        MinerDevice(
            device="gpu1", hashrates_hs=[40], accepted=20, rejected=2, fan_percent=61,
            core_clock_mhz=1747, memory_clock_mhz=3505,
        ),
    ]  # fmt: skip


def test_nanominer_s_hashrates_are_texts() -> None:
    miner = parse("nanominer", "nanominer__stats.json")
    assert (miner.version, miner.uptime_s) == (None, 898)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="Ethash", hashrate_hs=9_591_157, accepted=7, rejected=3, pool="pool.example:9999"
        ),
        AlgorithmReading(algorithm="RandomX", hashrate_hs=4500, accepted=9, rejected=5, pool="cpu.example:443"),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:1a:00.0", hashrates_hs=[4_591_157, None], accepted=3, rejected=1, temperature_c=46,
            fan_percent=50, power_w=99.5,
        ),
        MinerDevice(device="0000:1b:00.0", hashrates_hs=[5_000_000, None], accepted=4, rejected=2),
        MinerDevice(device="cpu", hashrates_hs=[None, 4500], accepted=9, rejected=5),
    ]  # fmt: skip
