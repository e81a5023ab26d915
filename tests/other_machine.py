"""Runs the CPU/GPU sentry as on another machine: `python tests/other_machine.py MAC ARGUMENT …`.

The program is the real one; only the network card that it reads is another.
"""

import sys
from pathlib import Path

from cpu_gpu_sentry.cli import command_line
from cpu_gpu_sentry.machine import fingerprint
from cpu_gpu_sentry.machine.fingerprint import NET
from cpu_gpu_sentry.machine.specs import DMI


def no_serial(dmi: Path = DMI) -> None:
    """Stands for a mainboard without a serial number."""


if __name__ == "__main__":
    mac, *arguments = sys.argv[1:]

    def macs(net: Path = NET) -> list[str]:
        return [mac]

    fingerprint.read_macs, fingerprint.board_serial = macs, no_serial
    sys.exit(command_line().run(arguments))
