"""A round's changes in pieces, each of which a short transaction can write. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from commander.incidents.conditions import Changes
from commander.incidents.domain import Condition

ROWS = 250


class Piece(NamedTuple):
    """Some of a round's changes. Rows are deleted before others with their key begin or come back."""

    deleted: Sequence[Condition]
    updated: Sequence[Condition]
    new: Sequence[Condition]
    back: Sequence[Condition]
    worse: Sequence[Condition]
    is_last: bool


def pieces_of(changes: Changes, apart: Sequence[Condition], *, rows: int = ROWS) -> Iterator[Piece]:
    """Yields at least one piece. `apart` are conditions that are to join an incident, also if they did not change."""
    new = {id(each) for each in changes.new}
    updated = {id(each): each for each in (*changes.updated, *apart) if id(each) not in new}
    back, worse = ({id(each) for each in some} for some in (changes.back, changes.worse))
    deleted, changed, begun = changes.deleted, list(updated.values()), changes.new
    total = len(deleted) + len(changed) + len(begun)
    for since in range(0, max(total, 1), rows):
        some = _window(changed, since - len(deleted), rows)
        yield Piece(
            deleted=_window(deleted, since, rows),
            updated=some,
            new=_window(begun, since - len(deleted) - len(changed), rows),
            back=[each for each in some if id(each) in back],
            worse=[each for each in some if id(each) in worse],
            is_last=since + rows >= total,
        )


def _window(conditions: Sequence[Condition], since: int, rows: int) -> Sequence[Condition]:
    """Returns the part of a list that is in a window of so many rows; the window may begin before the list."""
    return conditions[max(since, 0) : max(since + rows, 0)]
