"""`/login`: accepts a one-time address, or the page's password if there is one."""

import logging

import jinja2
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sentry_kit.local_page.access import Access
from sentry_kit.local_page.forms import form_of, html

log = logging.getLogger(__name__)

_USED = "This address was used already, or is older than 10 minutes, or the sentry has been started again since."
_WRONG = "This is not the page's password."
_TOO_MANY = "Too many wrong tries; wait a minute."


class Login:
    def __init__(self, access: Access, templates: jinja2.Environment) -> None:
        self._access, self._templates = access, templates

    @property
    def routes(self) -> list[Route]:
        return [Route("/login", self._by_address), Route("/login", self._by_password, methods=["POST"])]

    def form(self, status: int = 200, error: str = "") -> Response:
        has_password = self._access.has_password
        return html(self._templates, "login.html", status, read_only=False, error=error, has_password=has_password)

    async def _by_address(self, request: Request) -> Response:
        """Logs in by a one-time address. HEAD, which link previews send, does not use it up."""
        code = request.query_params.get("code", "")
        if not code or request.method == "HEAD":
            return self.form()
        if self._access.take_code(code):
            return self._welcome(request)
        return self._refused(request, _USED)

    async def _by_password(self, request: Request) -> Response:
        if self._access.is_stopped(_address(request)):
            return self.form(429, _TOO_MANY)
        if self._access.take_password((await form_of(request)).get("password", "")):
            return self._welcome(request)
        return self._refused(request, _WRONG)

    def _welcome(self, request: Request) -> Response:
        log.info("page_login address=%s", _address(request))
        return self._access.log_in(RedirectResponse("/", 303))

    def _refused(self, request: Request, error: str) -> Response:
        address = _address(request)
        if self._access.is_stopped(address):
            return self.form(429, _TOO_MANY)
        self._access.note_wrong(address)
        log.warning("page_login_refused address=%s", address)
        return self.form(403, error)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
