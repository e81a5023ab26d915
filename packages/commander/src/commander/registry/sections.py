"""The navigation's entries for the two kinds of rig."""

from commander.registry.kinds import PATHS, RigKind
from commander.web.shell import Section

RIGS = Section("CPU/GPU rigs", PATHS[RigKind.CPU_GPU])
ASICS = Section("ASICs", PATHS[RigKind.ASIC])
