"""The only place that sends anything to an ASIC.

It sends the questions of `registry.ALLOWED` and nothing else. A question is named by its dialect and its own name. No
call takes other bytes or a parameter, so nothing here can change a machine. A question that needs a log-in uses
what the operator entered (`access`).

One connection per question: these APIs close it after their answer.
"""

import asyncio
import errno
from functools import partial
from typing import cast

from protocol.reasons import reason

from asic_sentry.access import Unauthorised, authorised
from asic_sentry.dialects.dialect import LibraryCall, Question
from asic_sentry.dialects.registry import ALLOWED
from asic_sentry.failures import BadReply, FailureKind, NoAnswer, PollError, error_status
from asic_sentry.framing import LIMIT_BYTES, Framing, http_body, too_large

CONNECT_S, READ_S = 2.0, 3.0

_OUR_LIMITS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN}
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


class _Exchange(asyncio.Protocol):
    """Sends one request and completes `answer` with the device's answer, or with the reason why there is none."""

    __slots__ = ("_connection", "_framing", "_request", "answer", "received")

    def __init__(self, request: bytes, framing: Framing, answer: "asyncio.Future[bytes]") -> None:
        self._request, self._framing = request, framing
        self.answer, self.received = answer, b""
        self._connection: asyncio.WriteTransport | None = None

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection = cast(asyncio.WriteTransport, transport)  # uvloop's class does not inherit from it
        self._connection.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._read(ended=False)

    def eof_received(self) -> None:
        self._read(ended=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """A reset after some bytes is a normal end: some devices close so before they have read the whole request."""
        if isinstance(exc, OSError) and not self.received and not self.answer.done():
            self.answer.set_exception(_failed(exc))
        self._read(ended=True)

    def _read(self, *, ended: bool) -> None:
        if self.answer.done():
            return
        try:
            answer = self._complete_answer(ended)
        except PollError as error:
            self.answer.set_exception(error)
        else:
            if answer is not None:
                self.answer.set_result(answer)

    def close(self) -> None:
        """Ends the connection; further bytes are discarded."""
        self.answer.cancel()
        if self._connection is not None:
            self._connection.abort()

    def _complete_answer(self, ended: bool) -> bytes | None:
        if len(self.received) > LIMIT_BYTES:
            raise too_large()
        if ended and not self.received:
            raise NoAnswer(FailureKind.CLOSED, "The device closed the connection without an answer.")
        return self._framing(self.received, ended)


async def ask(ip: str, port: int, dialect: str, question: str) -> bytes:
    """Returns the device's complete answer to a question of `ALLOWED`. Raises `NoAnswer` or `BadReply`."""
    request = ALLOWED[dialect][question]
    if isinstance(request, LibraryCall):
        return await request.call(ip)
    at = request.port or port
    if request.access is None:
        return await _open_answer(ip, at, request)
    send, key = partial(_exchange, ip, at, request), device_key(ip, port, request)
    return await authorised(request.access, request.request, key, send, optional=request.optional)


def device_key(ip: str, port: int, question: Question) -> str:
    """Returns the key by which log-ins at the question's port are known. `port` is the dialect's."""
    return f"{ip}:{question.port or port}"


async def _open_answer(ip: str, port: int, question: Question) -> bytes:
    """Returns the answer to a question that devices of its dialect answer without a log-in."""
    try:
        return await _exchange(ip, port, question, question.request)
    except Unauthorised as error:
        text = f"{error}. The ASIC wants a log-in, and the sentry has none for this kind of ASIC."
        raise error_status(text) from error


async def _exchange(ip: str, port: int, question: Question, request: bytes) -> bytes:
    """Sends a question's request, or what its log-in adds to it."""
    if question.framing is http_body:
        host = f"[{ip}]" if ":" in ip else ip
        request = request.replace(b"{host}", f"{host}:{port}".encode(), 1)
    loop = asyncio.get_running_loop()
    exchange = _Exchange(request, question.framing, loop.create_future())
    try:
        async with asyncio.timeout(CONNECT_S) as limit:  # one for both waits: each costs as much as parsing an answer
            await loop.create_connection(lambda: exchange, ip, port)
            limit.reschedule(loop.time() + READ_S)
            return await exchange.answer
    except TimeoutError as error:  # also the system's error ETIMEDOUT
        raise _too_late(exchange, ip, question.title) from error
    except OSError as error:
        raise _failed(error) from error
    finally:
        exchange.close()


def _too_late(exchange: _Exchange, ip: str, title: str) -> NoAnswer:
    if not exchange.is_connected:
        return NoAnswer(FailureKind.CONNECT_TIMEOUT, f"Nothing answers at {ip} within {CONNECT_S:g} s.")
    return NoAnswer(FailureKind.READ_TIMEOUT, _silence(title, len(exchange.received)))


def _silence(title: str, received: int) -> str:
    if not received:
        return f"The device took the connection but did not answer “{title}” within {READ_S:g} s."
    return f"The answer to “{title}” stopped after {received} bytes and did not end within {READ_S:g} s."


def _failed(error: OSError) -> NoAnswer | BadReply:
    system_text = reason(error)
    if error.errno in _OUR_LIMITS:
        return NoAnswer(FailureKind.LOCAL_LIMIT, f"This computer can't open another connection ({system_text}).")
    if error.errno in _NO_WAY:
        return NoAnswer(FailureKind.UNREACHABLE, f"The network has no route to the device ({system_text}).")
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return NoAnswer(FailureKind.CLOSED, f"The device closed the connection ({system_text}).")
    if isinstance(error, ConnectionRefusedError):
        return NoAnswer(FailureKind.REFUSED, "The device refuses the connection: it is off, or its API is.")
    return NoAnswer(FailureKind.UNREACHABLE, f"The device can't be reached ({system_text}).")
