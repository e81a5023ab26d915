"""Tags as a file of comma-separated values: `kind,name,tags`, one rig a line."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from commander.live.rig_state import RigState
from commander.live.rigs import Lives
from commander.problems import CommanderError, ErrorKind
from commander.registry.kinds import RigKind
from commander.registry.names import name_key
from commander.tags.domain import BadTag, Tags, TooManyTags, checked_tags, tag_key, tags_in

COLUMNS = ("kind", "name", "tags")
TITLES = {RigKind.CPU_GPU: "CPU/GPU rig", RigKind.ASIC: "ASIC"}


class BadFile(CommanderError):
    """The text is not such a file; its lines are not looked at."""

    kind = ErrorKind(422, "bad_file", "Not a file of tags", field="csv")


class NewTags(NamedTuple):
    """A rig whose tags a file changes."""

    kind: RigKind
    rig_id: int
    name: str
    before: Tags
    after: Tags


class ImportPlan(NamedTuple):
    """The outcome that a file would have. `mistakes` are sentences about lines that are passed over."""

    changes: list[NewTags]
    unchanged: int
    mistakes: list[str]


class BadLine(Exception):
    """A line can't be used; the text says why."""


def csv_of(rigs: Iterable[tuple[RigKind, RigState]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows((kind, state.name, "; ".join(state.tags)) for kind, state in rigs)
    return text.getvalue()


def plan_import(text: str, lives: Lives) -> ImportPlan:
    """Compares the file with the tags as they are now. Raises `BadFile`."""
    rigs = {(kind, name_key(state.name)): state for kind, live in lives.items() for state in live.index.rigs.values()}
    lines_of, changes, unchanged, mistakes = dict[tuple[RigKind, str], int](), list[NewTags](), 0, list[str]()
    for number, row in _rows(text):
        try:
            change = _change(row, rigs, lines_of, number)
        except BadLine as error:
            mistakes.append(f"Line {number}: {error}")
            continue
        if change.before == change.after:
            unchanged += 1
        else:
            changes.append(change)
    return ImportPlan(changes, unchanged, mistakes)


def _rows(text: str) -> Iterable[tuple[int, dict[str, str]]]:
    """Yields each line's number with its cells by column."""
    text = text.removeprefix("\ufeff")  # spreadsheets write this first
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in COLUMNS if name not in names]:
            raise BadFile(f"The first line names the columns kind, name and tags; “{missing[0]}” is missing.")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise BadFile(f"Line {reader.line_num} can't be read: {error}.") from error


def _change(
    row: Mapping[str, str],
    rigs: Mapping[tuple[RigKind, str], RigState],
    lines_of: dict[tuple[RigKind, str], int],
    number: int,
) -> NewTags:
    kind, name = _kind(row.get("kind", "")), row.get("name", "").strip()
    key = kind, name_key(name)
    state = rigs.get(key)
    if state is None:
        raise BadLine(f"No {TITLES[kind]} is called “{name[:64]}”.")
    if (earlier := lines_of.setdefault(key, number)) != number:
        raise BadLine(f"{state.name} stands in line {earlier} already.")
    try:
        tags = checked_tags(tags_in(row.get("tags", "")))
    except (BadTag, TooManyTags) as error:
        raise BadLine(str(error)) from error
    return NewTags(kind, state.id, state.name, state.tags, _as_before(tags, state.tags))


def _kind(text: str) -> RigKind:
    try:
        return RigKind(text.strip().lower())
    except ValueError as error:
        raise BadLine("The kind is cpu-gpu or asic.") from error


def _as_before(tags: Tags, before: Tags) -> Tags:
    """Returns the tags in the spelling that the rig has already."""
    spelled = {tag_key(tag): tag for tag in before}
    return tuple(sorted(spelled.get(tag_key(tag), tag) for tag in tags))
