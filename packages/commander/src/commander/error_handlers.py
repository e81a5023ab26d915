"""Answers to exceptions: machines get a problem document, people a page or the login form."""

from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response
from litestar.response import Redirect
from litestar.types import ExceptionHandlersMap, Scope, Send

from commander.accounts.auth import is_for_machines
from commander.accounts.domain import NotSignedIn
from commander.accounts.proxy_users import BadProxyUser
from commander.registry.kinds import PATHS, RigKind
from commander.registry.sections import ASICS, RIGS
from commander.web.errors import NOT_FOUND, extra_headers, problem_of, send_problem
from commander.web.shell import error_page, plain_page
from commander.web.step_up import asks_by_page, confirmation_page

AnyRequest = Request[Any, Any, Any]


def answer(request: AnyRequest, error: Exception) -> Response[Any]:
    path = request.url.path
    if isinstance(error, NotSignedIn) and not is_for_machines(path):
        return Redirect(login_address(request), status_code=303)
    problem, retry_after_s = problem_of(error)
    if not is_for_machines(path):
        section = ASICS if path.startswith(PATHS[RigKind.ASIC]) else RIGS
        if isinstance(error, BadProxyUser):
            return plain_page(problem.status, problem.title, problem.detail)
        if asks_by_page(error, path):
            return confirmation_page(request.scope, error, section=section)
        if problem.code == NOT_FOUND:
            return error_page(problem.status, "There is no page at this address.", "", section=section)
        shown = error_page(problem.status, problem.title, problem.detail, section=section)
        shown.headers.update(extra_headers(error, retry_after_s))
        return shown
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type="application/problem+json",
        headers=extra_headers(error, retry_after_s),
    )


def login_address(request: AnyRequest) -> str:
    """Returns the address of the login page, which leads back to the requested page."""
    if request.method != "GET":
        return "/login"
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/login?next={quote(request.url.path + query, safe='')}"


async def refuse(error: Exception, scope: Scope, send: Send) -> None:
    """Sends the error's answer, for middleware that refuses a request."""
    await send_problem(error, scope, send)


exception_handlers: ExceptionHandlersMap = {Exception: answer}
