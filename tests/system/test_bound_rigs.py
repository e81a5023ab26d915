"""A rig's token is of use on its own machine alone: real sentries, and a thief with the token."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.farm import CommanderProcess, eventually
from tests.sentry import SentryProcess, running

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
RIGS = "/api/v1/cpu-gpu-rigs"
LOGS = "/api/v1/sentry/logs"


@pytest.fixture
def people(commander: CommanderProcess) -> Iterator[httpx.Client]:
    """The people's API."""
    with commander.client(commander.api_key()) as client:
        yield client


def reports(people: httpx.Client, rig_id: int) -> None:
    """Waits for another log of the rig."""

    def newest() -> object:
        return (people.get(f"{RIGS}/{rig_id}").json()["latest"] or {}).get("taken_at")

    before = newest()
    eventually(lambda: newest() != before, within_s=60, what="the next log")


def key_in(sentry: SentryProcess) -> str:
    with closing(sqlite3.connect(sentry.store)) as db:
        return str(db.execute("SELECT key FROM identity").fetchone()[0])


def test_a_stolen_token_is_refused_and_the_rig_goes_on_until_a_new_token_moves_it(
    commander: CommanderProcess, people: httpx.Client, tmp_path: Path
) -> None:
    rig = people.post(RIGS, json={"name": "rig-07"}).json()
    first, second = SentryProcess(tmp_path / "first"), SentryProcess(tmp_path / "second")
    with running(first), running(second), commander.client(rig["token"]) as thief:
        first.enroll(commander.url, rig["token"])
        reports(people, rig["id"])
        for answer in (thief.get("/api/v1/sentry/inbox"), thief.post(LOGS, json={"logs": []})):
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        refused = second.run("enroll", "--url", commander.url, "--token", rig["token"])
        assert (refused.returncode, "whose sentry has another key" in refused.stderr) == (1, True)
        reports(people, rig["id"])
        token = people.post(f"{RIGS}/{rig['id']}/token").json()["token"]
        second.enroll(commander.url, token)
        second.becomes("online", within_s=60)
        reports(people, rig["id"])
        first.becomes("invalid_token", within_s=60)
        moved = first.run("enroll", "--url", commander.url, "--token", token)
        assert (moved.returncode, "whose sentry has another key" in moved.stderr) == (1, True)


def test_the_same_machine_may_leave_and_come_back_and_lose_its_store(
    commander: CommanderProcess, people: httpx.Client, tmp_path: Path
) -> None:
    rig = people.post(RIGS, json={"name": "rig-07"}).json()
    sentry = SentryProcess(tmp_path / "sentry")
    with running(sentry):
        sentry.enroll(commander.url, rig["token"])
        reports(people, rig["id"])
        key = key_in(sentry)
        assert sentry.run("leave", "--yes").returncode == 0
        sentry.enroll(commander.url, rig["token"])
        reports(people, rig["id"])
        sentry.kill()
        for path in sentry.store.parent.glob("sentry.db*"):
            path.unlink()
        sentry.start()
        reports(people, rig["id"])
        assert (key_in(sentry), re.fullmatch("[0-9a-f]{32}", key) is not None) == (key, True)
