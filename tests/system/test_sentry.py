"""The real CPU/GPU sentry against the real commander, through what happens to both of them."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from free_ports import free_port
from protocol.tokens import TokenKind, new_token

from tests.farm import CommanderProcess, eventually
from tests.sentry import SentryProcess, running_sentry

pytestmark = pytest.mark.system


@pytest.fixture
def people(commander: CommanderProcess) -> Iterator[httpx.Client]:
    """The people's API."""
    with commander.client(commander.api_key()) as client:
        yield client


@pytest.fixture
def sentry(tmp_path: Path) -> Iterator[SentryProcess]:
    with running_sentry(tmp_path / "sentry") as running:
        yield running


def add_rig(people: httpx.Client, name: str = "rig-07") -> dict[str, Any]:
    answer = people.post("/api/v1/cpu-gpu-rigs", json={"name": name})
    assert answer.status_code == 201, answer.text
    rig: dict[str, Any] = answer.json()
    return rig


def stored(people: httpx.Client, rig_id: int) -> list[str]:
    """The moments of the rig's logs, oldest first."""
    answer = people.get(f"/api/v1/cpu-gpu-rigs/{rig_id}/logs", params={"limit": 1000})
    return [log["taken_at"] for log in reversed(answer.json()["logs"])]


def spooled(sentry: SentryProcess) -> list[int]:
    """Moments in milliseconds."""
    with closing(sqlite3.connect(sentry.store)) as db:
        return [row[0] for row in db.execute("SELECT taken_at_ms FROM spool ORDER BY id")]


def test_enrolment_says_which_of_the_two_is_wrong(
    commander: CommanderProcess, people: httpx.Client, sentry: SentryProcess
) -> None:
    rig = add_rig(people)
    pin = rig["token"].rsplit("_", 1)[1]
    elsewhere = sentry.run("enroll", "--url", f"https://127.0.0.1:{free_port()}", "--token", rig["token"])
    unknown = sentry.run("enroll", "--url", commander.url, "--token", str(new_token(TokenKind.RIG, pin=pin)))
    assert (elsewhere.returncode, unknown.returncode) == (1, 1)
    assert "No commander can be reached" in elsewhere.stderr
    assert "does not know this token" in unknown.stderr
    assert sentry.status()["state"] == "not_enrolled"


def test_a_running_sentry_reports_as_soon_as_it_is_enrolled(
    commander: CommanderProcess, people: httpx.Client, sentry: SentryProcess
) -> None:
    rig = add_rig(people)
    sentry.enroll(commander.url, rig["token"])
    eventually(lambda: len(stored(people, rig["id"])) >= 2, within_s=60, what="two stored logs")
    shown = people.get(f"/api/v1/cpu-gpu-rigs/{rig['id']}").json()
    assert shown["specs"]["hostname"]
    assert shown["latest"]["memory_used_bytes"] > 0
    status = sentry.status()
    assert (status["state"], status["rig"]) == ("online", {"id": rig["id"], "name": "rig-07"})
    assert rig["token"] not in sentry.log.read_text()


def test_an_outage_is_spooled_and_arrives_once_and_in_order(
    commander: CommanderProcess, people: httpx.Client, sentry: SentryProcess
) -> None:
    rig = add_rig(people)
    sentry.enroll(commander.url, rig["token"])
    eventually(lambda: bool(stored(people, rig["id"])), within_s=60, what="the first log")
    commander.kill()
    sentry.becomes("spooling")
    eventually(lambda: len(spooled(sentry)) >= 3, within_s=60, what="three spooled logs")
    sentry.kill()
    status = sentry.status()
    assert (status["state"], status["running"]) == ("spooling", False)
    assert "State: stopped" in sentry.run("status").stdout
    waiting = spooled(sentry)
    sentry.start()
    commander.start()
    sentry.becomes("online")
    eventually(lambda: not spooled(sentry), within_s=60, what="an empty spool")
    moments = stored(people, rig["id"])
    assert len(moments) == len(set(moments))
    assert len(moments) > len(waiting)
    assert sentry.status()["rejected_logs"] == 0


def test_a_replaced_token_keeps_the_spool_until_the_new_one_comes(
    commander: CommanderProcess, people: httpx.Client, sentry: SentryProcess
) -> None:
    rig = add_rig(people)
    sentry.enroll(commander.url, rig["token"])
    eventually(lambda: bool(stored(people, rig["id"])), within_s=60, what="the first log")
    new = people.post(f"/api/v1/cpu-gpu-rigs/{rig['id']}/token").json()["token"]
    sentry.becomes("invalid_token")
    eventually(lambda: len(spooled(sentry)) >= 2, within_s=60, what="two spooled logs")
    before = len(stored(people, rig["id"]))
    sentry.enroll(commander.url, new)
    sentry.becomes("online")
    eventually(lambda: len(stored(people, rig["id"])) >= before + 2, within_s=60, what="the spooled logs")


def test_a_removed_rig_s_sentry_stops_and_can_be_given_another_rig(
    commander: CommanderProcess, people: httpx.Client, sentry: SentryProcess
) -> None:
    rig = add_rig(people)
    sentry.enroll(commander.url, rig["token"])
    eventually(lambda: bool(stored(people, rig["id"])), within_s=60, what="the first log")
    people.delete(f"/api/v1/cpu-gpu-rigs/{rig['id']}")
    sentry.becomes("removed")
    assert spooled(sentry) == []
    page = httpx.get(f"http://127.0.0.1:{sentry.ui_port}/", timeout=60).text
    assert "Removed" in page
    assert rig["token"] not in page
    again = add_rig(people, "rig-08")
    sentry.enroll(commander.url, again["token"])
    eventually(lambda: bool(stored(people, again["id"])), within_s=60, what="the new rig's first log")


def is_told_of_two(sentry: SentryProcess) -> bool:
    return bool(sentry.status()["two_sentries"])


def test_two_sentries_with_one_token_are_both_told(
    commander: CommanderProcess, people: httpx.Client, sentry: SentryProcess, tmp_path: Path
) -> None:
    """Both have the same data folder, and run on one machine."""
    rig = add_rig(people)
    sentry.enroll(commander.url, rig["token"])
    sentry.kill()
    shutil.copytree(sentry.folder / "data", tmp_path / "second" / "data")
    sentry.start()
    with running_sentry(tmp_path / "second") as second:
        for each in (sentry, second):
            eventually(partial(is_told_of_two, each), within_s=60, what="the warning")
        page = httpx.get(f"http://127.0.0.1:{second.ui_port}/", timeout=60).text
    assert "Another sentry reports with the same token" in page
