"""Before its pool gives work a miner is starting: it answers, and its hashrate is unknown. Bytes in, message out."""

import json
from pathlib import Path
from typing import Any

import pytest
from cpu_gpu_sentry.miners.parsing import patient
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.messages import MinerReading, MinerState, MinerTrouble

ANSWERS = Path(__file__).parent / "answers"
NO_POOL: dict[str, Any] = {
    "uptime": 1900,
    "results": {"shares_good": 0, "shares_total": 0},
    "algo": None,
    "connection": {"pool": "pool.example:4433", "ip": None, "uptime": 0, "failures": 371, "algo": None},
    "version": "6.26.0",
    "kind": "miner",
    "hashrate": {"total": [0.0, 0.0, 0.0], "highest": None},
}
NO_BACKENDS = [{"type": "cpu", "enabled": True, "algo": None}, {"type": "opencl", "enabled": False, "algo": None}]
NAMES = {"algo", "algorithm", "Algorithm", "name"}


def read(software: str, *answers: object) -> MinerReading:
    return SOFTWARE[software].parse([json.dumps(each).encode() for each in answers])


def answer(name: str) -> Any:
    return json.loads((ANSWERS / f"{name}.json").read_bytes())


def without_algorithm(told: Any, names: set[str]) -> Any:
    """Returns `told` as before the first job: no algorithm, and 0 for each hashrate."""
    if isinstance(told, list):
        return [without_algorithm(each, names) for each in told]
    if not isinstance(told, dict):
        return told
    return {key: None if key in names else zero(key, without_algorithm(each, names)) for key, each in told.items()}


def zero(key: str, value: Any) -> Any:
    is_rate = "hashrate" in key.lower() or "Performance" in key or key.startswith("speed")
    return flat(value) if is_rate and not key.endswith(("Unit", "Factor")) and "unit" not in key else value


def flat(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: flat(each) for key, each in value.items()}
    return [flat(each) for each in value] if isinstance(value, list) else 0


@pytest.mark.parametrize("rates", [[0.0, 0.0, 0.0], [None, None, None], []])
def test_an_xmrig_without_a_pool_starts_and_says_what_it_knows(rates: list[float | None]) -> None:
    miner = read("xmrig", {**NO_POOL, "hashrate": {"total": rates}}, NO_BACKENDS)
    assert (miner.state, miner.uptime_s, miner.version) == (MinerState.STARTING, 1900, "6.26.0")
    (work,) = miner.algorithms
    assert (work.algorithm, work.pool, work.accepted, work.rejected) == ("unknown", "pool.example:4433", 0, 0)
    assert work.hashrate_hs is None
    assert miner.devices == []
    assert (miner.trouble, miner.reason) == (MinerTrouble.NO_JOB, "Its pool gives it no work.")


def test_a_wait_of_two_minutes_for_the_pool_is_no_trouble() -> None:
    new, old = (patient(read("xmrig", {**NO_POOL, "uptime": uptime_s})) for uptime_s in (100, 130))
    assert (new.state, new.trouble, new.reason) == (MinerState.STARTING, None, None)
    assert old.trouble is MinerTrouble.NO_JOB


def test_an_xmrig_that_loses_its_pool_is_stalled_for_want_of_work() -> None:
    mined = {**NO_POOL, "algo": "rx/0"}
    miner = read("xmrig", mined)
    assert (miner.state, miner.trouble) == (MinerState.STALLED, MinerTrouble.NO_JOB)
    assert miner.algorithms[0].hashrate_hs is None
    connected = {**mined, "connection": {**mined["connection"], "uptime": 50}}
    assert (read("xmrig", connected).trouble, read("xmrig", connected).algorithms[0].hashrate_hs) == (None, 0)


