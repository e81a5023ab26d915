"""Other projects' recordings, with the figures that were written down by hand from each. They are not in the
repository; without them there is nothing to test."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.messages import MinerReading
from sentry_kit.parsing import BadReply

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "miner-apis"
pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="other projects' recordings are not in the repository")


def parse(software: str, *names: str) -> MinerReading:
    return SOFTWARE[software].parse([(RECORDED / name).read_bytes() for name in names])


@dataclass(frozen=True)
class Sample:
    """`shares` are accepted, rejected, stale and invalid; `first` is the first device's place, H/s and °C."""

    software: str
    names: str
    version: str | None
    uptime_s: int | None
    algorithms: dict[str, float]
    shares: tuple[int | None, int | None, int | None, int | None]
    pool: str | None
    user: str | None
    devices: int
    first: tuple[str, float | None, float | None] | None


WALLET, LONG = "0x0000000000000000000000000000000000000001", "0" * 63 + "1"
SAMPLES = [
    Sample("xmrig", "xmrig.json xmrig__6.22.1_backends.json", "6.22.1", 260195, {"rx/0": 4884.25},
           (8650, 8, None, None), "gulf.moneroocean.stream:10032", None, 3, ("cpu", 4824.39, None)),
    Sample("xmrig", "xmrig__5.11.1_cpu_summary.json xmrig__5.11.1_cpu_backends.json", "5.11.1", 18, {"rx/0": 445.81},
           (0, 0, None, None), "donate.v2.xmrig.com:3333", None, 1, ("cpu", 1104.88, None)),
    Sample("xmrig", "xmrig__doc_summary.json", "2.6.0-beta3", None, {"cryptonight": 296.24}, (30, 0, None, None),
           "pool.monero.hashvault.pro:3333", None, 0, None),
    Sample("xmrig", "xmrig__doc_summary.json xmrig__doc_threads.json", "2.6.0-beta3", None, {"cryptonight": 296.24},
           (30, 0, None, None), "pool.monero.hashvault.pro:3333", None, 1, ("cpu", 296.21, None)),
    Sample("lolminer", "lolminer.json", "1.92", 3710, {"NexaPoW": 5654916.1744285845}, (68, 0, 0, 0),
           "nexa.f2pool.com:3400", "account.default", 1, ("0000:0b:00.0", 5_650_000, 65)),
    Sample("lolminer", "lolminer__0.6.json", "0.6", 140, {"Equihash 210/9": 65.1}, (4, 0, None, None),
           "na.aionmine.org:3333", f"0x{LONG}.lolMiner", 1, ("0000:01:00.0", 65.1, None)),
    Sample("lolminer", "lolminer__1.0a2.json", "1.0 a2", 10, {"ZelHash": 6.7}, (0, 0, None, None),
           "stratum.zel.cash:2001", "t1cLkQpx3kEJw2TjPnTmCpe4KqLvER8NknA.testWorker", 1, ("0000:01:00.0", 6.7, 49)),
    Sample("lolminer", "lolminer__1.16a_ethash_multi.json", "1.16a", 90, {"Ethash": 302_400_000}, (3, 0, None, 0),
           "eth.2miners.com:2020", f"{WALLET}.lolMinerWorker", 4, ("0000:03:00.0", 75_860_000, 47)),
    Sample("lolminer", "lolminer__1.16a_single.json", "1.16a", 120, {"Etchash": 8_860_000}, (1, 0, None, 0),
           "us-east.etchash-hub.miningpoolhub.com:20615", "pulk.workername", 1, ("0000:01:00.0", 8_860_000, 76)),
    Sample("lolminer", "lolminer__1.26_single.json", "1.26", 1560, {"Ethash": 91_550_000}, (35, 0, None, 0),
           "eu1.ethermine.org:5555", f"{WALLET}.worker-1", 1, ("0000:01:00.0", 91_550_000, 47)),
    Sample("trex", "trex.json", "0.9.1", 447624, {"x16r": 271_232_220}, (51522, 293, None, None),
           "stratum+tcp://rvn.suprnova.cc:6667", "account.rig1", 3, ("gpu0", 26_760_056, 36)),
    Sample("trex", "trex__api1.1_multi_gpu.json", "0.6.3", 31, {"x16r": 150_645_350}, (10, 0, None, None),
           "stratum+tcp://us.ravenminer.com:4567", "xxxx", 8, ("gpu0", 19_101_584, 57)),
    Sample("trex", "trex__api3.0.json", "0.9.1", 56, {"x16r": 7_748_158}, (1, 0, None, None),
           "stratum+tcp://pool.minermore.com:4501", "1EXAMPLEWALLET0000000000000000001", 1, ("gpu0", 7_748_158, 68)),
    Sample("trex", "trex__telnet_multi_gpu.json", "0.19.1", 3656, {"ethash": 232_615_880}, (331, 0, None, None),
           "stratum+tcp://naw-eth.hiveon.net:4444", "0x", 8, ("gpu0", 29_161_504, 67)),
    Sample("trex", "trex__ccminer_summary.txt", "0.9.2", 45, {"x16r": 5_798_280}, (5, 0, None, None), None, None,
           0, None),
    Sample("gminer", "gminer.json", "3.06", 49, {"Etchash": 40_707_234}, (0, 0, 0, 0),
           "ssl://hk.crazypool.org:7777", f"{WALLET}.group.rig1", 1, ("0000:03:00.0", 40_707_234, 66)),
    Sample("gminer", "gminer__1.34.json", "1.34", 88, {'Equihash 150,5 "Beam-PoW"': 1.2}, (0, 0, None, None),
           "stratum+ssl://beam.sparkpool.com:2222", f"{LONG}.rig0", 1, ("0000:02:00.0", 1.2, 54)),
    Sample("gminer", "gminer__2.33_sols.json", "2.33", 19566, {'Equihash 144,5 "BgoldPoW"': 0.1}, (0, 0, None, None),
           "eu.btgpool.pro:1445", "GEXAMPLEWALLET0000000000000000001.rig0", 1, ("0000:01:00.0", 0.1, 55)),
    Sample("gminer", "gminer__2.73_long_uptime.json", "2.73", 704042, {"Ethash": 43_429_602}, (6799, 0, 0, 0),
           "eu1.ethermine.org:4444", f"{WALLET}.3060", 1, ("0000:01:00.0", 43_429_602, 55)),
    Sample("gminer", "gminer__old_hive_comment.json", None, 376, {"unknown": 36}, (4, 0, None, None),
           "stratum://us-east.equihash-hub.miningpoolhub.com:20595", "account.rig2", 2, ("0000:01:00.0", 17, 47)),
    Sample("gminer", "gminer__old_multi.json", None, 37, {"unknown": 253.4}, (5, 0, None, None),
           "stratum://eu.btgpool.pro:1445", "GEXAMPLEWALLET0000000000000000001.rig0", 4, ("0000:01:00.0", 61.1, 52)),
    Sample("teamredminer", "teamredminer.json", "0.3.10", 103, {"unknown": 1_794_000}, (9, 0, None, 0),
           None, None, 1, ("gpu0", 1_794_000, 69)),
    Sample("teamredminer", "teamredminer__0.3.10_devs.json teamredminer__0.3.10_pools.json", "0.3.10", 103,
           {"phi2": 1_794_000}, (9, 0, 0, 0), "stratum+tcp://lux.pickaxe.pro:8332", "LEXAMPLEWALLET0000000000000000001",
           1, ("gpu0", 1_794_000, 69)),
    Sample("teamredminer", "teamredminer__0.3.8_devs_6gpu.json teamredminer__0.3.8_pools.json", "0.3.8", 13887,
           {"cnv8": 12_573}, (371, 12, 0, 0), "stratum+tcp://pool.supportxmr.com:7777", "4" + "0" * 94,
           6, ("gpu0", 2107, 61)),
    Sample("srbminer", "srbminer.json", "3.3.7", 147714, {"pearlhash": 227_676_499_213_489.1}, (2129, 8, None, 0),
           "us2.pearl.herominers.com:1200", "prl1xxxxxxxx.4x", 4, ("0000:01:00.0", 57_163_468_486_147.54, 68)),
    Sample("srbminer", "srbminer__multi_0.1.8_gpu.json", "0.1.8", 18359, {"kadena": 6_290_860_755.620301},
           (2171, 19, None, None), "kda-us.icemining.ca:3700", None, 6, ("0000:03:00.0", 1_052_373_939.1692787, 55)),
    Sample("srbminer", "srbminer__old_1.7.9.json", "1.7.9", 132, {"normalv8": 343}, (0, 0, 0, None),
           "xmr-eu1.nanopool.org:14444", None, 1, ("0000:02:00.0", 343, 63)),
    Sample("srbminer", "srbminer__old_1.9.2_compute_errors.json", "1.9.2", 48936, {"mox": 27643}, (546, 0, None, None),
           "mox.optimusblue.com:4444", None, 1, ("0000:0d:00.0", 4549, 65)),
    Sample("rigel", "rigel.json", "1.23.2", 286, {"xelishashv3": 12112.195564915472}, (1405, 0, None, 0),
           "stratum.hashnomletz.com:13333", "xel:examplewallet" + "0" * 44 + "1", 1,
           ("0000:0b:00.0", 12112.195564915472, 72)),
    Sample("nbminer", "nbminer.json", "40.0", -1_637_549_633, {"ethash": 146_567_481.51336715}, (7, 0, None, 0),
           "asia2.ethermine.org:5555", WALLET, 2, ("0000:01:00.0", 61_497_708.17088159, 57)),
    Sample("nbminer", "nbminer__v10_tensority_dual.json", "10.0", -1_532_482_659,
           {"unknown": 2989, "unknown 2": 48_308_746}, (99, 1, None, None), "btm.pool.zhizh.com:3859",
           "bm" + "x" * 40 + ".test", 2, ("gpu0", 1499, 65)),
    Sample("bzminer", "bzminer__partial_fixture.json", "100.45", 10, {"pearl": 10.25}, (5, 2, None, 1), None, None, 2,
           ("gpu0", 10, None)),
    Sample("onezerominer", "onezerominer__partial_fixture.json", "1.7.8", 12, {"pearlhash": 0.125}, (4, 1, None, None),
           None, None, 1, ("0000:0a:00.0", 0.125, None)),
    Sample("wildrig", "wildrig.json", "0.10.0", 370, {"wildkeccak": 693.13}, (3, 0, None, None),
           "bbr.luckypool.io:5577", None, 1, ("gpu0", 693.13, None)),
    Sample("miniz", "miniz.json", None, -1_552_868_166, {"unknown": 20.3}, (3, 0, None, None),
           "us-btg.2miners.com:4040", None, 1, ("gpu0", 20.3, 68)),
    Sample("miniz", "ewbf__getstat.json", None, None, {"unknown": 830}, (2111, 3, None, None), None, None, 2,
           ("0000:01:00.0", 420, 64)),
    Sample("cpuminer", "cpuminer-opt__summary.txt cpuminer-opt__threads.txt", "3.9.1.1", 9, {"lyra2z": 117_826.5},
           (0, 0, None, None), "lyra2z.mine.zergpool.com:4553", None, 1, ("cpu", 458_080, None)),
    Sample("cpuminer", "cpuminer-opt.txt", "3.9.1.1", 9, {"lyra2z": 117_826.5}, (0, 0, None, None),
           "lyra2z.mine.zergpool.com:4553", None, 1, ("cpu", 117_826.5, None)),
    Sample("ccminer", "ccminer__summary.txt ccminer__threads.txt ccminer__pool.txt", "0.2.3", 6, {"x16r": 1230},
           (0, 0, 0, None), "stratum+tcp://us.ravenminer.com:4567", "RL3ssvQ3toqZFsNvPhZXawscGUpd1xGgW7", 8,
           ("0000:01:00.0", None, 82)),
    Sample("claymore", "claymore.json", "9.3", 1260, {"ethash": 182_724_000}, (51, 0, None, 0),
           "eth-eu1.nanopool.org:9999", None, 6, ("gpu0", 30_502_000, 53)),
    Sample("claymore", "claymore__10.0_hive_comment.json", "10.0", 4980, {"ethash": 67_664_000, "unknown": 891_451_000},
           (48, 0, None, 0), "eth-eu1.nanopool.org:9999", None, 3, ("gpu0", 28_076_000, 67)),
    Sample("claymore", "claymore__11.8_eth_getstat1.json", "11.8", 0, {"ethash": 235_321_000}, (2, 0, None, 0),
           "eth-eu1.nanopool.org:9999", None, 8, ("gpu0", 29_482_000, 60)),
    Sample("claymore", "claymore__12.6_zec.json", "12.6", 0, {"equihash": 128}, (0, 0, None, 0),
           "zec-eu1.nanopool.org:6633", None, 1, ("gpu0", 128, 60)),
    Sample("phoenixminer", "phoenixminer.json", "5.1c", 0, {"ethash": 237_936_000}, (1, 0, None, 0),
           "ssl://eu1.ethermine.org:5555", None, 8, ("gpu0", 29_792_000, 50)),
    Sample("ethminer", "ethminer.json", "0.16.0.dev0+commit.41639944", 2880, {"ethash": 87_221_000}, (54, 0, None, 0),
           "eu1.ethermine.org:4444", None, 6, ("gpu0", 14_683_000, 53)),
    Sample("ttminer", "ttminer.json", "2.2.5", 0, {"unknown": 235_321_000}, (2, 0, None, 0),
           "eth-eu1.nanopool.org:9999", None, 8, ("gpu0", 29_482_000, 60)),
    Sample("nanominer", "nanominer.json", None, 898, {"Ethash": 4_591_157}, (3, 0, None, None),
           "eth-us-east1.nanopool.org:9999", None, 1, ("0000:01:00.0", 4_591_157, 46)),
    Sample("bminer", "bminer__solver.json bminer__stratum.json", None, None,
           {"ethash": 30_828_134.4, "blake2s": 1_778_500_208.17}, (2, 0, None, None), "guangdong-pool.ethfans.org:3333",
           f"{WALLET}.w", 1, ("gpu0", 30_828_134.4, None)),
    Sample("bminer", "bminer__legacy_status.json", "5.1.0-6b8803e", -1_516_502_494, {"unknown": 535.6},
           (1, 0, None, None), None, None, 1, ("gpu0", 535.6, 45)),
]  # fmt: skip


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.names for sample in SAMPLES])
def test_a_recording_is_read(sample: Sample) -> None:
    miner = parse(sample.software, *sample.names.split())
    assert (miner.software, miner.version) == (sample.software, sample.version)
    assert uptime_is(miner.uptime_s, sample.uptime_s)
    assert [each.algorithm for each in miner.algorithms] == [name.removesuffix(" 2") for name in sample.algorithms]
    assert [each.hashrate_hs for each in miner.algorithms] == pytest.approx(list(sample.algorithms.values()))
    whole = miner.algorithms[0]
    assert (whole.accepted, whole.rejected, whole.stale, whole.invalid) == sample.shares
    assert (whole.pool, whole.user, len(miner.devices)) == (sample.pool, sample.user, sample.devices)
    if sample.first is not None:
        first = miner.devices[0]
        assert (first.device, first.temperature_c) == (sample.first[0], sample.first[2])
        assert first.hashrates_hs[0] == (None if sample.first[1] is None else pytest.approx(sample.first[1]))


