"""Answers of fake ASICs that speak a dialect of cgminer's API: hand-written, in the form of the real ones."""

from typing import Any

from asic_moment import Kind, Moment, cgminer_pools, said, shares


def summary_of(at: Moment, rate: float, program: str, *windows: str) -> dict[str, Any]:
    return said(at, "SUMMARY", [{"Elapsed": at.up_s, **dict.fromkeys(windows, rate), **shares(at)}], program)


def state_of(at: Moment, place: int) -> str:
    return "Dead" if at.is_dead(place) else "Alive"


BOSER = "BOSer boser-openwrt 0.1.0-0000000"
MHS = ("MHS 5s", "MHS 1m", "MHS 5m", "MHS 15m", "MHS av")


def braiins_devs(at: Moment) -> dict[str, Any]:
    rows = [
        {"ASC": place, "ID": place + 6, "Name": "BOSminer+", "Status": state_of(at, place), "Temperature": 70.0,
         "MHS 1m": at.rate(31.6e6, place), "MHS 5s": at.rate(31.6e6, place)}
        for place in range(3)
    ]  # fmt: skip
    return said(at, "DEVS", rows, BOSER)


def braiins_details(at: Moment) -> dict[str, Any]:
    rows = [
        {"DEVDETAILS": place, "ID": place + 6, "Chips": 0 if at.is_dead(place) else 76, "Model": "Antminer S19"}
        for place in range(3)
    ]
    return said(at, "DEVDETAILS", rows, BOSER)


BRAIINS = {
    "summary": lambda at: summary_of(at, at.total(31.6e6, 3), BOSER, *MHS),
    "devs": braiins_devs,
    "pools": cgminer_pools,
    "version": lambda at: said(at, "VERSION", [{"API": "3.7", "BOSer": "boser-openwrt 0.1.0-0000000"}], BOSER),
}
BRAIINS_MORE = {
    "devdetails": braiins_details,
    "temps": lambda at: said(at, "TEMPS", [{"ID": place + 6, "TEMP": place, "Board": 58.0 + place,
                                             "Chip": 74.0 + place} for place in range(3)], BOSER),
    "fans": lambda at: said(at, "FANS", [{"FAN": slot, "ID": slot, "RPM": 4100 + slot} for slot in range(4)], BOSER),
    "tunerstatus": lambda at: said(at, "TUNERSTATUS", [{"ApproximateMinerPowerConsumption": at.power(3180)}], BOSER),
}  # fmt: skip

GCMINER = "GCMiner-2026-01.05-0000000"


def auradine_heat(at: Moment) -> dict[str, Any]:
    sensors = [
        {"ID": board, "Name": f"Hash Board {board}" if board else "Control Board",
         "BoardTemp": [{"ID": 0, "Temperature": 30.5}, {"ID": 1, "Temperature": 46.0 + board}],
         "ChipTemp": [{"ID": chip, "Temperature": 60.5 + board + chip} for chip in range(3)] if board else None}
        for board in range(4)
    ]  # fmt: skip
    return said(at, "Temperature", sensors)


def auradine_devs(at: Moment) -> dict[str, Any]:
    rows = [
        {"DEV": place + 1, "ID": place + 1, "Name": "ASICBoard", "Enabled": True, "MHS 5s": at.rate(50e6, place),
         "Status": state_of(at, place), "Temperature": 41.5 + place}
        for place in range(3)
    ]  # fmt: skip
    return said(at, "DEVS", rows, GCMINER)


AURADINE = {
    "summary": lambda at: summary_of(at, at.total(50e6, 3), GCMINER, *MHS),
    "devs": auradine_devs,
    "pools": cgminer_pools,
    "version": lambda at: said(at, "VERSION", [{"API": "1.0", "GCMiner": "0.5"}], GCMINER),
    "devdetails": lambda at: said(at, "DEVDETAILS", [{"Model": "AT1500", "ID": 1}], GCMINER),
    "asccount": lambda at: said(at, "ASCCount", [{"AsicCount": 396, "BoardCount": 3}], GCMINER),
}
AURADINE_PAGES = {
    "GET /fan": lambda at: said(at, "Fan", [{"ID": slot, "Max": 7700, "Speed": 6900 + slot} for slot in range(1, 5)]),
    "GET /psu": lambda at: said(at, "PSU", [{"FanSpeed1": "4010.00 RPM", "FanSpeed2": "4020.00 RPM",
                                             "PowerIn": f"{at.power(2990):.2f}W"}]),
    "GET /temperature": auradine_heat,
    "GET /ipreport": lambda at: said(at, "IPReport", [{"mac": at.mac, "hostname": "stand-in", "model": "AT1500",
                                                       "SerialNo": f"STAND-IN-{at.number}", "version": "2026-01.05"}]),
}  # fmt: skip

LUXMINER = "LUXminer 2026.1.5.100000-0000000"
LUXOS_ABOUT = {"LUXminer": "2026.1.5.100000-0000000", "Miner": "2026.1.5.100000", "Type": "Antminer S19k Pro"}


