"""The real ASIC sentry against the real commander and fake ASICs, through what happens to each of them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from protocol.tokens import TokenKind, new_token

from tests.asic_sentry import PORT_BASE, AsicSentryProcess, fake_asics, running_asic_sentry, violations
from tests.farm import CommanderProcess, eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

ICERIVER = str(PORT_BASE + 80)


@pytest.fixture
def people(commander: CommanderProcess) -> Iterator[httpx.Client]:
    """The people's API."""
    with commander.client(commander.api_key()) as client:
        yield client


@pytest.fixture
def sentry(tmp_path: Path, commander: CommanderProcess) -> Iterator[AsicSentryProcess]:
    with running_asic_sentry(tmp_path / "sentry") as running:
        running.must("connect", "--url", commander.url)
        yield running


def address(network: str, number: int) -> str:
    return network.replace("0/24", str(number))


def add_rig(people: httpx.Client, name: str) -> dict[str, Any]:
    rig: dict[str, Any] = people.post("/api/v1/asic-rigs", json={"name": name}).raise_for_status().json()
    return rig


def moments(people: httpx.Client, rig: dict[str, Any]) -> list[str]:
    """Of the rig's logs, oldest first."""
    page = people.get(f"/api/v1/asic-rigs/{rig['id']}/logs", params={"limit": 1000}).raise_for_status().json()
    return [log["taken_at"] for log in reversed(page["logs"])]


def spooled(sentry: AsicSentryProcess) -> int:
    with closing(sqlite3.connect(sentry.store)) as db:
        return int(db.execute("SELECT count(*) FROM spool").fetchone()[0])


def test_add_says_which_of_the_two_failed_and_a_running_sentry_reports_at_once(
    commander: CommanderProcess, people: httpx.Client, sentry: AsicSentryProcess, network: str
) -> None:
    rig, ip = add_rig(people, "ks-01"), address(network, 1)
    with fake_asics(network, 2, "--kinds", "iceriver") as fakes:
        pin = rig["token"].rsplit("_", 1)[1]
        wrong = str(new_token(TokenKind.ASIC, pin=pin))
        bad_token = sentry.run("add", "--ip", ip, "--port", ICERIVER, "--token", wrong)
        bad_asic = sentry.run("add", "--ip", address(network, 9), "--port", ICERIVER, "--token", rig["token"])
        assert (bad_token.returncode, bad_asic.returncode) == (1, 1)
        assert bad_token.stderr.startswith("The token failed: The commander does not know it")
        assert bad_asic.stderr.startswith(f"The ASIC failed: {address(network, 9)} (refused)")
        assert sentry.list() == {}
        sentry.must("add", "--ip", ip, "--port", ICERIVER, "--token", rig["token"])
        sentry.becomes(ip, "online")
        eventually(lambda: len(moments(people, rig)) >= 2, within_s=60, what="two stored logs")
        shown = people.get(f"/api/v1/asic-rigs/{rig['id']}").json()
        assert shown["specs"]["model"] == "KS5L"
        assert shown["latest"]["lan_ip"] == ip
        sentry.must("remove", "--ip", ip)
        assert sentry.list() == {}
        assert violations(fakes) == {}


def test_a_removed_rig_s_asic_stays_listed_with_an_invalid_token_and_the_others_go_on(
    commander: CommanderProcess, people: httpx.Client, sentry: AsicSentryProcess, network: str
) -> None:
    rigs = {address(network, number): add_rig(people, f"ks-0{number}") for number in (1, 2)}
    with fake_asics(network, 2, "--kinds", "iceriver"):
        for ip, rig in rigs.items():
            sentry.must("add", "--ip", ip, "--port", ICERIVER, "--token", rig["token"])
        gone, left = rigs
        eventually(lambda: all(moments(people, rig) for rig in rigs.values()), within_s=60, what="both rigs' logs")
        people.delete(f"/api/v1/asic-rigs/{rigs[gone]['id']}").raise_for_status()
        sentry.becomes(gone, "invalid_token")
        assert sentry.list()[gone]["error"] == "rig_removed"
        known = len(moments(people, rigs[left]))
        eventually(lambda: len(moments(people, rigs[left])) > known + 1, within_s=60, what="the other's next logs")
        assert "Invalid token" in httpx.get(sentry.page, timeout=60).text
        anew = add_rig(people, "ks-01")
        sentry.must("add", "--ip", gone, "--port", ICERIVER, "--token", anew["token"])
        sentry.becomes(gone, "online")
        eventually(lambda: bool(moments(people, anew)), within_s=60, what="logs of the new rig")


def test_what_a_scan_finds_is_adopted_at_once_and_no_rig_twice(
    commander: CommanderProcess, people: httpx.Client, sentry: AsicSentryProcess, network: str
) -> None:
    site = people.post("/api/v1/site-tokens", json={"name": "tests"}).raise_for_status().json()
    sentry.must("connect", "--url", commander.url, "--site-token", site["token"])
    ports = [f"--port={PORT_BASE + port}" for port in (4028, 80)]
    with fake_asics(network, 50) as fakes:
        found = json.loads(sentry.must("scan", network, *ports, "--adopt", "--json"))
        assert len(found) == 50
        assert all(each["added"] for each in found)
        again = json.loads(sentry.must("scan", network, *ports, "--adopt", "--json"))
        assert len(again) == 50
        eventually(
            lambda: people.get("/api/v1/asic-stats").json()["rigs_alive"] == 50, within_s=60, what="50 ASICs alive"
        )
        assert violations(fakes) == {}
    rigs = people.get("/api/v1/asic-rigs").json()
    assert len(rigs) == 50
    assert f"KS5L-{address(network, 5)}" in {rig["name"] for rig in rigs}


def test_after_an_outage_and_a_kill_every_log_arrives_once_and_in_order(
    commander: CommanderProcess, people: httpx.Client, sentry: AsicSentryProcess, network: str
) -> None:
    rig, ip = add_rig(people, "ks-01"), address(network, 1)
    with fake_asics(network, 1, "--kinds", "iceriver"):
        sentry.must("add", "--ip", ip, "--port", ICERIVER, "--token", rig["token"])
        eventually(lambda: len(moments(people, rig)) >= 2, within_s=60, what="the first logs")
        commander.kill()
        eventually(lambda: spooled(sentry) >= 4, within_s=60, what="a spool")
        with closing(sqlite3.connect(sentry.store)) as db:
            kept = [row[0] for row in db.execute("SELECT taken_at_ms FROM spool ORDER BY id")]
        sentry.kill()
        sentry.start()
        commander.start()
        eventually(lambda: spooled(sentry) == 0, within_s=60, what="an empty spool")
        stored = moments(people, rig)
    assert stored == sorted(set(stored))
    assert len(stored) >= 2 + len(kept)


def test_sigterm_ends_it_cleanly(sentry: AsicSentryProcess) -> None:
    assert sentry.stop() == 0
    assert "Traceback" not in sentry.log.read_text()
