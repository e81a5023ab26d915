"""The kind of database that a URL names. It is apart from `db`, so that settings load without SQLAlchemy."""


def is_postgresql(url: str) -> bool:
    """Returns whether the URL names PostgreSQL; all others name SQLite."""
    return url.startswith(("postgresql://", "postgres://"))
