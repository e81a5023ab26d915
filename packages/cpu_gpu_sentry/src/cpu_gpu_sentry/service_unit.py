"""The sentry as a service of its rig."""

from protocol.services import Service

SERVICE = Service(
    name="minewarden-cpu-gpu-sentry",
    title="Minewarden CPU/GPU sentry",
    program="cpu-gpu-sentry",
    argument="run",
    setting="CPU_GPU_SENTRY_DATA_DIR",
    account=None,
    children="minewarden-miner",
    about="As root: power counters and SMBIOS fields are closed to others. Miners inherit every restriction.",
    lines=(
        "RestartSec=2",
        "TimeoutStopSec=15",
        "# Miners of playbooks go on when the sentry is stopped or updated; the new sentry finds them again.",
        "KillMode=process",
        "Nice=5",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "LockPersonality=yes",
        "RestrictSUIDSGID=yes",
        "RestrictNamespaces=yes",
    ),
)
