"""Answers of fake ASICs whose API is JSON over HTTP: hand-written, in the form of the real ones."""

from typing import Any

from asic_moment import Kind, Moment

POOLS = ("pool.example", "backup.example")


def epic_summary(at: Moment) -> dict[str, Any]:
    boards = [
        {"Index": place, "Hashrate": [at.rate(47e6, place), 100.0, 0.8], "Temperature": 66.0 + place}
        for place in range(3)
        if at.works(place)
    ]
    states = [{"Index": place, "Detected": True, "Enabled": not at.is_dead(place)} for place in range(3)]
    return {
        "Fans Rpm": {f"Fans Speed {slot}": 5900 + slot if slot <= 4 else None for slot in range(1, 13)},
        "HBStatus": states, "HBs": boards, "Hostname": "stand-in", "Mining": {"Algorithm": "SHA-256", "Coin": "BTC"},
        "Power Supply Stats": {"Input Power": at.power(3010)},
        "Session": {"Accepted": at.up_s // 12, "Rejected": at.up_s // 900, "Uptime": at.up_s,
                    "Average MHs": at.total(47e6, 3)},
        "Software": "PowerPlay-BMS v1.5.13",
        "Status": {"Last Error": None, "Operating State": "Idling" if at.is_idle else "Mining"},
        "Stratum": {"Current Pool": "pool.example:3333", "IsPoolConnected": True, "Current User": "stand-in.worker"},
        "StratumConfigs": [{"login": "stand-in.worker", "password": "never-shown", "pool": f"stratum+tcp://{host}:3333"}
                           for host in POOLS],
    }  # fmt: skip


EPIC = {
    "GET /summary": epic_summary,
    "GET /temps": lambda at: [{"Index": place, "Data": [52.0 + place, 64.0 + place]} for place in range(3)],
    "GET /capabilities": lambda at: {"Model": "AntMiner S19 XP", "Model Subtype": "BHB56801", "Default Hashrate": 141,
                                     "Performance Estimator": {"Chip Count": 110}},
    "GET /network": lambda at: {"dhcp": {"mac_address": at.mac, "address": "192.0.2.9"}},
}  # fmt: skip


def proto_mining(at: Moment) -> dict[str, Any]:
    rate = at.total(36_000, 4)
    return {"mining-status": {
        "status": "Stopped" if at.is_idle else "Mining", "hashrate_ghs": rate, "average_hashrate_ghs": rate,
        "ideal_hashrate_ghs": 145_000, "power_usage_watts": at.power(3440), "reboot_uptime_s": at.up_s,
        "hashboards_installed": 4, "hashboards_mining": sum(at.works(place) for place in range(4))}}  # fmt: skip


def proto_telemetry(at: Moment) -> dict[str, Any]:
    boards = [
        {"index": place, "hashrate": {"unit": "TH/s", "value": at.rate(36, place)},
         "temperature": {"unit": "°C", "inlet": 40.0 + place, "outlet": 55.0 + place, "average": 48.0}}
        for place in range(4)
    ]  # fmt: skip
    return {"hashboards": boards, "miner": {"temperature": {"unit": "°C", "value": 54.0}}}


def proto_pools(at: Moment) -> dict[str, Any]:
    pools = [
        {"id": place, "url": f"stratum+tcp://{host}:3333", "user": "stand-in.worker", "priority": place,
         "accepted": 0 if place else at.up_s // 12, "rejected": 0 if place else at.up_s // 900,
         "connection_status": "Idle" if place else "Active"}
        for place, host in enumerate(POOLS)
    ]  # fmt: skip
    return {"pools": pools}


