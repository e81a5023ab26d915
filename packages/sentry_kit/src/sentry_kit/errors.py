"""The root of all errors for people: each text is a sentence that says what to do."""


class SentryError(Exception):
    """An error whose text is a sentence for a person; it is shown without a traceback."""


class BadSetting(SentryError):
    """A setting can't be read. The text names it and the expected value."""


class BadUse(SentryError):
    """The command was used wrongly; it ends with exit code 2."""


class StorageError(SentryError):
    """The data directory or the file in it can't be used."""


class EnrolmentError(SentryError):
    """The enrolment's URL or token is wrong; `field` is `url` or `token`."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
