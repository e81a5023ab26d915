"""One question, one answer: HTTP through httpx, or bytes over TCP. Neither waits: the caller has the deadline."""

import asyncio

import httpx

from cpu_gpu_sentry.miners.questions import Line, Question

_ANSWER_LIMIT_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class NoAnswer(Exception):
    """The miner's API is silent, or says no."""


async def over_http(http: httpx.AsyncClient, url: str, question: Question) -> bytes | None:
    """The body; None if neither path is known there."""
    reply = await _fetch(http, f"{url}{question.path}", question.body)
    if reply is None and question.older:
        reply = await _fetch(http, f"{url}{question.older}", question.body)
    return reply


async def _fetch(http: httpx.AsyncClient, url: str, posted: str | None) -> bytes | None:
    body = b""
    async with http.stream("GET" if posted is None else "POST", url, content=posted) as response:
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise NoAnswer(f"{url}: {response.status_code}")
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _ANSWER_LIMIT_BYTES:
                raise NoAnswer(f"{url}: more than {_ANSWER_LIMIT_BYTES} bytes")
    return body


async def over_tcp(host: str, port: int, line: Line) -> bytes:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except UnicodeError as error:  # what the resolver makes of a label of more than 63 letters
        raise NoAnswer(f"{host}: not a host's name") from error
    try:
        writer.write(line.sent)
        await writer.drain()
        answer = await _read(reader, line)
    finally:
        writer.transport.abort()  # nothing is owed to a miner: no lingering, and no error of the closing
    if not answer:
        raise NoAnswer(f"{line.path}: closed without an answer")
    return answer


async def _read(reader: asyncio.StreamReader, line: Line) -> bytes:
    answer = bytearray()
    while chunk := await reader.read(_CHUNK_BYTES):
        ends = [place for place in map(chunk.find, line.ends) if place >= 0]
        answer += chunk[: min(ends)] if ends else chunk
        if len(answer) > _ANSWER_LIMIT_BYTES:
            raise NoAnswer(f"{line.path}: more than {_ANSWER_LIMIT_BYTES} bytes")
        if ends:
            break
    return bytes(answer)
