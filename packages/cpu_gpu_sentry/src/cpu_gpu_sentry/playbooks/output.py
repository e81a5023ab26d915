"""Reads what a keeper wrote down: lines with their numbers, in order, from wherever one was last.

Files are named RUN.FIRST_LINE.log; runs sort as they were started. What the ring has let go is passed over, and the
numbers show the gap.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cpu_gpu_sentry.playbooks.lines import clean_line

BATCH_BYTES = 200_000
BATCH_LINES = 2000
_TAIL_BYTES = 32_768


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """The next line to be read; where it stands, if that is known: so many bytes into that file."""

    run: str
    line: int
    file: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    run: str
    first_line: int
    lines: list[str]
    then: OutputPlace


@dataclass(frozen=True, slots=True)
class _File:
    """`end` is the number behind its last line: without end for the newest of a run."""

    path: Path
    run: str
    first_line: int
    end: float


def read_lines(folder: Path, place: OutputPlace | None) -> Batch | None:
    """The next lines of one run; None: there is nothing new."""
    for file in _files(folder):
        if place is not None and (file.run, file.end - 1) < (place.run, place.line):
            continue
        is_in_it = place is not None and file.run == place.run and place.line >= file.first_line
        batch = _read(file, place if is_in_it else None)
        if batch is not None:
            return batch
    return None


def _files(folder: Path) -> list[_File]:
    names = sorted((path for path in folder.glob("*.log")), key=lambda path: path.name) if folder.exists() else []
    files: list[_File] = []
    for path in reversed(names):
        run, _, number = path.stem.rpartition(".")
        if run and number.isdecimal():
            is_newest = not files or files[-1].run != run
            files.append(_File(path, run, int(number), float("inf") if is_newest else files[-1].first_line))
    return files[::-1]


def _read(file: _File, place: OutputPlace | None) -> Batch | None:
    line = place.line if place else file.first_line
    try:
        with file.path.open("rb") as opened:
            if place is not None and place.file == file.path.name:
                opened.seek(place.offset)
            elif not _skip(opened, line - file.first_line):
                return None
            began = opened.tell()
            raw = list(_whole_lines(opened.read(BATCH_BYTES)))
    except FileNotFoundError:  # the ring has let it go meanwhile
        return None
    if not raw:
        return None
    then = OutputPlace(file.run, line + len(raw), file.path.name, began + sum(map(len, raw)))
    return Batch(file.run, line, [clean_line(each[:-1]) for each in raw], then)


def _skip(opened: IO[bytes], lines: int) -> bool:
    return all(opened.readline().endswith(b"\n") for _line in range(lines))


def _whole_lines(data: bytes) -> Iterator[bytes]:
    pieces = data.split(b"\n")[:-1]
    for piece in pieces[:BATCH_LINES]:
        yield piece + b"\n"


def last_lines(folder: Path, run: str | None, count: int) -> list[str]:
    """Returns the last lines of a run; without a run, those of the newest run that printed anything."""
    files = [file for file in _files(folder) if run in (None, file.run)]
    lines: list[str] = []
    for path in reversed([file.path for file in files if file.run == files[-1].run]):
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
                raw = file.read(_TAIL_BYTES).split(b"\n")
        except FileNotFoundError:
            break
        lines = [line for line in map(clean_line, raw) if line] + lines
        if len(lines) >= count:
            break
    return lines[-count:]
