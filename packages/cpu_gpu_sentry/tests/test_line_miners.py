"""Software that answers in several parts, or over TCP: bytes in, message out. The figures were worked out by hand."""

import time
from pathlib import Path

import pytest
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import BadReply

ANSWERS = Path(__file__).parent / "answers"
TEAMREDMINER = ["teamredminer__devs.json", "teamredminer__pools.json", "teamredminer__summary.json"]


def parse(software: str, *names: str) -> MinerReading:
    return SOFTWARE[software].parse([(ANSWERS / name).read_bytes() for name in names])


def test_teamredminer_s_sections_are_joined() -> None:
    miner = parse("teamredminer", *TEAMREDMINER)
    assert (miner.version, miner.uptime_s) == ("0.10.21", 7260)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="ethash", hashrate_hs=62_001_500, accepted=171, rejected=4, stale=5, invalid=3,
            pool="stratum+tcp://pool.example:4444", user="0xa-wallet.rig",
        )
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="gpu0", hashrates_hs=[30_500_500], accepted=90, rejected=1, temperature_c=60, fan_percent=47,
            core_clock_mhz=1187, memory_clock_mhz=1500,
        ),
        MinerDevice(
            device="gpu1", hashrates_hs=[31_500_000], accepted=80, rejected=3, fan_percent=48,
            core_clock_mhz=1187, memory_clock_mhz=1500,
        ),
    ]  # fmt: skip


def test_teamredminer_s_cards_alone_add_up() -> None:
    miner = parse("teamredminer", "teamredminer__devs.json")
    assert miner.uptime_s == 7199
    assert miner.algorithms == [
        AlgorithmReading(algorithm="unknown", hashrate_hs=62_000_500, accepted=170, rejected=4, invalid=3)
    ]


def test_teamredminer_s_second_algorithm_comes_joined() -> None:
    miner = parse("teamredminer", *TEAMREDMINER, "teamredminer__second.json")
    assert miner.algorithms[1] == AlgorithmReading(
        algorithm="kheavyhash", coin="Kaspa", hashrate_hs=300_500_000, accepted=30, rejected=3, stale=2, invalid=3,
        pool="stratum+tcp://dual.example:5555", user="kaspa:a-wallet",
    )  # fmt: skip
    assert [(card.hashrates_hs, card.accepted) for card in miner.devices] == [
        ([30_500_500, 200_000_000], 100),
        ([31_500_000, 100_000_000], 100),
    ]


def test_teamredminer_that_refuses_the_second_algorithm_has_one() -> None:
    refusal = b'{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command"}],"id":1}\0'
    replies = [(ANSWERS / name).read_bytes() for name in TEAMREDMINER]
    miner = SOFTWARE["teamredminer"].parse([*replies, refusal])
    assert (len(miner.algorithms), miner.version) == (1, "0.10.21")


def test_teamredminer_without_cards_is_a_sentence() -> None:
    with pytest.raises(BadReply, match="lists no cards"):
        parse("teamredminer", "teamredminer__pools.json")


def test_cpuminer_adds_its_threads_up_whatever_their_units() -> None:
    miner = parse("cpuminer", "cpuminer__summary.txt", "cpuminer__threads.txt")
    assert (miner.software, miner.version, miner.uptime_s) == ("cpuminer", "26.1", 600)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="verushash", coin="Verus", hashrate_hs=81500.5, accepted=12, rejected=1, pool="pool.example:4553"
        )
    ]  # fmt: skip
    assert miner.devices == [MinerDevice(device="cpu", hashrates_hs=[81250.5], temperature_c=61.5)]
    assert parse("cpuminer", "cpuminer__summary.txt").devices[0].hashrates_hs == [81500.5]


def test_ccminer_s_power_is_milliwatt_and_its_place_decimal() -> None:
    miner = parse("ccminer", "ccminer__summary.txt", "ccminer__threads.txt", "ccminer__pool.txt")
    assert (miner.version, miner.uptime_s) == ("2.3.1", 7200)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="x16r", hashrate_hs=25_000_500, accepted=40, rejected=2, stale=3,
            pool="stratum+tcp://pool.example:4567", user="Ra-wallet",
        )
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="0000:0a:00.0", hashrates_hs=[15_000_250], accepted=25, rejected=1, temperature_c=62,
            fan_percent=64, power_w=185.125, core_clock_mhz=1886, memory_clock_mhz=4156,
        ),
        MinerDevice(device="0000:0b:00.0", hashrates_hs=[10_000_250], accepted=15, rejected=1, fan_percent=65),
    ]  # fmt: skip


def test_a_letter_of_another_encoding_in_ccminer_s_answer_is_kept() -> None:
    summary = b"NAME=ccminer;VER=2.3;ALGO=x16r;GPUS=1;KHS=25000.50;UPTIME=300;ACC=4;REJ=0|\0"
    miner = SOFTWARE["ccminer"].parse([summary, b"POOL=x;ALGO=x16r;URL=pool.example:4567;USER=caf\xe9;STALE=0|\0"])
    assert miner.algorithms[0].user == "café"


