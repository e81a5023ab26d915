"""Faults as rows and rig pages show them."""

from datetime import datetime
from typing import NamedTuple

from commander.live.rig_state import Health, RigState
from commander.live.trouble import conditions_beside
from commander.readings.severity import Severity
from commander.registry.kinds import PATHS, RigKind

FAULTS_IN_ROW = 2
TONES = {Severity.CRITICAL: "bad", Severity.WARNING: "warning"}
OF_PLAYBOOKS = ("playbook_failed", "wallet")


class FaultView(NamedTuple):
    """A fault, or another rule that the rig breaks for too long.

    `since` is None if it is older than this commander's memory; `href` leads to what is wrong.
    """

    text: str
    since: datetime | None
    href: str
    tone: str = "bad"


class FaultsView(NamedTuple):
    """The faults of a rig, worst first. `old`: they are of its last report, and it is silent now."""

    faults: list[FaultView]
    old: bool

    def __bool__(self) -> bool:
        return bool(self.faults)

    @property
    def in_row(self) -> list[FaultView]:
        return self.faults[:FAULTS_IN_ROW]

    @property
    def more(self) -> int:
        return max(0, len(self.faults) - FAULTS_IN_ROW)

    @property
    def all_texts(self) -> str:
        return "; ".join(fault.text for fault in self.faults)


def faults_view(state: RigState, kind: RigKind) -> FaultsView:
    playbooks = f"{PATHS[kind]}/{state.id}/playbooks"
    views = [
        FaultView(fault.text, state.faults_since.get(fault.words), playbooks if fault.rule in OF_PLAYBOOKS else "")
        for fault in state.faults
    ]
    views += [FaultView(each.text, each.since, "", TONES[each.severity]) for each in conditions_beside(state)]
    return FaultsView(views, old=state.health in (Health.STALE, Health.OFFLINE))
