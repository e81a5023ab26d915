"""Farm tokens with real programs: a commander that is killed, a prepared disk, and a disk that was only copied."""

import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.farm import ROOT, CommanderProcess, eventually
from tests.sentry import SentryProcess, running

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

RIGS = "/api/v1/cpu-gpu-rigs"
FARM_TOKENS = "/api/v1/farm-tokens"
Json = dict[str, Any]


@pytest.fixture
def people(commander: CommanderProcess) -> Iterator[httpx.Client]:
    """The people's API."""
    with commander.client(commander.api_key()) as client:
        yield client


def farm_token(people: httpx.Client, **more: object) -> str:
    answer = people.post(FARM_TOKENS, json=more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def rigs(people: httpx.Client) -> dict[str, Json]:
    return {rig["name"]: rig for rig in people.get(RIGS).json()}


def on_machine(number: int) -> Callable[..., list[str]]:
    """The sentry's commands as another machine runs them."""

    def command(_module: str, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "tests" / "other_machine.py"), f"02:00:00:00:00:{number:02x}", *arguments]

    return command


def test_forty_uses_are_forty_rigs_also_if_the_commander_is_killed_meanwhile(
    commander: CommanderProcess, people: httpx.Client
) -> None:
    token = farm_token(people, uses=40, name_pattern="gpu-{n:03}")
    keys = [secrets.token_hex(16) for _ in range(40)]

    def enrol(key: str) -> int:
        """Returns the status; 0 if the commander ended before its answer."""
        try:
            with commander.client(token) as client:
                return client.post("/api/v1/sentry/enrol", json={"key": key, "hostname": "host"}).status_code
        except httpx.TransportError:
            return 0

    with ThreadPoolExecutor(8) as threads:
        first = [threads.submit(enrol, key) for key in keys]
        eventually(lambda: sum(each.done() for each in first) >= 5, within_s=60, what="five enrolments")
        commander.kill()
        statuses = [each.result() for each in first]
    assert set(statuses) <= {0, 201}
    commander.start()
    assert [enrol(key) for key in keys] == [201] * 40
    assert enrol(secrets.token_hex(16)) == 403
    assert sorted(rigs(people)) == [f"gpu-{number:03}" for number in range(1, 41)]


@pytest.mark.parametrize("kind", ["farm", "rig"])
def test_a_copied_data_folder_is_noticed_and_becomes_a_rig_of_its_own(
    commander: CommanderProcess, people: httpx.Client, tmp_path: Path, kind: str
) -> None:
    if kind == "farm":
        token = farm_token(people, name_pattern="rig-{n:02}", approve_by_hand=False)
    else:
        token = people.post(RIGS, json={"name": "rig-01"}).json()["token"]
    first = SentryProcess(tmp_path / "first", command=on_machine(1))
    second = SentryProcess(tmp_path / "second", command=on_machine(2))
    first.enroll(commander.url, token)
    shutil.copytree(first.folder / "data", second.folder / "data")
    with running(first), running(second):
        eventually(lambda: "copy of rig-01" in rigs(people), within_s=60, what="the rig of the copy")
        first.becomes("online")
        second.becomes("online")
        eventually(lambda: rigs(people)["copy of rig-01"]["health"] == "online", within_s=60, what="its first report")
        assert [second.status()["rig"]["name"], first.status()["rig"]["name"]] == ["copy of rig-01", "rig-01"]
        found = rigs(people)
    assert {name: rig["approved"] for name, rig in found.items()} == {"rig-01": True, "copy of rig-01": False}
    assert not any(rig["two_sentries"] for rig in found.values())


def test_a_prepared_disk_enrols_by_itself_at_its_first_start(
    commander: CommanderProcess, people: httpx.Client, tmp_path: Path
) -> None:
    token = farm_token(people, uses=2, name_pattern="rig-{n:02}")
    original = SentryProcess(tmp_path / "original", command=on_machine(1))
    original.enroll(commander.url, token)
    with running(original):
        original.becomes("online")
        refused = original.run("prepare-image")
        assert (refused.returncode, "stop it first" in refused.stderr) == (1, True)
    done = original.run("prepare-image")
    assert done.returncode == 0, done.stderr
    assert original.status()["state"] == "not_enrolled"
    copy = SentryProcess(tmp_path / "copy", command=on_machine(2))
    shutil.copytree(original.folder / "data", copy.folder / "data")
    with running(copy):
        copy.becomes("online", within_s=60)
        assert copy.status()["rig"]["name"] == "rig-02"
    assert sorted(rigs(people)) == ["rig-01", "rig-02"]
    assert copy.run("leave", "--yes").returncode == 0
    empty = copy.run("prepare-image")
    assert (empty.returncode, "no farm token" in empty.stderr) == (1, True)


def test_enroll_with_a_farm_token_again_changes_nothing(
    commander: CommanderProcess, people: httpx.Client, tmp_path: Path
) -> None:
    token = farm_token(people, uses=1, name_pattern="rig-{n:02}")
    sentry = SentryProcess(tmp_path / "sentry", command=on_machine(1))
    for _ in range(2):
        sentry.enroll(commander.url, token)
    (listed,) = people.get(FARM_TOKENS).json()["farm_tokens"]
    assert (listed["used"], list(rigs(people))) == (1, ["rig-01"])
    other = SentryProcess(tmp_path / "other", command=on_machine(2))
    refused = other.run("enroll", "--url", commander.url, "--token", token)
    assert (refused.returncode, "all of its uses are spent" in refused.stderr) == (1, True)
