"""Log-ins for reading: what an operator entered for an ASIC or a model, and how a question is authorised with it.

Some makes show nothing without a password. It is used only for the questions of `registry.ALLOWED`; the request that
asks for a token is on that list, too. If no password was entered, none is tried. No maker's default password is known.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from asic_sentry.challenges import of_scheme, other_schemes
from asic_sentry.failures import BadReply, FailureKind, PasswordError, bad_response

_SESSIONS_LIMIT = 4096
_FIELD = re.compile(r"\{(?:user|password)\}")
_DETAIL_LIMIT = 200
_AGAIN_AFTER_S = 900.0
T = TypeVar("T")
_NEEDED = "It needs a password. Enter it on the sentry's page, or with “asic-sentry password”."
REFUSED = (
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
    """The device answers 401 or 403. `challenges` are those of its `WWW-Authenticate`; there may be none."""

    def __init__(self, status_text: str, challenges: tuple[str, ...] = ()) -> None:
        super().__init__(FailureKind.ERROR_STATUS, status_text)
        self.challenges = challenges


class WrongPassword(PasswordError):
    """The device refuses the log-in that was entered."""


class Access(Protocol):
    """A way to log in."""

    @property
    def requests(self) -> tuple[bytes, ...]:
        """The requests that it may send besides the question, with `{password}` and `{user}` in them."""

    async def answer(self, request: bytes, login: Login, key: str, send: Send) -> bytes:
        """Returns the answer to the question. `key` names the device."""

    async def open_answer(self, request: bytes, send: Send) -> bytes:
        """Returns the answer without a log-in. Raises `Unauthorised` if the device wants one."""


_login: ContextVar[Login | None] = ContextVar("login", default=None)


@contextmanager
def using(login: Login | None) -> Iterator[None]:
    """Lets the questions that this task asks inside of the context use this log-in."""
    reset = _login.set(login)
    try:
        yield
    finally:
        _login.reset(reset)


def has_login() -> bool:
    """Returns whether questions that this task asks may use a log-in."""
    return _login.get() is not None


async def authorised(access: Access, request: bytes, key: str, send: Send, *, optional: bool = False) -> bytes:
    """Returns the answer to a question that may need a log-in. Raises `BadReply`.

    If the device refuses the password for an `optional` question, it is not sent again for 15 minutes. The ASIC is
    still polled as often as before.
    """
    login = _login.get()
    if login is None:
        try:
            return await access.open_answer(request, send)
        except Unauthorised as error:
            raise PasswordError(FailureKind.ERROR_STATUS, f"{error}. {_NEEDED}"[:_DETAIL_LIMIT]) from error
    if optional and (sentence := refusal_of(access, login, key)):
        raise WrongPassword(FailureKind.ERROR_STATUS, sentence)
    try:
        answer = await access.answer(request, login, key, send)
    except Unauthorised as error:
        forget_acceptance(access, login, key)
        if optional:
            _refused_until_s.keep((key, login, access), time.monotonic() + _AGAIN_AFTER_S)
        raise WrongPassword(FailureKind.ERROR_STATUS, f"{error}. {REFUSED}"[:_DETAIL_LIMIT]) from error
    if is_accepted(access, login, key):  # an open page answers without looking at the password
        _refused_until_s.pop((key, login, access), None)
    return answer


class _OfDevices(OrderedDict[tuple[str, Login, Access], T]):
    """Keeps one value for each device, log-in and way to log in: one port may take several ways."""

    def keep(self, key: tuple[str, Login, Access], value: T) -> None:
        self[key] = value
        while len(self) > _SESSIONS_LIMIT:
            self.popitem(last=False)


def refusal_of(access: Access, login: Login, key: str) -> str | None:
    """Returns the sentence if the device refused this log-in for an optional question and has not accepted it since."""
    return REFUSED if _refused_until_s.get((key, login, access), 0.0) > time.monotonic() else None


def is_accepted(access: Access, login: Login, key: str) -> bool:
    """Returns whether the device accepted this log-in the last time that a question needed it."""
    return (key, login, access) in _sessions


def forget_acceptance(access: Access, login: Login, key: str) -> None:
    """Forgets the token, or the challenge, of the last log-in: the next question that needs one sends the password."""
    _sessions.pop((key, login, access), None)


def forget_refusals(login: Login) -> None:
    """Lets a log-in that was refused be tried again at once: it was entered again."""
    for key in [key for key in _refused_until_s if key[1] == login]:
        del _refused_until_s[key]


_sessions = _OfDevices[object]()  # of accepted log-ins: the token, or the challenge that was answered
_refused_until_s = _OfDevices[float]()


def _with_header(request: bytes, header: str) -> bytes:
    """Returns the request with one more line in its head."""
    if "\r" in header or "\n" in header:
        raise bad_response("The device's challenge has a line end in it.")
    head, _, body = request.partition(b"\r\n\r\n")
    return head + b"\r\n" + header.encode("latin-1", "replace") + b"\r\n\r\n" + body


def _other_way(refused: Unauthorised, schemes: str) -> BadReply:
    """Returns the failure of a device that wants a log-in in another way: it has not refused the password."""
    return bad_response(f"{refused}: it wants a log-in by HTTP {schemes}.")


class Digest(NamedTuple):
    """A log-in by HTTP Digest, which never sends the password itself."""

    @property
    def requests(self) -> tuple[bytes, ...]:
        return ()

    async def open_answer(self, request: bytes, send: Send) -> bytes:
        return await send(request)

    async def answer(self, request: bytes, login: Login, key: str, send: Send) -> bytes:
        session = _sessions.get((key, login, self))
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
                if header:
                    _sessions.keep((key, login, self), auth)
                return answer


def _next_attempt(flow: object, asked: httpx.Request, refused: Unauthorised) -> httpx.Request:
    """Returns the request with an answer to the challenge. Raises `refused` if there is none, or no further attempt."""
    challenges = of_scheme("digest", refused.challenges)
    if not challenges and (others := other_schemes("digest", refused.challenges)):
        raise _other_way(refused, others) from refused
    headers = [(b"WWW-Authenticate", each.encode("latin-1")) for each in challenges]
    response = httpx.Response(401, headers=headers, request=asked)
    try:
        attempt: httpx.Request = flow.send(response)  # type: ignore[attr-defined]  # a generator
    except (StopIteration, httpx.HTTPError, KeyError, ValueError, NotImplementedError) as error:
        raise refused from error
    return attempt


BEARER, PLAIN = "Authorization: Bearer {token}", "Authorization: {token}"


def _in_json(value: str) -> str:
    return msgspec.json.encode(value).decode()[1:-1]


class Token(NamedTuple):
    """A log-in by a token. One request sends the password, and its answer has the token. Questions have it in a header.

    `form` is JSON or the fields of a form, with `{user}` and `{password}` in it. With `in_address` it is a part of the
    address. `place` is where the token stands in the answer. Some devices answer "not logged in" with the status 200;
    `denies` returns whether an answer means that.

    The password is sent in clear. A device that names another scheme than Bearer does not get it.
    """

    path: str
    form: str
    place: tuple[str | int, ...] = ("token",)
    header: str = BEARER
    in_address: bool = False
    denies: Callable[[bytes], bool] = lambda _answer: False

    @property
    def requests(self) -> tuple[bytes, ...]:
        return (self._request(self.form),)

    def _request(self, form: str) -> bytes:
        if self.in_address:
            return f"GET {self.path}?{form} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n\r\n".encode()
        kind = "json" if self._is_json else "x-www-form-urlencoded"
        head = f"POST {self.path} HTTP/1.1\r\nHost: {{host}}\r\nContent-Type: application/{kind}\r\n"
        body = form.encode()
        return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body

    @property
    def _is_json(self) -> bool:
        return self.form.startswith("{")

    def _filled(self, login: Login) -> str:
        values = {"{user}": login.user, "{password}": login.password}
        escape = _in_json if self._is_json else partial(quote, safe="")
        return _FIELD.sub(lambda field: escape(values[field[0]]), self.form)

    async def answer(self, request: bytes, login: Login, key: str, send: Send) -> bytes:
        token = _sessions.get((key, login, self))
        if isinstance(token, str):
            try:
                return await self.open_answer(self._with(token, request), send)
            except Unauthorised:
                forget_acceptance(self, login, key)  # it has expired
        try:
            return await self.open_answer(request, send)  # it may be open
        except Unauthorised as refused:
            if others := other_schemes("bearer", refused.challenges):
                raise _other_way(refused, others) from refused
            token = await self._token(login, send)
            _sessions.keep((key, login, self), token)
        return await self.open_answer(self._with(token, request), send)

    def _with(self, token: str, request: bytes) -> bytes:
        return _with_header(request, self.header.replace("{token}", token))

    async def open_answer(self, request: bytes, send: Send) -> bytes:
        answer = await send(request)
        if self.denies(answer):
            raise Unauthorised("Not logged in")
        return answer

    async def _token(self, login: Login, send: Send) -> str:
        reply = await send(self._request(self._filled(login)))
        try:
            found = msgspec.json.decode(reply)
            for key in self.place:
                found = found[key]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError) as error:
            raise Unauthorised("The device answered the log-in without a token") from error
        if not isinstance(found, str) or not found:
            raise Unauthorised("The device answered the log-in without a token")
        return found
