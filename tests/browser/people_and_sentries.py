"""Sentries and scripts that send requests to the commander whose pages the browser shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import httpx
from commander_farm import S19_PRO, an_asic_log

from tests.farm import PASSWORD, CommanderProcess


@dataclass
class Farm:
    """The commander's API as a script and as sentries use it."""

    client: httpx.Client

    @classmethod
    def of(cls, commander: CommanderProcess) -> "Farm":
        client = commander.client()
        answer = client.post("/login", data={"password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return cls(client)

    def add(self, name: str) -> "Rig":
        answer = self.client.post("/api/v1/cpu-gpu-rigs", json={"name": name})
        assert answer.status_code == 201, answer.text
        return Rig(self, answer.json()["id"], name, answer.json()["token"])

    def farm_token(self, **more: object) -> str:
        answer = self.client.post("/api/v1/farm-tokens", json=more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def enrol(self, farm_token: str, hostname: str) -> "Rig":
        """A machine enrols by itself."""
        headers, body = {"Authorization": f"Bearer {farm_token}"}, {"key": token_hex(16), "hostname": hostname}
        answer = self.client.post("/api/v1/sentry/enrol", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return Rig(self, answer.json()["rig"]["id"], answer.json()["rig"]["name"], answer.json()["token"])

    def rename(self, rig: "Rig", name: str) -> None:
        self.client.patch(f"/api/v1/cpu-gpu-rigs/{rig.id}", json={"name": name}).raise_for_status()

    def tag(self, kind: str, rig_id: int, *tags: str) -> None:
        body = {"kind": kind, "rigs": [rig_id], "add": tags}
        self.client.post("/api/v1/tags", json=body).raise_for_status()

    def remove(self, rig: "Rig") -> None:
        self.client.delete(f"/api/v1/cpu-gpu-rigs/{rig.id}").raise_for_status()

    def add_asic(self, name: str) -> "Asic":
        answer = self.client.post("/api/v1/asic-rigs", json={"name": name})
        assert answer.status_code == 201, answer.text
        return Asic(self, answer.json()["id"], name, answer.json()["token"])

    def remove_asic(self, asic: "Asic") -> None:
        self.client.delete(f"/api/v1/asic-rigs/{asic.id}").raise_for_status()

    def report_asics(self, *items: dict[str, object]) -> list[dict[str, object]]:
        """One request, as an ASIC sentry sends it; the results."""
        answer = self.client.post("/api/v1/sentry/asic-logs", json={"items": items})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])

    def add_watchdog_rule(self, select: str, **limits: object) -> int:
        answer = self.client.post("/api/v1/watchdog-rules", json={"select": select, "limits": limits})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def add_channel(self) -> int:
        """Returns a channel whose test has failed."""
        settings = {"url": "http://hook.invalid/"}
        quiet = {"from": "22:00", "until": "07:00", "time_zone": "Europe/Berlin"}
        body = {"name": "hook", "kind": "webhook", "settings": settings, "quiet": quiet, "only_after_s": 600}
        answer = self.client.post("/api/v1/notification-channels", json=body)
        assert answer.status_code == 201, answer.text
        self.client.post(f"/api/v1/notification-channels/{answer.json()['id']}/test").raise_for_status()
        return int(answer.json()["id"])

    def add_alert_rule(self, rule: str, **more: object) -> int:
        answer = self.client.post("/api/v1/alert-rules", json={"rule": rule, **more})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def clear(self) -> None:
        for rule in self.client.get("/api/v1/alert-rules").json()["rules"]:
            if not rule["shipped"]:
                self.client.delete(f"/api/v1/alert-rules/{rule['id']}").raise_for_status()
        for channel in self.client.get("/api/v1/notification-channels").json()["channels"]:
            self.client.delete(f"/api/v1/notification-channels/{channel['id']}").raise_for_status()
        for rule in self.client.get("/api/v1/watchdog-rules").json()["rules"]:
            self.client.delete(f"/api/v1/watchdog-rules/{rule['id']}").raise_for_status()
        for things in ("cpu-gpu-rigs", "asic-rigs", "site-tokens"):
            for thing in self.client.get(f"/api/v1/{things}").json():
                self.client.delete(f"/api/v1/{things}/{thing['id']}").raise_for_status()


@dataclass
class Rig:
    farm: Farm
    id: int
    name: str
    token: str

    def report(self, *, hashrate_hs: float = 17_000.0, run: str = "one", **more: object) -> None:
        """One log of a rig that mines Monero with its CPU, taken now."""
        log = log_of(hashrate_hs) | more
        headers = {"Authorization": f"Bearer {self.token}", "Sentry-Run": run}
        answer = self.farm.client.post("/api/v1/sentry/logs", json={"logs": [log]}, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["rejected"] == []

    def refused(self, log: Mapping[str, object]) -> None:
        """Sends a log that the commander refuses."""
        headers = {"Authorization": f"Bearer {self.token}", "Sentry-Run": "one"}
        answer = self.farm.client.post("/api/v1/sentry/logs", json={"logs": [log]}, headers=headers)
        assert len(answer.json()["rejected"]) == 1, answer.text

    def act(self, act: str, reason: str) -> None:
        """Reports what the rig's watchdog did."""
        events = [{"id": reason[:64], "act": act, "reason": reason, "age_s": 60}]
        headers = {"Authorization": f"Bearer {self.token}"}
        self.farm.client.post("/api/v1/sentry/events", json={"events": events}, headers=headers).raise_for_status()

    def send(self, logs: Sequence[Mapping[str, object]]) -> None:
        """Logs of a past that a test makes up, a few hundred at a time as a spool does."""
        headers = {"Authorization": f"Bearer {self.token}", "Sentry-Run": "one"}
        for start in range(0, len(logs), 300):
            part = list(logs[start : start + 300])
            answer = self.farm.client.post("/api/v1/sentry/logs", json={"logs": part}, headers=headers)
            assert answer.json()["rejected"] == [], answer.text

    def tell_specs(self, specs: dict[str, object]) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        self.farm.client.put("/api/v1/sentry/specs", json=specs, headers=headers).raise_for_status()


@dataclass
class Asic:
    farm: Farm
    id: int
    name: str
    token: str

    def report(self, **more: object) -> dict[str, object]:
        """One log of an S19 Pro, taken now; its result."""
        return self.farm.report_asics({"token": self.token, "specs": S19_PRO, "logs": [an_asic_log() | more]})[0]

    def send_past(self, *, minutes: int, gap: range = range(0)) -> None:
        """A log for each of the last minutes but those of the gap, given in minutes ago."""
        logs = [an_asic_log(60 * ago) for ago in range(minutes, 0, -1) if ago not in gap]
        assert self.farm.report_asics({"token": self.token, "specs": S19_PRO, "logs": logs})[0]["rejected"] == []


def past_of(
    *, minutes: float, every_s: float = 10, gap: tuple[float, float] | None = None, gpus: int = 0
) -> list[dict[str, object]]:
    """Logs of the last minutes, from the oldest on; none `gap` minutes ago (from, to). The hashrate climbs slowly."""
    count = int(minutes * 60 / every_s)
    logs = []
    for number in range(count):
        ago_s = (count - number) * every_s
        if gap is None or not gap[1] * 60 < ago_s < gap[0] * 60:
            taken_at = datetime.now(UTC) - timedelta(seconds=ago_s)
            logs.append(log_of(17_000 + 1_000 * number / count, accepted=number) | {"taken_at": taken_at.isoformat()})
            logs[-1]["gpus"] = [gpu_of(card) for card in range(gpus)]
    return logs


def gpu_of(card: int) -> dict[str, object]:
    return {
        "pci_address": f"0000:{card + 3:02x}:00.0",
        "temperature_c": 55.0 + card,
        "memory_temperature_c": 80.0 + card,
        "fan_percent": 60.0 + card,
        "power_w": 120.0 + card,
        "core_clock_mhz": 1410.0,
        "memory_clock_mhz": 9501.0,
    }


def log_of(hashrate_hs: float, *, accepted: int = 1000) -> dict[str, object]:
    algorithm = {
        "algorithm": "rx/0",
        "coin": "Monero",
        "hashrate_hs": hashrate_hs,
        "accepted": accepted,
        "rejected": 3,
        "pool": "pool.example:443",
        "user": "49gTkcn9VPCcWzSxVhbhtv4G6YEqzZ1XgjW2tFvP8Q7p3T1yEXAMPLE",
    }
    miner = {
        "software": "xmrig",
        "version": "6.22.2",
        "state": "mining",
        "uptime_s": 5000,
        "algorithms": [algorithm],
        "devices": [{"device": "cpu", "hashrates_hs": [hashrate_hs]}],
    }
    return {
        "taken_at": datetime.now(UTC).isoformat(),
        "uptime_s": 86_400,
        "lan_ip": "192.168.1.20",
        "cpu": {"temperature_c": 61.0, "power_w": 105.5, "load_percent": 99.0},
        "memory_used_bytes": 8_123_456_789,
        "miners": [miner],
    }
