"""The ASIC sentry as a service of its computer."""

from protocol.services import HARDENING, Service

SERVICE = Service(
    name="minewarden-asic-sentry",
    title="Minewarden ASIC sentry",
    program="asic-sentry",
    argument="run",
    setting="ASIC_SENTRY_DATA_DIR",
    account="minewarden-asic-sentry",
    about="No rights are needed to read ASICs; one file descriptor for each that is being asked.",
    lines=("RestartSec=2", "TimeoutStopSec=15", "LimitNOFILE=8192", "CapabilityBoundingSet=", *HARDENING),
)
