"""The revisions of the database's schema that this commander knows."""

from pathlib import Path

from commander.problems import DatabaseProblem

HEAD = "0022"


class SchemaTooNew(DatabaseProblem):
    """A newer commander has written this database."""


def known_revisions() -> set[str]:
    return {path.name.partition("_")[0] for path in (Path(__file__).parent / "versions").glob("0*.py")}


def check_known(revision: str | None) -> None:
    """Raises `SchemaTooNew` unless this commander knows the revision, or there is none yet."""
    if revision is not None and revision not in known_revisions():
        raise SchemaTooNew(
            f"A newer commander has written this database (revision {revision}, this one knows {HEAD}): update this "
            "commander."
        )
