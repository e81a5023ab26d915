"""Commands as pages show them, live: the list, and one command with its rigs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from commander.commands import store, target_store
from commander.commands.domain import OPEN, RETRYABLE, WORDS, BatchState, TargetState
from commander.commands.store import StoredCommand
from commander.commands.target_store import Target
from commander.db import Database
from commander.web.shell import Fragments, macro

COMMANDS_SHOWN = 100
RIGS_SHOWN = 1_000
TARGET_WORDS = {
    TargetState.WAITING: ("Waiting", "idle"),
    TargetState.BEGUN: ("Begun", "warning"),
    TargetState.DONE: ("Done", "good"),
    TargetState.FAILED: ("Failed", "bad"),
    TargetState.EXPIRED: ("Expired", "warning"),
    TargetState.REFUSED: ("Refused", "warning"),
    TargetState.CANCELLED: ("Cancelled", "idle"),
}
BATCH_WORDS = {
    BatchState.RUNNING: ("Running", "idle"),
    BatchState.DONE: ("Done", "good"),
    BatchState.STOPPED: ("Stopped", "warning"),
}
_WORST_FIRST = (
    *(TargetState.FAILED, TargetState.REFUSED, TargetState.EXPIRED, TargetState.CANCELLED),
    *(TargetState.BEGUN, TargetState.WAITING, TargetState.DONE),
)


class CommandNow(NamedTuple):
    """A command with its targets counted by state, as the database has it now."""

    command: StoredCommand
    counts: Mapping[TargetState, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class CommandRigs(NamedTuple):
    """A command with its targets. `with_results` are the rigs that have sent findings or logs."""

    now: CommandNow
    targets: list[Target]
    with_results: set[int]


@dataclass(frozen=True, slots=True)
class Count:
    """The number of rigs in one state."""

    word: str
    tone: str
    number: int


@dataclass(frozen=True, slots=True)
class OverlapView:
    id: int
    title: str
    made_by: str
    rigs: str


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command for people. `ended` of `total` rigs have a result; `counts` stand worst first."""

    id: int
    title: str
    word: str
    tone: str
    made_at: datetime
    made_by: str
    reason: str
    selection: str
    version: str
    note: str
    pace: str
    total: int
    ended: int
    rigs: str
    counts: list[Count]
    overlaps: list[OverlapView]
    can_stop: bool
    can_retry: bool


@dataclass(frozen=True, slots=True)
class TargetView:
    """A rig's row. `result_word` names the link to its findings or logs; empty where there are none."""

    id: int
    rig_id: int
    name: str
    word: str
    tone: str
    result: str
    changed_at: datetime
    result_word: str


def command_view(now: CommandNow) -> CommandView:
    command, total = now.command, now.total
    word, tone = _state_words(now)
    return CommandView(
        id=command.id,
        title=WORDS[command.action].title,
        word=word,
        tone=tone,
        made_at=command.made_at,
        made_by=command.made_by,
        reason=command.reason,
        selection=command.selection or "",
        version=command.arguments.version or "",
        note=command.note,
        pace=_pace(now),
        total=total,
        ended=total - sum(now.counts.get(each, 0) for each in OPEN),
        rigs="1 rig" if total == 1 else f"{total:,} rigs",
        counts=[Count(*TARGET_WORDS[each], now.counts[each]) for each in _WORST_FIRST if now.counts.get(each)],
        overlaps=_overlaps(now),
        can_stop=bool(now.counts.get(TargetState.WAITING)),
        can_retry=command.state is not BatchState.RUNNING and any(now.counts.get(each) for each in RETRYABLE),
    )


def _state_words(now: CommandNow) -> tuple[str, str]:
    """The state of a command with its tone; one that is done may not have been done everywhere."""
    cancelled = now.counts.get(TargetState.CANCELLED, 0)
    if now.command.state is not BatchState.DONE:
        return BATCH_WORDS[now.command.state]
    if any(now.counts.get(each) for each in (TargetState.FAILED, TargetState.EXPIRED, TargetState.REFUSED)):
        return "Done with failures", "warning"
    if cancelled == now.total:
        return TARGET_WORDS[TargetState.CANCELLED]
    return ("Done in part", "warning") if cancelled else BATCH_WORDS[BatchState.DONE]


def _pace(now: CommandNow) -> str:
    """Empty where all rigs have their turn at once."""
    batch, total = now.command.batch, now.total
    if batch.size >= total or total == 1:
        return ""
    failures = "1 failure" if batch.max_failures == 1 else f"{batch.max_failures} failures"
    pace = f"1 rig, then {batch.size:,}, then all" if batch.growing else f"{batch.size:,} at a time"
    return f"{pace}; stops after {failures}"


def _overlaps(now: CommandNow) -> list[OverlapView]:
    return [
        OverlapView(each.id, WORDS[each.action].title, each.made_by, ", ".join(each.rigs))
        for each in now.command.overlaps
    ]


def target_view(target: Target, link: str) -> TargetView:
    word, tone = TARGET_WORDS[target.state]
    return TargetView(target.id, target.rig_id, target.name, word, tone, target.result or "", target.changed_at, link)


async def newest(database: Database) -> list[CommandNow]:
    """The newest commands, newest first."""
    async with database.reading() as db:
        commands = await store.newest_commands(db, COMMANDS_SHOWN)
        counts = await store.counts_of(db, [each.id for each in commands])
    return [CommandNow(each, counts[each.id]) for each in commands]


async def rigs_of(database: Database, command_id: int) -> CommandRigs:
    """Raises `CommandNotFound`."""
    async with database.reading() as db:
        command = await store.get_command(db, command_id)
        targets = await target_store.targets_of(db, command_id)
        with_results = await store.rigs_with_results(db, command_id)
    return CommandRigs(CommandNow(command, Counter(each.state for each in targets)), targets, with_results)


async def list_rows(database: Database) -> list[str]:
    """The rows of the list as its page shows them."""
    return [macro("commands/live.html", "row", command_view(now), None) for now in await newest(database)]


async def list_fragments(database: Database) -> Fragments:
    """The rows of the list, each with its place above the next older one."""
    views = [command_view(now) for now in await newest(database)]
    places = [f"command-{each.id}" for each in views[1:]] + [""]
    rows = {
        f"command-{view.id}": macro("commands/live.html", "row", view, before)
        for view, before in reversed(list(zip(views, places, strict=False)))
    }
    return {"no-commands": '<p id="no-commands" data-gone></p>'} | rows if rows else {}


async def command_fragments(database: Database, command_id: int) -> Fragments:
    """The parts of a command's page. Raises `CommandNotFound`."""
    shown = await rigs_of(database, command_id)
    head = {"command-head": macro("commands/live.html", "head", command_view(shown.now))}
    return head | {f"target-{each.id}": _target_row(shown, each) for each in shown.targets[:RIGS_SHOWN]}


def _target_row(shown: CommandRigs, target: Target) -> str:
    command = shown.now.command
    link = WORDS[command.action].result if target.rig_id in shown.with_results else ""
    return macro("commands/live.html", "target", command.id, target_view(target, link))
