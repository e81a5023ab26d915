"""Answers of mining software with an HTTP API: a table of small generators."""

from collections.abc import Callable
from typing import Any

from fake_miner_cards import ACCOUNT, POOL, Card, cards, wave

Answers = dict[str, Callable[[int, float, float], Any]]


def xmrig_summary(devices: int, up_s: float, now: float) -> dict[str, Any]:
    total, good = int(up_s // 12) + 3, int(up_s // 12) + 3 - int(up_s // 900)
    rate = cpu_rate(now)
    return {
        "worker_id": "stand-in", "uptime": int(up_s),
        "version": "6.22.2 stand-in", "kind": "miner", "algo": "rx/0",
        "paused": False, "hashrate": {"total": [rate, rate * 0.99, None], "highest": rate * 1.02},
        "results": {"shares_good": good, "shares_total": total},
        "connection": {"pool": POOL, "accepted": good, "rejected": total - good},
    }  # fmt: skip


def xmrig_backends(devices: int, up_s: float, now: float) -> list[dict[str, Any]]:
    """`devices` are the CPU's threads."""
    rate = cpu_rate(now)
    threads = [{"affinity": thread, "hashrate": [rate / devices] * 2 + [None]} for thread in range(devices)]
    return [
        {
            "type": "cpu",
            "enabled": True,
            "algo": "rx/0",
            "hashrate": [rate, rate * 0.99, None],
            "threads": threads,
        },
        {"type": "opencl", "enabled": False, "algo": None},
        {"type": "cuda", "enabled": False, "algo": None},
    ]


def cpu_rate(now: float) -> float:
    return round(4800 + 120 * wave(now, 0), 2)


def lolminer_summary(devices: int, up_s: float, now: float) -> dict[str, Any]:
    rates = [round(61.5 + 0.9 * wave(now, device), 2) for device in range(devices)]
    shares = [int(up_s // 20) + device for device in range(devices)]
    return {
        "Software": "lolMiner 1.92 stand-in",
        "Session": {"Startup": int(now - up_s), "Uptime": int(up_s), "Last_Update": int(now)},
        "Num_Workers": devices, "Workers": [_worker(card) for card in cards(devices, up_s, now)],
        "Num_Algorithms": 1,
        "Algorithms": [{
            "Algorithm": "Autolykos V2", "Pool": POOL, "User": ACCOUNT, "Worker": "",
            "Performance_Unit": "Mh/s",
            "Performance_Factor": 1_000_000, "Total_Performance": sum(rates), "Total_Accepted": sum(shares),
            "Total_Rejected": int(up_s // 1800), "Total_Stales": int(up_s // 2400), "Total_Errors": 0,
            "Worker_Performance": rates, "Worker_Accepted": shares, "Worker_Rejected": [0] * devices,
            "Worker_Stales": [0] * devices, "Worker_Errors": [0] * devices,
        }],
    }  # fmt: skip


def _worker(card: Card) -> dict[str, Any]:
    return {
        "Index": card.index, "Name": "Stand-in GPU", "Power": card.power_w, "CCLK": 1410, "MCLK": 8100,
        "Core_Temp": card.temperature_c, "Juc_Temp": card.temperature_c + 12, "Mem_Temp": 0,
        "Fan_Speed": card.fan_percent, "PCIE_Address": f"{card.bus}:0",
    }  # fmt: skip


def trex_summary(devices: int, up_s: float, now: float) -> dict[str, Any]:
    its = cards(devices, up_s, now)
    return {
        "name": "t-rex", "version": "0.26.8 stand-in", "algorithm": "kawpow", "uptime": int(up_s), "gpu_total": devices,
        "hashrate": sum(card.rate_hs for card in its), "accepted_count": sum(card.accepted for card in its),
        "rejected_count": sum(card.rejected for card in its), "invalid_count": 0,
        "active_pool": {"url": f"stratum+tcp://{POOL}", "user": ACCOUNT, "worker": "", "ping": 20},
        "gpus": [{
            "gpu_id": card.index, "device_id": card.index, "name": "Stand-in GPU", "pci_bus": card.bus,
            "hashrate": card.rate_hs, "temperature": card.temperature_c, "fan_speed": card.fan_percent,
            "power": round(card.power_w), "cclock": 1410, "mclock": 8100,
            "shares": {"accepted_count": card.accepted, "rejected_count": card.rejected, "invalid_count": 0},
        } for card in its],
    }  # fmt: skip


def gminer_stat(devices: int, up_s: float, now: float) -> dict[str, Any]:
    its = cards(devices, up_s, now)
    return {
        "miner": "GMiner 3.44 stand-in", "uptime": int(up_s), "server": f"stratum+ssl://{POOL}", "user": ACCOUNT,
        "algorithm": "Etchash", "speed_unit": "H/s", "total_accepted_shares": sum(card.accepted for card in its),
        "total_rejected_shares": sum(card.rejected for card in its), "total_stale_shares": 0, "total_invalid_shares": 0,
        "devices": [{
            "gpu_id": card.index, "bus_id": f"0000:{card.bus:02X}:00.0", "name": "Stand-in GPU", "speed": card.rate_hs,
            "accepted_shares": card.accepted, "rejected_shares": card.rejected, "stale_shares": 0, "invalid_shares": 0,
            "fan": card.fan_percent, "temperature": card.temperature_c, "memory_temperature": 0,
            "core_clock": 1410, "memory_clock": 8100, "power_usage": round(card.power_w),
        } for card in its],
    }  # fmt: skip


def srbminer_status(devices: int, up_s: float, now: float) -> dict[str, Any]:
    its = cards(devices, up_s, now)
    rates: dict[str, float] = {f"gpu{card.index}": card.rate_hs for card in its}
    accepted, rejected = sum(card.accepted for card in its), sum(card.rejected for card in its)
    return {
        "rig_name": "stand-in", "miner_version": "3.4.6 stand-in", "mining_time": int(up_s), "total_cpu_workers": 0,
        "total_gpu_workers": devices,
        "gpu_devices": [{
            "device": f"gpu{card.index}", "model": "stand_in", "bus_id": card.bus, "temperature": card.temperature_c,
            "fan_speed_percent": card.fan_percent, "core_clock": 1410, "memory_clock": 8100,
            "asic_power": round(card.power_w),
        } for card in its],
        "algorithms": [{
            "id": 0, "name": "autolykos2", "pool": {"pool": POOL, "wallet": ACCOUNT},
            "shares": {"total": accepted + rejected, "accepted": accepted, "rejected": rejected},
            "hashrate": {"cpu": {"total": 0.0}, "gpu": {**rates, "total": sum(rates.values())}},
            "gpu_accepted_shares": {f"gpu{card.index}": card.accepted for card in its},
            "gpu_rejected_shares": {f"gpu{card.index}": card.rejected for card in its},
            "gpu_compute_errors": {f"gpu{card.index}": 0 for card in its},
        }],
    }  # fmt: skip


def rigel_stat(devices: int, up_s: float, now: float) -> dict[str, Any]:
    its, name = cards(devices, up_s, now), "kawpow"
    host, port = POOL.split(":")
    accepted, rejected = sum(card.accepted for card in its), sum(card.rejected for card in its)
    return {
        "name": "Rigel", "version": "1.23.2 stand-in", "uptime": int(up_s), "algorithm": name,
        "hashrate": {name: sum(card.rate_hs for card in its)},
        "solution_stat": {name: {"accepted": accepted, "rejected": rejected, "invalid": 0}},
        "pools": {name: [{"connection_details": {"hostname": host, "port": int(port), "username": ACCOUNT}}]},
        "devices": [{
            "id": card.index, "selected": True, "name": "Stand-in GPU", "pci_address": f"{card.bus:02x}:0",
            "state": "mining", "hashrate": {name: card.rate_hs},
            "solution_stat": {name: {"accepted": card.accepted, "rejected": card.rejected, "invalid": 0}},
            "monitoring_info": {
                "core_temperature": card.temperature_c, "memory_temperature": None, "fan_speed": card.fan_percent,
                "power_usage": card.power_w, "core_clock": 1410, "memory_clock": 8100,
            },
        } for card in its],
    }  # fmt: skip


def nbminer_status(devices: int, up_s: float, now: float) -> dict[str, Any]:
    its = cards(devices, up_s, now)
    total = sum(card.rate_hs for card in its)
    return {
        "version": "42.3 stand-in", "start_time": int(now - up_s), "reboot_times": 0,
        "stratum": {
            "algorithm": "ethash", "dual_mine": False, "url": POOL, "user": ACCOUNT, "invalid_shares": 0,
            "accepted_shares": sum(card.accepted for card in its),
            "rejected_shares": sum(card.rejected for card in its),
        },
        "miner": {
            "total_hashrate": f"{total / 1e6:.1f} M", "total_hashrate_raw": total, "total_hashrate2_raw": 0,
            "devices": [{
                "id": card.index, "info": "Stand-in GPU", "pci_bus_id": card.bus, "hashrate_raw": card.rate_hs,
                "hashrate": f"{card.rate_hs / 1e6:.2f} M", "temperature": card.temperature_c, "memTemperature": -1,
                "fan": card.fan_percent, "power": round(card.power_w), "core_clock": 1410, "mem_clock": 8100,
                "accepted_shares": card.accepted, "rejected_shares": card.rejected, "invalid_shares": 0,
            } for card in its],
        },
    }  # fmt: skip


SOFTWARE: dict[str, Answers] = {
    "xmrig": {"/2/summary": xmrig_summary, "/1/summary": xmrig_summary, "/2/backends": xmrig_backends},
    "lolminer": {"/summary": lolminer_summary, "/": lolminer_summary},
    "trex": {"/summary": trex_summary},
    "gminer": {"/stat": gminer_stat},
    "srbminer": {"/": srbminer_status},
    "rigel": {"/stat": rigel_stat, "/": rigel_stat},
    "nbminer": {"/api/v1/status": nbminer_status},
}
