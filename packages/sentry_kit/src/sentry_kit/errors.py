"""One root for everything that a sentry says to a person: each text is a sentence that says what to do."""


class SentryError(Exception):
    """Its text is a sentence for a person; no traceback is shown for it."""


class BadSetting(SentryError):
    """A setting that can't be read; the text names it and says what was expected."""


class BadUse(SentryError):
    """The command was used wrongly; ends with exit code 2."""


class StorageError(SentryError):
    """The data directory or the file in it can't be used."""


class EnrolmentError(SentryError):
    """What was given for the enrolment is wrong; `field` says which of the two: `url` or `token`."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
