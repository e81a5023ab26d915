"""The navigation's entries for the two kinds of rig."""

from commander.registry.kinds import PATHS, RigKind
from commander.web.shell import Section

RIGS = Section("CPU/GPU rigs", PATHS[RigKind.CPU_GPU], icon="M3 4h18v12H3zM8 20h8M12 16v4")
ASICS = Section(
    "ASICs",
    PATHS[RigKind.ASIC],
    icon="M6 6h12v12H6zM9 2v4M15 2v4M9 18v4M15 18v4M2 9h4M2 15h4M18 9h4M18 15h4",
)
SECTIONS = {RigKind.CPU_GPU: RIGS, RigKind.ASIC: ASICS}
