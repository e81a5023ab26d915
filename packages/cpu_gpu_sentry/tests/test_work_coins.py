"""The coins of a playbook's works, where the software lists an algorithm that no device works for."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cpu_gpu_sentry.miners.parsing import mined
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.playbooks.run_state import RunState
from cpu_gpu_sentry.playbooks.runs import RunNote
from cpu_gpu_sentry.playbooks.work_coins import with_coins
from protocol.messages import AlgorithmReading
from protocol.playbook_messages import Archive, Platform, Playbook, PlaybookWork, SoftwarePackage

ANSWERS = Path(__file__).parent / "answers"
NAMED = [
    PlaybookWork(algorithm="autolykos2", coin="Own first"),
    PlaybookWork(algorithm="kheavyhash", coin="Own second"),
]
BY_POOL = [
    PlaybookWork(coin="Own first", pool="stratum+tcp://first.example:3000"),
    PlaybookWork(coin="Own second", pool="stratum+ssl://a-wallet@DUAL.example:4444"),
]


def idle_lolminer(told: Any) -> None:
    told["Algorithms"][0] |= {"Worker_Performance": [], "Worker_Accepted": [], "Total_Performance": 0}
    told["Algorithms"][1]["Pool"] = "dual.example:4444"


def idle_rigel(told: Any) -> None:
    for card in told["devices"]:
        (card["hashrate"] or {}).pop("autolykos2", None)
    told["hashrate"].pop("autolykos2")


IDLE: dict[str, Callable[[Any], None]] = {"lolminer": idle_lolminer, "rigel": idle_rigel}


def coins(
    software: str, works: list[PlaybookWork], spoil: Callable[[Any], None] | None = None
) -> dict[str, str | None]:
    """Returns the coin of each algorithm that the log has."""
    package = SoftwarePackage(
        software=software, version="1", url="https://a/b", archive=Archive.TAR_GZ, executable="x", sha256="0" * 64
    )
    run = RunState(
        Playbook(
            id="p1", name="n", revision=1, package=package, platform=Platform.LINUX, script="x {api_port}", works=works
        ),
        4000,
    )
    run.began(RunNote(playbook_id="p1", run="1", command=["x"], cwd="/", package="k", script="s", port=4000), 1000.0)
    told = json.loads((ANSWERS / f"{software}__dual.json").read_bytes())
    if spoil:
        spoil(told)
    run.take(SOFTWARE[software].parse([json.dumps(told).encode()]), 1010.0)
    miner = run.miner()
    assert miner is not None
    return {each.algorithm.casefold(): each.coin for each in miner.algorithms}


@pytest.mark.parametrize("software", IDLE)
@pytest.mark.parametrize("works", [NAMED, BY_POOL], ids=["named", "by pool"])
def test_an_algorithm_after_one_that_is_left_out_keeps_its_coin(software: str, works: list[PlaybookWork]) -> None:
    assert coins(software, works, IDLE[software]) == {"kheavyhash": "Own second"}


@pytest.mark.parametrize("software", IDLE)
@pytest.mark.parametrize(
    "works",
    [
        [PlaybookWork(coin="Own first"), PlaybookWork(coin="Own second")],
        [PlaybookWork(algorithm="autolykos2", coin="Ergo")],
        [PlaybookWork(coin="Ergo")],
        [PlaybookWork(coin="Own first", pool="first.example:3000")],
    ],
    ids=["nothing known", "another algorithm", "a coin of another algorithm", "another pool"],
)
def test_where_no_work_is_surely_its_the_parser_s_coin_stays(software: str, works: list[PlaybookWork]) -> None:
    assert coins(software, works, IDLE[software]) == {"kheavyhash": "Kaspa"}


@pytest.mark.parametrize("software", IDLE)
@pytest.mark.parametrize("works", [NAMED, [PlaybookWork(coin="Own first"), PlaybookWork(coin="Own second")]])
def test_two_algorithms_that_are_mined_have_the_coins_of_their_works(software: str, works: list[PlaybookWork]) -> None:
    assert list(coins(software, works).values()) == ["Own first", "Own second"]


def test_one_algorithm_without_a_name_has_the_coin_of_the_only_work() -> None:
    (found,) = with_coins([AlgorithmReading(algorithm="unknown")], [PlaybookWork(coin="X")], may_leave_out=True)
    assert found.coin == "X"


@pytest.mark.parametrize("pool", ["1.2.3.4:3000", "ergo.example", "erg….example:3000"])
def test_another_spelling_of_the_pool_is_no_other_work(pool: str) -> None:
    works = [PlaybookWork(coin="Ergo", pool="ergo.example:3000")]
    (found,) = with_coins([AlgorithmReading(algorithm="unknown", pool=pool)], works, may_leave_out=True)
    assert found.coin == "Ergo"


def test_a_port_that_the_playbook_leaves_out_is_no_other_work() -> None:
    works = [PlaybookWork(coin="Ergo", pool="ergo.example")]
    reading = AlgorithmReading(algorithm="unknown", pool="ergo.example:3000")
    assert [each.coin for each in with_coins([reading], works, may_leave_out=True)] == ["Ergo"]


def test_two_addresses_that_may_be_one_work_s_pool_get_no_coin() -> None:
    works = [PlaybookWork(coin="Own first", pool="first.example:4444")]
    readings = [AlgorithmReading(algorithm="unknown", pool=f"192.0.2.{last}:4444") for last in (1, 2)]
    assert [each.coin for each in with_coins(readings, works, may_leave_out=True)] == [None, None]


def test_two_works_with_one_algorithm_are_known_by_pool() -> None:
    works = [PlaybookWork(algorithm="ethash", coin=each, pool=f"{each}.example:1") for each in ("one", "two")]
    reading = AlgorithmReading(algorithm="Ethash", pool="stratum+tcp://two.example:1")
    assert [each.coin for each in with_coins([reading], works, may_leave_out=True)] == ["two"]
    unknown = AlgorithmReading(algorithm="Ethash")
    assert [each.coin for each in with_coins([unknown], works, may_leave_out=True)] == [None]
    assert [each.coin for each in with_coins([unknown, unknown], works, may_leave_out=True)] == ["one", "two"]


@pytest.mark.parametrize("software", SOFTWARE)
def test_the_registry_says_which_parsers_leave_out_an_algorithm(software: str) -> None:
    module = sys.modules[SOFTWARE[software].parse.__module__]
    assert SOFTWARE[software].leaves_out_idle is (getattr(module, "mined", None) is mined)
