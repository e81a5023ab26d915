"""Output of miners: cleaned, numbered and read once, from the keeper's own files."""

from pathlib import Path

import pytest
from cpu_gpu_sentry.playbooks.keeper_posix import Ring
from cpu_gpu_sentry.playbooks.lines import LINE_LIMIT, clean_line
from cpu_gpu_sentry.playbooks.output import BATCH_LINES, Batch, OutputPlace, last_lines, read_lines
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"\x1b[1;32maccepted\x1b[0m (1/0)", "accepted (1/0)"),
        (b"\x1b]0;a title\x07speed 10 kH/s\r", "speed 10 kH/s"),
        (b"\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        (b"10 %\r50 %\r100 %", "100 %"),
        (b"a\x00b\x07c\x7fd\x9be", "abcd\N{REPLACEMENT CHARACTER}e"),
        (b"a\tb", "a    b"),
        ("ü \u202egnp.exe".encode(), "ü gnp.exe"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"\x1b(B\x1b[2J\x1b[Hhome", "home"),
    ],
)
def test_a_line_is_text_and_nothing_else(raw: bytes, line: str) -> None:
    assert clean_line(raw) == line


def test_a_long_line_is_cut() -> None:
    assert clean_line(b"x" * 5000) == "x" * (LINE_LIMIT - 1) + "…"


@given(st.binary(max_size=300))
def test_whatever_is_printed_can_be_shown(raw: bytes) -> None:
    line = clean_line(raw)
    assert len(line) <= LINE_LIMIT
    assert not [letter for letter in line if ord(letter) < 32 or 127 <= ord(letter) < 160]


def everything(folder: Path, place: OutputPlace | None = None) -> list[Batch]:
    found = []
    while (batch := read_lines(folder, place)) is not None:
        found.append(batch)
        place = batch.then
    return found


def numbered(batches: list[Batch]) -> dict[tuple[str, int], str]:
    return {(b.run, b.first_line + place): line for b in batches for place, line in enumerate(b.lines)}


def test_each_line_is_read_once_with_its_number_over_several_runs(tmp_path: Path) -> None:
    for run in ("1-a", "2-b"):
        ring = Ring(str(tmp_path), run)
        ring.write(b"one\ntwo\nthr")
        ring.write(b"ee\nfo")
        ring.end()
    assert numbered(everything(tmp_path)) == {
        (run, number): line for run in ("1-a", "2-b") for number, line in enumerate(("one", "two", "three", "fo"))
    }


def test_a_line_without_its_end_is_not_read_yet(tmp_path: Path) -> None:
    ring = Ring(str(tmp_path), "1-a")
    ring.write(b"one\nhalf")
    (batch,) = everything(tmp_path)
    assert batch.lines == ["one"]
    ring.write(b" and half\n")
    (more,) = everything(tmp_path, batch.then)
    assert (more.first_line, more.lines) == (1, ["half and half"])
    ring.end()


def test_reading_goes_on_where_it_was_even_if_only_the_number_is_known(tmp_path: Path) -> None:
    ring = Ring(str(tmp_path), "1-a")
    ring.write(b"".join(b"%d\n" % number for number in range(BATCH_LINES + 10)))
    ring.end()
    first = read_lines(tmp_path, None)
    assert first is not None
    assert len(first.lines) == BATCH_LINES
    rest = read_lines(tmp_path, OutputPlace("1-a", first.then.line))
    assert rest is not None
    assert (rest.first_line, rest.lines) == (BATCH_LINES, [str(BATCH_LINES + n) for n in range(10)])


def test_the_ring_keeps_five_megabytes_and_the_numbers_show_what_is_lost(tmp_path: Path) -> None:
    ring = Ring(str(tmp_path), "1-a")
    line = b"x" * 999 + b"\n"
    for _number in range(9000):
        ring.write(line)
    ring.end()
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert 3_500_000 < size <= 5_000_000
    batches = everything(tmp_path)
    told = sum(len(batch.lines) for batch in batches)
    assert batches[0].first_line == 9000 - told
    assert batches[-1].then.line == 9000


def test_a_program_that_never_ends_a_line_does_not_fill_memory_or_disk(tmp_path: Path) -> None:
    ring = Ring(str(tmp_path), "1-a")
    for _piece in range(200):
        ring.write(b"y" * 65536)
    ring.end()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5_100_000
    assert all(len(line) <= LINE_LIMIT for batch in everything(tmp_path) for line in batch.lines)


def test_the_last_lines_are_those_of_the_run(tmp_path: Path) -> None:
    for run, count in (("1-a", 50), ("2-b", 3)):
        ring = Ring(str(tmp_path), run)
        ring.write(b"".join(b"%s line %d\n" % (run.encode(), number) for number in range(count)))
        ring.end()
    assert last_lines(tmp_path, "1-a", 20)[-1] == "1-a line 49"
    assert len(last_lines(tmp_path, "1-a", 20)) == 20
    assert last_lines(tmp_path, None, 20) == ["2-b line 0", "2-b line 1", "2-b line 2"]
    assert last_lines(tmp_path / "none", None, 20) == []
