"""Turns one order of rows into another with as few moves as possible: what stays is not touched."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple


class RowDiff(NamedTuple):
    """`placed` are (id, the id that it goes before), to be carried out in this order; None: last."""

    gone: list[int]
    placed: list[tuple[int, int | None]]


def row_diff(before: Sequence[int], after: Sequence[int]) -> RowDiff:
    """From the end to the beginning, so that each row's successor already stands where it belongs."""
    was_at = {rig_id: place for place, rig_id in enumerate(before)}
    staying = _longest_rising([(was_at[rig_id], rig_id) for rig_id in after if rig_id in was_at])
    placed: list[tuple[int, int | None]] = []
    successor: int | None = None
    for rig_id in reversed(after):
        if rig_id not in staying:
            placed.append((rig_id, successor))
        successor = rig_id
    kept = set(after)
    return RowDiff([rig_id for rig_id in before if rig_id not in kept], placed)


def _longest_rising(places: list[tuple[int, int]]) -> set[int]:
    """The ids of the longest subsequence of (place, id) whose places rise (patience sorting)."""
    tops: list[int] = []  # the smallest place that a rising run of this length can end with
    runs: list[int] = []  # where in `places` that run ends
    previous: list[int] = []
    for at, (place, _) in enumerate(places):
        length = bisect_left(tops, place)
        previous.append(runs[length - 1] if length else -1)
        tops[length : length + 1] = [place]
        runs[length : length + 1] = [at]
    rising = set()
    at = runs[-1] if runs else -1
    while at >= 0:
        rising.add(places[at][1])
        at = previous[at]
    return rising
