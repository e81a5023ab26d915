"""The same reports into SQLite and into PostgreSQL, one after the other, twice: what differs is the database."""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
from postgresql_server import PostgresqlServer, is_installed, running_server

from bench.blast import prebuilt_report
from bench.intake import Cost, measured, tokens
from bench.table import row
from tests.farm import running_commander

ROUNDS = 2
DURABLE = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "256MB", "max_wal_size": "4GB"}


def database_rows() -> None:
    if not is_installed():
        row("intake by database", "-", "PostgreSQL is not installed")
        return
    costs: dict[str, list[Cost]] = {"SQLite": [], "PostgreSQL": []}
    server_us: list[float] = []
    with running_server(**DURABLE) as server:
        for round_number in range(ROUNDS):
            costs["SQLite"].append(_one({})[0])
            cost, us = _one({"COMMANDER_DATABASE_URL": _new_database(server, round_number)}, server)
            costs["PostgreSQL"].append(cost)
            server_us.append(us)
    means = {name: _mean(of_one) for name, of_one in costs.items()}
    for name, mean in means.items():
        remark = f"{mean.cpu_us:.0f} µs CPU each in the commander"
        row(f"intake into {name}, durable, HTTP", f"{mean.per_s:,.0f} reports/s", remark)
    row("  and in PostgreSQL's own processes", f"{statistics.mean(server_us):.0f} µs CPU each")
    one, other = means["SQLite"], means["PostgreSQL"]
    remark = f"commander's CPU {other.cpu_us / one.cpu_us:.2f}; {ROUNDS} rounds of each in turn"
    row("  PostgreSQL to SQLite", f"{other.per_s / one.per_s:.2f}", remark)


def _mean(costs: Sequence[Cost]) -> Cost:
    per_s, cpu_us = (statistics.mean(cost[place] for cost in costs) for place in (0, 1))
    return Cost(per_s, cpu_us, sum(cost.refused for cost in costs))


def _one(settings: dict[str, str], server: PostgresqlServer | None = None) -> tuple[Cost, float]:
    """Returns the cost for the commander, and the microseconds of CPU that the database spent on each report."""
    with tempfile.TemporaryDirectory() as folder:
        with running_commander(Path(folder), COMMANDER_TLS="off", **settings) as commander:
            made = enumerate(tokens(commander), start=1)
            reports = [prebuilt_report(token, f"127.0.0.1:{commander.port}", number) for number, token in made]
            assert commander.process is not None  # noqa: S101 - it runs
            before_s = _cpu_s(server)
            cost = measured(reports, commander.process.pid, commander.port, None)
            spent_s = _cpu_s(server) - before_s
        stored = _stored(server, settings["COMMANDER_DATABASE_URL"].rpartition("/")[2]) if server else 1
    return cost, 1e6 * spent_s / stored


def _cpu_s(server: PostgresqlServer | None) -> float:
    """Of all its processes; those that ended count with their parent."""
    if server is None or server.process is None:
        return 0.0
    parent = psutil.Process(server.process.pid)
    ended = parent.cpu_times().children_user + parent.cpu_times().children_system
    return ended + sum(sum(process.cpu_times()[:2]) for process in [parent, *parent.children()])


def _stored(server: PostgresqlServer, database: str) -> int:
    return int(server.run("psql", "-d", database, "-tAc", "SELECT count(*) FROM cpu_gpu_logs"))


def _new_database(server: PostgresqlServer, number: int) -> str:
    server.run("createdb", f"bench_{number}")
    return server.url(f"bench_{number}")
