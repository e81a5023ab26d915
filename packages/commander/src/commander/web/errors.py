"""Every error's answer, in one table: status, code and what a person reads.

Machines (`/api/`) get RFC 9457 problem documents; people get a page (`web/shell.py`) or the login form.
"""

import logging
import re
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import Scope, Send
from protocol.messages import FieldError, Problem
from sqlalchemy.exc import DBAPIError

from commander.accounts.domain import AccountError, KeyNameTaken, NoSuchKey, NotSignedIn, TooManyTries, WrongPassword
from commander.addresses.domain import AddressNameTaken, AddressNotFound, BadAddress
from commander.db import DatabaseProblem
from commander.logs.domain import WrongRange
from commander.playbooks.domain import (
    BadPlaybook,
    InUse,
    NotConfirmed,
    PlaybookChanged,
    PlaybookNotFound,
    TooManyPlaybooks,
)
from commander.rigs.domain import BadName, NameTaken, RigNotFound
from commander.software.domain import BadSoftware, SoftwareNotFound, SoftwareTaken
from commander.telemetry.group_commit import Overloaded, StorageAway
from commander.telemetry.history import BadRange
from commander.telemetry.tokens import InvalidToken, RigRemoved
from commander.web.bodies import TOO_DEEP, BadBody, NotJson, TooLarge, send_json
from commander.web.body_budget import TooManyBodies
from commander.web.security import CrossSite

log = logging.getLogger(__name__)
NOT_FOUND = "not_found"
_MISSING = re.compile("Object missing required field `(.+)`")
ALIASES = {"since": "from", "until": "to"}  # what Python can't call by the name that it has outside


class Kind(NamedTuple):
    """How an error is answered. `field` names what the person has to change, `retry_after_s` when to come back."""

    status: int
    code: str
    title: str
    field: str | None = None
    retry_after_s: int | None = None


KINDS: dict[type[Exception], Kind] = {
    InvalidToken: Kind(401, "invalid_token", "Invalid token"),
    RigRemoved: Kind(410, "rig_removed", "Rig removed"),
    Overloaded: Kind(503, "overloaded", "Overloaded", retry_after_s=1),
    StorageAway: Kind(503, "storage_away", "Storage away", retry_after_s=5),
    DatabaseProblem: Kind(503, "storage_away", "Storage away", retry_after_s=5),
    TooManyBodies: Kind(503, "overloaded", "Overloaded", retry_after_s=2),
    TooLarge: Kind(413, "too_large", "Body too large"),
    NotJson: Kind(415, "not_json", "Not JSON"),
    BadBody: Kind(400, "bad_body", "Unreadable body"),
    BadName: Kind(422, "bad_name", "Not a name", field="name"),
    NameTaken: Kind(409, "name_taken", "Name taken", field="name"),
    WrongRange: Kind(422, "bad_range", "Not a range", field="to"),
    BadRange: Kind(422, "bad_range", "Not a range", field="to"),
    RigNotFound: Kind(404, "rig_not_found", "No such rig"),
    NotSignedIn: Kind(401, "not_signed_in", "Not signed in"),
    WrongPassword: Kind(401, "wrong_password", "Wrong password", field="password"),
    TooManyTries: Kind(429, "too_many_tries", "Too many tries", field="password", retry_after_s=60),
    KeyNameTaken: Kind(409, "name_taken", "Name taken", field="name"),
    NoSuchKey: Kind(404, "no_such_key", "No such key"),
    AccountError: Kind(422, "bad_name", "Not a name", field="name"),
    BadAddress: Kind(422, "bad_address", "Not an address"),
    AddressNameTaken: Kind(409, "name_taken", "Name taken", field="name"),
    AddressNotFound: Kind(404, "address_not_found", "No such address"),
    BadSoftware: Kind(422, "bad_software", "Not mining software"),
    SoftwareTaken: Kind(409, "version_taken", "Version taken", field="version"),
    SoftwareNotFound: Kind(404, "software_not_found", "No such mining software"),
    BadPlaybook: Kind(422, "bad_playbook", "Not a playbook"),
    PlaybookNotFound: Kind(404, "playbook_not_found", "No such playbook"),
    PlaybookChanged: Kind(409, "playbook_changed", "Playbook changed"),
    TooManyPlaybooks: Kind(409, "too_many_playbooks", "Too many playbooks"),
    InUse: Kind(409, "in_use", "In use"),
    NotConfirmed: Kind(409, "not_confirmed", "Not confirmed"),
    CrossSite: Kind(403, "cross_site", "Sent by another site"),
}


def problem_of(error: Exception) -> tuple[Problem, int | None]:
    """The problem document of any exception, and after how many seconds to come back."""
    if isinstance(error, DBAPIError | OverflowError) and _is_out_of_range(error):
        return _problem(404, NOT_FOUND, "Not found", "There is nothing with such a number."), None
    if isinstance(error, DBAPIError):
        log.error("the database can't be used: %s", error.orig)
        error = StorageAway(f"The commander's database can't be used now ({error.orig}). Nothing was changed.")
    for cls in type(error).__mro__:
        if kind := KINDS.get(cls):
            return _problem(kind.status, kind.code, kind.title, str(error), _fields(error, kind)), kind.retry_after_s
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
    return _problem(500, "internal", "Internal error", "The commander made a mistake; its log says which."), None


def _is_out_of_range(error: Exception) -> bool:
    """A number in an address that no row can have: each driver says so in its own way."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OverflowError):
        cause = cause.__cause__
    return cause is not None


def _fields(error: Exception, kind: Kind) -> list[FieldError]:
    """Which fields the error is about; for what is in use, by which playbooks."""
    match error:
        case BadSoftware(fields=fields) | BadPlaybook(fields=fields):
            return [FieldError(field=name, message=text) for name, text in fields.items()]
        case InUse(uses=uses) | NotConfirmed(uses=uses):
            return [
                FieldError(field=f"playbooks.{use.playbook_id}", message=f"{use.playbook} on {use.rig}") for use in uses
            ]
    field = getattr(error, "field", kind.field)
    return [FieldError(field=field, message=str(error))] if field else []


HTTP_ERRORS = {
    400: ("bad_body", "Unreadable body"),
    404: (NOT_FOUND, "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
}


async def send_problem(error: Exception, scope: Scope, send: Send) -> None:
    """Answer a machine with the problem document of `error`."""
    problem, retry_after_s = problem_of(error)
    body = msgspec.json.encode(problem)
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in extra_headers(error, retry_after_s).items()]
    await send_json(send, problem.status, body, headers=headers)


def extra_headers(error: Exception, retry_after_s: int | None) -> dict[str, str]:
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
    if isinstance(error, NotSignedIn | InvalidToken):
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
    """From msgspec's words: "Expected `str`, got `int` - at `$.cpu.name`"."""
    message, _, path = text.partition(" - at `")
    field = path.rstrip("`").removeprefix("$").removeprefix(".") or field
    if missing := _MISSING.fullmatch(message):
        field = f"{field}.{missing[1]}" if field else missing[1]
    return FieldError(field=field or "body", message=message)


def _field_errors(error: ValidationException) -> list[FieldError]:
    """Litestar calls the body `data`, and query parameters as its handlers do."""
    extra = error.extra if isinstance(error.extra, list) else []
    keys = [str(item.get("key") or "") for item in extra]
    names = ["" if key == "data" else ALIASES.get(key, key) for key in keys]
    return [_field_error(str(item.get("message")), name) for item, name in zip(extra, names, strict=True)]
