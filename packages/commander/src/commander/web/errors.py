"""Turns each error into an answer: a status, a code and a text for people.

Our own errors have all three (`commander.problems`). Programs (`/api/`) get a problem document (RFC 9457). People get a
page (`web/shell.py`) or the login form.
"""

import logging
from http import HTTPStatus

import msgspec
from litestar.exceptions import HTTPException, InternalServerException, ValidationException
from litestar.types import Scope, Send
from protocol.messages import FieldError, Problem
from protocol.plain_words import plain
from sqlalchemy.exc import DBAPIError

from commander.problems import CommanderError, DatabaseProblem
from commander.web.bodies import NO_STORE, TOO_DEEP, send_json

log = logging.getLogger(__name__)
NOT_FOUND = "not_found"
ALIASES = {"since": "from", "until": "to", "listed": "state"}  # query parameters with another name in Python


def problem_of(error: Exception) -> tuple[Problem, int | None]:
    """Returns the problem document of an exception, and the seconds after which the sender may try again."""
    if isinstance(error, DBAPIError | OverflowError) and _is_out_of_range(error):
        return _problem(404, NOT_FOUND, "Not found", "There is nothing with such a number."), None
    if isinstance(error, DBAPIError):
        log.error("the database can't be used: %s", error.orig)
        error = DatabaseProblem(f"The commander's database can't be used now ({error.orig}). Nothing was changed.")
    if isinstance(error, CommanderError) and (kind := error.kind):
        return (
            _problem(kind.status, kind.code, kind.title, str(error), error.field_errors()),
            error.retry_after_s or kind.retry_after_s,
        )
    if isinstance(error, InternalServerException) and (wrong := _error_of_body(error)):
        return _wrong_fields([wrong]), None
    if isinstance(error, msgspec.ValidationError):
        return _wrong_fields([_field_error(str(error))]), None
    if isinstance(error, ValidationException):
        return _wrong_fields(_field_errors(error)), None
    if isinstance(error, msgspec.DecodeError | UnicodeDecodeError):
        return _problem(415, "not_json", "Not JSON", f"The body is not JSON: {error}."), None
    if isinstance(error, RecursionError):
        log.warning("a body could not be read: %s", error)
        return _problem(400, "bad_body", "Unreadable body", TOO_DEEP), None
    if isinstance(error, HTTPException) and error.status_code < 500:
        code, title = HTTP_ERRORS.get(error.status_code, ("refused", HTTPStatus(error.status_code).phrase))
        return _problem(error.status_code, code, title, error.detail or title), None
    log.error("unexpected error", exc_info=error)
    return _problem(500, "internal", "Internal error", "The commander has an error; its log has the details."), None


def _error_of_body(error: InternalServerException) -> FieldError | None:
    """Returns the error of a body's field that has the name of a dependency, such as `settings`; None if it is another.

    Litestar takes it for an error of the dependency and calls it internal.
    """
    text = str(error.__cause__)
    is_of_body = isinstance(error.__cause__, msgspec.ValidationError) and " - at `$.data." in text
    return _field_error(text.replace("`$.data.", "`$.")) if is_of_body else None


def _is_out_of_range(error: Exception) -> bool:
    """Returns whether a number is larger than the database can store: each driver has its own error for that."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OverflowError):
        cause = cause.__cause__
    return cause is not None


HTTP_ERRORS = {
    400: ("bad_body", "Unreadable body"),
    404: (NOT_FOUND, "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
}


async def send_problem(error: Exception, scope: Scope, send: Send) -> None:
    """Answers a program with the problem document of `error`."""
    problem, retry_after_s = problem_of(error)
    body = msgspec.json.encode(problem)
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode()), NO_STORE]
    headers += [(name.lower().encode(), value.encode()) for name, value in extra_headers(error, retry_after_s).items()]
    await send_json(send, problem.status, body, headers=headers)


def extra_headers(error: Exception, retry_after_s: int | None) -> dict[str, str]:
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
    if isinstance(error, CommanderError) and error.kind and error.kind.asks_for_token:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, HTTPException) and error.headers:
        headers |= {name: value for name, value in error.headers.items() if name.lower() == "allow"}
    return headers


def _problem(status: int, code: str, title: str, detail: str, errors: list[FieldError] | None = None) -> Problem:
    return Problem(title=title, status=status, detail=detail, code=code, errors=errors or [])


def _wrong_fields(errors: list[FieldError]) -> Problem:
    detail = "; ".join(f"{error.field}: {error.message}" for error in errors) or "A field is wrong."
    return _problem(422, "wrong_field", "Wrong field", detail, errors)


def _field_error(text: str, field: str = "") -> FieldError:
    """Makes a field's error of a text of msgspec: "Expected `str`, got `int` - at `$.cpu.name`"."""
    place, message = plain(text)
    return FieldError(field=place or field or "body", message=message)


def _field_errors(error: ValidationException) -> list[FieldError]:
    """Returns the wrong fields by the names that the sender knows. Litestar names the arguments of its handlers."""
    extra = error.extra if isinstance(error.extra, list) else []
    keys = [str(item.get("key") or "") for item in extra]
    names = ["" if key == "data" else ALIASES.get(key, key) for key in keys]
    return [_field_error(str(item.get("message")), name) for item, name in zip(extra, names, strict=True)]
