"""Views of the watchdog's ladder and of commands for the local page."""

from dataclasses import dataclass

from cpu_gpu_sentry.local.views import time_text
from cpu_gpu_sentry.operations import Operations
from cpu_gpu_sentry.operations_status import notes_of


@dataclass(frozen=True, slots=True)
class OperationsView:
    allowed: str
    notes: list[str]
    events: list[tuple[str, str]]
    commands: list[tuple[str, str, str]]


def operations_view(operations: Operations) -> OperationsView:
    ladder = operations.ladder
    events = [each.event for each in ladder.newest_events]
    return OperationsView(
        allowed=allowed_text(restarts=ladder.settings.restarts, reboots=ladder.may_reboot),
        notes=notes_of(ladder.history),
        events=[(time_text(each.at), f"{each.reason[:1].upper()}{each.reason[1:]}.") for each in events],
        commands=[(each.action.replace("_", " "), each.state.value, each.text) for each in operations.commands.newest],
    )


def allowed_text(*, restarts: bool, reboots: bool) -> str:
    """Returns a sentence about the steps that are allowed."""
    restarting = "restarts slow playbooks" if restarts else "does not restart slow playbooks"
    rebooting = "may reboot the rig" if reboots else "may not reboot the rig"
    return f"The watchdog {restarting} and {rebooting}. It always stops mining at a critical temperature."
