"""NVIDIA's Xid errors that need a reboot, and the faults of cards in lines of the kernel log.

The catalogue is https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html (read in November 2026). Its
"immediate action" is RESTART_BM (restart the machine) for 79. For the others below it is RESET_GPU or, for 48, "a GPU
reset or node reboot". A card resets only when nothing uses it and no display is attached, and GeForce cards often
refuse to, so the answer here is a reboot for both. Xid 154 names the action in its text. Everything else, such as 13,
31, 32, 43 and 45, is an error of the program that runs: restarting that is the watchdog's task.
"""

import re

from cpu_gpu_sentry.ladder.facts import CardFault

OFF_THE_BUS = 79
RECOVERY_ACTION_CHANGED = 154
REBOOT_XIDS = {
    46: "GPU stopped processing",
    48: "double bit ECC error",
    62: "internal micro-controller halt",
    64: "memory remapping failure",
    OFF_THE_BUS: "fell off the bus",
    95: "uncontained memory error",
    109: "context switch timeout",
    110: "security fault",
    119: "GSP RPC timeout",
    120: "GSP error",
    140: "unrecovered ECC error",
    143: "initialization error",
    158: "fatal timeout",
}
_XID = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})(?:\.\d)?\): (\d+)(.*)")
_ACTIONS = ("Node Reboot Required", "GPU Reset Required", "Drain and Reset")
_AMDGPU = re.compile(r"amdgpu ([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): (?:amdgpu: )?(.*)")
_AMD_FAULTS = (  # drivers/gpu/drm/amd/amdgpu/amdgpu_device.c
    (re.compile(r"device lost from bus"), "was lost from the bus (amdgpu)"),
    (re.compile(r"GPU reset end with ret = -(?!11\b)\d+"), "could not be reset (amdgpu)"),
    (re.compile(r"GPU Recovery Failed"), "could not be recovered (amdgpu)"),
)


def xid_fault(device: str, xid: int) -> CardFault | None:
    """Returns the fault of an Xid that needs a reboot."""
    name = REBOOT_XIDS.get(xid)
    if name is None:
        return None
    return CardFault(device, f"{name}, Xid {xid}" if xid == OFF_THE_BUS else f"reported Xid {xid} ({name})", xid)


def fault_in_line(line: str) -> CardFault | None:
    """Returns the fault that a line of the kernel log reports, if only a reboot repairs it."""
    if (nvidia := _XID.search(line)) is not None:
        device, xid = _address(nvidia[1]), int(nvidia[2])
        if xid == RECOVERY_ACTION_CHANGED and any(each in nvidia[3] for each in _ACTIONS):
            return CardFault(device, "needs a reset or a reboot, as its driver says (Xid 154)", xid)
        return xid_fault(device, xid)
    if (amd := _AMDGPU.search(line)) is not None:
        text = next((text for pattern, text in _AMD_FAULTS if pattern.search(amd[2])), None)
        return CardFault(amd[1], text) if text else None
    return None


def is_about_cards(line: str) -> bool:
    """Returns whether a line is an Xid, or an error of amdgpu: such lines are shown to people."""
    return _XID.search(line) is not None or ("amdgpu" in line and _reports_trouble(line))


def _reports_trouble(line: str) -> bool:
    return any(word in line for word in ("ERROR", "timeout", "lost from bus", "reset", "wedged", "Recovery Failed"))


def _address(text: str) -> str:
    """Returns `0000:03:00.0` for `0000:03:00` or `00000000:03:00`: the driver leaves out the function."""
    domain, bus, device = text.lower().split(":")
    return f"{int(domain, 16):04x}:{bus}:{device}.0"
