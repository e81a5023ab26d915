"""A farm moves from SQLite to PostgreSQL: `commander migrate-data`."""


class MigrateDataProblem(Exception):
    """The farm can't be moved; the text says why and what to do."""
