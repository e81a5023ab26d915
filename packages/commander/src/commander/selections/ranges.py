"""The ids of many rigs as a short text, for forms and addresses."""

import re
from collections.abc import Iterable

_RANGES = re.compile(r"(?:\d{1,10}(?:-\d{1,10})?,?)*")


def ranges_text(ids: Iterable[int]) -> str:
    """Returns "1-50,52": thousands of ids in a form are short like this."""
    ranges = list[list[int]]()
    for rig_id in sorted(ids):
        if ranges and rig_id == ranges[-1][1] + 1:
            ranges[-1][1] = rig_id
        else:
            ranges.append([rig_id, rig_id])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def ids_in_ranges(text: str, known: Iterable[int]) -> set[int]:
    """Returns those of the known ids that the ranges hold; a text that is no ranges holds none."""
    if not _RANGES.fullmatch(text):
        return set()
    parts = [part.partition("-") for part in text.split(",") if part]
    ranges = [(int(first), int(last or first)) for first, _, last in parts]
    single = {first for first, last in ranges if first == last}
    wide = [(first, last) for first, last in ranges if first != last]
    return {each for each in known if each in single or any(first <= each <= last for first, last in wide)}
