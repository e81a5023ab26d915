"""The only place that sends anything to an ASIC, and all that it can send.

`ALLOWED` holds, per family, every byte sequence that ever leaves; a question is asked by its name in it. Each of them
reads. There is no way to send another one, no log-in and no parameter, so nothing here can change a machine.

One connection per question: these APIs close it after their answer.
"""

import asyncio
import errno
from enum import StrEnum
from typing import NamedTuple, cast

from protocol.reasons import reason

from asic_sentry.failures import BadReply, FailureKind, NoAnswer, PollError
from asic_sentry.framing import LIMIT_BYTES, Framing, after_length, http_body, too_large, until_nul

CONNECT_S, READ_S = 2.0, 3.0


class Family(StrEnum):
    PROBE = "probe"
    ANTMINER = "antminer"
    WHATSMINER = "whatsminer"
    WHATSMINER_V3 = "whatsminer_v3"
    AVALON = "avalon"
    AXEOS = "axeos"
    ICERIVER = "iceriver"


class Wire(NamedTuple):
    framing: Framing
    requests: dict[str, bytes]


def _cgminer(*commands: str) -> dict[str, bytes]:
    return {command: b'{"command":"%s"}' % command.encode() for command in commands}


def _whatsminer(*commands: str) -> dict[str, bytes]:
    """Some firmwares know `cmd` alone and some `command`; each ignores the other."""
    return {command: b'{"cmd":"%s","command":"%s"}' % ((command.encode(),) * 2) for command in commands}


def _framed(**requests: bytes) -> dict[str, bytes]:
    return {name: len(body).to_bytes(4, "little") + body for name, body in requests.items()}


_HEAD = b"Host: {host}\r\nAccept: application/json\r\nConnection: close\r\n"
# An HTTP server that is asked this, where the port does not tell what listens, says no at once instead of waiting.
_LINE_ENDS = b"\r\n\r\n"

ALLOWED = {
    Family.PROBE: Wire(
        until_nul,
        {**_whatsminer("summary"), "summary_line": _whatsminer("summary")["summary"] + _LINE_ENDS},
    ),
    Family.ANTMINER: Wire(until_nul, _cgminer("summary", "stats", "pools", "version")),
    Family.WHATSMINER: Wire(
        until_nul, _whatsminer("summary", "devs", "edevs", "pools", "get_version", "devdetails")
    ),
    Family.WHATSMINER_V3: Wire(
        after_length,
        _framed(
            summary=b'{"cmd":"get.miner.status","param":"summary"}',
            edevs=b'{"cmd":"get.miner.status","param":"edevs"}',
            pools=b'{"cmd":"get.miner.status","param":"pools"}',
            device_info=b'{"cmd":"get.device.info"}',
        ),
    ),
    Family.AVALON: Wire(until_nul, _cgminer("summary", "litestats", "stats", "pools", "version")),
    Family.AXEOS: Wire(http_body, {"system_info": b"GET /api/system/info HTTP/1.1\r\n" + _HEAD + b"\r\n"}),
    Family.ICERIVER: Wire(
        http_body,
        {
            "userpanel": b"POST /user/userpanel HTTP/1.1\r\n" + _HEAD
            + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\npost=4"
        },
    ),
}  # fmt: skip

_OUR_LIMITS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN}
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


class _Exchange(asyncio.Protocol):
    """Sends one request and completes `answer` with what comes back, or with why not."""

    __slots__ = ("_connection", "_framing", "_request", "answer", "received")

    def __init__(self, request: bytes, framing: Framing, answer: "asyncio.Future[bytes]") -> None:
        self._request, self._framing = request, framing
        self.answer, self.received = answer, b""
        self._connection: asyncio.WriteTransport | None = None

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection = cast(asyncio.WriteTransport, transport)  # uvloop's is none by inheritance
        self._connection.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._read(ended=False)

    def eof_received(self) -> None:
        self._read(ended=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """After some bytes a reset is an end like any other: a device that has not read all it was sent ends so."""
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
        """Whatever still comes is for nobody."""
        self.answer.cancel()
        if self._connection is not None:
            self._connection.abort()

    def _complete_answer(self, ended: bool) -> bytes | None:
        if len(self.received) > LIMIT_BYTES:
            raise too_large()
        if ended and not self.received:
            raise NoAnswer(FailureKind.CLOSED, "The device closed the connection without an answer.")
        return self._framing(self.received, ended)


async def ask(ip: str, port: int, family: Family, question: str) -> bytes:
    """The device's whole answer to a question of `ALLOWED`; raises `NoAnswer` or `BadReply`."""
    wire = ALLOWED[family]
    request = wire.requests[question]
    if wire.framing is http_body:
        host = f"[{ip}]" if ":" in ip else ip
        request = request.replace(b"{host}", f"{host}:{port}".encode(), 1)
    loop = asyncio.get_running_loop()
    exchange = _Exchange(request, wire.framing, loop.create_future())
    try:
        async with asyncio.timeout(CONNECT_S) as limit:  # one for both waits: each costs as much as parsing an answer
            await loop.create_connection(lambda: exchange, ip, port)
            limit.reschedule(loop.time() + READ_S)
            return await exchange.answer
    except TimeoutError as error:  # the system's own (ETIMEDOUT) is one too
        raise _too_late(exchange, ip, question) from error
    except OSError as error:
        raise _failed(error) from error
    finally:
        exchange.close()


def _too_late(exchange: _Exchange, ip: str, question: str) -> NoAnswer:
    if not exchange.is_connected:
        what = f"Nothing answers at {ip} within {CONNECT_S:g} s."
        return NoAnswer(FailureKind.CONNECT_TIMEOUT, what)
    return NoAnswer(FailureKind.READ_TIMEOUT, _silence(question, len(exchange.received)))


def _silence(question: str, received: int) -> str:
    if not received:
        return f"The device took the connection but did not answer “{question}” within {READ_S:g} s."
    return f"The answer to “{question}” stopped after {received} bytes and did not end within {READ_S:g} s."


def _failed(error: OSError) -> NoAnswer | BadReply:
    system_text = reason(error)
    if error.errno in _OUR_LIMITS:
        return NoAnswer(FailureKind.LOCAL_LIMIT, f"This computer can't open another connection ({system_text}).")
    if error.errno in _NO_WAY:
        return NoAnswer(FailureKind.UNREACHABLE, f"There is no way to the device ({system_text}).")
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return NoAnswer(FailureKind.CLOSED, f"The device closed the connection ({system_text}).")
    if isinstance(error, ConnectionRefusedError):
        return NoAnswer(FailureKind.REFUSED, "The device refuses the connection: it is off, or its API is.")
    return NoAnswer(FailureKind.UNREACHABLE, f"The device can't be reached ({system_text}).")
