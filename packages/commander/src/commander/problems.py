"""Errors that can answer a request, each with its status, code and title; and errors that end a command."""

from typing import ClassVar, NamedTuple

from protocol.messages import FieldError


class ErrorKind(NamedTuple):
    """The way an error is answered.

    `field` names what the person has to change, `retry_after_s` when to come back. `asks_for_token`: the answer asks
    for a bearer token.
    """

    status: int
    code: str
    title: str
    field: str | None = None
    retry_after_s: int | None = None
    asks_for_token: bool = False


class CommanderError(Exception):
    """Root of the errors that a person or a program can cause; its text is for people.

    One without a `kind` is a bug of the commander: status 500, and a line in its log.
    """

    kind: ClassVar[ErrorKind | None] = None
    retry_after_s: int | None = None  # if it differs from that of the kind

    def field_errors(self) -> list[FieldError]:
        """The wrong fields; a class with a `field` of its own names that one."""
        field = getattr(self, "field", self.kind.field if self.kind else None)
        return [FieldError(field=field, message=str(self))] if field else []


class CommandProblem(Exception):
    """Root of the errors that end a command and answer no request; its text is for people."""


class WrongUse(CommandProblem):
    """The command line can't be carried out; the text says what to do."""


class DatabaseProblem(CommanderError):
    """The database can't be used; the text says why and what to do, and holds no secret."""

    kind = ErrorKind(503, "storage_away", "Storage away", retry_after_s=5)


class DatabaseAway(DatabaseProblem):
    """It does not answer now."""
