"""Asks a person for the password again before what moves money or gives access, so that nothing typed is lost.

The table of routes says which requests need it (`confirmed`); a handler that changes playbooks asks for it by
`Confirmations.check_for_rigs`. A form that needs it is answered with a page that has all its fields and asks for the
password. That page sends the same form to the same address again, with the password, and the request is carried out.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from litestar.types import ASGIApp, HTTPRequestEvent, Receive, Scope, Send

from commander.accounts.auth import is_for_machines
from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import ConfirmationNeeded, Session, check_confirmed
from commander.accounts.route_roles import needs_confirmation
from commander.web.bodies import header, method_of
from commander.web.security import SAFE
from commander.web.shell import Html, Page, Section, page

PASSWORD_FIELD = "confirm_password"  # noqa: S105 - names of fields
CODE_FIELD = "confirm_code"
FORM = "step_up_form"  # its key in the state of a request's scope
URLENCODED = "application/x-www-form-urlencoded"
Fields = list[tuple[str, str]]


class StepUp:
    """Litestar middleware behind `Authentication`."""

    def __init__(self, app: ASGIApp, confirmations_of: Callable[[Scope], Confirmations]) -> None:
        self._app = app
        self._confirmations_of = confirmations_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session, method = scope.get("user"), method_of(scope)
        if isinstance(session, Session) and method is not None and method not in SAFE:
            receive = await self._checked(scope, receive, session, method)
        await self._app(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive, session: Session, method: str) -> Receive:
        if (header(scope, b"content-type") or "").partition(";")[0].strip().lower() == URLENCODED:
            message = cast(HTTPRequestEvent, await receive())  # the whole form, see `BodyGate`
            fields = parse_qsl(message["body"].decode("utf-8", errors="replace"), keep_blank_values=True)
            scope["state"][FORM] = [each for each in fields if each[0] not in (PASSWORD_FIELD, CODE_FIELD)]
            receive = _again(message, receive)
            typed = dict(fields)
            if PASSWORD_FIELD in typed:
                password, code = typed[PASSWORD_FIELD], typed.get(CODE_FIELD, "")
                session = await self._confirmations_of(scope).confirm(session, password=password, code=code)
                scope["user"] = session
        if needs_confirmation(method, scope["path"]):
            check_confirmed(session, now=datetime.now(UTC))
        return receive


def _again(message: HTTPRequestEvent, receive: Receive) -> Receive:
    """Returns a `receive` that brings this message first."""
    is_read = False

    async def first() -> object:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return message

    return cast(Receive, first)


def asks_by_page(error: Exception, path: str) -> bool:
    """Returns whether a person has to be asked for the password, by `confirmation_page`."""
    return isinstance(error, ConfirmationNeeded) and not is_for_machines(path)


def confirmation_page(scope: Scope, error: Exception, *, section: Section) -> Html:
    """Returns the page that asks for the password, with the fields of the form that waits for it."""
    is_wrong = isinstance(error, ConfirmationNeeded) and error.is_wrong
    query = scope["query_string"].decode("latin-1")
    shown = page(
        "web/confirm.html",
        Page(title="Confirm that it is you", section=section),
        status=422 if is_wrong else 403,
        action=scope["path"] + (f"?{query}" if query else ""),
        back=_back(scope),
        fields=scope["state"].get(FORM, []),
        error="That is not your password, or not the code." if is_wrong else "",
    )
    return shown


def _back(scope: Scope) -> str:
    """Returns the page from which the form came, as its browser names it."""
    try:
        parts = urlsplit(header(scope, b"referer") or "")
    except ValueError:
        return "/"
    is_here = parts.netloc == header(scope, b"host") and parts.path.startswith("/") and parts.path != scope["path"]
    return (parts.path + (f"?{parts.query}" if parts.query else "")) if is_here else "/"
