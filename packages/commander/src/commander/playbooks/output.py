"""The lines that mining software printed: the newest of each playbook, each once. No function here commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from protocol.playbook_messages import OutputLines
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.playbooks.tables import playbook_output as output
from commander.playbooks.tables import playbook_runs as runs

LINES_KEPT = 2_000
CHARACTERS_KEPT = 512 * 1024
RUNS_KEPT = 8


class OutputLine(NamedTuple):
    run: str
    line: int
    text: str


async def append_lines(db: AsyncConnection, playbook_id: int, batch: OutputLines, *, now: datetime) -> list[str]:
    """Adds new lines and deletes lines that are too old; returns the new lines."""
    batch = msgspec.structs.replace(batch, run=batch.run.replace("\0", ""))
    fresh = await _fresh(db, playbook_id, batch, now=now)
    kept = fresh[-LINES_KEPT:]
    if kept:
        last = sa.select(sa.func.max(output.c.number)).where(output.c.playbook_id == playbook_id)
        number = (await db.execute(last)).scalar_one() or 0
        rows = [
            {"playbook_id": playbook_id, "number": number + at, "run": batch.run, "line": line, "text": text}
            for at, (line, text) in enumerate(kept, 1)
        ]
        await db.execute(sa.insert(output), rows)
        await _trim(db, playbook_id)
    return [text for _, text in kept]


async def _fresh(db: AsyncConnection, playbook_id: int, batch: OutputLines, *, now: datetime) -> list[tuple[int, str]]:
    """Returns the lines of this run that are new, with their numbers."""
    where = (runs.c.playbook_id == playbook_id, runs.c.run == batch.run)
    next_line = (await db.execute(sa.select(runs.c.next_line).where(*where))).scalar_one_or_none() or 0
    end = batch.first_line + len(batch.lines)
    if end <= next_line:
        return []
    row = {"playbook_id": playbook_id, "run": batch.run, "next_line": end, "told_at": now}
    query = insert_for(db, runs).values(row)
    changed = {"next_line": end, "told_at": now}
    await db.execute(query.on_conflict_do_update(index_elements=[runs.c.playbook_id, runs.c.run], set_=changed))
    await _forget_old_runs(db, playbook_id)
    numbered = enumerate(batch.lines, batch.first_line)
    return [(line, text.replace("\0", "")) for line, text in numbered if line >= next_line]


async def _forget_old_runs(db: AsyncConnection, playbook_id: int) -> None:
    of_this = runs.c.playbook_id == playbook_id
    kept = sa.select(runs.c.run).where(of_this).order_by(runs.c.told_at.desc()).limit(RUNS_KEPT)
    await db.execute(sa.delete(runs).where(of_this, runs.c.run.not_in(kept)))


async def _trim(db: AsyncConnection, playbook_id: int) -> None:
    size = sa.func.sum(sa.func.length(output.c.text) + 1).over(order_by=output.c.number.desc())
    place = sa.func.row_number().over(order_by=output.c.number.desc())
    lines = sa.select(output.c.number, size.label("size"), place.label("place"))
    counted = lines.where(output.c.playbook_id == playbook_id).subquery()
    too_old = sa.or_(counted.c.size > CHARACTERS_KEPT, counted.c.place > LINES_KEPT)
    limit = (await db.execute(sa.select(sa.func.max(counted.c.number)).where(too_old))).scalar_one()
    if limit is not None:
        await db.execute(sa.delete(output).where(output.c.playbook_id == playbook_id, output.c.number <= limit))


async def tail(db: AsyncConnection, playbook_id: int, count: int) -> list[OutputLine]:
    """The newest `count` lines, oldest first."""
    columns = (output.c.run, output.c.line, output.c.text)
    query = sa.select(*columns).where(output.c.playbook_id == playbook_id).order_by(output.c.number.desc())
    rows: Sequence[sa.Row[str, int, str]] = (await db.execute(query.limit(count))).all()
    return [OutputLine(*row) for row in reversed(rows)]
