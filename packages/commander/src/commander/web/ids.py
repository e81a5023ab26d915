"""Parses ids in queries and forms, which may contain anything."""

_DIGITS_AT_MOST = 18  # more than any row's id has; Python refuses to read thousands of digits


def id_in(text: str) -> int | None:
    """Returns the id; None if the text is not a number, or is one that no row can have."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS_AT_MOST else None
