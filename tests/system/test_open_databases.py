"""Several programs use a database that one of them holds open; none drops its locks."""

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.asic_sentry import PORT_BASE, fake_asics
from tests.farm import CommanderProcess, eventually
from tests.raw_opens import SAID, audited
from tests.sentry import ASIC_SENTRY, SentryProcess, running

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

ICERIVER = str(PORT_BASE + 80)


@pytest.fixture
def people(commander: CommanderProcess) -> Iterator[httpx.Client]:
    """The people's API."""
    with commander.client(commander.api_key()) as client:
        yield client


@pytest.fixture
def sentry(tmp_path: Path) -> Iterator[SentryProcess]:
    with running(SentryProcess(tmp_path / "sentry", command=audited)) as started:
        yield started
        assert SAID not in started.log.read_text()


@pytest.fixture
def asic_sentry(tmp_path: Path) -> Iterator[SentryProcess]:
    with running(SentryProcess(tmp_path / "asic-sentry", ASIC_SENTRY, command=audited)) as started:
        yield started
        assert SAID not in started.log.read_text()


def must(sentry: SentryProcess, *arguments: str) -> str:
    done = sentry.run(*arguments)
    assert (done.returncode, SAID in done.stderr) == (0, False), done.stderr
    return done.stdout


def page_of(sentry: SentryProcess) -> str:
    return httpx.get(f"http://127.0.0.1:{sentry.ui_port}/", timeout=60).text


def waiting(sentry: SentryProcess) -> int:
    found = re.search(r"Logs waiting here</dt><dd>(\d+)<", page_of(sentry))
    return int(found[1]) if found else 0


def rows(sentry: SentryProcess, table: str) -> int:
    with closing(sqlite3.connect(sentry.store)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - a test's own word


def test_after_a_form_and_a_command_nothing_that_waits_is_lost_with_the_sentry(
    commander: CommanderProcess, people: httpx.Client, sentry: SentryProcess
) -> None:
    rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).raise_for_status().json()
    assert sentry.send("enroll", url=commander.url, token=rig["token"]).status_code == 303
    sentry.becomes("online")  # runs the command `status`
    commander.kill()
    eventually(lambda: waiting(sentry) >= 5, within_s=60, what="five logs that wait, on the page")
    sentry.kill()
    assert rows(sentry, "spool") >= 4  # the newest may just be being written


def test_a_running_sentry_follows_watch_and_leave_after_a_form_and_a_command(
    commander: CommanderProcess, people: httpx.Client, sentry: SentryProcess
) -> None:
    rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).raise_for_status().json()
    assert sentry.send("enroll", url=commander.url, token=rig["token"]).status_code == 303
    sentry.becomes("online")
    must(sentry, "watch", "xmrig", "--port", "18080")
    eventually(lambda: "port 18080" in page_of(sentry), within_s=60, what="the watched miner on the page")
    assert sentry.send("unwatch", port="18080").status_code == 303
    must(sentry, "leave", "--yes")
    eventually(lambda: "Not enrolled" in page_of(sentry), within_s=60, what="the sentry's leaving")


def test_list_between_two_forms_loses_no_asic_and_no_token(
    commander: CommanderProcess, people: httpx.Client, asic_sentry: SentryProcess, network: str
) -> None:
    must(asic_sentry, "connect", "--url", commander.url)
    with fake_asics(network, 3, "--kinds", "iceriver"):
        for number in (1, 2, 3):
            rig = people.post("/api/v1/asic-rigs", json={"name": f"ks-0{number}"}).raise_for_status().json()
            ip = network.replace("0/24", str(number))
            added = asic_sentry.send("add", ip=ip, port=ICERIVER, model="", token=rig["token"])
            assert added.status_code == 303, added.text
            must(asic_sentry, "list")
    asic_sentry.kill()
    assert rows(asic_sentry, "asic") == 3
    assert must(asic_sentry, "list").count("ks-0") == 3


def test_a_commander_opens_its_database_by_sqlite_alone(tmp_path: Path, commander: CommanderProcess) -> None:
    assert commander.stop() == 0
    with (tmp_path / "audited.log").open("wb") as log:
        serving = subprocess.Popen(audited("commander", "serve"), env=commander.environment, stdout=log, stderr=log)
    try:
        eventually(lambda: _is_healthy(commander), within_s=120, what="the commander's start")
        for command in (["backup", str(tmp_path / "farm.backup")], ["api-key", "create", "a"], ["api-key", "list"]):
            line = audited("commander", *command)
            done = subprocess.run(line, env=commander.environment, capture_output=True, text=True, timeout=120)
            assert (done.returncode, SAID in done.stderr) == (0, False), done.stderr
    finally:
        serving.terminate()
        serving.wait(timeout=60)
    assert SAID not in (tmp_path / "audited.log").read_text()


def _is_healthy(commander: CommanderProcess) -> bool:
    try:
        with commander.client() as client:
            return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
