"""One question, one answer: HTTP through httpx, or bytes over TCP. Neither waits: the caller has the deadline."""

import asyncio

import httpx
from protocol.messages import MinerTrouble
from sentry_kit.parsing import BadReply

from cpu_gpu_sentry.miners.questions import Line, Question
from cpu_gpu_sentry.watches import Watch

_ANSWER_LIMIT_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class NoAnswer(Exception):
    """The miner's API gives no values; the text says why, in a sentence."""

    def __init__(self, sentence: str, trouble: MinerTrouble = MinerTrouble.NO_ANSWER) -> None:
        super().__init__(sentence)
        self.trouble = trouble


async def over_http(http: httpx.AsyncClient, watch: Watch, question: Question) -> bytes | None:
    """The body; None if neither path is known there."""
    reply = await _fetch(http, watch, question.path, question.body)
    if reply is None and question.older:
        reply = await _fetch(http, watch, question.older, question.body)
    return reply


async def _fetch(http: httpx.AsyncClient, watch: Watch, path: str, posted: str | None) -> bytes | None:
    method, body = ("GET" if posted is None else "POST"), b""
    async with http.stream(method, f"{watch.url}{path}", content=posted, headers=_headers(watch)) as response:
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise _refusal(response.status_code, has_token=watch.access_token is not None)
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _ANSWER_LIMIT_BYTES:
                    raise _too_long()
        except httpx.RemoteProtocolError:  # its end is missing; what is whole may still be read
            if not body:
                raise
    return body


def _headers(watch: Watch) -> dict[str, str]:
    return {"Authorization": f"Bearer {watch.access_token}"} if watch.access_token else {}


def _refusal(status: int, *, has_token: bool) -> NoAnswer:
    if status not in (401, 403):
        return NoAnswer(f"Its API answers HTTP {status} and no figures.", MinerTrouble.UNREADABLE)
    if has_token:
        return NoAnswer(
            f"Its API refuses the token (HTTP {status}): give it the right one.", MinerTrouble.ACCESS_DENIED
        )
    what_to_do = "watch it with --access-token-file, or write {api_token} into the script"
    return NoAnswer(f"Its API wants a token (HTTP {status}): {what_to_do}.", MinerTrouble.ACCESS_DENIED)


def _too_long() -> NoAnswer:
    return NoAnswer("Its answer is longer than 1 MiB.", MinerTrouble.UNREADABLE)


def why(error: Exception, watch: Watch) -> NoAnswer:
    """Returns what went wrong with a request, as a trouble and a sentence."""
    place = f"port {watch.port}" if watch.host == "127.0.0.1" else f"{watch.host} port {watch.port}"
    match error:
        case NoAnswer():
            return error
        case BadReply():
            return NoAnswer(f"It answers, but can't be read. {error}", MinerTrouble.UNREADABLE)
        case TimeoutError() | httpx.TimeoutException():
            return NoAnswer(f"It does not answer on {place} in time.")
        case httpx.RemoteProtocolError() if "disconnected" not in str(error):
            return NoAnswer(f"The answer on {place} is not HTTP, or ends too early.", MinerTrouble.UNREADABLE)
        case ConnectionResetError() | BrokenPipeError():
            return NoAnswer(f"It closes the connection on {place} without an answer.")
        case httpx.ConnectError() | OSError():
            return NoAnswer(f"Nothing can be reached on {place}.", MinerTrouble.REFUSED)
    return NoAnswer(f"It does not answer on {place}.")


async def over_tcp(host: str, port: int, line: Line) -> bytes:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except UnicodeError as error:  # what the resolver makes of a label of more than 63 letters
        raise NoAnswer("Its host name is not valid.", MinerTrouble.REFUSED) from error
    try:
        writer.write(line.sent)
        await writer.drain()
        answer = await _read(reader, line)
    finally:
        writer.transport.abort()  # nothing is owed to a miner: no lingering, and no error of the closing
    if not answer:
        raise NoAnswer(f"It closes the connection without an answer to {line.path}.")
    return answer


async def _read(reader: asyncio.StreamReader, line: Line) -> bytes:
    answer = bytearray()
    while chunk := await _chunk(reader, has_some=bool(answer)):
        ends = [place for place in map(chunk.find, line.ends) if place >= 0]
        answer += chunk[: min(ends)] if ends else chunk
        if len(answer) > _ANSWER_LIMIT_BYTES:
            raise _too_long()
        if ends:
            break
    return bytes(answer)


async def _chunk(reader: asyncio.StreamReader, *, has_some: bool) -> bytes:
    """Reads the next bytes. Some miners reset the connection after their answer."""
    try:
        return await reader.read(_CHUNK_BYTES)
    except ConnectionResetError:
        if has_some:
            return b""
        raise
