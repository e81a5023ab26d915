"""Errors of the wheels' commands."""

from commander.problems import CommandProblem


class CannotFetch(CommandProblem):
    """Wheels can't be fetched; the text says why and what to do."""
