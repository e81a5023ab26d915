"""VNish in the shape of its own description of the API: profile, uptime, and boards cooled by air and by water."""

import json
from typing import Any

from asic_sentry.dialects.registry import BY_NAME

VNISH = BY_NAME["vnish"]
INFO: dict[str, Any] = {
    "fw_name": "Vnish",
    "fw_version": "1.2.6",
    "miner": "Antminer S19 Pro",
    "hr_measure": "GH/s",
    "serial": "STAND-IN-1",
    "system": {"uptime": "1 day, 3:04", "network_status": {"mac": "02:00:5E:10:00:07", "hostname": "s19"}},
}
AIR = {"id": 1, "hashrate_rt": 36_000.0, "pcb_temp": {"min": 46, "max": 58}, "chip_temp": {"min": 61, "max": 70}}
WATER = {
    "id": 2,
    "hashrate_rt": 37_000.0,
    "inlet_water_temp": 31,
    "outlet_water_temp": 41,
    "chip_temp": {"min": 60, "max": 69},
}
SUMMARY = {
    "miner": {
        "miner_status": {"miner_state": "mining"},
        "hr_realtime": 73_000.0,
        "hr_average": 72_500.0,
        "power_consumption": 3251,
        "chains": [AIR, WATER],
        "cooling": {"fans": [{"id": 0, "rpm": 5010, "status": "ok"}]},
        "pools": [{"url": "stratum+tcp://pool.example:3333", "user": "w", "status": "working", "accepted": 9}],
    }
}
PRESET = {"current_preset": {"name": "3250", "pretty": "3250 watt ~ 110 TH"}}


def encoded(answer: object) -> bytes:
    return json.dumps(answer).encode()


def test_the_temperatures_of_each_board_and_the_uptime() -> None:
    found = VNISH.parse([encoded(SUMMARY), encoded(INFO)], None)
    temperatures = [
        (board.inlet_temperature_c, board.outlet_temperature_c, board.chip_temperature_c) for board in found.boards
    ]
    assert temperatures == [(None, 58, 70), (31, 41, 69)]
    assert (found.temperature_c, found.uptime_s) == (70, 97_440)
    assert (found.hashrate_hs, found.power_w, found.fans_rpm) == (73e12, 3251, [5010])


def test_the_profile_is_a_part_of_the_software_version() -> None:
    about = VNISH.parse_specs([encoded(INFO), encoded(PRESET)])
    assert (about.software_version, about.firmware_version) == ("profile 3250 watt ~ 110 TH", "VNish 1.2.6")
    assert (about.model, about.mac) == ("S19 Pro", "02:00:5E:10:00:07")
    nameless = VNISH.parse_specs([encoded(INFO), encoded({"current_preset": {"name": "3250"}})])
    assert nameless.software_version == "profile 3250"
    assert VNISH.parse_specs([encoded(INFO), None]).software_version is None
