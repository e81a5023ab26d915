"""Two hundred rigs and a real commander: forty on a dead switch are one message, also while the commander is killed.

Of two web nodes on NATS and PostgreSQL, one sends it.
"""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from free_ports import free_port
from scaled_farm import WebNode, scaled_farm

from tests.farm import CommanderProcess, eventually
from tests.http_servers import Answer, TakenRequest, answering

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

RIGS, SWITCH, KILLS = 200, 40, 20
OFFLINE_AFTER_S, GROUP_WAIT_S, CLEAR_S = 40, 10, 10
TAG = "switch:sw-3"
SETTINGS = {
    "COMMANDER_TLS": "off",
    "COMMANDER_NOTIFY_LOOPBACK": "true",
    "COMMANDER_INCIDENT_GROUP_WAIT_S": str(GROUP_WAIT_S),
    "COMMANDER_STALE_AFTER_S": "20",
    "COMMANDER_OFFLINE_AFTER_S": "30",
}
AnyCommander = CommanderProcess | WebNode


@dataclass
class Sinks:
    """A mail server and an HTTP server on loopback, with what they took."""

    mail_port: int = field(default_factory=free_port)
    hook_port: int = 0
    mails: list[str] = field(default_factory=list)
    posts: list[dict[str, object]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        subject = str(message_from_bytes(envelope.content, policy=policy.default)["Subject"])
        if "reporting" in subject:  # a slow machine may also make the commander tell of a slow database
            self.mails.append(subject)
        return "250 OK"

    def events(self) -> list[object]:
        return [post["event"] for post in self.posts]


@contextmanager
def running_sinks() -> Iterator[Sinks]:
    sinks = Sinks()

    def take(request: TakenRequest) -> Answer:
        post = json.loads(request.body)
        if post["incident"]["rule"] == "offline":
            sinks.posts.append(post)
        return Answer()

    mail = Controller(sinks, hostname="127.0.0.1", port=sinks.mail_port)
    mail.start()
    try:
        with answering(take) as sinks.hook_port:
            yield sinks
    finally:
        mail.stop()


@dataclass
class Asics:
    """Two hundred ASICs of one site; those in `silent` do not report."""

    commander: AnyCommander
    tokens: list[str]
    silent: set[int] = field(default_factory=set)
    rounds: int = 0
    ends: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Reports every three seconds until it ends; a commander that is down gets nothing."""
        while not self.ends.is_set():
            log = {
                "taken_at": datetime.now(UTC).isoformat(),
                "hashrate_hs": 110e12,
                "algorithm": "SHA-256",
                "lan_ip": "192.168.1.50",
                "pools": [{"url": "pool.example:3333", "user": "farm", "accepted": self.rounds, "rejected": 0}],
            }
            items = [
                {"token": token, "logs": [log]} for number, token in enumerate(self.tokens) if number not in self.silent
            ]
            try:
                with self.commander.client() as client:
                    client.post("/api/v1/sentry/asic-logs", json={"items": items})
                self.rounds += 1
            except httpx.HTTPError:
                pass
            self.ends.wait(3)


@contextmanager
def reporting(commander: AnyCommander, key: str) -> Iterator[Asics]:
    with commander.client(key) as people:
        site = people.post("/api/v1/site-tokens", json={"name": "hall 1"}).raise_for_status().json()["token"]
        found = [{"name": f"asic-{number:03}", "key": f"02:00:00:00:00:{number:02x}"} for number in range(RIGS)]
        adopted = people.post(
            "/api/v1/sentry/asic-rigs", json={"rigs": found}, headers={"Authorization": f"Bearer {site}"}
        )
        tokens = [rig["token"] for rig in adopted.raise_for_status().json()["rigs"]]
        ids = {rig["name"]: rig["id"] for rig in people.get("/api/v1/asic-rigs").raise_for_status().json()}
        tagged = [ids[f"asic-{number:03}"] for number in range(SWITCH)]
        people.post(
            "/api/v1/tags", json={"rigs": tagged, "kind": "asic", "add": [TAG], "remove": []}
        ).raise_for_status()
    asics = Asics(commander, tokens)
    thread = threading.Thread(target=asics.run)
    thread.start()
    try:
        yield asics
    finally:
        asics.ends.set()
        thread.join(timeout=90)


def prepare(commander: AnyCommander, key: str, sinks: Sinks) -> None:
    """Adds both channels, and shortens the waits."""
    mail: dict[str, object] = {"host": "127.0.0.1", "port": sinks.mail_port, "security": "none"}
    mail |= {"sender": "farm@example.com", "recipients": ["anna@example.com"]}
    with commander.client(key) as people:
        for name, kind, settings in (
            ("mail", "email", mail),
            ("hook", "webhook", {"url": f"http://127.0.0.1:{sinks.hook_port}/"}),
        ):
            channel = {"name": name, "kind": kind, "settings": settings}
            people.post("/api/v1/notification-channels", json=channel).raise_for_status()
        rules = people.get("/api/v1/alert-rules").raise_for_status().json()["rules"]
        (rule_id,) = [rule["id"] for rule in rules if rule["rule"] == "offline"]
        limits = {"rule": "offline", "critical": OFFLINE_AFTER_S, "for_s": 0, "clear_for_s": CLEAR_S}
        people.put(f"/api/v1/alert-rules/{rule_id}", json=limits).raise_for_status()


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[CommanderProcess]:
    commander = CommanderProcess(tmp_path / "commander", more=SETTINGS)
    commander.start()
    try:
        yield commander
    finally:
        commander.kill()


def check_opened(post: dict[str, object]) -> None:
    incident = post["incident"]
    assert isinstance(incident, dict)
    assert len(incident["rigs"]) == SWITCH
    assert incident["rule"] == "offline"
    group = {"group": f"tag {TAG}", "failing": SWITCH, "members": SWITCH, "others_failing": 0}
    assert incident["in_common"] == group | {"others": RIGS - SWITCH}


def test_forty_rigs_with_one_tag_are_one_message_on_each_channel(watching: CommanderProcess) -> None:
    check_one_message(watching, watching, watching.api_key())


@pytest.mark.servers
def test_of_two_web_nodes_one_sends_the_message(tmp_path: Path) -> None:
    with scaled_farm(tmp_path, web=2, workers=1, hasty=True, **SETTINGS) as farm:
        first, second = farm.web
        check_one_message(first, second, farm.api_key())


def check_one_message(first: AnyCommander, second: AnyCommander, key: str) -> None:
    """Lets rigs report to one commander, and people use the other one. They may be the same."""
    with running_sinks() as sinks, reporting(first, key) as asics:
        prepare(second, key, sinks)
        eventually(lambda: asics.rounds >= 2, within_s=60, what="two rounds of reports")
        asics.silent = set(range(SWITCH))
        eventually(
            lambda: len(sinks.posts) == 1 and len(sinks.mails) == 1,
            within_s=OFFLINE_AFTER_S + GROUP_WAIT_S + 60,
            what="the opening",
        )
        assert sinks.events() == ["opened"]
        check_opened(sinks.posts[0])
        assert f"{SWITCH} rigs stopped reporting" in sinks.mails[0]
        asics.silent = set()
        eventually(lambda: len(sinks.posts) == 2 and len(sinks.mails) == 2, within_s=CLEAR_S + 90, what="the closing")
        assert sinks.events() == ["opened", "closed"]
    with second.client(key) as people:
        assert people.get("/api/v1/incidents?state=open").json()["incidents"] == []
        (incident,) = people.get("/api/v1/incidents?state=closed").json()["incidents"]
    assert len(incident["rigs"]) == SWITCH


@pytest.mark.parametrize("seed", [20_261_129])
def test_kills_at_random_moments_lose_no_message_and_repeat_one_at_most(watching: CommanderProcess, seed: int) -> None:
    key, chance = watching.api_key(), random.Random(seed)  # noqa: S311 - moments, not secrets
    with running_sinks() as sinks, reporting(watching, key) as asics:
        prepare(watching, key, sinks)
        eventually(lambda: asics.rounds >= 2, within_s=60, what="two rounds of reports")
        asics.silent = set(range(SWITCH))
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.5, 6))
            watching.kill()
            watching.start()
        eventually(
            lambda: "opened" in sinks.events() and bool(sinks.mails),
            within_s=OFFLINE_AFTER_S + GROUP_WAIT_S + 90,
            what="the opening",
        )
        asics.silent = set()
        eventually(lambda: "closed" in sinks.events(), within_s=CLEAR_S + 120, what="the closing")
        assert 1 <= sinks.events().count("opened") <= 2
        assert 1 <= sinks.events().count("closed") <= 2
        assert set(sinks.events()) == {"opened", "closed"}
        check_opened(sinks.posts[0])
