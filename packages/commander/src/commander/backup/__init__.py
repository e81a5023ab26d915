"""The farm in one file, and back: the database, and what the sentries' trust hangs on."""


class BackupProblem(Exception):
    """A backup can't be made or restored; the text says why and what to do."""
