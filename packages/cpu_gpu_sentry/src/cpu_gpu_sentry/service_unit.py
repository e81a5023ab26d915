"""The sentry as a service of its rig.

Miners inherit every restriction, and no later playbook can lift one. So the unit forbids only what no miner needs.
docs/security.md says what stays allowed, and why.
"""

from protocol.services import Service

# Neither the sentry nor a miner does this: set clocks, account for processes, wake the machine, lock files against
# root, load programs into the kernel, hang up terminals, change its root, lease files, change security labels, change
# the network's configuration.
_NEVER_USED = (
    "CAP_SYS_TIME",
    "CAP_SYS_PACCT",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_LINUX_IMMUTABLE",
    "CAP_BPF",
    "CAP_SYS_TTY_CONFIG",
    "CAP_SYS_CHROOT",
    "CAP_LEASE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_NET_ADMIN",
)

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
        "# Scripts of playbooks begin with 0022 again.",
        "UMask=0077",
        "NoNewPrivileges=yes",
        f"CapabilityBoundingSet=~{' '.join(_NEVER_USED)}",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateMounts=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "# Miners without rights see only their own processes; root sees all.",
        "ProtectProc=invisible",
        "LockPersonality=yes",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "# A ping from a script uses AF_INET.",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "SystemCallFilter=~@clock @cpu-emulation @mount @obsolete @raw-io @swap",
        "SystemCallErrorNumber=EPERM",
        "# Not ProtectClock: with it systemd closes every device but the clock, so also GPUs.",
    ),
)
