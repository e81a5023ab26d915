"""The data of a device as `pyasic-rs` returns it."""

from typing import Any

DATA: dict[str, Any] = {
    "ip": "10.0.0.1", "mac": "02:00:00:00:00:01", "hostname": "x", "serial_number": None, "firmware_version": "24.09",
    "device_info": {"make": "AntMiner", "model": "S19 Pro", "firmware": "BraiinsOS", "algo": "SHA256"},
    "hashrate": {"value": 101.5, "unit": "TH/s", "algo": "SHA256"}, "expected_hashrate": None, "wattage": 3201.0,
    "uptime": 50_000, "is_mining": True, "fans": [{"position": 0, "rpm": 5800.0}, {"position": 1, "rpm": None}],
    "hashboards": [{"position": 0, "hashrate": {"value": 34.0, "unit": "TH/s"}, "inlet_chip_temperature": 61.0,
                    "outlet_chip_temperature": 70.0, "working_chips": 114, "expected_chips": 114}],
    "pools": [{"name": "", "pools": [
        {"url": "stratum+tcp://pool.example:3333", "user": "w", "active": True, "alive": True, "accepted_shares": 9,
         "rejected_shares": 1},
        {"url": "stratum+tcp://backup.example:3333", "user": "w", "active": False, "alive": True}]}],
}  # fmt: skip
