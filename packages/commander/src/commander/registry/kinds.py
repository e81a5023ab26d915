"""The two kinds of rig. Each has its own table of rigs, its own table of logs, its own channels and pages."""

from enum import StrEnum

from protocol.tokens import TokenKind


class RigKind(StrEnum):
    CPU_GPU = "cpu-gpu"
    ASIC = "asic"


PATHS = {RigKind.CPU_GPU: "/cpu-gpu", RigKind.ASIC: "/asics"}
TOKEN_KINDS = {RigKind.CPU_GPU: TokenKind.RIG, RigKind.ASIC: TokenKind.ASIC}
