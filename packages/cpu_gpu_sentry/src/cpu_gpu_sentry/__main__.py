"""`cpu-gpu-sentry` and `python -m cpu_gpu_sentry`."""

import sys

from cpu_gpu_sentry.cli import command_line


def main() -> int:
    return command_line().run()


if __name__ == "__main__":
    sys.exit(main())
