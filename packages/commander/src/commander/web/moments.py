"""Times that people enter in forms and addresses."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from litestar.types import Scope

from commander.problems import CommanderError, ErrorKind

SHOWN_OF_WRONG = 40
_NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?")


class WrongRange(CommanderError):
    """There is no such range of time. `field` is what has to be changed: from or to."""

    kind = ErrorKind(422, "bad_range", "Not a range", field="to")

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def moment_of(text: str) -> datetime:
    """In UTC; without a zone it is UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def moment_in(text: str, field: str) -> datetime | None:
    """Returns the time that was entered in a field; None for an empty one. Raises `WrongRange`."""
    if not text:
        return None
    try:
        return moment_of(text)
    except ValueError as error:
        shown = text if len(text) <= SHOWN_OF_WRONG else text[:SHOWN_OF_WRONG] + "…"
        raise WrongRange(field, f"“{shown}” is not a time; write it like 2026-11-20T18:30.") from error


def check_moments(scope: Scope) -> None:
    """Raises `WrongRange` for a number as `from` or `to` of the API, which Litestar would take for seconds of 1970."""
    query = scope["query_string"]
    if not query or not scope["path"].startswith("/api/"):
        return
    for name, text in parse_qsl(query.decode("latin-1")):
        if name in ("from", "to") and _NUMBER.fullmatch(text.strip()):
            raise WrongRange(name, f"“{text[:SHOWN_OF_WRONG]}” is not a time; write it like 2026-11-20T18:30:00Z.")


def check_order(since: datetime, until: datetime) -> None:
    """Raises `WrongRange`."""
    if since >= until:
        raise WrongRange("to", "The range ends before it begins; choose a later end, or an earlier beginning.")


def field_text(moment: datetime) -> str:
    """Returns a time as a field of a form holds it: in UTC, without a zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
