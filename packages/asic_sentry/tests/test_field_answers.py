"""Answers as owners of real machines posted them, in our own figures: each was once read wrongly here."""

import json
from pathlib import Path
from typing import Any

import pytest
from asic_sentry import models
from asic_sentry.dialects.antminer import model_name
from asic_sentry.dialects.parsing import AsicReading
from asic_sentry.dialects.registry import BY_NAME
from protocol.asic_messages import AsicSpecs, PoolState

C, S, D = PoolState.CONNECTED, PoolState.STANDBY, PoolState.DISCONNECTED
STATUS = {"STATUS": [{"STATUS": "S", "Code": 11, "Msg": "ok", "Description": "cgminer 4.11.1"}], "id": 1}
POOL = {"POOL": 0, "URL": "stratum+tcp://pool.example:3333", "Status": "Alive", "Stratum Active": True, "User": "w"}
POOLS = {**STATUS, "POOLS": [{**POOL, "Accepted": 990, "Rejected": 10}]}
FIELD = Path(__file__).parents[3].parent / "shared" / "data" / "field" / "asic"


def read(dialect: str, *answers: Any, model: models.Model | None = None) -> AsicReading:
    return BY_NAME[dialect].parse([json.dumps(answer).encode() for answer in answers], model)


def specs(dialect: str, *answers: Any) -> AsicSpecs:
    return BY_NAME[dialect].parse_specs([json.dumps(answer).encode() for answer in answers])


def avalon(text: str, model: models.Model | None = None) -> AsicReading:
    summary = {"Elapsed": 900, "MHS av": 1e6, "MHS 30s": 3e6, "MHS 5m": 2e6, "Accepted": 99, "Rejected": 1}
    return read(
        "avalon_stats",
        {**STATUS, "SUMMARY": [summary]},
        {**STATUS, "STATS": [{"STATS": 0, "ID": "AVA", "MM ID0": text}]},
        POOLS,
        model=model,
    )


@pytest.mark.parametrize(
    ("text", "power_w"),
    [
        ("Ver[nano3-1] PS[0 0 0 3 2790 91 325] MPO[90]", 91),  # the seventh is a voltage
        ("Ver[nano3-1] PS[0 0 0 3 2790 91 325]", 91),  # the model's nominal power says so, too
        ("Ver[Q-1] PS[0 1220 2240 70 1560 2245 1670] MPO[1674]", 1670),
        ("Ver[9999-1] PS[0 1220 2240 70 1560 2245 1670]", None),  # nothing to compare it with
        ("Ver[9999-1] PS[0 0 0 3 2790 91 325]", None),
        ("Ver[9999-1] PS[0 0 0 3 2790 91 325] MPO[90]", None),  # the sixth is the power of a Nano 3 alone
        ("PS[0 1220 2240 70 1560 2245 1670] MPO[1674]", 1670),
        ("Ver[15-194-1] PS[0 1210 1190 297 3500 1190 3700] MPO[3515]", 3700),
        ("Ver[15-194-1] PS[0 1210 1190 297 3500 1190] MPO[3515]", None),  # the sixth is a voltage
        ("Ver[15-194-1] PS[0 1210 1190 297 3500 1190 9000]", None),
        ("Ver[Q-1] PS[0 1220 2240 70 1560 2245 9000] MPO[800]", None),
        ("Ver[15-194-1] PS[0 1210 1190 297 3500 1190 3700] WALLPOWER[3710] MPO[3515]", 3710),
    ],
)
def test_the_power_of_an_avalon_stands_where_it_is_possible(text: str, power_w: float | None) -> None:
    assert avalon(text).power_w == power_w


def test_an_avalon_with_three_boards_in_one_module_shows_three() -> None:
    found = avalon(
        "Ver[15-194-24] SYSTEMSTATU[Work: In Work, Hash Board: 3 ] Temp[31] TMax[79] MTmax[77 79 75] TA[480] "
        "EEPROM[160 160 160] MGHS[60000.5 61000.5 0.0] GHSspd[121001.0] Fan1[4200] Fan2[4210] ECHU[0 512 0] PS[0 1 2]"
    )
    assert [(board.slot, board.chips, board.chip_temperature_c) for board in found.boards] == [
        *((0, 160, 77), (1, 160, 79), (2, 160, 75))
    ]
    assert [board.hashrate_hs for board in found.boards] == [60000.5e9, 61000.5e9, 0]
    assert [board.inlet_temperature_c for board in found.boards] == [31, 31, 31]
    assert (found.temperature_c, found.hashrate_window_s, found.fans_rpm) == (79, 30, [4200, 4210])
    assert found.faults == ["error ECHU 512"]


