"""Bytes in, message out. The figures were worked out by hand from the answers in `answers/`."""

import json
from pathlib import Path

import pytest
from cpu_gpu_sentry.miners.parsing import pci_address, state_of, unit_factor, with_prefix
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading, MinerState

ANSWERS = Path(__file__).parent / "answers"


def parse(software: str, *names: str) -> MinerReading:
    return SOFTWARE[software].parse([(ANSWERS / f"{name}.json").read_bytes() for name in names])


def test_xmrig_sums_the_threads_of_a_card_and_reads_its_place_in_hexadecimal() -> None:
    miner = parse("xmrig", "xmrig__summary", "xmrig__backends")
    assert (miner.software, miner.version, miner.state) == ("xmrig", "6.22.2", MinerState.MINING)
    assert miner.uptime_s == 7260
    assert miner.devices == [
        MinerDevice(
            device="0000:0a:00.0", hashrates_hs=[31000000.5], temperature_c=61, power_w=142,
            core_clock_mhz=2100, memory_clock_mhz=1990,
        ),
        MinerDevice(
            device="0000:10:00.0", hashrates_hs=[30000000.0], fan_percent=72,
            core_clock_mhz=1500, memory_clock_mhz=7300,
        ),
    ]  # fmt: skip


def test_xmrig_tells_shares_and_pool() -> None:
    (algorithm,) = parse("xmrig", "xmrig__summary", "xmrig__backends").algorithms
    assert (algorithm.algorithm, algorithm.coin, algorithm.hashrate_hs) == ("kawpow", None, 61000000.5)
    assert (algorithm.accepted, algorithm.rejected, algorithm.stale, algorithm.invalid) == (
        412,
        3,
        None,
        None,
    )
    assert (algorithm.pool, algorithm.user) == ("pool.example:3333", None)


def test_xmrig_that_has_just_started_knows_no_hashrate() -> None:
    miner = parse("xmrig", "xmrig__starting_summary")
    assert miner.state is MinerState.STARTING
    assert miner.algorithms[0].hashrate_hs is None
    assert miner.algorithms[0].coin == "Monero"


def test_an_old_xmrig_answers_its_summary_alone() -> None:
    miner = parse("xmrig", "xmrig__v1_summary")
    assert (miner.version, miner.uptime_s, miner.state) == ("2.14.6", None, MinerState.MINING)
    assert (miner.algorithms[0].hashrate_hs, miner.algorithms[0].rejected) == (301.5, 0)


def test_lolminer_multiplies_by_its_factor_and_reads_its_place_in_decimal() -> None:
    miner = parse("lolminer", "lolminer__dual")
    assert (miner.version, miner.uptime_s, miner.state) == ("1.92", 5400, MinerState.MINING)
    first, second = miner.algorithms
    assert (first.algorithm, first.coin, first.hashrate_hs) == ("Autolykos V2", "Ergo", 375_750_000)
    assert (first.accepted, first.rejected, first.stale, first.invalid) == (60, 1, 2, 3)
    assert (second.algorithm, second.coin, second.hashrate_hs) == ("kHeavyHash", "Kaspa", 2_000_000_000)
    assert (first.pool, first.user) == ("pool.example:3000", "a-wallet.rig")


def test_lolminer_s_zeros_for_temperature_and_power_are_unknown() -> None:
    first, second = parse("lolminer", "lolminer__dual").devices
    assert first == MinerDevice(
        device="0000:01:00.0", hashrates_hs=[250_500_000, 1_500_000_000], accepted=47, rejected=1,
        temperature_c=58, memory_temperature_c=82, fan_percent=64, power_w=120.5,
        core_clock_mhz=1410, memory_clock_mhz=8100,
    )  # fmt: skip
    assert second.device == "0000:0c:00.0"
    assert (second.temperature_c, second.memory_temperature_c, second.power_w) == (None, None, None)
    assert second.fan_percent == 0


def test_an_old_lolminer_tells_its_unit_and_what_it_submitted() -> None:
    miner = parse("lolminer", "lolminer__old")
    assert (miner.version, miner.uptime_s, miner.state) == ("1.26", 1560, MinerState.MINING)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="Ethash", hashrate_hs=121_550_000, accepted=35, rejected=3, invalid=1,
            pool="pool.example:5555", user="a-wallet",
        )
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:10:00.0", hashrates_hs=[91_550_000], accepted=25, rejected=2, temperature_c=47,
            memory_temperature_c=84, fan_percent=88, power_w=219.857,
        ),
        MinerDevice(device="0000:01:00.0", hashrates_hs=[30_000_000], accepted=10, rejected=1, temperature_c=49),
    ]  # fmt: skip


def test_the_oldest_lolminer_has_no_unit_and_counts_solutions() -> None:
    answer = json.loads((ANSWERS / "lolminer__old.json").read_bytes())
    del answer["Session"]["Performance_Unit"]
    assert SOFTWARE["lolminer"].parse([json.dumps(answer).encode()]).algorithms[0].hashrate_hs == 121.55
    answer["Session"]["Performance_Unit"] = "furlongs"
    assert SOFTWARE["lolminer"].parse([json.dumps(answer).encode()]).algorithms[0].hashrate_hs is None


def test_no_hashrate_is_starting_for_two_minutes_and_stalled_then() -> None:
    assert parse("lolminer", "lolminer__starting").state is MinerState.STARTING
    assert parse("lolminer", "lolminer__stalled").state is MinerState.STALLED
    assert [state_of(0, 119), state_of(None, 120), state_of(1, 5)] == ["starting", "stalled", "mining"]


@pytest.mark.parametrize(
    ("told", "base", "address"),
    [
        ("03:00.0", 16, "0000:03:00.0"),
        ("0A:00.0", 16, "0000:0a:00.0"),
        ("11:0", 10, "0000:0b:00.0"),
        ("0001:41:00.0", 16, "0001:41:00.0"),
        ("a:0", 10, None),
        ("", 16, None),
        (None, 16, None),
    ],
)
def test_a_place_on_the_pci_bus_is_normalised(told: object, base: int, address: str | None) -> None:
    assert pci_address(told, base) == address


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("H/s", 1), ("Sol/s", 1), ("G/s", 1), ("kG/s", 1e3), ("GH/s", 1e9), ("mh/s", 1e6), ("furlongs", None)],
)
def test_graphs_are_not_giga_and_a_strange_unit_is_unknown(unit: object, factor: float | None) -> None:
    assert unit_factor(unit) == factor


def test_a_rounded_text_is_a_figure_with_its_prefix() -> None:
    assert [with_prefix(told) for told in ("61.50 M", "0.000 ", "1.5 k", 1490, "many", "1.2.3 M", None)] == [
        61_500_000, 0, 1500, 1490, None, None, None,
    ]  # fmt: skip


def test_a_coin_is_named_only_where_one_is_meant() -> None:
    assert [only_coin(name) for name in ("rx/0", "NexaPoW", "Autolykos V2", "autolykos2", "kHeavyHash")] == [
        "Monero", "Nexa", "Ergo", "Ergo", "Kaspa",
    ]  # fmt: skip
    assert [only_coin(name) for name in ("kawpow", "ethash", "rx", "")] == [None] * 4
