"""A farm whose commander was killed, made once for many tests: each test has a copy of its folder."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.farm import CommanderProcess, eventually

CHANGES = 20  # so that the WAL has whole transactions before its middle and after it


@dataclass
class LeftCommander(CommanderProcess):
    """A commander that has been killed. `key` is an API key that is in the database itself, not only in the WAL."""

    key: str = ""

    def database(self, suffix: str = "") -> Path:
        return self.data_dir / f"commander.db{suffix}"

    def copied_to(self, folder: Path) -> "LeftCommander":
        """Returns a commander on a port of its own, with a copy of each file and of its mode."""
        shutil.copytree(self.data_dir, folder / "data", symlinks=True)
        return LeftCommander(folder / "data", key=self.key)


def make_left_farm(folder: Path) -> LeftCommander:
    """Makes a farm of one rig, and kills its commander while the rig is in the WAL alone."""
    left = LeftCommander(folder / "data")
    left.start()
    left.key = left.api_key()
    number = left.database(".number")
    eventually(number.exists, within_s=60, what="the number of the first WAL")
    assert left.stop() == 0
    first = number.read_bytes()
    assert not left.database("-wal").exists()
    left.start()
    with left.client(left.key) as people:
        rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "new"}).raise_for_status().json()
        for name in (*(f"renamed-{each}" for each in range(CHANGES)), "rig-01"):
            people.patch(f"/api/v1/cpu-gpu-rigs/{rig['id']}", json={"name": name}).raise_for_status()
    eventually(lambda: number.read_bytes() != first, within_s=60, what="the number of the newest changes")
    left.kill()
    return left
