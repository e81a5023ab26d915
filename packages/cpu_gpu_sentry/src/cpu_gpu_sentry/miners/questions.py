"""Requests to a mining software: over HTTP, or a line over TCP."""

import json
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Question:
    """One GET, or a POST of `body`. `older` is asked instead where the path is unknown (404); what is `optional` may
    be missing."""

    path: str
    older: str | None = None
    optional: bool = False
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One connection over TCP: `sent` is written, and the answer read until one of the bytes `ends` or until the miner
    closes. `path` is what people call it. What is `optional` may fail or be missing."""

    path: str
    sent: bytes
    ends: bytes
    optional: bool = False


def json_rpc(method: str, *, optional: bool = False) -> Line:
    """Of the Claymore family, which answers a line and may keep the connection open."""
    return Line(method, b'{"id":0,"jsonrpc":"2.0","method":"%s"}\n' % method.encode(), b"\0\n", optional)


def with_password(line: Line, password: str | None) -> Line:
    """Adds the password that Claymore and PhoenixMiner want in each request (`-mpsw`, `-cdmpass`)."""
    if password is None or not line.sent.startswith(b'{"id":0,"jsonrpc"'):
        return line
    request = {**json.loads(line.sent), "psw": password}
    return replace(line, sent=json.dumps(request, separators=(",", ":")).encode() + b"\n")


def sgminer(command: str, *, optional: bool = False) -> Line:
    """Its answers may have several lines; a NUL or the end of the connection ends them."""
    return Line(command, b'{"command":"%s"}' % command.encode(), b"\0", optional)


def word(command: str, *, optional: bool = False) -> Line:
    return Line(command, command.encode() + b"\n", b"\0", optional)
