"""The watchdog's limits on their way from the commander's rule to a real sentry, which keeps them by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.farm import CommanderProcess, eventually
from tests.sentry import SentryProcess, running_sentry

pytestmark = pytest.mark.system
RULES = "/api/v1/watchdog-rules"


@pytest.fixture
def people(commander: CommanderProcess) -> Iterator[httpx.Client]:
    """The people's API."""
    with commander.client(commander.api_key()) as client:
        yield client


@pytest.fixture
def sentry(commander: CommanderProcess, people: httpx.Client, tmp_path: Path) -> Iterator[SentryProcess]:
    """The sentry of rig-07, enrolled."""
    rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).json()
    with running_sentry(tmp_path / "sentry") as running:
        running.enroll(commander.url, rig["token"])
        running.becomes("online")
        yield running


def may_reboot(sentry: SentryProcess) -> Any:
    return sentry.status()["ladder"]["reboots"]


def test_a_rule_reaches_the_sentry_which_obeys_it_without_a_commander(
    commander: CommanderProcess, people: httpx.Client, sentry: SentryProcess
) -> None:
    assert may_reboot(sentry) is False
    rule = people.post(RULES, json={"select": "name:rig-*", "limits": {"reboots": True}}).json()
    assert rule["rigs"] == 1
    eventually(lambda: may_reboot(sentry) is True, within_s=60, what="leave to reboot")
    commander.stop()
    sentry.kill()
    sentry.start()
    assert may_reboot(sentry) is True
    commander.start()
    sentry.becomes("online", within_s=60)
    with commander.client(commander.api_key("again")) as client:
        assert client.delete(f"{RULES}/{rule['id']}").status_code == 204
    eventually(lambda: may_reboot(sentry) is False, within_s=120, what="the usual limits")
