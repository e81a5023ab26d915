"""Ids in queries and forms, where a person or a script may write anything."""

_DIGITS_AT_MOST = 18  # more than any row's id has; Python refuses to read thousands of digits


def id_in(text: str) -> int | None:
    """Returns the id; None if the text is no number, or one that no row can have."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS_AT_MOST else None
