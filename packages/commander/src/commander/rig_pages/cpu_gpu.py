"""The pages of CPU/GPU rigs: what is theirs alone."""

from protocol.tokens import Token

from commander.live.rig_state import Health, RigState
from commander.playbooks import views as playbook_views
from commander.registry.kinds import RigKind
from commander.registry.names import enroll_command
from commander.registry.sections import RIGS
from commander.rig_pages.cpu_gpu_details import head_view, spec_rows, status_view
from commander.rig_pages.cpu_gpu_rows import row_html, total_views
from commander.rig_pages.kind import BULK_ACTIONS, MENU, BulkAction, Display, MenuItem
from commander.rig_pages.navigation import HEADINGS
from commander.rigs.enrolment import Enrolment, systems
from commander.web.shell import Fragments, macro
from commander.wheels.line import Installing, linux_line, windows_line


def rig_sections(state: RigState) -> Fragments:
    """The live parts of a rig's page."""
    head = head_view(state, RigKind.CPU_GPU)
    return {
        "head": macro("rig_pages/cpu_gpu/live.html", "head", head),
        "notices": macro("rig_pages/cpu_gpu/live.html", "notices", head),
        "now": macro("rig_pages/cpu_gpu/live.html", "now", head, status_view(state)),
        "specs": macro("rig_pages/cpu_gpu/live.html", "specs", spec_rows(state)),
        "ticks": macro("rig_pages/enrolment.html", "ticks", state),
    } | playbook_views.rig_sections(state)


def enrolment(state: RigState, installing: Installing, token: Token) -> Enrolment:
    return Enrolment(
        name=state.name,
        waiting=state.health is Health.WAITING,
        url=installing.url,
        token=str(token),
        systems=systems("cpu_gpu_sentry", "cpu-gpu-sentry", [enroll_command(installing.url)]),
        lines={
            "linux": linux_line(installing, "cpu-gpu", str(token)),
            "windows": windows_line(installing, "cpu-gpu", str(token)),
        },
        has_packages=installing.is_ready,
    )


CPU_GPU = Display(
    kind=RigKind.CPU_GPU,
    section=RIGS,
    title="CPU/GPU rigs",
    noun="rig",
    view="rig",
    folder="rig_pages/cpu_gpu",
    headings=HEADINGS,
    row=row_html,
    totals=total_views,
    sections=rig_sections,
    enrolment=enrolment,
    menu_items=(*MENU[:2], MenuItem("Send command…", "/commands/new?rigs={id}"), *MENU[2:]),
    bulk_actions=(
        BulkAction("Send command…", "command"),
        BulkAction("Update sentry…", "update"),
        BulkAction("Copy a playbook…", "copy"),
        BulkAction("Pause playbooks…", "pause"),
        BulkAction("Resume playbooks…", "resume"),
        *BULK_ACTIONS,
    ),
)