def luxos_stats(at: Moment) -> dict[str, Any]:
    rate = at.total(40_000, 3)
    values: dict[str, Any] = {
        "STATS": 0, "ID": "BTM_SOC0", "Elapsed": at.up_s, "GHS 5s": rate, "GHS av": rate, "rate_30m": rate,
        "rate_unit": "GH", "total_rateideal": 121_800.0, "fan_num": 4,
    }  # fmt: skip
    for place in range(4):
        fitted = place < 3 and not at.is_dead(place)
        values |= {
            f"fan{place + 1}": 1920,
            f"chain_acn{place + 1}": 77 if fitted else 0,
            f"chain_acs{place + 1}": " oooo" * 19 if fitted else "",
            f"chain_rate{place + 1}": f"{at.rate(40_000, place):.2f}" if place < 3 else "0",
            f"temp_chip{place + 1}": "47-34-34-47" if fitted else "0-0-0-0",
        }
    return said(at, "STATS", [LUXOS_ABOUT, values], LUXMINER)


def luxos_temps(at: Moment) -> dict[str, Any]:
    sides = {"TopLeft": "Exhaust", "TopRight": "Intake", "BottomLeft": "Exhaust", "BottomRight": "Intake"}
    rows = [
        {"ID": place, "TEMP": place, "TopLeft": 51.0 + place, "TopRight": 34.0, "BottomLeft": 49.0, "BottomRight": 33.0}
        for place in range(3)
    ]
    places = {corner: {"Label": f"Board {side}"} for corner, side in sides.items()}
    return said(at, "TEMPS", rows, LUXMINER) | {"METADATA": [places]}


LUXOS = {
    "summary": lambda at: summary_of(at, at.total(40_000, 3), LUXMINER, "GHS 5s", "GHS av", "GHS 30m"),
    "stats": luxos_stats,
    "pools": cgminer_pools,
    "version": lambda at: said(at, "VERSION", [{"API": "3.7", **LUXOS_ABOUT}], LUXMINER),
    "power": lambda at: said(at, "POWER", [{"PSU": False, "Watts": at.power(2760)}], LUXMINER),
    "temps": luxos_temps,
    "events": lambda at: said(at, "EVENTS", [{"Code": "MINER_TUNED", "Target": "MINER"}], LUXMINER),
    "config": lambda at: said(at, "CONFIG", [{"MACAddr": at.mac, "Hostname": "stand-in", "Profile": "290MHz",
                                               "SerialNumber": f"STAND-IN-{at.number}"}], LUXMINER),
}  # fmt: skip

BDMINER = "bdminer 4.11.1"


def sealminer_stats(at: Moment) -> dict[str, Any]:
    rate = at.total(73e6, 3)
    values: dict[str, Any] = {
        "STATS": 0, "ID": "A20", "Elapsed": at.up_s, "MHS(30s)": rate, "MHS(1m)": rate, "MHS(5m)": rate,
        "MHS(15m)": rate, "MHS(Ideal)": 221e6, "Model": "A2", "MAC": at.mac, "Firmware": "2026010501",
        "Software Version": "4.11.1-1", "PSU Input Power": at.power(3504), "PSU Error": "0x00000000",
        "Error Code": "", "Bad Chip Count": 0, "Temp": 70, **{f"{slot} Speed": 3720 + slot for slot in range(4)},
    }  # fmt: skip
    for slot in range(3):
        dead = at.is_dead(slot)
        sensors = {} if dead else {f"{slot} Temp {sensor}": 55 + 5 * sensor for sensor in range(4)}
        values |= {
            f"{slot} Chip Count": 0 if dead else 153, f"{slot} Bad Chip Count": 0, f"{slot} Online": not dead,
            f"{slot} MHS(Sample)": at.rate(73e6, slot), **sensors,
        }  # fmt: skip
    return said(at, "STATS", [values], BDMINER)


SEALMINER = {
    "stats": sealminer_stats,
    "summary": lambda at: summary_of(at, at.total(73e6, 3), BDMINER, "MHS 5s"),
    "pools": cgminer_pools,
}

CCMINER = "ccminer 2.3.3"


def black_stats(at: Moment, name: str) -> dict[str, Any]:
    values: dict[str, Any] = {"STATS": 0, "MHS 5s": f"{at.total(5_200, 3):.2f}", "frequency": "1900"}
    for slot in range(1, 5):
        fitted = slot < 4 and not at.is_dead(slot - 1)
        values |= {
            f"fan{slot}": 5600 + slot, f"temp{slot}": 60 + slot if fitted else 0,
            f"chain_acn{slot}": 105 if fitted else 0, f"chain_acs{slot}": "oooooooo" if fitted else "",
            f"chain_rate{slot}": f"{at.rate(5_200, slot - 1):.4f}" if slot < 4 else "",
        }  # fmt: skip
    return said(at, "STATS", [{"CGMiner": "2.3.3", "Miner": "1.3.0.8", "Type": name}, values], CCMINER)