@pytest.mark.parametrize(
    ("software", "name", "uptime_s", "accepted"),
    [
        ("lolminer", "lolminer__dual", 5400, 60),
        ("lolminer", "lolminer__old", 1560, 35),
        ("trex", "trex__dual", 7200, 300),
        ("gminer", "gminer__dual", 7260, 120),
        ("srbminer", "srbminer__dual", 7200, 125),
        ("srbminer", "srbminer__old", None, 20),
        ("rigel", "rigel__dual", 286, None),
        ("bzminer", "bzminer__zil", 7200, 60),
        ("onezerominer", "onezerominer__dual", 600, 40),
        ("wildrig", "wildrig__hwmon", 370, 30),
    ],
)
def test_no_algorithm_yet_is_a_start_of_every_program(
    software: str, name: str, uptime_s: int | None, accepted: int | None
) -> None:
    names = NAMES | ({"algorithm2"} if software == "gminer" else set())
    miner = read(software, without_algorithm(answer(name), names))
    assert (miner.software, miner.state) == (software, MinerState.STARTING)
    assert uptime_s is None or miner.uptime_s == uptime_s
    assert {each.algorithm for each in miner.algorithms} <= {"unknown"}
    assert {each.hashrate_hs for each in miner.algorithms} <= {None}
    assert {rate for device in miner.devices for rate in device.hashrates_hs} <= {None}
    assert accepted is None or miner.algorithms[0].accepted == accepted


@pytest.mark.parametrize(
    ("software", "told"),
    [
        ("lolminer", {"Software": "lolMiner 1.98", "Session": {"Uptime": 500}, "Workers": [], "Algorithms": []}),
        ("nanominer", {"Algorithms": [], "Devices": [], "WorkTime": 500}),
        ("onezerominer", {"version": "1.7.4", "uptime_seconds": 500, "devices": [], "algos": []}),
        ("bzminer", {"bzminer_version": "v24", "uptime_s": 500, "pools": [], "devices": []}),
        ("srbminer", {"miner_version": "3.4.6", "mining_time": 500, "gpu_devices": [], "algorithms": []}),
        ("rigel", {"version": "1.23", "uptime": 500, "algorithm": None, "devices": None}),
        ("miniz", {"result": [], "algorithm": "", "start_time": 1}),
        ("nbminer", {"miner": {"devices": []}, "stratum": {"algorithm": ""}, "start_time": 1, "version": "v42"}),
        ("bminer", {"devices": {"0": {"solvers": []}}}),
    ],
)
def test_an_answer_that_lists_no_work_yet_is_a_start(software: str, told: object) -> None:
    assert read(software, told).state is MinerState.STARTING


def test_a_line_answer_without_an_algorithm_is_a_start() -> None:
    summary = b"NAME=cpuminer-opt;VER=26.1;API=1.0;ALGO=;CPUS=2;URL=pool.example:1;HS=0;KHS=0;ACC=0;REJ=0;UPTIME=300|"
    miner = SOFTWARE["cpuminer"].parse([summary])
    assert (miner.state, miner.uptime_s, miner.trouble) == (MinerState.STARTING, 300, MinerTrouble.NO_JOB)
    assert (miner.algorithms[0].pool, miner.algorithms[0].hashrate_hs) == ("pool.example:1", None)


def test_teamredminer_whose_pools_are_all_away_has_no_work() -> None:
    devs, pools = without_algorithm(answer("teamredminer__devs"), set()), answer("teamredminer__pools")
    for card in devs["DEVS"]:
        card |= {"KHS 30s": 0, "KHS av": 0, "MHS av": 0}
    for pool in pools["POOLS"]:
        pool["Stratum Active"] = False
    miner = read("teamredminer", devs, pools)
    assert (miner.state, miner.trouble) == (MinerState.STALLED, MinerTrouble.NO_JOB)


def test_a_proxy_is_read_as_one_under_either_name() -> None:
    for software in ("xmrig", "xmrig-proxy"):
        miner = read(software, answer("xmrig_proxy__summary"))
        assert (miner.software, miner.state, miner.devices) == ("xmrig-proxy", MinerState.MINING, [])
        (work,) = miner.algorithms
        assert (work.algorithm, work.hashrate_hs) == ("unknown", 52_250)
        assert (work.accepted, work.rejected, work.stale, work.invalid) == (70, 2, 4, 1)


def test_a_proxy_without_miners_waits_and_one_without_a_pool_has_no_work() -> None:
    told = answer("xmrig_proxy__summary") | {"hashrate": {"total": [0.0] * 6}, "miners": {"now": 0, "max": 4}}
    assert (read("xmrig", told).state, read("xmrig", told).reason) == ("starting", "No miner is connected to it.")
    told["upstreams"] = {"active": 0, "error": 1}
    assert (read("xmrig", told).state, read("xmrig", told).trouble) == ("starting", MinerTrouble.NO_JOB)
