"""The installation of this sentry: versions side by side that a launcher starts, or one that was made by hand."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from protocol.reasons import reason
from sentry_kit.errors import SentryError
from sentry_kit.launcher import (
    LAUNCHER,
    PROOF,
    RESULT,
    TRIAL,
    VERSIONS,
    WANTED,
    Outcome,
    Proof,
    Wanted,
    read_outcome,
    read_trial,
    write,
)

BY_HAND = (
    "This sentry was installed by hand, so the commander can't update it. Run the line of the rig's page on the rig: "
    "it installs the sentry so that updates work, and the rig keeps its name and its playbooks."
)


class UpdateFailed(SentryError):
    """The update can't be made; the present version runs on."""


@dataclass(frozen=True, slots=True)
class UpdateProgress:
    """The progress of one update: it goes on, or it has an outcome, or neither (it never reached the launcher)."""

    goes_on: bool = False
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """The running version. `state` is its launcher's state directory; None: no launcher has started this sentry."""

    version: str
    state: Path | None

    @property
    def why_refused(self) -> str | None:
        """Returns a sentence if the commander can't update this sentry."""
        if sys.platform == "win32":
            return "The commander can update sentries on Linux only; install the new version on the rig."
        return BY_HAND if self.state is None else None

    @property
    def is_busy(self) -> bool:
        return self.state is not None and any((self.state / name).exists() for name in (WANTED, TRIAL))

    def progress_of(self, command_id: str) -> UpdateProgress:
        if self.state is None:
            return UpdateProgress()
        is_busy = self.is_busy  # first: the outcome is written before the trial is deleted
        outcome = read_outcome(self.state)
        if outcome is not None and outcome.id == command_id:
            return UpdateProgress(outcome=outcome)
        return UpdateProgress(goes_on=is_busy)

    def ask_for(self, command_id: str, version: str) -> None:
        """Asks the launcher to start another version in place of this one. Raises `UpdateFailed`."""
        if self.state is None:
            raise UpdateFailed(BY_HAND)
        try:
            (self.state / RESULT).unlink(missing_ok=True)
            write(self.state / WANTED, Wanted(command_id, version))
        except OSError as error:
            raise UpdateFailed(f"The state directory {self.state} can't be written ({reason(error)}).") from error

    def prove(self) -> None:
        """Tells the launcher that this version has reported, if the launcher waits for that. Raises `OSError`."""
        trial = read_trial(self.state) if self.state is not None else None
        if self.state is not None and trial is not None and trial.new == self.version:
            write(self.state / PROOF, Proof(self.version))


def this_installation(environ: Mapping[str, str], version: str) -> Installation:
    """Returns the installation of this process."""
    state = Path(environ[LAUNCHER]) if environ.get(LAUNCHER) else None
    if state is not None and (state / VERSIONS / version).resolve() != Path(sys.prefix).resolve():
        state = None
    return Installation(version, state)
