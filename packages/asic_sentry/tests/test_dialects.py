"""Bytes in, figures out: the odd ways in which firmwares say things."""

from collections.abc import Callable

import pytest
from asic_sentry import models
from asic_sentry.dialects.parsing import AsicReading
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.failures import BadReply, FailureKind
from protocol.asic_messages import AsicSpecs, PoolState

Answer = Callable[[str], bytes]


def figures(answer: Answer, dialect: str, *names: str, model: models.Model | None = None) -> AsicReading:
    return BY_NAME[dialect].parse([answer(name) for name in names], model)


def specs(answer: Answer, dialect: str, *names: str | None) -> AsicSpecs:
    return BY_NAME[dialect].parse_specs([answer(name) if name else None for name in names])


S9 = ("antminer-s9__stats", "antminer-s9__pools")


def test_a_missing_comma_and_a_control_character_are_repaired(answer: Answer) -> None:
    found = figures(answer, "antminer", *S9)
    assert found.hashrate_hs == pytest.approx(13.49812e12)
    assert found.uptime_s == 3600


def test_chains_and_fans_are_found_where_an_s9_counts_them(answer: Answer) -> None:
    found = figures(answer, "antminer", *S9)
    assert [(board.slot, board.chips, board.chip_temperature_c) for board in found.boards] == [
        *((6, 63, 81), (7, 63, 84), (8, 60, 79))
    ]
    assert found.fans_rpm == [5400, 5160]
    assert found.temperature_c == 84


def test_an_empty_rate_of_a_board_is_unknown_and_not_0(answer: Answer) -> None:
    found = figures(answer, "antminer", *S9)
    assert found.boards[2].hashrate_hs is None
    assert (found.boards[2].chips, found.boards[2].expected_chips) == (60, 63)
    assert found.faults == ["chips"]


def test_rejected_shares_are_counted_where_the_firmware_says_0_percent(answer: Answer) -> None:
    assert figures(answer, "antminer", *S9).rejected_percent == 1.0


def test_shares_that_no_pool_counts_are_those_of_the_summary(answer: Answer) -> None:
    stats, pools, summary = map(answer, (*S9, "antminer-s9__summary"))
    silent = pools.replace(b'"Accepted"', b'"accepted_"')
    assert BY_NAME["antminer"].parse([stats, silent], None).rejected_percent is None
    assert BY_NAME["antminer"].parse([stats, silent, summary], None).rejected_percent == 1.0
    none_yet = answer("antminer-l7__summary")
    assert BY_NAME["antminer"].parse([stats, silent, none_yet], None).rejected_percent is None


def test_a_pool_is_kept_as_text_in_whatever_form(answer: Answer) -> None:
    pools = figures(answer, "antminer", *S9).pools
    assert [(pool.url, pool.state) for pool in pools] == [
        ("stratum+tcp://pool.example:3333", PoolState.CONNECTED),
        ("backup.example:25", PoolState.DISCONNECTED),
        ("ssl://third.example:700", PoolState.STANDBY),
    ]
    assert (pools[1].accepted, pools[2].accepted) == (None, 0)


def test_other_firmware_on_an_antminer_is_still_that_model(answer: Answer) -> None:
    about = specs(answer, "antminer", "antminer-s9__version")
    assert (about.model, about.software_version) == ("S9", "vnish 3.9.0, BMMiner 2.0.0")


def test_the_ghs_of_an_l7_count_megahashes_and_a_dead_board_has_0_chips(answer: Answer) -> None:
    found = figures(answer, "antminer", "antminer-l7__stats", "antminer-s9__pools")
    assert found.hashrate_hs == pytest.approx(7.0105e9)
    assert found.expected_hashrate_hs == pytest.approx(9.3e9)
    assert [board.chips for board in found.boards] == [120, 0, 120, 120]
    assert (found.boards[1].hashrate_hs, found.boards[1].chip_temperature_c) == (None, None)
    assert found.fans_rpm == [3000, 0, 3020, 3010]


def test_a_whatsminer_with_gaps_keeps_them(answer: Answer) -> None:
    found = figures(answer, "whatsminer_v2", "whatsminer-v2__summary", "whatsminer-v2__edevs", "antminer-s9__pools")
    assert found.hashrate_hs == pytest.approx(84.2e12)
    assert found.hashrate_window_s == 60
    assert (found.power_w, found.expected_hashrate_hs, found.rejected_percent) == (None, None, None)
    assert found.fans_rpm == [4980, None]
    assert found.faults == ["error 111", "error 540"]
    assert (found.boards[1].hashrate_hs, found.boards[1].chip_temperature_c) == (0, None)


