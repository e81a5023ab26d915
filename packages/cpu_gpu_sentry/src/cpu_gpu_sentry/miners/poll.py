"""Asks a miner's API. A miner that does not answer, or not sensibly, is a value: `api_silent`, with no
figures."""

import asyncio
import logging
from collections.abc import Sequence

import httpx
import msgspec
from protocol.coins import may_be_coin_of
from protocol.messages import MinerReading, MinerState, MinerTrouble
from sentry_kit.parsing import BadReply

from cpu_gpu_sentry.miners.ask import NoAnswer, over_http, over_tcp, why
from cpu_gpu_sentry.miners.drift import Drift
from cpu_gpu_sentry.miners.questions import Line, Question, with_password
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.watches import Watch

log = logging.getLogger(__name__)

_TIMEOUT_S = 3
_OPTIONAL_TIMEOUT_S = 0.6  # four of them leave time for the required ones
_AT_ONCE = 8
_REASON_LIMIT = 512
_DRIFT = Drift()  # for the life of the program: each version is reported once


async def poll_all(http: httpx.AsyncClient, watches: Sequence[Watch]) -> list[MinerReading]:
    """A reading for every watched miner, in order."""
    free = asyncio.Semaphore(_AT_ONCE)
    readings: dict[Watch, MinerReading] = {}

    async def one(watch: Watch) -> None:
        async with free:
            readings[watch] = await poll(http, watch)

    async with asyncio.TaskGroup() as group:
        for watch in watches:
            group.create_task(one(watch))
    return [readings[watch] for watch in watches]


async def poll(http: httpx.AsyncClient, watch: Watch) -> MinerReading:
    try:
        reading, replies = await read(http, watch)
    except NoAnswer as error:
        return _silent(watch, error)
    if sentence := _DRIFT.of(reading, replies):
        log.warning("miner_drift %s", sentence)
    return _for_coin(msgspec.structs.replace(reading, api_port=watch.port), watch.coin)


async def read(http: httpx.AsyncClient, watch: Watch) -> tuple[MinerReading, list[bytes]]:
    """Returns a miner's values and the answers that they are from. Raises `NoAnswer`."""
    software = SOFTWARE[watch.software]
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            answers = [await _ask(http, watch, question) for question in software.questions]
        replies = [reply for reply in answers if reply is not None]
        return software.parse(replies), replies
    except (NoAnswer, BadReply, TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise why(error, watch) from error


def _silent(watch: Watch, error: NoAnswer) -> MinerReading:
    """Returns a miner without values. If it answers nevertheless, `trouble` says so."""
    log.debug("api_silent %s port %d: %s", watch.software, watch.port, error)
    return MinerReading(
        software=watch.software,
        state=MinerState.API_SILENT,
        api_port=watch.port,
        trouble=error.trouble,
        reason=str(error)[:_REASON_LIMIT],
    )


async def _ask(http: httpx.AsyncClient, watch: Watch, question: Question | Line) -> bytes | None:
    if isinstance(question, Line):
        return await _ask_over_tcp(watch, question)
    try:
        reply = await over_http(http, watch, question)
    except NoAnswer:
        if question.optional:
            return None
        raise
    if reply is None and not question.optional:
        title = SOFTWARE[watch.software].title
        raise NoAnswer(f"What answers there does not know {question.path}: is it {title}?", MinerTrouble.UNREADABLE)
    return reply


async def _ask_over_tcp(watch: Watch, line: Line) -> bytes | None:
    """Asks over TCP. Old versions do not answer an unknown command, or close; an optional answer is None then."""
    try:
        async with asyncio.timeout(_OPTIONAL_TIMEOUT_S if line.optional else None):
            return await over_tcp(watch.host, watch.port, with_password(line, watch.access_token))
    except (NoAnswer, TimeoutError, OSError):
        if line.optional:
            return None
        raise


def _for_coin(reading: MinerReading, coin: str | None) -> MinerReading:
    """Sets the coin that the operator entered for the first algorithm; most miners have only one.

    Where the parser may have left out the first one, an algorithm that can't be that coin's does not get it.
    """
    if coin is None:
        return reading
    may_leave_out = SOFTWARE[reading.software].leaves_out_idle
    places = enumerate(reading.algorithms)
    place = next((nth for nth, each in places if not may_leave_out or may_be_coin_of(each.algorithm, coin)), None)
    if place is None:
        return reading
    algorithms = list(reading.algorithms)
    algorithms[place] = msgspec.structs.replace(algorithms[place], coin=coin)
    return msgspec.structs.replace(reading, algorithms=algorithms)
