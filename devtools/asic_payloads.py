"""Answers of the fake ASICs: hand-written, in the form of the real ones, with figures that change with the time.

A kind answers the commands of its table and no others. Figures follow from the ASIC's number and the wall time alone.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from asic_makes import MAKES
from asic_moment import Kind, Maker, Moment, cgminer_pools, said, shares
from asic_web_makes import WEB_MAKES


def antminer_summary(at: Moment) -> dict[str, Any]:
    rate = at.total(36_600, 3)
    return said(at, "SUMMARY", [{"Elapsed": at.up_s, "GHS 5s": rate, "GHS av": 109_800.5, "GHS 30m": 109_900.25,
                                 "Hardware Errors": 12, "Pool Rejected%": 0.0, **shares(at)}])  # fmt: skip


def antminer_stats(at: Moment) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "STATS": 0, "ID": "BTM_SOC0", "Elapsed": at.up_s, "GHS 5s": at.total(36_600, 3), "GHS av": 109_800.5,
        "rate_30m": 109_900.25, "rate_unit": "GH", "total_rateideal": 110_000.0, "fan_num": 4, "miner_count": 3,
    }  # fmt: skip
    for slot in range(1, 5):
        alive = slot < 4 and not at.is_dead(slot - 1)
        hot = round(at.moving(74, 0.04, slot))
        figures |= {
            f"fan{slot}": round(at.moving(5800, 0.03, slot)),
            f"chain_acn{slot}": 114 if alive else 0,
            f"chain_acs{slot}": " ooo" * 38 if alive else "",
            f"chain_rate{slot}": f"{at.rate(36_600, slot - 1):.2f}" if alive else "",
            f"temp_chip{slot}": f"{hot}-52-70-{hot - 3}" if alive else "0-0-0-0",
            f"temp_pcb{slot}": f"{hot - 8}-45-62-60" if alive else "0-0-0-0",
        }
    return said(at, "STATS", [antminer_about(), figures])


def antminer_chains(at: Moment) -> dict[str, Any]:
    """`stats` of a firmware that has chains and fans there, and the rest in `summary` alone."""
    answer = antminer_stats(at)
    figures = answer["STATS"][1]
    answer["STATS"][1] = {name: figures[name] for name in figures if name.startswith(("fan", "chain_", "temp_"))}
    return answer


def antminer_about() -> dict[str, Any]:
    built = "Mon Jan  5 10:00:00 CST 2026"
    return {"BMMiner": "1.0.0", "Miner": "49.0.1.3", "CompileTime": built, "Type": "Antminer S19 Pro"}


def antminer_version(at: Moment) -> dict[str, Any]:
    return said(at, "VERSION", [{"API": "3.1", **antminer_about()}])


def whatsminer_summary(at: Moment) -> dict[str, Any]:
    rate = at.total(37.3e6, 3)
    return said(at, "SUMMARY", [{
        "Elapsed": at.up_s, "MHS av": 111.8e6, "MHS 5s": rate, "MHS 1m": rate, "MHS 5m": rate,
        "MHS 15m": rate, "HS RT": rate, "Factory GHS": 113_000, "Power": round(at.moving(3472)), "Power Mode": "Normal",
        "Chip Temp Max": at.moving(91), "Temperature": 71.0, "Fan Speed In": round(at.moving(4800)),
        "Fan Speed Out": round(at.moving(4850)), "MAC": at.mac, "Firmware Version": "'20260105.10.REL'",
        "Error Code Count": 0, **shares(at)}])  # fmt: skip


def whatsminer_devs(at: Moment) -> dict[str, Any]:
    boards = [
        {"ASC": slot, "Slot": slot, "MHS 5m": at.rate(37.3e6, slot), "MHS av": 37.2e6,
         "Effective Chips": 0 if at.is_dead(slot) else 156,
         "Chip Temp Max": at.moving(90, 0.03, slot), "Temperature": 70.0, "Status": "Alive"}
        for slot in range(3)
    ]  # fmt: skip
    return said(at, "DEVS", boards)


def whatsminer_version(at: Moment) -> dict[str, Any]:
    told = {"api_ver": "whatsminer v1.4.0", "fw_ver": "20260105.10.REL"}
    return {"STATUS": "S", "When": int(at.now), "Code": 131, "Msg": told, "Description": "whatsminer v1.4.0"}


def whatsminer_details(at: Moment) -> dict[str, Any]:
    return said(at, "DEVDETAILS", [{"DEVDETAILS": 0, "Name": "SM", "Model": "M30S++_VH40"}])


def v3(at: Moment, message: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": 0, "when": int(at.now), "desc": "ok", "msg": dict(message)}


def v3_summary(at: Moment) -> dict[str, Any]:
    return v3(at, {"summary": {
        "elapsed": at.up_s, "hash-average": 185.2, "hash-realtime": at.total(62, 3), "factory-hash": 186.4,
        "power-realtime": at.moving(3441), "chip-temp-max": at.moving(83), "board-temperature": [41.0, 40.5, 41.5],
        "fan-speed-in": round(at.moving(5400)), "fan-speed-out": round(at.moving(5300))}})  # fmt: skip


def v3_edevs(at: Moment) -> dict[str, Any]:
    return v3(at, {"edevs": [
        {"id": slot, "hash-realtime": at.rate(62, slot), "hash-average": 61.7,
         "effective-chips": 0 if at.is_dead(slot) else 80,
         "chip-temp-max": at.moving(82, 0.03, slot), "status": "alive"} for slot in range(3)]})  # fmt: skip


def v3_pools(at: Moment) -> dict[str, Any]:
    pool = {"url": "stratum+tcp://pool.example:3333", "account": "stand-in.worker", "status": "alive"}
    counts = {"accepted": at.up_s // 12, "rejected": at.up_s // 900}
    return v3(at, {"pools": [{**pool, **counts, "stratum-active": True}, {**pool, "stratum-active": False}]})


def v3_device_info(at: Moment) -> dict[str, Any]:
    return v3(at, {
        "miner": {"type": "M60S_VK40", "miner-sn": f"STAND-IN-{at.number:05}", "board-num": "3"},
        "network": {"mac": at.mac, "hostname": "WhatsMiner"}, "salt": "not-for-us",
        "system": {"api": "3.0.2", "fwversion": "20260105.10.Rel"}})  # fmt: skip


def avalon_summary(at: Moment, idle: bool = False) -> dict[str, Any]:
    rate = 0.0 if idle or at.is_idle else at.moving(88e6)
    return said(at, "SUMMARY", [{"Elapsed": at.up_s, "MHS av": 87.5e6, "MHS 5s": rate, "MHS 1m": rate, "MHS 5m": rate,
                                 "MHS 15m": rate, **shares(at)}])  # fmt: skip


def avalon_stats(at: Moment, idle: bool = False) -> dict[str, Any]:
    idle = idle or at.is_idle
    work, rate = ("In Idle", 0.0) if idle else ("In Work", at.moving(88_000))
    heat = 0 if idle else round(at.moving(78))
    fans = " ".join(f"Fan{slot}[{0 if idle else round(at.moving(1900, 0.05, slot))}]" for slot in range(1, 5))
    told = (
        f"Ver[Q-26010501] STATE[2] SYSTEMSTATU[Work: {work}, Hash Board: 1] Elapsed[{at.up_s}] ITemp[27] "
        f"HBITemp[{27 if idle else 35}] HBOTemp[{27 if idle else 58}] TMax[{heat}] TAvg[{heat}] {fans} FanErr[0] "
        f"PS[0 1221 2240 {0 if idle else 70} {0 if idle else 1560} 2245 {30 if idle else 1674}] "
        f"GHSspd[{rate:.2f}] GHSmm[90112.10] GHSavg[87500.00] MGHS[87500.00] TA[160] Core[A3197S]"
    )
    return said(at, "STATS", [{"STATS": 0, "ID": "AVALON0", "MM ID0:Summary": f"'STATS':{{{told}}}"}])


def avalon_version(at: Moment) -> dict[str, Any]:
    told = {"CGMiner": "4.11.1", "LVERSION": "26010501", "MAC": at.mac, "MODEL": "Q", "PROD": "Avalon Q"}
    return said(at, "VERSION", [told])


def axeos(at: Moment) -> dict[str, Any]:
    return {
        "power": at.moving(18.2), "voltage": 5100.0, "current": 3570.0, "temp": at.moving(58), "vrTemp": 62,
        "hashRate": at.rate(1180), "miningPaused": at.is_idle, "expectedHashrate": 1224, "uptimeSeconds": at.up_s,
        "ASICModel": "BM1370",
        "asicCount": 1, "fanspeed": 45, "fanrpm": round(at.moving(4300)), "macAddr": at.mac, "hostname": "bitaxe",
        "boardVersion": "601", "version": "v2.9.0", "axeOSVersion": "v2.9.0", "sharesAccepted": at.up_s // 30,
        "sharesRejected": 0, "stratumURL": "pool.example", "stratumPort": 3333, "stratumUser": "stand-in.worker",
        "fallbackStratumURL": "backup.example", "fallbackStratumPort": 3333, "fallbackStratumUser": "stand-in.worker",
        "isUsingFallbackStratum": 0, "overheat_mode": 0,
    }  # fmt: skip


def iceriver(at: Moment) -> dict[str, Any]:
    days, hours, minutes, seconds = (at.up_s // each for each in (86_400, 3600, 60, 1))
    pools = [
        {"no": float(place + 1), "addr": f"stratum+tcp://{host}:4441", "user": "kaspa:stand-in.worker",
         "pass": "never-shown",
         "connect": -1.0 if place else 1.0, "accepted": 0.0 if place else float(at.up_s // 14), "rejected": 0.0}
        for place, host in enumerate(("pool.example", "backup.example", "third.example"))
    ]  # fmt: skip
    boards = [
        {"no": float(slot), "chipnum": 18.0, "freq": 875.0, "rtpow": f"{at.rate(4000, slot - 1):.2f}G",
         "avgpow": "3990.00G", "idealpow": "0.00G", "intmp": round(at.moving(56, 0.05, slot)),
         "outtmp": round(at.moving(64, 0.05, slot)), "state": True, "false": []}
        for slot in range(1, 4)
    ]  # fmt: skip
    data = {
        "model": "none", "algo": "none", "softver1": "ICM168_3_2_10_ks5L_miner", "softver2": "ICM168_3_2_10_ks5L_bg",
        "firmver1": "BOOT_3_1", "mac": at.mac.replace(":", "-"), "host": "KS5L", "rtpow": f"{at.total(4000, 3):.0f}G",
        "avgpow": "11980G", "reject": 0.4, "unit": "G", "powstate": True, "netstate": True, "fanstate": True,
        "runtime": f"{days:02}:{hours % 24:02}:{minutes % 60:02}:{seconds % 60:02}", "tempstate": True,
        "pows": {"board1": [12_000] * 23}, "pows_x": [f"{5 * step} mins" for step in range(23)],
        "fans": [round(at.moving(5900, 0.01, slot)) for slot in range(4)], "pools": pools, "boards": boards,
    }  # fmt: skip
    return {"error": 0, "data": data, "message": ""}


CGMINER = {"pools": cgminer_pools}
WHATSMINER = {"summary": whatsminer_summary, "get_version": whatsminer_version, "devdetails": whatsminer_details}
AVALON = {"version": avalon_version, **CGMINER}


def idle(make: Callable[[Moment, bool], Any]) -> Maker:
    return lambda at: make(at, True)


KINDS = {
    "antminer": Kind(4028, "cgminer", {"summary": antminer_summary, "stats": antminer_stats,
                                       "version": antminer_version, **CGMINER}),
    "antminer-terse": Kind(4028, "cgminer", {"summary": antminer_summary, "stats": antminer_chains,
                                             "version": antminer_version, **CGMINER}),
    "whatsminer": Kind(4028, "cgminer", {**WHATSMINER, **CGMINER, "devs": whatsminer_devs}),
    "whatsminer-v2": Kind(4028, "cgminer", {**WHATSMINER, **CGMINER, "edevs": whatsminer_devs}),
    "whatsminer-v3": Kind(4433, "v3", {"get.miner.status summary": v3_summary, "get.miner.status edevs": v3_edevs,
                                       "get.miner.status pools": v3_pools, "get.device.info": v3_device_info}),
    "whatsminer-nameless": Kind(4028, "cgminer", {"summary": whatsminer_summary, "get_version": whatsminer_version,
                                                  "devs": whatsminer_devs, **CGMINER}),
    "avalon": Kind(4028, "cgminer", {"summary": avalon_summary, "litestats": avalon_stats, **AVALON}),
    "avalon-old": Kind(4028, "cgminer", {"summary": avalon_summary, "stats": avalon_stats, **AVALON}),
    "avalon-idle": Kind(4028, "cgminer", {"summary": idle(avalon_summary), "litestats": idle(avalon_stats), **AVALON}),
    "axeos": Kind(80, "http", {"GET /api/system/info": axeos}),
    "iceriver": Kind(80, "http", {"POST /user/userpanel post=4": iceriver}),
    **MAKES,
    **WEB_MAKES,
}  # fmt: skip


def body_of(kind: str, command: str, at: Moment) -> bytes:
    return json.dumps(KINDS[kind].answers[command](at)).encode()