PROTO = {
    "GET /api/v1/system": lambda at: {"system-info": {"board": "C3", "model": "Rig", "manufacturer": "Proto",
                                                      "os": {"name": "ProtoOS", "version": "1.8.0"}}},
    "GET /api/v1/network": lambda at: {"network-info": {"mac": at.mac, "hostname": "proto-stand-in"}},
    "GET /api/v1/hardware": lambda at: {"hardware-info": {"cb-info": {"serial_number": f"STAND-IN-{at.number}"}}},
    "GET /api/v1/mining": proto_mining,
    "GET /api/v1/telemetry?level=miner,hashboard": proto_telemetry,
    "GET /api/v1/pools": proto_pools,
    "GET /api/v1/cooling": lambda at: {"cooling-status": {"fans": [{"slot": slot, "rpm": 4340 + slot}
                                                                   for slot in range(1, 5)]}},
    "GET /api/v1/errors": lambda at: [],
}  # fmt: skip


def vnish_summary(at: Moment) -> dict[str, Any]:
    chains = [
        {"id": place + 1, "hashrate_rt": at.rate(36_600, place), "chip_temp": {"min": 50, "max": 68 + place},
         "chip_statuses": {"red": 0, "orange": 0, "grey": 0},
         "status": {"state": "failure" if at.is_dead(place) else "stopped" if at.is_idle else "mining"}}
        for place in range(3)
    ]  # fmt: skip
    pools = [
        {"id": place, "url": f"stratum+tcp://{host}:3333", "user": "stand-in.worker",
         "status": "active" if place else "working", "accepted": 0 if place else at.up_s // 12,
         "rejected": 0 if place else at.up_s // 900, "stale": 0}
        for place, host in enumerate(POOLS)
    ]  # fmt: skip
    total = at.total(36_600, 3)
    return {"miner": {
        "miner_status": {"miner_state": "stopped" if at.is_idle else "mining"}, "miner_type": "Antminer S19 Pro",
        "hr_realtime": total, "hr_average": total, "hr_nominal": 110_000.0, "pools": pools, "chains": chains,
        "power_consumption": at.power(3240),
        "cooling": {"fan_num": 4, "fans": [{"id": slot, "rpm": 5010 + slot, "status": "ok"}
                                           for slot in range(4)]}}}  # fmt: skip


def vnish_info(at: Moment) -> dict[str, Any]:
    days, hours, minutes = at.up_s // 86_400, at.up_s // 3600 % 24, at.up_s // 60 % 60
    return {
        "fw_name": "Vnish", "fw_version": "1.2.6", "miner": "Antminer S19 Pro", "model": "s19pro", "hr_measure": "GH/s",
        "algorithm": "sha256d", "serial": f"STAND-IN-{at.number}",
        "system": {"uptime": f"{days} days, {hours}:{minutes:02}:{at.up_s % 60:02}",
                   "network_status": {"mac": at.mac, "hostname": "stand-in"}},
    }  # fmt: skip


def cgi_info(at: Moment, name: str, **values: Any) -> dict[str, Any]:
    status = {"STATUS": "S", "Msg": "ok", "api_version": "1.0.0", "timestamp": int(at.now)}
    return {"INFO": {"type": name, "miner_version": "stand-in"}, "STATUS": status, **values}


def cgi_stats(at: Moment, name: str, unit: str, of_board: float, heat: list[str]) -> dict[str, Any]:
    rate = at.total(of_board, 3)
    chains = [
        {"index": place, "asic_num": 0 if at.is_dead(place) else 120, "rate_real": at.rate(of_board, place),
         "temp_pcb": [47, 46, 57 + place, 56], "temp_chip": heat, "asic": " oooo" * 24, "eeprom_loaded": True}
        for place in range(3)
    ]  # fmt: skip
    values = {"elapsed": at.up_s, "rate_5s": rate, "rate_30m": rate, "rate_avg": rate, "rate_ideal": of_board * 3,
              "rate_unit": unit, "fan": ["4200", "4210", "4220", "4230"], "fan_num": 4, "chain": chains}  # fmt: skip
    return cgi_info(at, name, STATS=[values])


def cgi_pools(at: Moment, name: str) -> dict[str, Any]:
    pools = [
        {"index": place, "url": f"stratum+tcp://{host}:3333", "user": "stand-in.worker", "status": "Alive",
         "priority": place, "accepted": 0 if place else at.up_s // 12, "rejected": 0, "stale": 0, "pass": "never-shown"}
        for place, host in enumerate(POOLS)
    ]  # fmt: skip
    return cgi_info(at, name, POOLS=pools)


def cgi_summary(at: Moment, name: str) -> dict[str, Any]:
    status = [{"type": each, "status": "s", "code": 0, "msg": ""} for each in ("rate", "network", "fans", "temp")]
    return cgi_info(at, name, SUMMARY=[{"elapsed": at.up_s, "status": status}])


def cgi_system(at: Moment, name: str) -> dict[str, Any]:
    return {"minertype": name, "macaddr": at.mac, "hostname": "stand-in", "serinum": f"STAND-IN-{at.number}",
            "system_filesystem_version": "stand-in 1.0"}  # fmt: skip


def cgi(name: str, unit: str, of_board: float, heat: list[str]) -> dict[str, Any]:
    return {
        "GET /cgi-bin/stats.cgi": lambda at: cgi_stats(at, name, unit, of_board, heat),
        "GET /cgi-bin/pools.cgi": lambda at: cgi_pools(at, name),
        "GET /cgi-bin/summary.cgi": lambda at: cgi_summary(at, name),
        "GET /cgi-bin/get_system_info.cgi": lambda at: cgi_system(at, name),
    }


ELPHAPEX = cgi("DG1+", "MH/s", 4_660, ["65687", "64562", "66437", "65500"])
ELPHAPEX["GET /cgi-bin/get_power.cgi"] = lambda at: {"power_output": f"{at.power(3950):.0f}"}
ANTMINER_WEB = cgi("Antminer S19 Pro", "GH/s", 36_600, ["62", "58", "66", "61"])
VNISH = {
    "GET /api/v1/summary": vnish_summary,
    "GET /api/v1/info": vnish_info,
    "GET /api/v1/perf-summary": lambda at: {"current_preset": {"name": "3250", "pretty": "3250 watt ~ 110 TH"}},
}


def gigahashes(rate: float, boards: int = 1) -> dict[str, Any]:
    return {
        "nominal_hashrate": {"gigahash_per_second": 37_000.0 * boards},
        "real_hashrate": {f"last_{window}": {"gigahash_per_second": rate} for window in ("5s", "1m", "15m", "30m")},
    }


def braiins_boards(at: Moment) -> dict[str, Any]:
    boards = [
        {"id": str(place + 1), "chips_count": 0 if at.is_dead(place) else 110, "enabled": True,
         "board_temp": {"degree_c": 55.5 + place}, "highest_chip_temp": {"temperature": {"degree_c": 70.5 + place}},
         "lowest_inlet_temp": {"degree_c": 40.5}, "highest_outlet_temp": {"degree_c": 56.5 + place},
         "stats": gigahashes(at.rate(36_000, place))}
        for place in range(3)
    ]  # fmt: skip
    return {"hashboards": boards}


def braiins_stats(at: Moment) -> dict[str, Any]:
    return {"miner_stats": gigahashes(at.total(36_000, 3), 3),
            "power_stats": {"approximated_consumption": {"watt": at.power(3020)}}}  # fmt: skip


def braiins_pools(at: Moment) -> list[dict[str, Any]]:
    pools = [
        {"url": f"stratum+tcp://{host}:3333", "user": "stand-in.worker", "alive": True, "active": place == 0,
         "password": "never-shown",
         "stats": {"accepted_shares": 0 if place else at.up_s // 12, "rejected_shares": 0, "stale_shares": 0}}
        for place, host in enumerate(POOLS)
    ]  # fmt: skip
    return [{"name": "first", "pools": pools, "uid": "0"}]


def braiins_details(at: Moment) -> dict[str, Any]:
    return {"bos_version": {"current": "2026-01-05-0-00000000-26.01-plus"}, "bosminer_uptime_s": at.up_s,
            "hostname": "stand-in", "mac_address": at.mac, "serial_number": f"STAND-IN-{at.number}",
            "miner_identity": {"miner_model": "Antminer S19 XP"}, "status": 3 if at.is_idle else 2}  # fmt: skip


BRAIINS_REST = {
    "GET /api/v1/version": lambda at: {"major": 1, "minor": 1, "patch": 0},
    "GET /api/v1/miner/stats": braiins_stats,
    "GET /api/v1/miner/hw/hashboards": braiins_boards,
    "GET /api/v1/pools": braiins_pools,
    "GET /api/v1/cooling/state": lambda at: {
        "fans": [{"position": slot, "rpm": 5800 + slot} for slot in range(4)],
        "highest_temperature": {"temperature": {"degree_c": 72.5}}},
    "GET /api/v1/miner/details": braiins_details,
    "GET /api/v1/miner/errors": lambda at: {"errors": [
        {"components": [], "error_codes": [], "message": "No pool is known yet", "timestamp": "2015-01-01T00:00:37Z"}]},
    "GET /api/v1/performance/tuner-state": lambda at: {
        "mode_state": {"powertargetmodestate": {"current_target": {"watt": 3031}}}},
}  # fmt: skip


def graphql_figures(at: Moment) -> dict[str, Any]:
    boards = [
        {"name": str(place + 1), "realHashrate": {"mhs5S": at.rate(36e6, place)},
         "hwDetails": {"chips": 0 if at.is_dead(place) else 110},
         "temperatures": [{"name": "Board", "degreesC": 55.5}, {"name": "Chip", "degreesC": 70.5 + place}]}
        for place in range(3)
    ]  # fmt: skip
    pools = [
        {"url": f"stratum+tcp://{host}:3333", "user": "stand-in.worker", "status": "ALIVE", "active": place == 0,
         "shares": {"acceptedSolutions": 0 if place else at.up_s // 12, "rejectedSolutions": 0}}
        for place, host in enumerate(POOLS)
    ]  # fmt: skip
    solver = {"realHashrate": {"mhs5S": at.total(36e6, 3)}, "nominalMhs": 111e6, "childSolvers": boards}
    info = {"fans": [{"rpm": 5800 + slot} for slot in range(4)], "workSolver": solver,
            "summary": {"power": {"approxConsumptionW": at.power(3020)}}, "poolGroups": [{"pools": pools}]}  # fmt: skip
    return {"data": {"bos": {"uptime": {"durationS": at.up_s}}, "bosminer": {"info": info}}}


def graphql(query: str) -> str:
    return f'POST /graphql {{"query": "{query}"}}'


BRAIINS_GRAPHQL = {
    graphql("{bos{uptime{durationS}}bosminer{info{fans{rpm}summary{power{approxConsumptionW}}"
            "workSolver{realHashrate{mhs5S}nominalMhs childSolvers{name realHashrate{mhs5S}hwDetails{chips}"
            "temperatures{name degreesC}}}poolGroups{pools{url user status active shares{acceptedSolutions"
            " rejectedSolutions}}}}}}"): graphql_figures,
    graphql("{events{appeals{__typename}}}"): lambda at: {"data": {"events": {"appeals": []}}},
    graphql("{bos{hostname info{version{full}}}}"): lambda at: {
        "data": {"bos": {"hostname": "stand-in", "info": {"version": {"full": "2026-01-05-0-00000000-24.09-plus"}}}}},
    graphql("{bosminer{info{modelName}}}"): lambda at: {
        "data": {"bosminer": {"info": {"modelName": "Antminer S19 XP"}}}},
}  # fmt: skip
WEB_MAKES = {
    "elphapex": Kind(80, "http", ELPHAPEX),
    "antminer_web": Kind(80, "http", ANTMINER_WEB),
    "epic": Kind(4028, "http", EPIC),
    "proto": Kind(80, "http", PROTO),
    "vnish": Kind(80, "http", VNISH),
    "braiins_rest": Kind(80, "http", BRAIINS_REST),
    "braiins_graphql": Kind(80, "http", BRAIINS_GRAPHQL),
}
