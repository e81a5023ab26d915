"""A farm moves from SQLite to PostgreSQL: `commander migrate-data`."""

from commander.problems import CommandProblem


class MigrateDataProblem(CommandProblem):
    """The farm can't be moved; the text says why and what to do."""