def uptime_is(told: int | None, expected: int | None) -> bool:
    """A negative expectation is an epoch, since which it is told."""
    if told is None or expected is None or expected >= 0:
        return told == expected
    return abs(told - (time.time() + expected)) < 60


def test_every_recording_has_its_figures_here() -> None:
    copies = {"miniz__getstat.json", "nanominer__stats.json", "wildrig__0.10.json"}
    no_answers = {"xmrig__6.22.1_config.json", "xmrig__doc_config.json"}
    read = {name for sample in SAMPLES for name in sample.names.split()}
    assert {path.name for path in RECORDED.iterdir()} == read | copies | no_answers


def test_what_is_no_statistics_is_refused() -> None:
    for name in ("xmrig__6.22.1_config.json", "xmrig__doc_config.json", "xmrig__doc_threads.json"):
        with pytest.raises(BadReply):
            parse("xmrig", name)


@pytest.mark.parametrize(
    ("software", "name", "device", "figures"),
    [
        ("xmrig", "xmrig.json xmrig__6.22.1_backends.json", 1, {"device": "0000:03:00.0", "power_w": None}),
        ("lolminer", "lolminer.json", 0, {"power_w": 86.118, "memory_temperature_c": None, "fan_percent": 38}),
        ("lolminer", "lolminer__1.16a_ethash_multi.json", 3, {"device": "0000:16:00.0", "power_w": 176.468}),
        ("lolminer", "lolminer__1.0a2.json", 0, {"power_w": None, "fan_percent": 75}),
        ("trex", "trex__telnet_multi_gpu.json", 7, {"accepted": 62, "rejected": 0, "power_w": 108, "fan_percent": 50}),
        ("trex", "trex__api3.0.json", 0, {"power_w": None, "fan_percent": None}),
        ("gminer", "gminer.json", 0, {"memory_temperature_c": None, "power_w": 143, "memory_clock_mhz": 7300}),
        ("gminer", "gminer__2.33_sols.json", 0, {"power_w": None, "fan_percent": None}),
        ("gminer", "gminer__2.73_long_uptime.json", 0, {"fan_percent": 0, "core_clock_mhz": 1095, "accepted": 6799}),
        ("srbminer", "srbminer.json", 3, {"device": "0000:05:00.0", "accepted": 509, "rejected": 4, "power_w": 183}),
        ("srbminer", "srbminer__multi_0.1.8_gpu.json", 5, {"device": "gpu5", "temperature_c": None}),
        ("rigel", "rigel.json", 0, {"memory_temperature_c": 88, "power_w": 294.36225, "accepted": 1405}),
        ("nbminer", "nbminer.json", 1, {"device": "0000:30:00.0", "memory_temperature_c": 104, "accepted": 3}),
        ("nbminer", "nbminer.json", 0, {"memory_temperature_c": None, "memory_clock_mhz": 8000}),
        ("bzminer", "bzminer__partial_fixture.json", 1, {"device": "0000:ab:00.0", "temperature_c": 60, "rejected": 2}),
        ("miniz", "miniz.json", 0, {"power_w": None, "core_clock_mhz": 1746}),
        ("miniz", "ewbf__getstat.json", 1, {"device": "0000:04:00.0", "power_w": 100, "accepted": 1111}),
        ("ccminer", "ccminer__summary.txt ccminer__threads.txt", 7, {"device": "0000:0b:00.0", "power_w": 140.837}),
        ("ethminer", "ethminer.json", 5, {"hashrates_hs": [14_508_000], "temperature_c": 60, "fan_percent": 90}),
        ("claymore", "claymore__10.0_hive_comment.json", 2, {"hashrates_hs": [12_351_000, 61_758_000]}),
        ("bminer", "bminer__solver.json", 0, {"hashrates_hs": [30_828_134.4, 1_778_500_208.17]}),
        ("bminer", "bminer__legacy_status.json", 0, {"power_w": 255, "memory_clock_mhz": 5005, "fan_percent": 74}),
    ],
)
def test_a_recorded_device_is_read(software: str, name: str, device: int, figures: dict[str, object]) -> None:
    read = parse(software, *name.split()).devices[device]
    assert {key: getattr(read, key) for key in figures} == figures
