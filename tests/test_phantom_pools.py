"""The commander's wallet guard, with what the sentry reads from software that lists a pool that no device works for."""

import msgspec
import pytest
from commander.readings.traits import accounts_of
from commander.readings.wallet_guard import differences
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.messages import MinerReading
from protocol.playbook_messages import PlaybookWork

POOL, USER, EXAMPLE = "pool.example:4444", "0xa-wallet", "yourpool:4444"
POOLS = [
    {"id": 0, "algorithm": "ethash", "current_url": f"stratum+tcp://{POOL}", "hashrate": 30_000_000},
    {"id": 1, "algorithm": "kawpow", "current_url": f"stratum+tcp://{EXAMPLE}", "status": -771801344, "hashrate": 0},
]
CARD = {"pci_bus_id": 3, "pool": [0], "hashrate": [30_000_000], "valid_solutions": [4]}
ALGORITHMS = [
    {"Algorithm": "Ethash", "Pool": POOL, "User": f"{USER}.rig", "Performance_Factor": 1e6, "Total_Performance": 30,
     "Worker_Performance": [30]},
    {"Algorithm": "Zil", "Pool": EXAMPLE, "User": "another", "Performance_Factor": 1e6, "Total_Performance": 0,
     "Worker_Performance": []},
]  # fmt: skip
ANSWERS: dict[str, object] = {
    "bzminer": {"bzminer_version": "v9.0.0", "uptime_s": 3600, "pools": POOLS, "devices": [CARD]},
    "lolminer": {"Software": "lolMiner 1.92", "Session": {"Uptime": 3600}, "Workers": [{}], "Algorithms": ALGORITHMS},
    "trex": {
        **{"algorithm": "ethash", "uptime": 3600, "hashrate": 3e7, "gpus": [{"gpu_id": 0, "hashrate": 3e7}]},
        "active_pool": {"url": f"stratum+tcp://{POOL}", "user": USER},
        "dual_stat": {"algorithm": "kawpow", "active_pool": {"url": EXAMPLE, "user": "another"}, "gpus": []},
    },
    "gminer": {
        **{"algorithm": "Ethash + Zil", "uptime": 3600, "devices": [{"gpu_id": 0, "speed": 3e7}]},
        **{"server": POOL, "user": f"{USER}.rig", "server2": EXAMPLE, "user2": "another"},
    },
}


def read(software: str) -> MinerReading:
    return SOFTWARE[software].parse([msgspec.json.encode(ANSWERS[software])])


@pytest.mark.parametrize("software", ANSWERS)
def test_a_pool_that_no_device_works_for_is_no_wallet_alarm(software: str) -> None:
    miner = read(software)
    assert [each.hashrate_hs for each in miner.algorithms] == [30_000_000]
    work = PlaybookWork(algorithm="ethash", pool=POOL, user=USER)
    assert differences([work], accounts_of(miner)) == []


@pytest.mark.parametrize("software", ANSWERS)
def test_another_pool_that_devices_work_for_is_one(software: str) -> None:
    work = PlaybookWork(algorithm="ethash", pool="expected.example:1", user=USER)
    assert [each.what for each in differences([work], accounts_of(read(software)))] == ["pool"]


def test_bzminer_s_second_pool_is_an_alarm_once_a_card_works_for_it() -> None:
    card = CARD | {"pool": [0, 1], "hashrate": [30_000_000, 1_000], "valid_solutions": [4, 0]}
    answer = msgspec.json.encode({"bzminer_version": "v9.0.0", "uptime_s": 1, "pools": POOLS, "devices": [card]})
    work = PlaybookWork(algorithm="ethash", pool=POOL, user=USER)
    accounts = accounts_of(SOFTWARE["bzminer"].parse([answer]))
    assert [each.reported for each in differences([work], accounts)] == [f"stratum+tcp://{EXAMPLE}"]
