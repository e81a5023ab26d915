"""`asic-sentry` and `python -m asic_sentry`."""

import sys

from asic_sentry.commands import command_line


def main() -> int:
    return command_line().run()


if __name__ == "__main__":
    sys.exit(main())
