"""The commander's disk fills up: it reports that, loses no acknowledged log, and goes on when there is room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.farm import PASSWORD, CommanderProcess, eventually, running_commander

pytestmark = pytest.mark.system

LOGS_UNTIL_FULL = 3_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount the small file system that this test fills")
    command = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"this machine does not let a test mount a small file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def commander(small_disk: Path) -> Iterator[CommanderProcess]:
    with running_commander(small_disk) as serving:
        yield serving


class Reporter:
    """One rig that remembers which of its logs were acknowledged."""

    def __init__(self, rig_id: int, client: httpx.Client) -> None:
        self.rig_id = rig_id
        self.acknowledged: set[datetime] = set()
        self._client = client
        self._taken_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)

    def report(self) -> httpx.Response:
        self._taken_at += timedelta(seconds=1)
        noise = os.urandom(2_000).hex()  # an incompressible field, so that the disk fills within few logs
        log = {"taken_at": self._taken_at.isoformat(), "miners": [filler(noise)]}
        answer = self._client.post("/api/v1/sentry/logs", json={"logs": [log]})
        if answer.status_code == 200:
            assert answer.json()["stored"] == 1
            self.acknowledged.add(self._taken_at)
        return answer

    def refused(self) -> httpx.Response:
        """The first answer that is no OK."""
        for _ in range(LOGS_UNTIL_FULL):
            if (answer := self.report()).status_code != 200:
                return answer
        pytest.fail("the disk is full and the commander still says OK")


@contextmanager
def reporter(commander: CommanderProcess, people: httpx.Client) -> Iterator[Reporter]:
    created = people.post("/api/v1/cpu-gpu-rigs", json={"name": "On a small disk"}).raise_for_status().json()
    with commander.client(created["token"]) as client:
        yield Reporter(created["id"], client)


def filler(noise: str) -> dict[str, object]:
    devices = [{"device": noise[start : start + 60]} for start in range(0, len(noise), 60)]
    return {"software": "xmrig", "state": "mining", "devices": devices}


def fill(disk: Path) -> Path:
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (2**16, 2**12):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return path


def test_on_a_full_disk_reports_are_refused_reading_goes_on_and_it_recovers_by_itself(
    commander: CommanderProcess, small_disk: Path
) -> None:
    key, unused_key = commander.api_key("first"), commander.api_key("not used before the disk is full")
    with (
        commander.client(key) as people,
        commander.client(unused_key) as reader,
        reporter(commander, people) as rig,
    ):
        for _ in range(20):
            assert rig.report().status_code == 200
        in_the_way = fill(small_disk)

        refusal = rig.refused()
        assert refusal.status_code == 503
        assert int(refusal.headers["Retry-After"]) >= 1
        assert refusal.json()["code"] == "storage_away"
        assert stored(people, rig.rig_id) == rig.acknowledged
        assert reader.get("/api/v1/cpu-gpu-rigs").status_code == 200
        assert reader.get("/login").status_code == 200
        assert reader.get("/healthz").status_code == 503
        with commander.client() as browser:
            assert browser.post("/login", data={"password": "not it"}).status_code == 422
            assert browser.post("/login", data={"password": PASSWORD}).status_code == 303
            assert "On a small disk" in browser.get("/cpu-gpu").text

        in_the_way.unlink()
        eventually(lambda: rig.report().status_code == 200, within_s=60, what="the first OK after there was room")
        assert stored(people, rig.rig_id) == rig.acknowledged
        assert reader.get("/healthz").status_code == 200
        fill(small_disk)
        rig.refused()
    assert commander.stop() == 0, "a full disk is no failure of the end"
    assert "Traceback" not in commander.log.read_text(encoding="utf-8")


def stored(people: httpx.Client, rig_id: int) -> set[datetime]:
    """Page by page; a log that comes twice is a mistake."""
    taken: list[datetime] = []
    cursor: str | None = ""
    while cursor is not None:
        parameters = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
        page = people.get(f"/api/v1/cpu-gpu-rigs/{rig_id}/logs", params=parameters).raise_for_status().json()
        taken += [datetime.fromisoformat(log["taken_at"]) for log in page["logs"]]
        cursor = page.get("cursor")
    assert len(taken) == len(set(taken))
    return set(taken)
