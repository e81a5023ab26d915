"""`asic-sentry scan`: scans a network from a terminal, and adopts the ASICs in it if asked to."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

from protocol.units import counted
from sentry_kit import store as kit
from sentry_kit.command_line import say
from sentry_kit.errors import BadUse

from asic_sentry.addresses import Network, check_port
from asic_sentry.asics.adoption import PATTERN, adopt, check_pattern
from asic_sentry.asics.store import SCHEMA, load_asics
from asic_sentry.limits import raise_open_files
from asic_sentry.listing import as_json, scan_lines, scanned_out
from asic_sentry.scan import AT_ONCE, Scan

_PROGRESS_EVERY_S = 0.5


def scan_once(path: Path, arguments: argparse.Namespace, agent: str) -> int:
    network = Network(arguments.network)
    ports = [check_port(port) for port in arguments.port]
    if arguments.name is not None and not arguments.adopt:
        raise BadUse("--name is for --adopt.")
    pattern = check_pattern(arguments.name or PATTERN)
    scan = Scan(network, len(network), ports=ports, at_once=min(AT_ONCE, raise_open_files()))
    asyncio.run(_run(scan))
    if arguments.adopt:
        asyncio.run(adopt(path, scan.asics, pattern, agent))
    with closing(kit.open_store(path, SCHEMA)) as db:
        listed = {asic.ip for asic in load_asics(db)}
    rows = [scanned_out(each, each.identity.ip in listed) for each in scan.asics]
    say(as_json(rows) if arguments.json else "\n".join([*scan_lines(rows), _sum(scan)]))
    return 0


def _sum(scan: Scan) -> str:
    stopped = ", then it was stopped" if scan.was_stopped else ""
    unclear = "".join(f"\n{ip} may be one ({failure.kind}): {failure.detail}" for ip, failure in scan.unclear)
    addresses = f"{scan.done} of {counted(scan.total, 'address', 'addresses')}"
    return f"{counted(len(scan.asics), 'ASIC')} at {addresses}{stopped}.{unclear}"


async def _run(scan: Scan) -> None:
    with _stopped_by_ctrl_c(scan):
        async with asyncio.TaskGroup() as group:
            progress = group.create_task(_show_progress(scan))
            await scan.run()
            progress.cancel()
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")


async def _show_progress(scan: Scan) -> None:
    while sys.stderr.isatty():
        sys.stderr.write(f"\r{scan.done} of {scan.total} addresses, {counted(len(scan.asics), 'ASIC')}; Ctrl-C stops ")
        sys.stderr.flush()
        await asyncio.sleep(_PROGRESS_EVERY_S)


@contextmanager
def _stopped_by_ctrl_c(scan: Scan) -> Iterator[None]:
    """Ctrl-C stops the scan; the ASICs found until then are still listed."""
    loop = asyncio.get_running_loop()

    def stop(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(scan.stop)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
