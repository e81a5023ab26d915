"""The commander as a service of its machine."""

from protocol.services import HARDENING, Service

SERVICE = Service(
    name="minewarden-commander",
    title="Minewarden commander",
    program="commander",
    argument="serve",
    setting="COMMANDER_DATA_DIR",
    account="minewarden-commander",
    about="The only right that it has: to listen on a port below 1024, such as COMMANDER_PORT=443.",
    lines=(
        "RestartSec=1",
        "TimeoutStopSec=15",
        "LimitNOFILE=65536",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        *HARDENING,
    ),
)
