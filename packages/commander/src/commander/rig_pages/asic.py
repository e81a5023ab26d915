"""The pages of ASICs: what is theirs alone."""

from protocol.tokens import Token

from commander.live.rig_state import Health, RigState
from commander.readings.asic import add_command, connect_command
from commander.registry.kinds import RigKind
from commander.registry.sections import ASICS as ASICS_SECTION
from commander.rig_pages.asic_details import spec_rows, status_view
from commander.rig_pages.asic_rows import row_html, total_views
from commander.rig_pages.cpu_gpu_details import head_view
from commander.rig_pages.kind import Display
from commander.rig_pages.listing import Sort
from commander.rig_pages.navigation import Heading
from commander.rigs.enrolment import Enrolment, systems
from commander.web.shell import Fragments, macro
from commander.wheels.line import Installing, linux_line

HEADINGS = (
    Heading("Name", Sort.NAME, False, "name"),
    Heading("Health", Sort.HEALTH, False, "health"),
    Heading("Hashrate", Sort.HASHRATE, True, "n work"),
    Heading("Temp.", Sort.TEMPERATURE, True, "n temp"),
    Heading("Boards", None, False, "n boards"),
    Heading("Fans", None, False, "n fan"),
    Heading("Power", Sort.POWER, True, "n power"),
    Heading("Rejected", Sort.REJECTED, True, "n rejected"),
    Heading("Uptime", Sort.UPTIME, False, "n uptime"),
    Heading("Last seen", Sort.SEEN, False, "n seen"),
)


def asic_sections(state: RigState) -> Fragments:
    """The live parts of an ASIC's page."""
    head, now = head_view(state, RigKind.ASIC), status_view(state)
    return {
        "head": macro("rig_pages/cpu_gpu/live.html", "head", head),
        "notices": macro("rig_pages/asic/live.html", "notices", head),
        "now": macro("rig_pages/asic/live.html", "now", head, now),
        "specs": macro("rig_pages/cpu_gpu/live.html", "specs", spec_rows(state)),
        "ticks": macro("rig_pages/enrolment.html", "ticks", state),
    }


def enrolment(state: RigState, installing: Installing, token: Token) -> Enrolment:
    return Enrolment(
        name=state.name,
        waiting=state.health is Health.WAITING,
        url=installing.url,
        token=str(token),
        systems=systems("asic_sentry", "asic-sentry", [connect_command(installing.url), add_command()]),
        lines={"linux": linux_line(installing, "asic", f"{token} --ip ASIC_IP")},
        has_packages=installing.is_ready,
    )


ASICS = Display(
    kind=RigKind.ASIC,
    section=ASICS_SECTION,
    title="ASICs",
    noun="ASIC",
    view="asic",
    folder="rig_pages/asic",
    headings=HEADINGS,
    row=row_html,
    totals=total_views,
    sections=asic_sections,
    enrolment=enrolment,
)
