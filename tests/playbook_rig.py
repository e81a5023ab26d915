"""A rig with its sentry, a commander that sends it playbooks, and a vendor that it downloads from.

All are real processes with real HTTPS, and belong to one test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from cpu_gpu_sentry.playbooks.processes import mark_of, marked, marks_below
from protocol.messages import MinerReading
from protocol.playbook_messages import PlaybookState, PlaybookStatus

from tests.farm import eventually
from tests.playbook_commander import StandInCommander, stand_in_commander
from tests.playbook_software import EXECUTABLE, Vendor, vendor
from tests.sentry import SentryProcess, running_sentry


@dataclass
class PlaybookRig:
    sentry: SentryProcess
    commander: StandInCommander
    shop: Vendor

    @property
    def data_dir(self) -> Path:
        return self.sentry.folder / "data"

    def processes(self) -> list[psutil.Process]:
        return processes_of(self.data_dir)

    def runs(self) -> list[tuple[str, str]]:
        """Playbook and run of everything that lives, each once."""
        marks = marks_below(f"{mark_of(self.data_dir)}:")
        return sorted((mark.split(":")[1], mark.split(":")[2]) for mark in marks)

    def miners(self) -> list[list[str]]:
        return miners_of(self.data_dir)

    def becomes(self, state: PlaybookState, name: str = "p1", within_s: float = 60) -> PlaybookStatus:
        eventually(
            lambda: (now := self.commander.status_of(name)) is not None and now.state is state,
            within_s=within_s,
            what=f"the state {state} of {name} (it is {self.commander.status_of(name)})",
        )
        found = self.commander.status_of(name)
        assert found is not None
        return found

    def fails(self, words: str, name: str = "p1", within_s: float = 60) -> PlaybookStatus:
        """With that in its reason."""

        def has_failed() -> bool:
            now = self.commander.status_of(name)
            return now is not None and now.state is PlaybookState.FAILED and words in (now.reason or "")

        eventually(has_failed, within_s=within_s, what=f"the failure of {name} for “{words}”")
        found = self.commander.status_of(name)
        assert found is not None
        return found

    def reported(self, name: str = "p1") -> MinerReading | None:
        """The newest of that playbook in the logs."""
        of_it = (miner for log in self.commander.logs[-1:] for miner in log.miners if miner.playbook_id == name)
        return next(of_it, None)

    def is_clean(self) -> bool:
        """No process and no file of a playbook."""
        folders = (self.data_dir / name for name in ("playbooks", "software", "downloads"))
        return not self.processes() and not any(folder.exists() for folder in folders)


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Everything that playbooks of this sentry have started, keepers too."""
    return marked([f"{mark_of(data_dir)}:"])


def miners_of(data_dir: Path) -> list[list[str]]:
    """The command lines of the stand-ins that run."""
    return [line for each in processes_of(data_dir) if (line := _command(each)) and _is_stand_in(line)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _is_stand_in(command: list[str]) -> bool:
    return any(part.endswith(EXECUTABLE) for part in command[:2])


@contextmanager
def playbook_rig(folder: Path, **more: str) -> Iterator[PlaybookRig]:
    """Enrolled, and with nothing to mine yet."""
    with vendor(folder / "vendor") as shop, stand_in_commander(folder / "commander") as commander:
        trusted = folder / "trusted.pem"
        trusted.write_bytes(shop.ca.read_bytes() + commander.ca.read_bytes())
        with running_sentry(folder / "sentry", SSL_CERT_FILE=str(trusted), **more) as sentry:
            sentry.enroll(commander.url, str(commander.token))
            yield PlaybookRig(sentry, commander, shop)
