"""The kind of a database, as its URL says it. Settings need it, and do not need SQLAlchemy."""


def is_postgresql(url: str) -> bool:
    return url.startswith(("postgresql://", "postgres://"))
