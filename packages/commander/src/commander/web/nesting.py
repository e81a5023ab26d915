"""Limits how deeply a JSON text is nested.

A log is stored as it came, and each later reader needs enough stack for it.
"""

import re

LEVELS_LIMIT = 200  # our messages have 7 levels; pages and jobs have stack for far more than 200
BRACKETS_LIMIT = 20_000  # a rig with 8 GPUs opens 40; checking more would take too long
_TO_NEXT_BRACKET = re.compile(rb'[^][{}"]*+(?:"(?:[^"\\]|\\.)*+"[^][{}"]*+)*+([][{}])', re.DOTALL)


def is_nested_too_deeply(text: bytes) -> bool:
    """Returns whether more than `LEVELS_LIMIT` brackets are, or may be, open at once. The JSON must be valid."""
    opened = text.count(b"[") + text.count(b"{")
    if opened <= LEVELS_LIMIT:
        return False  # the usual log: two counts and no more
    return opened > BRACKETS_LIMIT or _depth_exceeds_limit(text)


def _depth_exceeds_limit(text: bytes) -> bool:
    level = 0
    for match in _TO_NEXT_BRACKET.finditer(text):
        level += 1 if match[1] in b"[{" else -1
        if level > LEVELS_LIMIT:
            return True
    return False