def black_summary(at: Moment) -> dict[str, Any]:
    counts = {name: f"{number}.0000" for name, number in shares(at).items()}
    rate = f"{at.total(5_200, 3):.2f}"
    return said(at, "SUMMARY", [{"Elapsed": at.up_s, "MHS 5s": rate, "MHS av": rate, **counts}], CCMINER)


BFGMINER = "bfgminer 5.4.2"


def goldshell_boards(at: Moment) -> dict[str, Any]:
    infos = [{"temp": "61.0 °C/48.0 °C", "power": at.power(410), "time": at.up_s}]
    return {"minfos": [{"name": "blake2s(KDA)", "infos": infos}]}


GOLDSHELL_PAGES = {
    "GET /mcb/status": lambda at: {"model": "Goldshell-KD-Box-Pro", "firmware": "2.2.5", "hardware": "stand-in"},
    "GET /mcb/setting": lambda at: {"name": at.mac.lower(), "select": 0},
    "GET /mcb/cgminer?cgminercmd=devs": goldshell_boards,
}


def goldshell_devs(at: Moment) -> dict[str, Any]:
    rows = [
        {"PGA": place, "ID": place, "Name": "INTCHAINS_QOMO", "MHS 20s": at.rate(800_000, place), "chip-nr": 16,
         "Status": state_of(at, place), "tstemp-1": "48 °C", "tstemp-2": f"{61 + place} °C", "fan0": "2130 rpm",
         "fan1": "2140 rpm"}
        for place in range(2)
    ]  # fmt: skip
    return said(at, "DEVS", rows, BFGMINER)


GOLDSHELL = {
    "summary": lambda at: summary_of(at, at.total(800_000, 2), BFGMINER, "MHS 20s", "MHS av"),
    "devs": goldshell_devs,
    "pools": cgminer_pools,
    "version": lambda at: said(at, "VERSION", [{"API": "3.3", "BFGMiner": "5.4.2"}], BFGMINER),
    "devdetails": lambda at: said(at, "DEVDETAILS", [{"Model": "Goldshell KD Box Pro", "ID": 0}], BFGMINER),
}

INNOMINER = "innominer 1.0.0"


def inno_devs(at: Moment) -> dict[str, Any]:
    rows = [
        {"ASC": place, "ID": place, "MHS 1m": at.rate(19e6, place), "Temperature": 66.0 + place,
         "Status": state_of(at, place)}
        for place in range(3)
    ]  # fmt: skip
    return said(at, "DEVS", rows, INNOMINER)


def inno_stats(at: Moment) -> dict[str, Any]:
    rows = [
        {"STATS": place, "Chain ID": place, "Temp max": 71 + place, "Num active chips": 0 if at.is_dead(place) else 63}
        for place in range(3)
    ]
    return said(at, "STATS", rows, INNOMINER)


INNOSILICON = {
    "summary": lambda at: summary_of(at, at.total(19e6, 3), INNOMINER, "MHS 1m", "MHS av"),
    "devs": inno_devs,
    "pools": cgminer_pools,
    "version": lambda at: said(at, "VERSION", [{"API": "3.7", "Type": "Innosilicon T3+"}], INNOMINER),
    "devdetails": lambda at: said(at, "DEVDETAILS", [{"Model": "T3+", "ID": 0}], INNOMINER),
    "stats": inno_stats,
}


def inno_all(at: Moment) -> dict[str, Any]:
    chains = [{"ASC": place, "Temp min": 51, "Temp max": 73 + place} for place in range(3)]
    return {"success": True, "all": {"mac": at.mac, "power": at.power(2150), "fansSpeed": 60, "chain": chains}}


INNOSILICON_PAGES = {
    "POST /api/getAll {}": inno_all,
    "POST /api/getErrorDetail {}": lambda at: {"success": True, "code": "0"},
}

BLACK = {"summary": black_summary, "pools": cgminer_pools}
MAKES = {
    "braiins": Kind(4028, "cgminer", {**BRAIINS, **BRAIINS_MORE}),
    "braiins-terse": Kind(4028, "cgminer", BRAIINS),
    "auradine": Kind(4028, "cgminer", {**AURADINE, **AURADINE_PAGES}),
    "luxos": Kind(4028, "cgminer", LUXOS),
    "sealminer": Kind(4028, "cgminer", SEALMINER),
    "hammer": Kind(4028, "cgminer", {"stats": lambda at: black_stats(at, "Hammer D10"), **BLACK}),
    "volcminer": Kind(8359, "cgminer", {"stats": lambda at: black_stats(at, "VolcMiner D1"), **BLACK}),
    "goldshell": Kind(4028, "cgminer", {**GOLDSHELL, **GOLDSHELL_PAGES}),
    "innosilicon": Kind(4028, "cgminer", {**INNOSILICON, **INNOSILICON_PAGES}),
}
