"""`cpu-gpu-sentry record`: writes the answers of a miner's API to a file, without what identifies its owner."""

import asyncio

import httpx
from protocol.messages import MinerReading
from sentry_kit.parsing import BadReply
from sentry_kit.recording import Masker, RecordedAnswer, Recording

from cpu_gpu_sentry.miners.ask import NoAnswer, over_http, over_tcp, why
from cpu_gpu_sentry.miners.questions import Line, Question, with_password
from cpu_gpu_sentry.miners.registry import SOFTWARE
from cpu_gpu_sentry.watches import Watch

_TIMEOUT_S = 3


async def record(watch: Watch, version: str) -> Recording:
    """Asks the questions of the software, one after the other."""
    masker = Masker()
    async with httpx.AsyncClient(trust_env=False) as http:
        answers = [await _recorded(http, watch, question, masker) for question in SOFTWARE[watch.software].questions]
    return Recording("miner", watch.software, version, tuple(answers))


async def _recorded(http: httpx.AsyncClient, watch: Watch, question: Question | Line, masker: Masker) -> RecordedAnswer:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            answer = await _asked(http, watch, question)
    except (NoAnswer, BadReply, TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return RecordedAnswer(question.path, failure=masker.masked(str(why(error, watch)).encode()))
    if answer is None:
        return RecordedAnswer(question.path, failure="The path is not known there.")
    return RecordedAnswer(question.path, masker.masked(answer))


async def _asked(http: httpx.AsyncClient, watch: Watch, question: Question | Line) -> bytes | None:
    if isinstance(question, Line):
        return await over_tcp(watch.host, watch.port, with_password(question, watch.access_token))
    return await over_http(http, watch, question)


def replayed(recording: Recording) -> MinerReading:
    """Returns the values that the parser reads from the recorded answers. Raises `BadReply`."""
    answers = [each.answer.encode() for each in recording.answers if each.answer is not None]
    return SOFTWARE[recording.speaks or ""].parse(answers)
