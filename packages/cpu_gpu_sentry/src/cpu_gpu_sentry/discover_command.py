"""`cpu-gpu-sentry watch --discover`: prints which miners run on this machine, and watches them."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from protocol.messages import MinerReading
from protocol.miner_words import miner_word
from protocol.units import hashrate_text
from sentry_kit.errors import SentryError

from cpu_gpu_sentry.discovery import FoundMiner, MinerProcess, candidates, discover, miner_processes
from cpu_gpu_sentry.miner_notes import load_notes
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.miners.usual import USUAL
from cpu_gpu_sentry.watches import Watch, add_watch, load_watches

OpenStore = Callable[[], AbstractContextManager[sqlite3.Connection]]

_NOT_FOUND = (
    "No miner was found on this machine: start the miner with the API option from the list above, then type this again."
)
_ALL_SILENT = "No miner's API answers: start the miners as the lines above say, then type this again."


def discover_miners(open_store: OpenStore, access_token: str | None, *, dry_run: bool) -> Iterator[str]:
    """Yields a line for each miner. Raises `SentryError` after the last line if nothing can be watched.

    The store is closed while miners are looked for: the running sentry writes into it.
    """
    with open_store() as db:
        watches = load_watches(db)
        of_playbooks = {note.api_port for note in load_notes(db) if note.playbook_id and note.api_port}
    processes = miner_processes()
    taken = {watch.port for watch in watches} | of_playbooks
    found = asyncio.run(discover(candidates(processes, taken), access_token))
    for watch in watches:
        yield f"{SOFTWARE[watch.software].title} on port {watch.port} is watched already."
    for miner in found:
        yield _line(miner)
    yield from (_silent_line(process) for process in _silent(processes, found, taken))
    readable = [miner for miner in found if miner.reading]
    if readable:
        if not dry_run:
            with open_store() as db:
                _add_watches(db, [miner.watch for miner in readable])
        yield _end(len(readable), dry_run=dry_run)
    elif not watches:
        if not processes and not found:
            yield from option_lines()
        raise SentryError(_ALL_SILENT if processes or found else _NOT_FOUND)


def _add_watches(db: sqlite3.Connection, found: Sequence[Watch]) -> None:
    """Adds the watches. What a person has entered for a port meanwhile stays."""
    taken = {watch.port for watch in load_watches(db)}
    for watch in found:
        if watch.port not in taken:
            add_watch(db, watch)


def _line(miner: FoundMiner) -> str:
    watch, process = miner.watch, f" (process {miner.pid})" if miner.pid else ""
    where = f"{SOFTWARE[watch.software].title} on port {watch.port}{process}"
    if miner.reading is None:
        command = f"cpu-gpu-sentry watch {watch.software} --port {watch.port} --access-token-file FILE"
        return f"Found {where}, which wants its access token. To watch it: {command}"
    version = f", version {miner.reading.version}" if miner.reading.version else ""
    return f"Found {where}{version}: {_works(miner.reading)}."


def _works(reading: MinerReading) -> str:
    works = [f"{each.algorithm} {hashrate_text(each.hashrate_hs)}" for each in reading.algorithms]
    return ", ".join([miner_word(reading), *works])


def _silent(processes: Sequence[MinerProcess], found: Sequence[FoundMiner], taken: set[int]) -> list[MinerProcess]:
    """Returns the processes without an answer. Some software runs as two processes, of which one has the API: if a
    software has answered, its other processes are left out."""
    answered = {miner.watch.software for miner in found}
    answered |= {
        software for each in processes for software in each.software if any(at in taken for _, at in each.listens)
    }
    return [each for each in processes if not answered & set(each.software)]


def _silent_line(process: MinerProcess) -> str:
    software = process.software[0]
    return (
        f"Process {process.pid} ({process.program}) looks like {SOFTWARE[software].title}, but its API does not "
        f"answer. Start it with {USUAL[software].option}"
    )


def option_lines() -> Iterator[str]:
    """Yields the option of each software that switches its API on."""
    yield "Options that switch on the API of mining software:"
    width = max(len(each.title) for each in SOFTWARE.values())
    for software, about in SOFTWARE.items():
        yield f"  {about.title:{width}}  {USUAL[software].option}"


def _end(miners: int, *, dry_run: bool) -> str:
    if dry_run:
        return "Nothing was changed. Without --dry-run, the sentry watches what was found."
    what = "it" if miners == 1 else "them"
    return f"The sentry reports {what} from now on. To stop that: cpu-gpu-sentry unwatch --port PORT"
