"""The farm in one file, and back: the database, and what the sentries' trust hangs on."""

from commander.problems import CommandProblem


class BackupProblem(CommandProblem):
    """A backup can't be made or restored; the text says why and what to do."""
