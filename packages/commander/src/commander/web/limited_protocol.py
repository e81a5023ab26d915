"""uvicorn's HTTP protocol with limits for what is read before a request has an answer.

uvicorn limits neither a request's headers nor the time that a sender takes for headers and body. This class counts in
the callbacks of asyncio and httptools, whose names are public interfaces, and leaves all else to uvicorn.
"""

import asyncio
from http import HTTPStatus
from typing import Any, NoReturn

import msgspec
from protocol.messages import Problem
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from commander.limit_log import LimitLog

HEAD_LIMIT_BYTES = 64 * 1024
HEADERS_LIMIT = 100
HEAD_WITHIN_S = 10.0
BODY_WITHIN_S = 30.0
BODY_LOOK_EVERY_S = 10.0
BODY_LEAST_BYTES = 10 * 1024  # between two looks: 1 KiB/s

TOO_LARGE = Problem(
    title="Head too large",
    status=431,
    detail="The address and the headers of a request have 64 KiB at most, and there are 100 headers at most.",
    code="head_too_large",
)
TOO_SLOW = Problem(
    title="Too slow",
    status=408,
    detail="The request did not arrive in time: its headers have 10 s, and its body has 30 s and at least 1 KiB/s.",
    code="too_slow",
)


class HeadTooLarge(Exception):
    """Ends the parsing of headers that have been answered already."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A sender that breaks a limit gets one answer, and the connection ends."""

    limit_log = LimitLog()  # of all connections: uvicorn makes these objects

    def __init__(self, *arguments: Any, **named: Any) -> None:  # uvicorn's own arguments
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = self._headers = 0
        self._unread_bytes = 0  # since the head began, or since the last piece of a body
        self._body_bytes = 0
        self._in_head, self._in_body = False, False
        self._has_ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._has_ended:
            return
        self._unread_bytes += len(data)
        super().data_received(data)
        if (self._in_head or self._in_body) and not self._has_ended:
            self._look_after(self.transport)

    def _look_after(self, transport: asyncio.Transport) -> None:
        """Checks a request that has begun and is not complete."""
        if self._unread_bytes > HEAD_LIMIT_BYTES:
            self._end(TOO_LARGE)
        elif transport.get_protocol() is not self:
            self._stop_waiting()  # it has become a WebSocket
        elif self._timer is None and self._in_head:
            self._wait_for_head()
        elif self._timer is None:
            self._wait_for_body()

    def on_message_begin(self) -> None:
        self._in_head, self._in_body = True, False
        self._head_bytes = self._headers = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse_head()
        HttpToolsProtocol.on_url(self, url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += 1
        self._head_bytes += len(name) + len(value)
        if self._headers > HEADERS_LIMIT or self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse_head()
        HttpToolsProtocol.on_header(self, name, value)  # not by super(), which would double the cost

    def on_headers_complete(self) -> None:
        if self._timer is not None:
            self._stop_waiting()
        self._in_head, self._in_body = False, True
        self._unread_bytes = self._body_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._timer is not None:
            self._stop_waiting()
        self._in_body = False
        self._unread_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._has_ended:
            super().send_400_response(msg)

    def _refuse_head(self) -> NoReturn:
        self._end(TOO_LARGE)
        raise HeadTooLarge

    def _wait_for_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_WITHIN_S, self._end, TOO_SLOW)

    def _wait_for_body(self) -> None:
        until_s = self.loop.time() + BODY_WITHIN_S
        self._timer = self.loop.call_later(BODY_LOOK_EVERY_S, self._look_at_body, until_s, self._body_bytes)

    def _look_at_body(self, until_s: float, bytes_before: int) -> None:
        """Ends a body that is too slow. Time in which the commander itself has paused reading does not count."""
        is_held_back = not self.transport.is_reading()
        is_slow = self._body_bytes - bytes_before < BODY_LEAST_BYTES or self.loop.time() >= until_s
        if is_slow and not is_held_back:
            self._end(TOO_SLOW)
            return
        until_s += BODY_LOOK_EVERY_S if is_held_back else 0
        self._timer = self.loop.call_later(BODY_LOOK_EVERY_S, self._look_at_body, until_s, self._body_bytes)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, problem: Problem) -> None:
        """Closes the connection, with an answer if the request has none."""
        self._has_ended = True
        self._stop_waiting()
        if self._in_head or self._in_body:  # browsers open connections in advance, which send nothing
            sender = self.client[0] if self.client else "an unknown address"
            self.limit_log.note(problem.code, f"a request was ended: {problem.title.lower()}, from {sender}")
        if self._may_answer():
            self.transport.write(_response(problem))
        self.transport.close()

    def _may_answer(self) -> bool:
        """Returns False in the middle of another answer, and for a connection that never sent anything."""
        if self._in_body:
            return not self.cycle.response_started
        return self._in_head and (self.cycle is None or self.cycle.response_complete)


def _response(problem: Problem) -> bytes:
    body = msgspec.json.encode(problem)
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