def test_an_idle_avalon_of_three_boards_hashes_nothing() -> None:
    found = avalon("SYSTEMSTATU[Work: In Idle, Hash Board: 3 ] MGHS[60000 61000 62000] TA[480] GHSspd[0.00]")
    assert [board.hashrate_hs for board in found.boards] == [0, 0, 0]
    assert [board.chips for board in found.boards] == [160, 160, 160]


def test_a_list_of_boards_that_does_not_fit_is_unknown() -> None:
    found = avalon("MGHS[60000 61000 62000] TA[481] MTmax[77 79] EEPROM[160 160]")
    assert [(board.chips, board.chip_temperature_c) for board in found.boards] == [(None, None)] * 3


@pytest.mark.parametrize("heat", ["TMax[78]", "TMax[78] MTmax[66 67]", "MTmax[66 78]", "TMax[66] MTmax[66 78]"])
def test_the_hottest_chip_of_an_avalon_counts_also_if_its_board_is_unknown(heat: str) -> None:
    found = avalon(f"Ver[15-194-24] Temp[31] {heat} MGHS[60000 61000 62000] TA[480]")
    assert [board.chip_temperature_c for board in found.boards] == [None, None, None]
    assert found.temperature_c == 78


def test_the_dead_one_of_an_avalons_three_boards_is_seen() -> None:
    found = avalon(
        "Ver[15-194-24] SYSTEMSTATU[Work: In Work, Hash Board: 3 ] Temp[31] TMax[79] MTmax[77 0 79] TA[320] "
        "EEPROM[160 0 160] MGHS[60000.5 0.0 61000.5] ECHU[0 512 0]",
        models.find("Avalon", "A15"),
    )
    assert [(board.slot, board.chips, board.expected_chips) for board in found.boards] == [
        *((0, 160, 160), (1, 0, 160), (2, 160, 160))
    ]
    assert [board.hashrate_hs for board in found.boards] == [60000.5e9, 0, 61000.5e9]
    assert [board.chip_temperature_c for board in found.boards] == [77, None, 79]
    assert found.faults == ["error ECHU 512"]


def test_an_avalon_a15_is_found_in_the_table_and_has_a_firmware() -> None:
    version = {"PROD": "AvalonMiner 15-194", "MODEL": "15-194", "VERSION": "24100101_abc", "CGMiner": "4.11.1"}
    about = specs("avalon", {**STATUS, "VERSION": [version]})
    assert (about.model, about.model_variant, about.firmware_version) == ("A15", "194", "24100101_abc")
    row = models.find("Avalon", about.model or "")
    assert row is not None
    assert (row.boards, row.chips) == (3, 160)


BITAXE = {"hashRate": 500.0, "ASICModel": "BM1370", "uptimeSeconds": 50, "boardVersion": "601", "fanrpm": 4000}


@pytest.mark.parametrize(
    ("board", "chip", "model", "chips"),
    [
        ("702", "BM1368", "Supra Hex", 6),
        ("303", "BM1366", "Hex", 6),
        ("801", "BM1370", "Gamma Turbo", 2),
        ("650", "BM1370", "Gamma Duo", 2),
        ("601", "BM1370", "Gamma", 1),
        ("403", "BM1368", "Supra", 1),
        ("999", "BM1366", "Ultra", 1),  # of a board that is not known: by its chip
    ],
)
def test_the_board_of_a_bitaxe_identifies_its_model(board: str, chip: str, model: str, chips: int) -> None:
    answer = {**BITAXE, "boardVersion": board, "ASICModel": chip}
    assert specs("axeos", answer).model == model
    assert read("axeos", answer).boards[0].chips == chips


def test_the_hottest_of_two_sensors_and_both_fans_of_a_hex_are_shown() -> None:
    found = read("axeos", {**BITAXE, "boardVersion": "702", "temp": 61.5, "temp2": 79.0, "fan2rpm": 0})
    assert (found.temperature_c, found.fans_rpm) == (79.0, [4000, 0])


def test_a_fan_that_a_bitaxe_does_not_have_does_not_stand_still() -> None:
    assert read("axeos", {**BITAXE, "fan2rpm": 0}).fans_rpm == [4000]
    assert read("axeos", {**BITAXE, "fan2rpm": 3000}).fans_rpm == [4000, 3000]


def test_the_faults_of_a_bitaxe_are_shown_and_its_sensors_without_a_value_are_unknown() -> None:
    stopped = {"hashRate": 0, "temp": -1, "temp2": -1, "miningPaused": True, "power": 0}
    found = read("axeos", {**BITAXE, **stopped, "power_fault": "VIN undervoltage", "hardware_fault": "VREG fault"})
    assert found.faults == ["power", "hardware", "paused"]
    assert (found.temperature_c, found.power_w, found.hashrate_hs) == (None, None, 0)


