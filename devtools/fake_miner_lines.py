"""Answers of mining software with a TCP API: a table of small generators, and the reader of its requests."""

import json
from collections.abc import Callable
from typing import Any

from fake_miner_cards import ACCOUNT, POOL, cards
from fake_miner_http import Answers, cpu_rate


def _status(message: str) -> list[dict[str, Any]]:
    return [{"STATUS": "S", "Msg": message, "Description": "TeamRedMiner 0.10.21 stand-in"}]


def teamredminer_devs(devices: int, up_s: float, now: float) -> dict[str, Any]:
    its = [{
        "GPU": card.index, "Enabled": "Y", "Status": "Alive", "Temperature": card.temperature_c,
        "Fan Percent": card.fan_percent, "GPU Clock": 1187, "Memory Clock": 1500,
        "MHS av": card.rate_hs / 1e6, "KHS av": card.rate_hs / 1e3, "KHS 30s": card.rate_hs / 1e3,
        "Accepted": card.accepted, "Rejected": card.rejected, "Hardware Errors": 0, "Device Elapsed": int(up_s),
    } for card in cards(devices, up_s, now)]  # fmt: skip
    return {"STATUS": _status(f"{devices} GPU(s)"), "DEVS": its, "id": 1}


def teamredminer_pools(devices: int, up_s: float, now: float) -> dict[str, Any]:
    pool = {
        "POOL": 0, "URL": f"stratum+tcp://{POOL}", "Algorithm": "ethash", "Status": "Alive", "User": ACCOUNT,
        "Stale": int(up_s // 2400), "Stratum Active": True,
    }  # fmt: skip
    return {"STATUS": _status("1 Pool(s)"), "POOLS": [pool], "id": 1}


def teamredminer_summary(devices: int, up_s: float, now: float) -> dict[str, Any]:
    its = cards(devices, up_s, now)
    summary = {
        "Elapsed": int(up_s), "KHS 30s": sum(card.rate_hs for card in its) / 1e3, "Hardware Errors": 0,
        "Accepted": sum(card.accepted for card in its), "Rejected": sum(card.rejected for card in its),
    }  # fmt: skip
    return {"STATUS": _status("Summary"), "SUMMARY": [summary], "id": 1}


def teamredminer_refusal(devices: int, up_s: float, now: float) -> dict[str, Any]:
    return {"STATUS": [{"STATUS": "E", "Msg": "Invalid command"}], "id": 1}


def teamredminer_devdetails(devices: int, up_s: float, now: float) -> dict[str, Any]:
    its = [
        {"DEVDETAILS": card.index, "Name": "GPU", "ID": card.index, "Device Path": f"{card.bus:02x}:00.0"}
        for card in cards(devices, up_s, now)
    ]
    return {"STATUS": _status("Device Details"), "DEVDETAILS": its, "id": 1}


def cpuminer_summary(devices: int, up_s: float, now: float) -> str:
    rate = cpu_rate(now)
    return (
        f"NAME=cpuminer-opt;VER=26.1 stand-in;API=1.0;ALGO=verushash;CPUS={devices};URL={POOL};HS={rate:.2f};"
        f"KHS={rate / 1e3:.2f};ACC={int(up_s // 12) + 3};REJ={int(up_s // 900)};SOL=0;TEMP=0.0;FAN=0;FREQ=0;"
        f"UPTIME={int(up_s)};TS={int(now)}|"
    )


def cpuminer_threads(devices: int, up_s: float, now: float) -> str:
    return "".join(f"CPU={thread};H/s={cpu_rate(now) / devices:.2f}|" for thread in range(devices))


def getstat1(version: str) -> Callable[[int, float, float], Any]:
    """Makes the answer of the Claymore family; each program writes its version differently."""

    def answer(devices: int, up_s: float, now: float) -> dict[str, Any]:
        its = cards(devices, up_s, now)
        total, accepted = sum(card.rate_hs for card in its), sum(card.accepted for card in its)
        rejected = sum(card.rejected for card in its)
        return {"id": 0, "jsonrpc": "2.0", "result": [
            version, str(int(up_s // 60)), f"{total // 1000};{accepted};{rejected}",
            ";".join(str(card.rate_hs // 1000) for card in its), "0;0;0", ";".join(["off"] * devices),
            ";".join(f"{card.temperature_c};{card.fan_percent}" for card in its), POOL, "0;0;0;0",
        ]}  # fmt: skip

    return answer


def getstat2(version: str) -> Callable[[int, float, float], Any]:
    def answer(devices: int, up_s: float, now: float) -> dict[str, Any]:
        its = cards(devices, up_s, now)
        told: dict[str, Any] = getstat1(version)(devices, up_s, now)
        shares = [";".join(str(count) for count in counts) for counts in (
            [card.accepted for card in its], [card.rejected for card in its], [0] * devices,
        )]  # fmt: skip
        buses = ";".join(str(card.bus) for card in its)
        power = str(round(sum(card.power_w for card in its)))
        told["result"] += [*shares, "", "", "", buses, "0;0;0;0;0;0", power]
        return told

    return answer


def _claymore(version: str) -> Answers:
    return {"miner_getstat1": getstat1(version), "miner_getstat2": getstat2(version)}


SOFTWARE: dict[str, Answers] = {
    "teamredminer": {
        "devs": teamredminer_devs,
        "pools": teamredminer_pools,
        "summary": teamredminer_summary,
        "devs2+pools2+summary2": teamredminer_refusal,
        "devdetails": teamredminer_devdetails,
    },
    "cpuminer": {"summary": cpuminer_summary, "threads": cpuminer_threads},
    "claymore": _claymore("15.0 stand-in - ETH"),
    "phoenixminer": _claymore("PM 6.2c stand-in - ETH"),
    "ethminer": {"miner_getstat1": getstat1("ethminer-0.19.0 stand-in")},
    "ttminer": {"miner_getstat1": getstat1("TT-Miner/6.0.0 stand-in")},
}


def asked_for(question: bytes) -> str:
    """`summary` of cpuminer, `command` of sgminer's API, `method` of JSON-RPC."""
    line = question.decode(errors="replace").strip("\0\n ")
    try:
        told = json.loads(line)
    except ValueError:
        return line
    return str(told.get("command") or told.get("method")) if isinstance(told, dict) else line


def end_of(answer: object) -> bytes:
    """Text and sgminer's answers end with a NUL, JSON-RPC's with the line."""
    return b"\n" if isinstance(answer, dict) and "jsonrpc" in answer else b"\0"
