"""`make bench`: what Minewarden costs on this machine. Prints figures, asserts nothing. About ten minutes."""

import os
import platform
import sys

from bench.against import other_checkout, rows_of
from bench.asic_poll import asic_poll_rows
from bench.asic_service import asic_service_rows
from bench.charts import chart_rows
from bench.commands import command_rows
from bench.databases import database_rows
from bench.farm import farm_rows
from bench.history import history_rows
from bench.incidents import incident_rows
from bench.intake import intake_rows
from bench.log_in import log_in_rows
from bench.peers import fetched_peers
from bench.scaled import scaled_rows
from bench.selections import selection_rows
from bench.table import header


def asic_rows() -> None:
    asic_poll_rows()
    asic_service_rows()


PARTS = {
    "intake": intake_rows,
    "databases": database_rows,
    "farm": farm_rows,
    "asics": asic_rows,
    "charts": chart_rows,
    "history": history_rows,
    "selections": selection_rows,
    "commands": command_rows,
    "incidents": incident_rows,
    "log-in": log_in_rows,
    "scaled": scaled_rows,
}


def main() -> None:
    os.umask(0o077)  # as the commander has it, which refuses databases that others may read
    wanted, other = sys.argv[1:] or list(PARTS), other_checkout()
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    print(f"{machine}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
    header()
    with fetched_peers():
        for name in wanted:
            PARTS[name]()
            if other:
                rows_of(other, name)


if __name__ == "__main__":
    main()