NERD = {
    **{"hashRate": 4700.0, "ASICModel": "BM1370", "deviceModel": "NerdQAxe++", "uptimeSeconds": 9, "asicCount": 4},
    **{"stratumURL": "pool.example", "fallbackStratumURL": "backup.example", "sharesAccepted": 30},
}


@pytest.mark.parametrize(
    ("stratum", "states", "accepted"),
    [
        ({"usingFallback": True, "pools": [{"connected": True, "accepted": 34}]}, [D, C], [None, 34]),
        ({"usingFallback": False, "pools": [{"connected": True, "accepted": 34}]}, [C, S], [34, None]),
        ({"usingFallback": False, "pools": [{"connected": False, "accepted": 34}]}, [D, S], [34, None]),
        ({"pools": [{"connected": True, "accepted": 3}, {"connected": False, "accepted": 4}]}, [C, D], [3, 4]),
        (None, [None, None], [None, None]),  # neither flag is there: unknown, not "no"
    ],
)
def test_the_pools_of_a_nerdaxe_are_read_where_newer_firmware_has_them(
    stratum: Any, states: list[PoolState | None], accepted: list[int | None]
) -> None:
    found = read("axeos", {**NERD, "stratum": stratum})
    assert [pool.state for pool in found.pools] == states
    assert [pool.accepted for pool in found.pools] == accepted


def test_all_sensors_and_fans_of_a_nerdaxe_count() -> None:
    found = read(
        "axeos", {**NERD, "temp": 54.0, "asicTemps": [54.0, 71.5], "fanrpm": 1900, "fanrpm2": 0, "fanCount": 2}
    )
    assert (found.temperature_c, found.fans_rpm) == (71.5, [1900, 0])


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Antminer S9 Hiveon", "S9"),
        ("S19-88 v.2.6.0.39 ", "S19"),
        ("Antminer S19 Pro (Vnish 1.2.6)", "S19 Pro"),
        ("Bitmain Antminer S19j Pro+", "S19j Pro+"),
        ("Antminer S21 Hyd. LuxOS", "S21 Hyd."),
        ("Antminer S17 Braiins OS+ 22.08", "S17"),
        ("Antminer V9", "V9"),
        ("Antminer V9 v.2.6.0.39", "V9"),
        ("V9 Hiveon", "V9"),
        ("Antminer S19 v2", "S19"),
        ("Antminer S23 Imm", "S23 Imm"),  # not in the table: kept as it is
        ("", None),
    ],
)
def test_the_name_of_an_antminer_is_cleaned_of_its_firmware(said: str, name: str | None) -> None:
    assert model_name(said) == name


def antminer(**values: Any) -> AsicReading:
    stats = {"STATS": 0, "Elapsed": 44_000, "GHS 5s": "10800.5", "fan_num": 2, "fan5": 1800, "fan6": 1810, **values}
    return read("antminer", {**STATUS, "STATS": [{"Type": "Antminer S9 Hiveon"}, stats]}, POOLS)


@pytest.mark.parametrize(
    ("values", "power_w"),
    [
        ({"chain_power": "867.32 (AB)"}, 867.32),
        ({"total_power": 3358, "chain_power1": 1135}, 3358),
        ({"chain_power1": 1135, "chain_power2": 1103.5, "chain_power3": 0}, 2238.5),
        ({"chain_power1": 0.0, "chain_power": "0.00"}, None),
        ({}, None),
    ],
)
def test_the_power_that_other_firmware_adds_is_read(values: dict[str, Any], power_w: float | None) -> None:
    assert antminer(**values).power_w == power_w


def test_a_power_supply_that_is_not_ok_is_a_fault() -> None:
    assert antminer(psu_status="PSU OK").faults == []
    assert antminer(psu_status="PSU FAIL").faults == ["power"]


def test_a_board_with_more_chips_than_the_table_is_another_variant() -> None:
    found = antminer(chain_acn1=88, chain_acn2=60)
    assert [(board.chips, board.expected_chips) for board in found.boards] == [(88, None), (60, 63)]