def test_ccminer_s_summary_alone_is_enough_and_trex_s_first_api_was_the_same() -> None:
    assert parse("ccminer", "ccminer__summary.txt").algorithms[0].hashrate_hs == 25_000_500
    assert parse("trex", "ccminer__summary.txt").software == "trex"


def test_claymore_counts_in_kilohashes_and_minutes() -> None:
    miner = parse("claymore", "claymore__getstat1.json")
    assert (miner.version, miner.uptime_s) == ("12.6", 4980)
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="ethash", hashrate_hs=60_500_000, accepted=48, rejected=2, invalid=4, pool="pool.example:9999"
        ),
        AlgorithmReading(
            algorithm="unknown", hashrate_hs=900_000_000, accepted=29, rejected=3, invalid=5, pool="dual.example:7777"
        ),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(device="gpu0", hashrates_hs=[30_500_000, 450_000_000], temperature_c=67, fan_percent=40),
        MinerDevice(device="gpu1", hashrates_hs=[30_000_000, None], fan_percent=45),
    ]


def test_claymore_s_second_statistics_add_places_and_shares() -> None:
    names = ("claymore__getstat1.json", "claymore__getstat2.json")
    miner = parse("claymore", *names)
    assert [(card.device, card.accepted, card.rejected) for card in miner.devices] == [
        ("0000:0a:00.0", 57, 4),
        ("0000:11:00.0", 20, 1),
    ]
    refusal = b'{"id":0,"error":"unknown method","result":null}'
    assert SOFTWARE["claymore"].parse([(ANSWERS / names[0]).read_bytes(), refusal]) == parse("claymore", names[0])


def test_claymore_for_zcash_counts_solutions_and_may_tell_no_temperatures() -> None:
    miner = parse("claymore", "claymore__zec.json")
    assert [(each.algorithm, each.hashrate_hs) for each in miner.algorithms] == [("equihash", 700.5)]
    assert miner.devices[1] == MinerDevice(device="gpu1", hashrates_hs=[350])


def test_a_kind_of_claymore_that_is_not_known_has_no_hashrate_rather_than_a_guess() -> None:
    answer = (ANSWERS / "claymore__zec.json").read_bytes().replace(b"ZEC", b"NEW")
    assert SOFTWARE["claymore"].parse([answer]).algorithms[0].hashrate_hs is None


@pytest.mark.parametrize(
    ("software", "version", "algorithm", "hashrate_hs", "pool"),
    [
        ("phoenixminer", "6.2c", "ethash", 60_500_000, "ssl://pool.example:5555"),
        ("ethminer", "0.19.0", "ethash", 29_000_000, "pool.example:4444"),
        ("ttminer", "6.0.0", "unknown", 29_000_000, "pool.example:4444"),
    ],
)
def test_the_rest_of_the_family_answers_alike(
    software: str, version: str, algorithm: str, hashrate_hs: float, pool: str
) -> None:
    miner = parse(software, f"{software}.json")
    (each,) = miner.algorithms
    assert (miner.software, miner.version) == (software, version)
    assert (each.algorithm, each.hashrate_hs, each.pool) == (algorithm, hashrate_hs, pool)
    assert len(miner.devices) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_bminer_s_three_answers_are_joined_and_its_pool_s_password_stays_here(order: tuple[int, int, int]) -> None:
    names = ("bminer__solver.json", "bminer__device.json", "bminer__stratum.json")
    miner = parse("bminer", *(names[each] for each in order))
    assert miner.algorithms == [
        AlgorithmReading(
            algorithm="ethash", hashrate_hs=50_000_000.5, accepted=22, rejected=2,
            pool="pool.example:3333", user="0xa-wallet.rig",
        ),
        AlgorithmReading(
            algorithm="blake2s", hashrate_hs=1_700_000_000, accepted=11, rejected=1,
            pool="dual.example:5766", user="Da-wallet.rig",
        ),
    ]  # fmt: skip
    assert miner.devices == [
        MinerDevice(
            device="gpu0", hashrates_hs=[30_000_000.5, 1_700_000_000], temperature_c=65, fan_percent=74,
            power_w=155.5, core_clock_mhz=1885, memory_clock_mhz=5005,
        ),
        MinerDevice(
            device="gpu1", hashrates_hs=[20_000_000, None], fan_percent=75, core_clock_mhz=1886, memory_clock_mhz=5006
        ),
    ]  # fmt: skip


def test_bminer_s_first_api_had_all_in_one() -> None:
    miner = parse("bminer", "bminer__first.json")
    assert miner.version == "5.1.0-6b8803e"
    assert miner.uptime_s == pytest.approx(time.time() - 1_795_000_000, abs=60)
    assert miner.algorithms == [AlgorithmReading(algorithm="unknown", hashrate_hs=535.5, accepted=9, rejected=1)]
    assert (miner.devices[0].device, miner.devices[0].temperature_c, miner.devices[0].power_w) == ("gpu0", 45, 255)
