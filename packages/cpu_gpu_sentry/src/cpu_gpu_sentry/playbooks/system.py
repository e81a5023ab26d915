"""The seam to the system: the same names, by the platform that this runs on."""

import sys

if sys.platform == "win32":
    from cpu_gpu_sentry.playbooks.system_windows import HERE, ask_to_end, end_now, held, is_held, start_keeper
else:
    from cpu_gpu_sentry.playbooks.system_posix import HERE, ask_to_end, end_now, held, is_held, start_keeper

__all__ = ["HERE", "ask_to_end", "end_now", "held", "is_held", "start_keeper"]
