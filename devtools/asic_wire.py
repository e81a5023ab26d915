"""Reads requests to the fake ASICs and frames their answers, with a fault if one is chosen."""

import json
from typing import Any

FAULTS = {
    "refused": "listens nowhere",
    "black_hole": "connections are never made",
    "silent": "accepts, never answers",
    "half": "half an answer, then silence",
    "left_open": "a whole answer, but the connection stays open (no failure)",
    "closed": "closes at once",
    "empty": "an answer with nothing in it",
    "truncated": "half an answer, then the end",
    "reset": "half an answer, then a reset of the connection",
    "garbage": "an answer that is no JSON",
    "not_utf8": "an answer that begins with bytes that are not UTF-8",
    "error_status": "says that access is denied",
    "huge": "10 MB of answer",
}
# The kinds of failure that a poll tells are understood too, each as the plainest fault that leads to it.
ALSO = {"connect_timeout": "black_hole", "read_timeout": "silent", "bad_response": "garbage"}
HUGE_BYTES = 10_000_000


def command_of(data: bytes) -> str | None:
    """Returns the command of a request in any protocol; None while it is incomplete, "? …" if it is no command."""
    if data[:1] == b"{":
        return _json_command(data)
    if data[:1].isalpha() and data[:1].isupper():
        return _http_command(data)
    length = int.from_bytes(data[:4], "little")
    if len(data) < 4 or (length < 65_536 and len(data) < 4 + length):
        return None
    return _v3_command(data[4 : 4 + length])


def _json_command(data: bytes) -> str | None:
    try:
        asked = json.loads(data)
    except ValueError:
        return None if len(data) < 4096 else _nothing(data)
    words = {key: str(value) for key, value in asked.items()}
    named = {words.pop("command", None), words.pop("cmd", None)} - {None}
    return " ".join([*(str(each) for each in sorted(named, key=str)), *(f"{key}={words[key]}" for key in words)])


def _v3_command(body: bytes) -> str:
    try:
        asked: dict[str, Any] = json.loads(body)
        return " ".join(str(asked[key]) for key in sorted(asked))
    except (ValueError, TypeError):
        return _nothing(body)


def _http_command(data: bytes) -> str | None:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return None if len(data) < 65_536 else _nothing(data)
    lines = head.decode("latin-1").split("\r\n")
    length = next((int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:")), 0)
    if len(body) < length:
        return None
    said = " ".join(lines[0].split()[:2])
    return f"{said} {body.decode('latin-1')}" if body else said


def _nothing(data: bytes) -> str:
    return f"? {data[:40]!r}"


def framed(speaks: str, body: bytes, status: str = "200 OK") -> bytes:
    if speaks == "v3":
        return len(body).to_bytes(4, "little") + body
    if speaks == "http":
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"Connection: close\r\n\r\n" + body
    return body + b"\0"


def refusal(speaks: str, words: str, http_status: int = 403) -> bytes:
    """The device's own no."""
    if speaks == "v3":
        return framed("v3", json.dumps({"code": -4, "msg": words, "desc": ""}).encode())
    if speaks == "http":
        return framed("http", b"{}", f"{http_status} {words}")
    no = {"STATUS": [{"STATUS": "E", "Code": 45, "Msg": words, "Description": "stand-in"}], "id": 1}
    return framed("cgminer", json.dumps(no).encode())


def faulty(speaks: str, body: bytes, fault: str | None) -> tuple[bytes, bool]:
    """The bytes to send, and whether the connection ends after them."""
    whole = framed(speaks, body)
    match fault:
        case "silent":
            return b"", False
        case "half" | "truncated" | "reset":
            return whole[: len(whole) - len(body) // 2], fault != "half"
        case "left_open":
            return whole, False
        case "error_status":
            return refusal(speaks, "Access denied"), True
        case None:
            return whole, True
    return framed(speaks, _spoilt(body, fault)), True


def _spoilt(body: bytes, fault: str) -> bytes:
    match fault:
        case "empty":
            return b""
        case "garbage":
            return b"<html>not a miner</html>"
        case "not_utf8":
            return b"\xff\xfe" + body
        case "huge":
            return body + b" " * HUGE_BYTES
    raise ValueError(f"“{fault}” is no fault; there are {', '.join(FAULTS)}.")
