"""The two kinds of rig. Each has its own table of rigs, its own table of logs, its own channels and pages."""

from enum import StrEnum


class RigKind(StrEnum):
    CPU_GPU = "cpu-gpu"
    ASIC = "asic"
