"""Facts of one playbook for the ladder above the watchdog."""

from dataclasses import dataclass

from protocol.messages import MinerReading
from protocol.units import counted

from cpu_gpu_sentry.playbooks.run_state import RunState
from cpu_gpu_sentry.playbooks.watchdog import Patience, is_overdue, may_restart


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One playbook that is to run. `running_s` is the age of its run; None: it does not run now.

    `excuse` is a fault that no restart repairs. `watchdog_gave_up` says that the watchdog has restarted it as often as
    it may. `failures` are ends in a row, each soon after the start.
    """

    id: str
    name: str
    revision: int
    running_s: float | None
    reading: MinerReading | None
    excuse: str | None
    watchdog_gave_up: str | None
    failures: int


def run_facts(run: RunState, now_s: float, patience: Patience) -> RunFacts:
    return RunFacts(
        id=run.playbook.id,
        name=run.playbook.name,
        revision=run.playbook.revision,
        running_s=None if run.note is None else now_s - run.started_s,
        reading=run.reading,
        excuse=run.fault if run.is_beyond_restart else None,
        watchdog_gave_up=_watchdog_gave_up(run, now_s, patience),
        failures=run.failures,
    )


def _watchdog_gave_up(run: RunState, now_s: float, patience: Patience) -> str | None:
    if run.watch is None or run.is_beyond_restart or may_restart(now_s, run.restarts_s, patience):
        return None
    if not is_overdue(now_s, run.started_s, run.patient_from_s, patience):
        return None
    times = counted(patience.restarts_an_hour, "time")
    return f"was restarted {times} in an hour, and {run.fault or 'it did not answer'}"
