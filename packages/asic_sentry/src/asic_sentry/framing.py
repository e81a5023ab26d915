"""Finds the end of an answer, which is at most a mebibyte.

Each function gets the bytes received so far, and whether the device has closed the connection. It returns the complete
answer, or None while bytes are missing. It raises `BadReply` if further bytes can't make it an answer.
"""

import re
from collections.abc import Callable

from protocol.plain_words import quoted

from asic_sentry.access import Unauthorised
from asic_sentry.challenges import challenges_in
from asic_sentry.failures import BadReply, bad_response, error_status

LIMIT_BYTES = 1024 * 1024
HTTP_HEAD = b"Host: {host}\r\nAccept: application/json\r\nConnection: close\r\n"
_HEAD_LIMIT_BYTES = 16 * 1024
_STATUS_LIMIT = 64
_CHUNK_LIMIT = 4096  # all chunks are read again with each piece that arrives
_UNKNOWN_THERE = {b"400", b"404", b"405"}
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ?([^\r\n]*)")
_REFUSED = {b"401", b"403"}
_REALM = re.compile(r'(?i)realm="([^"]{1,64})"')
_LENGTH = re.compile(rb"(?i)\r\nContent-Length: *(\d{1,18})[ \t]*\r\n")
_CHUNKED = re.compile(rb"(?i)\r\nTransfer-Encoding: *chunked[ \t]*\r\n")

Framing = Callable[[bytes | bytearray, bool], bytes | None]


def too_large() -> BadReply:
    return bad_response(f"The answer is larger than {LIMIT_BYTES} bytes.")


def until_nul(received: bytes | bytearray, ended: bool) -> bytes | None:
    """cgminer: the answer ends in NUL or with the connection; some firmwares leave the connection open."""
    if ended or received.endswith(b"\0"):
        return bytes(received)
    return None


def after_length(received: bytes | bytearray, ended: bool) -> bytes | None:
    """Whatsminer V3: a little-endian length in 4 bytes, then as many bytes."""
    length = int.from_bytes(received[:4], "little") if len(received) >= 4 else 0
    if length > LIMIT_BYTES:
        raise too_large()
    if len(received) >= 4 and len(received) - 4 >= length:
        return bytes(received[4 : 4 + length])
    if ended:
        raise bad_response(f"The answer ended after {len(received)} bytes of {length + 4}.")
    return None


def http_body(received: bytes | bytearray, ended: bool) -> bytes | None:
    """Returns the body of a 200. Another status is a refusal; 400, 404 and 405 mean that the question is unknown."""
    head, separator, _ = received.partition(b"\r\n\r\n")
    may_be_http = b"HTTP/1.".startswith(bytes(received[:7]))
    if may_be_http and len(head) > _HEAD_LIMIT_BYTES:
        raise bad_response(f"The answer's headers are larger than {_HEAD_LIMIT_BYTES} bytes.")
    if may_be_http and not separator and not ended:
        return None
    status = _STATUS.match(head) if separator else None
    if status is None:
        raise bad_response(f"The answer is not HTTP: {quoted(head)}.")
    if status[1] != b"200":
        status_text = f"HTTP {status[1].decode()} {status[2].decode('latin-1').strip()[:_STATUS_LIMIT]}".strip()
        if status[1] in _REFUSED:
            raise _unauthorised(status_text, bytes(head))
        raise bad_response(f"{status_text}.") if status[1] in _UNKNOWN_THERE else error_status(status_text)
    return _body(bytes(head) + b"\r\n", received, len(head) + 4, ended)


def _unauthorised(status_text: str, head: bytes) -> Unauthorised:
    challenges = challenges_in(head)
    realm = _REALM.search(", ".join(challenges))
    return Unauthorised(f"{status_text}, realm “{realm[1]}”" if realm else status_text, challenges)


def _body(head: bytes, received: bytes | bytearray, start: int, ended: bool) -> bytes | None:
    length = _LENGTH.search(head)
    if length is not None:
        return _with_length(received, start, int(length[1]), ended)
    if _CHUNKED.search(head):
        return _unchunked(received, start, ended)
    return bytes(received[start:]) if ended else None


def _with_length(received: bytes | bytearray, start: int, length: int, ended: bool) -> bytes | None:
    if length > LIMIT_BYTES:
        raise too_large()
    if len(received) >= start + length:
        return bytes(received[start : start + length])
    if ended:
        raise bad_response(f"The answer ended after {len(received) - start} bytes of {length}.")
    return None


def _unchunked(received: bytes | bytearray, start: int, ended: bool) -> bytes | None:
    parts: list[bytes] = []
    while (line_end := received.find(b"\r\n", start)) >= 0:
        try:
            size = int(bytes(received[start:line_end]).partition(b";")[0], 16)
        except ValueError as error:
            raise bad_response("The answer's chunks can't be read.") from error
        if size == 0:
            return b"".join(parts)
        if not 0 < size <= LIMIT_BYTES or len(parts) > _CHUNK_LIMIT:
            raise too_large()
        parts.append(bytes(received[line_end + 2 : line_end + 2 + size]))
        start = line_end + 2 + size + 2
    if ended:
        raise bad_response("The answer ended within its chunks.")
    return None
