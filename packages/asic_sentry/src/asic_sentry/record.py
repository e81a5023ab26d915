"""`asic-sentry record`: writes an ASIC's answers to a file, without what identifies its owner."""

from collections.abc import AsyncIterator, Iterator, Sequence

from sentry_kit.recording import Masker, RecordedAnswer, Recording

from asic_sentry.access import Login, using
from asic_sentry.dialects.dialect import Dialect, LibraryCall, Question
from asic_sentry.dialects.parsing import AsicReading
from asic_sentry.dialects.registry import BY_NAME, DIALECTS
from asic_sentry.failures import PollError
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, is_asked
from asic_sentry.transport import ask

_SILENT_LIMIT = 3  # questions without an answer at a port; then no more are asked there


async def record(ip: str, port: int | None, model: str | None, login: Login | None, version: str) -> Recording:
    """Asks the questions of the ASIC's dialect; if it has none, those of all dialects. They only read."""
    with using(login):
        found = await identify(ip, port, model)
        if isinstance(found, Identity):
            speaks, asked = found.dialect, [(BY_NAME[found.dialect], found.port)]
        else:
            speaks, asked = None, [(dialect, port or dialect.port) for dialect in DIALECTS]
        answers = [each async for each in _answers(ip, _questions(asked))]
    return Recording("asic", speaks, version, tuple(answers))


Asked = tuple[Dialect, int, Question]


def _questions(asked: Sequence[tuple[Dialect, int]]) -> Iterator[Asked]:
    """Returns each request once. Calls of the library pyasic-rs are left out."""
    done: set[tuple[int, bytes]] = set()
    for dialect, port in asked:
        for question in dialect.questions:
            if isinstance(question, LibraryCall) or not is_asked(port, dialect, question):
                continue
            at = question.port or port
            if (at, question.request) not in done:
                done.add((at, question.request))
                yield dialect, at, question


async def _answers(ip: str, questions: Iterator[Asked]) -> AsyncIterator[RecordedAnswer]:
    masker, silent = Masker(), dict[int, int]()
    for dialect, port, question in questions:
        if silent.get(port, 0) >= _SILENT_LIMIT:
            continue
        try:
            answer = await ask(ip, port, dialect.name, question.name)
        except PollError as error:
            silent[port] = silent.get(port, 0) + 1
            yield RecordedAnswer(question.name, failure=masker.masked(f"{error.kind}: {error}".encode()))
        else:
            silent[port] = 0
            yield RecordedAnswer(question.name, masker.masked(answer))


def replayed(recording: Recording) -> AsicReading:
    """Returns the values that the recording's dialect reads from its answers. Raises `BadReply`."""
    dialect = BY_NAME[recording.speaks or ""]
    answers = {each.question: (each.answer or "").encode() for each in recording.answers}
    replies = [answers.get(question.name, b"") for question in dialect.poll_questions]
    gap = answers.get(dialect.gap_question.name) if dialect.gap_question else None
    reading = dialect.parse(replies, None)
    if gap and None in (reading.hashrate_hs, reading.uptime_s, reading.rejected_percent):
        return dialect.parse([*replies, gap], None)
    return reading
