"""Errors of the wheels' commands."""


class CannotFetch(Exception):
    """Wheels can't be fetched; the text says why and what to do."""
