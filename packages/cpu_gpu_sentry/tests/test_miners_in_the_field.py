"""Answers from the field: invalid JSON, lists that do not match, numbers that mean unknown. Bytes in, message out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cpu_gpu_sentry.miners.parsing import decode
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.messages import MinerReading, MinerState
from sentry_kit.parsing import BadReply

_WITHOUT_RATES = re.compile(rb'("(?:hashrate2|hashrate2_raw|speed2|total_hashrate2_raw)"): [^,\n]+')
ANSWERS = Path(__file__).parent / "answers"
TEAMREDMINER = [f"teamredminer__{name}" for name in ("devs", "pools", "summary", "second", "devdetails")]


def raw(name: str) -> bytes:
    return (ANSWERS / f"{name}.json").read_bytes()


def answer(name: str) -> Any:
    return json.loads(raw(name))


def read(software: str, *answers: object) -> MinerReading:
    return SOFTWARE[software].parse([json.dumps(each).encode() for each in answers])


def getstat(*result: str) -> MinerReading:
    return read("claymore", {"id": 0, "error": None, "result": list(result)})


def test_an_unquoted_word_with_leading_zeros_is_a_text() -> None:
    told = raw("lolminer__dual").replace(b'"User": "a-wallet.rig"', b'"Worker": 007, "User": 0042')
    miner = SOFTWARE["lolminer"].parse([told])
    assert (miner.state, miner.algorithms[0].hashrate_hs) == (MinerState.MINING, 375_750_000)
    assert (miner.algorithms[0].user, miner.algorithms[0].accepted) == ("0042", 60)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (b'{"a": 004, "b": rig-1, "c": [1, 2,], }', {"a": "004", "b": "rig-1", "c": [1, 2]}),
        (b'{"a": NaN, "b": -nan(ind), "c": Infinity, "d": 1.#INF}', {"a": None, "b": None, "c": None, "d": None}),
        (b'{"a": true, "b": False, "d": 1.5e3, e: -2}', {"a": True, "b": "False", "d": 1500, "e": -2}),
        (b'{"name": "caf\xe9", "speed": 5}', {"name": "caf\xe9", "speed": 5}),
        (b'{"path": "C:\\miner\\x", "line": "a\nb", "both": "\\ud83d\\ude00", bad: 1}',
         {"path": "C:minerx", "line": "a\nb", "both": "\U0001f600", "bad": 1}),
        (b'{"name": "caf\xe9", "pool": "caf\xc3\xa9"}', {"name": "caf\xe9", "pool": "caf\xe9"}),
        (b'{"a":, "b": [1, , 2], "c": }', {"a": None, "b": [1, None, 2], "c": None}),
        (b'{"a": ' + b"9" * 5000 + b', "b": 1}', {"a": float("inf"), "b": 1}),
        (b'{"speed": 5, "list": [1, 2], "tail": {"a": 1, "b', {"speed": 5, "list": [1, 2]}),
        (b'{"speed": 5, "list": [1, 2', {"speed": 5}),
        (b'{"speed": 5, "power": 12', {"speed": 5}),  # it may go on: 120
        (b'{"a": {"b": {}}}\0', {"a": {"b": {}}}),
    ],
)  # fmt: skip
def test_json_that_is_wrong_in_a_known_way_is_read(reply: bytes, told: object) -> None:
    assert decode(reply) == told


@pytest.mark.parametrize("reply", [b"", b"<html>", b"[1, 2", b"{", b'{"a" 1}', b'{"a": [1}', b"[" * 100_000, b"nan"])
def test_what_is_no_json_at_all_is_a_sentence(reply: bytes) -> None:
    with pytest.raises(BadReply, match="not JSON"):
        decode(reply)


def test_a_tail_that_is_missing_costs_only_what_stood_there() -> None:
    whole = answer("gminer__dual")
    first = {key: whole[key] for key in ("miner", "uptime", "algorithm", "devices")}
    cut = json.dumps(first | {"extended": whole})[:-500].encode()
    miner = SOFTWARE["gminer"].parse([cut])
    assert (miner.state, miner.algorithms[0].algorithm) == (MinerState.MINING, "Etchash")
    assert miner.algorithms[0].hashrate_hs == 81_500_000


def test_a_list_of_cards_that_is_cut_off_is_no_smaller_total() -> None:
    reply = raw("gminer__dual")
    for length in range(reply.index(b'"devices"') + 12, len(reply) - 4, 97):
        with pytest.raises(BadReply):
            SOFTWARE["gminer"].parse([reply[:length]])


def test_a_record_that_is_cut_off_loses_its_last_figure() -> None:
    summary = b"NAME=ccminer;VER=2.3;ALGO=x16r;GPUS=1;UPTIME=300;ACC=4;KHS=25000"
    assert SOFTWARE["ccminer"].parse([summary]).algorithms[0].hashrate_hs is None
    assert SOFTWARE["ccminer"].parse([summary + b".50|"]).algorithms[0].hashrate_hs == 25_000_500


def test_an_optional_answer_that_can_not_be_read_counts_as_missing() -> None:
    for strange in (b"nonsense", b"[1, 2", b'{"error": "no"}', b"[]"):
        miner = SOFTWARE["xmrig"].parse([raw("xmrig__summary"), strange])
        assert (miner.state, miner.devices) == (MinerState.MINING, [])
    miner = SOFTWARE["teamredminer"].parse([raw("teamredminer__devs"), b"nonsense"])
    assert miner.algorithms[0].hashrate_hs == 62_000_500


@pytest.mark.parametrize("heat", [255, 511, 65535, 4294967295, -1, 0])
def test_a_card_hotter_than_anything_is_a_card_that_does_not_answer(heat: int) -> None:
    told = answer("gminer__dual")
    told["devices"][0] |= {"temperature": heat, "memory_temperature": heat}
    card = read("gminer", told).devices[0]
    assert (card.temperature_c, card.memory_temperature_c) == (None, None)


@pytest.mark.parametrize("shares", [4294967295, 4294967294, 2**53, 2**64 - 1])
def test_shares_that_are_a_negative_number_without_its_sign_are_unknown(shares: int) -> None:
    told = answer("gminer__dual") | {"total_accepted_shares": shares, "total_rejected_shares": 4_000_000_000}
    told["devices"][0]["accepted_shares"] = shares
    miner = read("gminer", told)
    assert (miner.algorithms[0].accepted, miner.algorithms[0].rejected) == (None, 4_000_000_000)
    assert [card.accepted for card in miner.devices] == [None, 50]
    told = answer("xmrig__summary")
    told["results"] |= {"shares_total": shares}
    (work,) = read("xmrig", told).algorithms
    assert (work.accepted, work.rejected) == (told["results"]["shares_good"], None)


def test_a_figure_that_can_not_be_costs_itself_alone() -> None:
    told = answer("gminer__dual")
    told["devices"][0] |= {"power_usage": 65535, "core_clock": 4294967295, "speed": 1e23}
    miner = read("gminer", told)
    card = miner.devices[0]
    assert (card.power_w, card.core_clock_mhz, card.hashrates_hs) == (None, None, [None, 350_500_000])
    assert (card.temperature_c, miner.state) == (58, MinerState.MINING)


def test_ethminer_s_511_degrees_tell_neither_heat_nor_fan() -> None:
    told = answer("ethminer")
    told["result"][6] = "511;0; 64;55"
    first, second = read("ethminer", told).devices
    assert (first.temperature_c, first.fan_percent) == (None, None)
    assert (second.temperature_c, second.fan_percent) == (64, 55)


def test_claymore_s_sensors_of_three_cards_in_five_values_are_unknown() -> None:
    rates = ("70000;5;0", "24000;23000;23000", "0;0;0", "off;off;off")
    miner = getstat("9.3 - ETH", "88", *rates, "71;46;70;4678;43", "pool.example:4444", "0;0;0;0")
    assert [card.hashrates_hs for card in miner.devices] == [[24e6], [23e6], [23e6]]
    assert {(card.temperature_c, card.fan_percent) for card in miner.devices} == {(None, None)}


def test_claymore_s_other_lists_that_do_not_fit_are_unknown_as_a_whole() -> None:
    told = answer("claymore__getstat2")
    told["result"][15] = "2;5;1"
    told["result"][9] = "28"
    told["result"][5] = "450000"
    miner = read("claymore", told)
    assert [card.device for card in miner.devices] == ["gpu0", "gpu1"]
    assert [(card.accepted, card.rejected, card.hashrates_hs[1]) for card in miner.devices] == [
        (None, 4, None), (None, 1, None),
    ]  # fmt: skip


def test_lolminer_s_and_onezerominer_s_lists_that_do_not_fit_their_cards_are_unknown() -> None:
    told = answer("lolminer__dual")
    told["Algorithms"][0]["Worker_Performance"].pop()
    miner = read("lolminer", told)
    assert [card.hashrates_hs[0] for card in miner.devices] == [None, None]
    assert miner.algorithms[0].hashrate_hs == 375_750_000
    told = answer("onezerominer__dual")
    told["algos"][1]["hashrates"].append(9)
    assert [card.hashrates_hs for card in read("onezerominer", told).devices] == [[4000.5, None], [None, None]]


def test_wildrig_s_sensors_that_do_not_fit_its_cards_are_unknown() -> None:
    told = answer("wildrig__hwmon")
    told["hwmon"]["temp"].append(70)
    told["hwmon"]["busID"].pop()
    told["results"]["shares_accepted"].append(1)
    cards = read("wildrig", told).devices
    assert [(card.device, card.temperature_c, card.accepted, card.fan_percent) for card in cards] == [
        ("gpu0", None, None, 70), ("gpu1", None, None, 71),
    ]  # fmt: skip


def test_trex_s_older_shares_that_do_not_fit_its_cards_are_unknown() -> None:
    cards = [{"gpu_id": 0, "hashrate": 5}, {"gpu_id": 1, "hashrate": 6}]
    told = {"algorithm": "x16r", "hashrate": 11, "gpus": cards, "stat_by_gpu": [{"accepted_count": 3}]}
    assert [card.accepted for card in read("trex", told).devices] == [None, None]


def test_bzminer_s_pool_that_no_card_works_for_is_not_mined() -> None:
    told = answer("bzminer__zil")
    told["pools"].insert(1, {"id": 9, "algorithm": "kawpow", "current_url": "yourpool:4444", "status": -771801344})
    for card in told["devices"]:
        card["pool"] = [place + 1 if place else 0 for place in card["pool"]]
    assert read("bzminer", told) == read("bzminer", answer("bzminer__zil"))


def idle_lolminer(told: Any) -> None:
    told["Algorithms"][1] |= {"Worker_Performance": [], "Worker_Accepted": [], "Total_Performance": 0}


def idle_onezerominer(told: Any) -> None:
    told["algos"][1] |= {"hashrates": [], "devices_accepted_shares": [], "total_hashrate": 0}


def idle_trex(told: Any) -> None:
    told["dual_stat"] |= {"gpus": [], "hashrate": 0}


def idle_gminer(told: Any) -> None:
    for card in told["devices"]:
        for key in ("speed2", "accepted_shares2", "rejected_shares2"):
            card.pop(key, None)


def idle_nbminer(told: Any) -> None:
    told["miner"] |= {"total_hashrate2": "0.000 ", "total_hashrate2_raw": 0}
    for card in told["miner"]["devices"]:
        del card["hashrate2"], card["hashrate2_raw"]


def idle_rigel(told: Any) -> None:
    told["algorithm"] = "autolykos2+kheavyhash+zil"
    told["pools"]["zil"] = told["pools"]["kheavyhash"]


IDLE = {
    "lolminer": (idle_lolminer, ["Autolykos V2"]),
    "onezerominer": (idle_onezerominer, ["dynexsolve"]),
    "trex": (idle_trex, ["ethash"]),
    "gminer": (idle_gminer, ["Etchash"]),
    "nbminer": (idle_nbminer, ["hns"]),
    "rigel": (idle_rigel, ["autolykos2", "kheavyhash"]),
}


@pytest.mark.parametrize("software", IDLE)
def test_an_algorithm_that_no_device_works_for_is_not_mined(software: str) -> None:
    spoil, mined = IDLE[software]
    told = answer(f"{software}__dual")
    whole = read(software, told)
    spoil(told)
    miner = read(software, told)
    assert [each.algorithm for each in miner.algorithms] == mined
    assert miner.algorithms == whole.algorithms[: len(mined)]
    assert [card.hashrates_hs for card in miner.devices] == [card.hashrates_hs[: len(mined)] for card in whole.devices]


@pytest.mark.parametrize("software", ["lolminer", "onezerominer", "trex", "gminer", "nbminer", "rigel"])
def test_an_algorithm_whose_hashrate_is_unknown_is_mined(software: str) -> None:
    told = json.loads(_WITHOUT_RATES.sub(rb"\1: null", raw(f"{software}__dual")))
    whole = read(software, answer(f"{software}__dual"))
    assert [each.algorithm for each in read(software, told).algorithms] == [each.algorithm for each in whole.algorithms]


def test_bzminer_s_figures_that_do_not_fit_its_card_s_pools_are_unknown() -> None:
    told = answer("bzminer__zil")
    told["devices"][0]["hashrate"] = [150_000_000.5]
    assert read("bzminer", told).devices[0].hashrates_hs == [None, None, None]


def test_srbminer_s_and_nanominer_s_algorithm_that_no_device_works_for_is_not_mined() -> None:
    told = answer("srbminer__dual")
    told["algorithms"].append({"name": "kawpow", "hashrate": {"gpu": {"total": 0.0}, "cpu": {"total": 0.0}}})
    assert [each.algorithm for each in read("srbminer", told).algorithms] == ["autolykos2", "pearlhash"]
    told = answer("nanominer__stats")
    names = [name for entry in told["Algorithms"] for name in entry]
    told["Algorithms"].append({"Zilliqa": {"CurrentPool": "zil.example:1", "Total": {"Hashrate": "0", "Accepted": 0}}})
    assert [each.algorithm for each in read("nanominer", told).algorithms] == names


@pytest.mark.parametrize("told", ["Ethash + TON", "Ethash  +  TON"])
def test_gminer_s_two_algorithms_in_one_text_are_two(told: str) -> None:
    answered = answer("gminer__dual") | {"algorithm": told}
    del answered["algorithm2"]
    first, second = read("gminer", answered).algorithms
    assert (first.algorithm, first.hashrate_hs) == ("Ethash", 81_500_000)
    assert (second.algorithm, second.hashrate_hs, second.pool) == (
        "TON",
        450_750_000,
        "stratum+tcp://dual.example:4444",
    )


def test_teamredminer_s_cards_are_named_by_the_bus_that_devdetails_tells() -> None:
    miner = SOFTWARE["teamredminer"].parse([raw(name) for name in TEAMREDMINER])
    assert [card.device for card in miner.devices] == ["0000:0a:00.0", "0000:1f:00.0"]
    assert [question.path for question in SOFTWARE["teamredminer"].questions][-1] == "devdetails"


def test_teamredminer_s_cards_in_one_place_keep_their_numbers() -> None:
    details = answer("teamredminer__devdetails")
    for card in details["DEVDETAILS"]:
        card["Device Path"] = "0a:00.0"
    miner = read("teamredminer", answer("teamredminer__devs"), details)
    assert [card.device for card in miner.devices] == ["gpu0", "gpu1"]
