"""`asic-sentry` and `python -m asic_sentry`."""

import sys

from asic_sentry.commands import command_line


def main() -> int:
    code = command_line().run()
    if "asic_sentry.dialects.pyasic_rs" in sys.modules:
        sys.modules["asic_sentry.dialects.pyasic_rs"].end_process(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
