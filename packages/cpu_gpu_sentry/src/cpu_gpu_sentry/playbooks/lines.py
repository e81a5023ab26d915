"""Cleans the lines that mining software prints: no colours, no control characters, no endless lines. Pure."""

import re

LINE_LIMIT = 2000
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor (ECMA-48)
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: the window's title
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]")


def clean_line(raw: bytes) -> str:
    """One line without its end. Of what overwrote itself (a carriage return) the last state is left."""
    text = _ESCAPES.sub("", raw.decode("utf-8", "replace"))
    states = [part for part in text.split("\r") if part.strip()]
    text = _CONTROLS.sub("", (states or [""])[-1].replace("\t", "    ")).rstrip()
    return text if len(text) <= LINE_LIMIT else text[: LINE_LIMIT - 1] + "…"