def test_what_luxos_says_is_wrong_now_is_a_fault_and_what_the_owner_did_is_none() -> None:
    stats = {**STATUS, "STATS": [{"Type": "Antminer S19"}, {"Elapsed": 9, "GHS 5s": 1.0, "chain_acs1": " ox"}]}
    codes = [("SHUTDOWN_USER", 0), ("BOARD_ASIC_INIT_FAILURE", 2), ("BOARD_NOT_DETECTED", None), ("SLEEP", None)]
    events = [{"Code": code, "Target": "BOARD", "ID": board} for code, board in codes]
    events += [{"Code": "PSU_PANIC", "Target": "MINER"}, {"Code": None}]
    refused = {"STATUS": [{"STATUS": "E", "Code": 14, "Msg": "Invalid command"}]}
    found = read("luxos", stats, POOLS, refused, refused, {**STATUS, "EVENTS": events})
    assert found.faults == ["chips", "board 2 asic init failure", "board not detected", "psu panic"]
    assert read("luxos", stats, POOLS, refused, refused, refused).faults == ["chips"]


def test_the_fans_of_a_hammer_are_found_where_it_counts_them() -> None:
    chains = {f"chain_acn{slot}": 105 for slot in (1, 2, 3)}
    fans = {"fan_num": 2, "fan1": 0, "fan2": 0, "fan5": 5600, "fan6": 5610}
    stats = {**STATUS, "STATS": [{"Type": "Hammer D10"}, {"MHS 5s": "15600.5", **chains, **fans}]}
    summary = {**STATUS, "SUMMARY": [{"Elapsed": 9, "MHS 5s": "15600.5"}]}
    assert read("hammer", stats, summary, POOLS).fans_rpm == [5600, 5610]


def test_a_chain_whose_chips_are_unknown_is_no_dead_board() -> None:
    row = models.find("Antminer", "S19 Pro")
    assert row is not None
    chains = {f"chain_rate{slot}": "36600.5" for slot in (1, 2, 3)}
    values = {"Elapsed": 9, "GHS 5s": "109800.5", "chain_acn2": 114, "chain_acn3": 114, "chain_acn4": 0, **chains}
    found = read("antminer", {**STATUS, "STATS": [{"Type": "Antminer S19 Pro"}, values]}, POOLS, model=row)
    assert [(board.slot, board.chips) for board in found.boards] == [(1, None), (2, 114), (3, 114)]


def recorded(folder: str, *names: str) -> list[bytes]:
    if not FIELD.is_dir():
        pytest.skip("no recorded answers here")
    found = [next(FIELD.glob(f"{folder}/*-{name}.*")) for name in names]
    return [path.read_bytes() for path in found]


def test_what_owners_recorded_is_read_right() -> None:
    nano = BY_NAME["avalon_stats"].parse(recorded("avalon_nano3", "summary", "stats", "pools"), None)
    assert (nano.power_w, nano.temperature_c, nano.boards[0].outlet_temperature_c) == (89, 87, 41)
    a15 = BY_NAME["avalon_stats"].parse(recorded("avalon_15_194", "summary", "stats", "pools"), None)
    assert (a15.power_w, [board.chips for board in a15.boards]) == (3731, [160, 160, 160])
    assert [round((board.hashrate_hs or 0) / 1e12, 2) for board in a15.boards] == [59.46, 61.41, 63.14]
    axe = BY_NAME["axeos"].parse(recorded("axeos_2.13_supra_hex_702", "api_system_info"), None)
    assert (axe.temperature_c, axe.fans_rpm, axe.boards[0].chips) == (78.5, [3800, 0], 6)
    fault = BY_NAME["axeos"].parse(recorded("axeos_2.15_power_fault", "api_system_info"), None)
    assert (fault.faults, fault.fans_rpm) == (["power", "hardware", "paused"], [0])
    nerd = BY_NAME["axeos"].parse(recorded("nerdqaxe_on_fallback", "api_system_info"), None)
    assert [(pool.state, pool.accepted) for pool in nerd.pools] == [(D, None), (C, 348)]
    names = ("summary", "edevs", "pools", "device_info")
    v3 = BY_NAME["whatsminer_v3"].parse(recorded("whatsminer_v3_errors", *names), None)
    assert v3.faults == [f"error {code}" for code in (264, 265, 266, 267, 270)]
    bos = BY_NAME["braiins"].parse([*recorded("braiins_bosminer", "summary", "devs", "pools"), *[b""] * 4], None)
    assert bos.hashrate_hs == pytest.approx(13.398e12, rel=1e-4)
    assert [board.chip_temperature_c for board in bos.boards] == [70, 70, 70]
    assert [(pool.state, pool.accepted) for pool in bos.pools] == [(C, 3512)]
    for folder, power_w, model in (("hiveon_s9", 867.32, "S9"), ("msk_s19", 3358, "S19")):
        assert BY_NAME["antminer"].parse(recorded(folder, "stats", "pools"), None).power_w == power_w
        assert BY_NAME["antminer"].parse_specs(recorded(folder, "version")).model == model
