"""Log-ins for reading: what an operator entered for an ASIC or a model, and how a question is authorised with it.

Some makes show nothing without a password. It is used only for the questions of `registry.ALLOWED`; the request that
asks for a token is on that list, too. If no password was entered, none is tried. No maker's default password is known.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

import httpx
import msgspec

from asic_sentry.failures import BadReply, FailureKind, bad_response, error_status

_SESSIONS_LIMIT = 4096
_DETAIL_LIMIT = 200
_NEEDED = "It needs a password. Enter it on the sentry's page, or with “asic-sentry password”."
_REFUSED = (
    "It refuses the password that was entered. Enter the right one on the sentry's page, or with “asic-sentry "
    "password”."
)
Send = Callable[[bytes], Awaitable[bytes]]  # sends a complete request and returns the answer's body


class Login(msgspec.Struct, frozen=True):
    """A user's name and password for reading. Its text never shows the password."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, …)"


class Unauthorised(BadReply):
    """The device answers 401 or 403. `challenge` is its `WWW-Authenticate`, which may be empty."""

    def __init__(self, status_text: str, challenge: str) -> None:
        super().__init__(FailureKind.ERROR_STATUS, status_text)
        self.challenge = challenge


class WrongPassword(BadReply):
    """The device refuses the log-in that was entered."""


class Access(Protocol):
    """A way to log in."""

    @property
    def requests(self) -> tuple[bytes, ...]:
        """The requests that it may send besides the question, with `{password}` and `{user}` in them."""

    async def answer(self, request: bytes, login: Login, key: str, send: Send) -> bytes:
        """Returns the answer to the question. `key` names the device."""


_login: ContextVar[Login | None] = ContextVar("login", default=None)


@contextmanager
def using(login: Login | None) -> Iterator[None]:
    """Lets the questions that this task asks inside of the context use this log-in."""
    reset = _login.set(login)
    try:
        yield
    finally:
        _login.reset(reset)


async def authorised(access: Access, request: bytes, key: str, send: Send) -> bytes:
    """Returns the answer to a question that may need a log-in. Raises `BadReply`."""
    login = _login.get()
    try:
        return await (send(request) if login is None else access.answer(request, login, key, send))
    except Unauthorised as error:
        if login is None:
            raise error_status(f"{error}. {_NEEDED}") from error
        raise WrongPassword(FailureKind.ERROR_STATUS, f"{error}. {_REFUSED}"[:_DETAIL_LIMIT]) from error


class _Sessions(OrderedDict[tuple[str, Login], object]):
    def keep(self, key: tuple[str, Login], session: object) -> None:
        self[key] = session
        while len(self) > _SESSIONS_LIMIT:
            self.popitem(last=False)


_sessions = _Sessions()  # of each device and log-in: the last challenge, or the token


def _with_header(request: bytes, header: str) -> bytes:
    """Returns the request with one more line in its head."""
    if "\r" in header or "\n" in header:
        raise bad_response("The device's challenge has a line end in it.")
    head, _, body = request.partition(b"\r\n\r\n")
    return head + b"\r\n" + header.encode("latin-1", "replace") + b"\r\n\r\n" + body


class Digest(NamedTuple):
    """A log-in by HTTP Digest, which never sends the password itself."""

    @property
    def requests(self) -> tuple[bytes, ...]:
        return ()

    async def answer(self, request: bytes, login: Login, key: str, send: Send) -> bytes:
        session = _sessions.get((key, login))
        auth = session if isinstance(session, httpx.DigestAuth) else httpx.DigestAuth(login.user, login.password)
        method, path = request.split(b" ", 2)[:2]
        asked = httpx.Request(method.decode(), f"http://device{path.decode()}")
        flow = auth.auth_flow(asked)
        attempt = next(flow)
        while True:
            header = attempt.headers.get("Authorization")
            try:
                answer = await send(_with_header(request, f"Authorization: {header}") if header else request)
            except Unauthorised as error:
                attempt = _next_attempt(flow, asked, error)
            else:
                _sessions.keep((key, login), auth)
                return answer


def _next_attempt(flow: object, asked: httpx.Request, refused: Unauthorised) -> httpx.Request:
    """Returns the request with an answer to the challenge. Raises `refused` if there is none, or no further attempt."""
    response = httpx.Response(401, headers={"WWW-Authenticate": refused.challenge}, request=asked)
    try:
        attempt: httpx.Request = flow.send(response)  # type: ignore[attr-defined]  # a generator
    except (StopIteration, httpx.HTTPError, KeyError, ValueError, NotImplementedError) as error:
        raise refused from error
    return attempt


class Token(NamedTuple):
    """A log-in with a request that answers the password by a token, for the header `Authorization`."""

    path: str

    @property
    def requests(self) -> tuple[bytes, ...]:
        return (self._request(b'{"pw":"{password}"}'),)

    def _request(self, body: bytes) -> bytes:
        head = f"POST {self.path} HTTP/1.1\r\nHost: {{host}}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body

    async def answer(self, request: bytes, login: Login, key: str, send: Send) -> bytes:
        token = _sessions.get((key, login))
        if isinstance(token, str):
            try:
                return await send(_with_header(request, f"Authorization: Bearer {token}"))
            except Unauthorised:
                _sessions.pop((key, login), None)  # it has expired
        try:
            return await send(request)  # it may be open
        except Unauthorised:
            token = await self._token(login, send)
            _sessions.keep((key, login), token)
        return await send(_with_header(request, f"Authorization: Bearer {token}"))

    async def _token(self, login: Login, send: Send) -> str:
        reply = await send(self._request(msgspec.json.encode({"pw": login.password})))
        try:
            return str(msgspec.json.decode(reply)["token"])
        except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError) as error:
            raise bad_response("The answer to the log-in has no token.") from error