def test_a_whatsminers_model_and_variant_are_told_apart(answer: Answer) -> None:
    names = ("whatsminer-v2__summary", "whatsminer-v2__get_version", "whatsminer-v2__devdetails")
    about = specs(answer, "whatsminer_v2", *names)
    assert (about.model, about.model_variant) == ("M30S+", "VE40")
    assert (about.firmware_version, about.mac) == ("20230101.11.REL", "C4:08:28:00:00:01")


def test_a_stopped_whatsminer_v3_has_an_uptime_and_no_hashrate(answer: Answer) -> None:
    names = [f"whatsminer-v3__{name}" for name in ("stopped", "edevs", "pools", "device_info")]
    found = figures(answer, "whatsminer_v3", *names)
    assert (found.hashrate_hs, found.uptime_s, found.power_w) == (None, 0, 21)
    assert found.temperature_c == 126
    assert [pool.state for pool in found.pools] == [PoolState.CONNECTED, PoolState.DISCONNECTED]
    assert found.faults == ["error 264", "error 540"]


def test_an_avalon_of_two_modules_adds_their_power_and_shows_the_hottest(answer: Answer) -> None:
    found = figures(answer, "avalon_stats", "avalon-1246__summary", "avalon-1246__stats", "antminer-s9__pools")
    assert found.hashrate_hs == pytest.approx(88.2e12)
    assert found.hashrate_window_s == 60
    assert (found.power_w, found.temperature_c) == (3405, 91)
    assert found.fans_rpm == [6200, 0, 6200, 0]
    assert found.faults == ["fan"]
    about = specs(answer, "avalon_stats", "avalon-1246__version")
    assert (about.model, about.model_variant, about.mac) == ("1246", "83", "B4:A2:EB:00:00:01")


def test_a_nerdaxe_on_its_fallback_pool_says_so(answer: Answer) -> None:
    found = figures(answer, "axeos", "nerdqaxe__system_info")
    assert found.hashrate_hs == pytest.approx(4.8104e12)
    assert [pool.state for pool in found.pools] == [PoolState.DISCONNECTED, PoolState.CONNECTED]
    assert [pool.accepted for pool in found.pools] == [None, 49]
    assert (found.faults, found.fans_rpm, found.rejected_percent) == (["temperature"], [0], 2.0)
    about = specs(answer, "axeos", "nerdqaxe__system_info")
    assert (about.make, about.model) == ("NerdAxe", "NerdQAxe++")


def test_an_iceriver_shows_its_hottest_board_and_never_a_password(answer: Answer) -> None:
    found = figures(answer, "iceriver", "iceriver-ks3m__userpanel")
    assert found.hashrate_hs == pytest.approx(6.01e12)
    assert found.average_hashrate_hs == pytest.approx(5.99e12)
    assert (found.temperature_c, found.boards[2].outlet_temperature_c) == (126, None)
    assert (found.uptime_s, found.rejected_percent) == (864_007, 2.4)
    assert found.fans_rpm == [3000, 2990, 0, None]
    assert [pool.state for pool in found.pools] == [PoolState.CONNECTED, PoolState.DISCONNECTED]
    assert found.faults == ["network", "temperature"]
    assert "secret" not in repr(found)
    about = specs(answer, "iceriver", "iceriver-ks3m__userpanel")
    assert (about.model, about.mac) == ("KS3M", "02:00:5E:10:00:03")


@pytest.mark.parametrize(
    ("dialect", "name", "words"),
    [
        ("whatsminer_v1", "whatsminer-v2__refusal", "over max connect"),
        ("antminer", "whatsminer-v2__refusal", "over max connect"),
        ("whatsminer_v3", "whatsminer-v3__refusal", "no permission"),
        ("iceriver", "iceriver__refusal", "not allowed"),
    ],
)
def test_a_refusal_is_told_in_the_devices_own_words(answer: Answer, dialect: str, name: str, words: str) -> None:
    with pytest.raises(BadReply) as refused:
        figures(answer, dialect, *[name] * len(BY_NAME[dialect].poll_questions))
    assert (refused.value.kind, str(refused.value)) == (FailureKind.ERROR_STATUS, words)


def test_without_hashrate_and_uptime_there_is_no_sample() -> None:
    with pytest.raises(BadReply, match="neither a hashrate nor an uptime"):
        BY_NAME["axeos"].parse([b'{"hashRate": null, "ASICModel": "BM1370", "power": 17.5}'], None)
