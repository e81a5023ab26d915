"""The seam to the system: the same names, by the platform that this runs on."""

import sys

if sys.platform == "win32":
    from cpu_gpu_sentry.playbooks.system_windows import (
        HERE,
        SYNCS_AT_ONCE,
        ask_to_end,
        end_now,
        held,
        is_held,
        start_keeper,
        sync_folder,
    )
else:
    from cpu_gpu_sentry.playbooks.system_posix import (
        HERE,
        SYNCS_AT_ONCE,
        ask_to_end,
        end_now,
        held,
        is_held,
        start_keeper,
        sync_folder,
    )

__all__ = ["HERE", "SYNCS_AT_ONCE", "ask_to_end", "end_now", "held", "is_held", "start_keeper", "sync_folder"]
