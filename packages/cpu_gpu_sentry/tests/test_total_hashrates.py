"""A hashrate that misses a card is unknown, and never a smaller number: that would look like a card that does not mine.

A miner whose total is unknown mines, as long as one of its cards is known to.
"""

import json
from typing import Any

import pytest
from miner_answers import ANSWERS, read
from protocol.messages import MinerReading, MinerState

NO_FIGURES = ["null", "NaN"]
SPOILT = -987_654_321
Keys = tuple[str | int, ...]


def with_unknown(name: str, place: Keys, no_figure: str) -> bytes:
    """Returns the answer with `no_figure` at that place."""
    answer: Any = json.loads((ANSWERS / name).read_bytes())
    *path, last = place
    part = answer
    for key in path:
        part = part[key]
    assert part[last] is not None
    part[last] = SPOILT
    return json.dumps(answer).encode().replace(str(SPOILT).encode(), no_figure.encode())


def totals(miner: MinerReading) -> list[float | None]:
    return [each.hashrate_hs for each in miner.algorithms]


@pytest.mark.parametrize("no_figure", NO_FIGURES)
@pytest.mark.parametrize(
    ("software", "name", "place", "expected_hs"),
    [
        ("gminer", "gminer__dual.json", ("devices", 1, "speed"), [None, 450_750_000]),
        ("gminer", "gminer__dual.json", ("devices", 0, "speed2"), [81_500_000, None]),
        ("miniz", "miniz__getstat.json", ("result", 0, "speed_sps"), [None]),
        ("bzminer", "bzminer__zil.json", ("devices", 0, "hashrate", 0), [None, 500_000_000, 30_000_000]),
        ("bzminer", "bzminer__zil.json", ("devices", 1, "hashrate"), [None, None, 30_000_000]),
        (
            "bminer",
            "bminer__solver.json",
            ("devices", "1", "solvers", 0, "speed_info", "hash_rate"),
            [None, 1_700_000_000],
        ),
        ("bminer", "bminer__solver.json", ("devices", "1", "solvers", 0, "speed_info"), [None, 1_700_000_000]),
    ],
)
def test_a_total_that_misses_a_card_is_unknown(
    software: str, name: str, place: Keys, expected_hs: list[float | None], no_figure: str
) -> None:
    miner = read(software, [with_unknown(name, place, no_figure)])
    assert totals(miner) == expected_hs
    assert miner.state is MinerState.MINING


def test_a_card_that_does_not_work_for_an_algorithm_is_not_missed() -> None:
    answer = json.loads((ANSWERS / "gminer__dual.json").read_bytes())
    del answer["devices"][1]["speed2"]
    miner = read("gminer", [json.dumps(answer).encode()])
    assert totals(miner) == [81_500_000, 350_500_000]
    assert totals(read("bminer", [(ANSWERS / "bminer__solver.json").read_bytes()])) == [50_000_000.5, 1_700_000_000]


def test_teamredminer_without_a_summary_adds_its_cards_up_only_if_all_are_known() -> None:
    answer = json.loads((ANSWERS / "teamredminer__devs.json").read_bytes())
    assert totals(read("teamredminer", [json.dumps(answer).encode()]))[0] is not None
    answer["DEVS"][1] = {key: each for key, each in answer["DEVS"][1].items() if not key.startswith(("KHS", "MHS"))}
    miner = read("teamredminer", [json.dumps(answer).encode()])
    assert totals(miner) == [None]
    assert miner.state is MinerState.MINING


def test_an_early_bminer_adds_its_cards_up_only_if_all_are_known() -> None:
    answer = json.loads((ANSWERS / "bminer__first.json").read_bytes())
    answer["miners"]["1"] = {"solver": {"solution_rate": None}}
    miner = read("bminer", [json.dumps(answer).encode()])
    assert (totals(miner), miner.state) == ([None], MinerState.MINING)


def test_a_card_of_which_xmrig_does_not_know_a_thread_has_an_unknown_hashrate() -> None:
    summary = (ANSWERS / "xmrig__summary.json").read_bytes()
    backends = json.loads((ANSWERS / "xmrig__backends.json").read_bytes())
    backends[1]["threads"][1]["hashrate"] = [None, None, None]
    miner = read("xmrig", [summary, json.dumps(backends).encode()])
    assert miner.devices[0].hashrates_hs == [None]


def test_a_miner_whose_cards_hash_nothing_or_are_unknown_does_not_mine() -> None:
    answer = json.loads((ANSWERS / "miniz__getstat.json").read_bytes())
    for card, speed in zip(answer["result"], (0, None), strict=True):
        card["speed_sps"] = speed
    miner = read("miniz", [json.dumps(answer).encode()])
    assert (totals(miner), miner.state) == ([None], MinerState.STALLED)
