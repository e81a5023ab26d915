"""Polls one identified ASIC: its values each time, its specs seldom."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from protocol.asic_messages import AsicLog, AsicSpecs, PowerSource
from protocol.coins import usual_coin
from protocol.reading import Reader
from sentry_kit.impossible import left_out, possible

from asic_sentry import models
from asic_sentry.access import has_login
from asic_sentry.coins import coin_of
from asic_sentry.dialects.dialect import USUAL_WITHIN_S, Dialect, LibraryCall, Question
from asic_sentry.dialects.parsing import AsicReading
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.failures import BadReply, FailureKind, PollError, PollFailure
from asic_sentry.transport import ask

_PAGES_WITHIN_S = 4.0  # less than a whole poll may take
_LOG = Reader(AsicLog)

T = TypeVar("T")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is needed to poll an ASIC; stored. `specs` are those that it reported when it was identified."""

    ip: str
    port: int
    dialect: str
    specs: AsicSpecs

    @property
    def model(self) -> models.Model | None:
        return models.find(self.specs.make or "", self.specs.model or "")

    @property
    def sent_specs(self) -> AsicSpecs:
        """Returns the specs with the nominal values of the model, for the commander."""
        model = self.model
        if model is None:
            return self.specs
        return msgspec.structs.replace(
            self.specs, nominal_hashrate_hs=model.nominal_hashrate_hs, nominal_power_w=model.nominal_power_w
        )


class Sample(msgspec.Struct, frozen=True):
    """A successful poll: the log has a hashrate or an uptime."""

    log: AsicLog


def utc_now() -> datetime:
    """In whole milliseconds, because a log is identified by its time."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


async def poll(identity: Identity, now: Callable[[], datetime] = utc_now) -> Sample | PollFailure:
    """Returns the values of one ASIC. A failing device is a value, not an exception."""
    dialect, model = BY_NAME[identity.dialect], identity.model
    try:
        async with asyncio.timeout(USUAL_WITHIN_S):
            reading = await _read(identity, dialect, model)
    except PollError as error:
        return error.failure
    except TimeoutError:
        return too_slow(USUAL_WITHIN_S)
    return Sample(as_log(identity.ip, reading, model, now()))


async def _read(identity: Identity, dialect: Dialect, model: models.Model | None) -> AsicReading:
    ip, port = identity.ip, identity.port
    questions = list(dialect.poll_questions)
    answers = await _answers(ip, port, dialect, questions)

    def parse(answers: Sequence[bytes | None]) -> AsicReading:
        return dialect.parse([each or b"" for each in answers], model)

    reading = _parsed(parse, questions, answers)
    gap = dialect.gap_question
    if gap is not None and None in (reading.hashrate_hs, reading.uptime_s, reading.rejected_percent):
        questions.append(gap)
        answers.append(await ask(ip, port, dialect.name, gap.name))
        reading = _parsed(parse, questions, answers)
    return reading


async def _answers(
    ip: str, port: int, dialect: Dialect, questions: Sequence[Question | LibraryCall]
) -> list[bytes | None]:
    """Returns the answers in order. None stands for a missing answer to an optional question: some firmwares close the
    connection if they do not know it.

    Pages get only a part of the time, so that the other values do not wait for them. A port of pages that did not
    answer in time is not asked again.
    """
    answers: list[bytes | None] = []
    silent: set[int] = set()
    pages_until_s = asyncio.get_running_loop().time() + _PAGES_WITHIN_S
    for question in questions:
        page_port = question.port if isinstance(question, Question) else None
        if not is_asked(port, dialect, question) or page_port in silent:
            answers.append(None)
            continue
        try:
            async with asyncio.timeout_at(None if page_port is None else pages_until_s):
                answers.append(await ask(ip, port, dialect.name, question.name))
        except (PollError, TimeoutError) as error:
            if not question.optional:
                raise
            answers.append(None)
            if page_port is not None and (isinstance(error, TimeoutError) or error.is_late):
                silent.add(page_port)
    return answers


def _parsed(
    parse: Callable[[Sequence[bytes | None]], T],
    questions: Sequence[Question | LibraryCall],
    answers: Sequence[bytes | None],
) -> T:
    """Returns the values. An answer to an optional question that can't be read is left out."""
    try:
        return parse(answers)
    except BadReply:
        kept = [None if question.optional else answer for question, answer in zip(questions, answers, strict=True)]
        if kept == answers:
            raise
    values = parse(kept)
    for place, answer in enumerate(answers):
        if answer is not None and kept[place] is None:
            tried = [*kept[:place], answer, *kept[place + 1 :]]
            with suppress(BadReply):
                values, kept = parse(tried), tried
    return values


async def specs_of(identity: Identity) -> AsicSpecs | PollFailure:
    """Returns what an identified ASIC reports of itself now."""
    return await read_specs(identity.ip, identity.port, BY_NAME[identity.dialect])


async def read_specs(ip: str, port: int, dialect: Dialect) -> AsicSpecs | PollFailure:
    """Returns the ASIC's specs. Asking every 30 to 60 minutes is enough."""
    try:
        async with asyncio.timeout(dialect.specs_within_s):
            answers = await _answers(ip, port, dialect, dialect.specs_questions)
        return _parsed(dialect.parse_specs, dialect.specs_questions, answers)
    except PollError as error:
        return error.failure
    except TimeoutError:
        return too_slow(dialect.specs_within_s)


def is_asked(port: int, dialect: Dialect, question: Question | LibraryCall) -> bool:
    """Returns whether to ask a question. The other ports of an ASIC at an unusual port are unknown."""
    if isinstance(question, LibraryCall):
        return True
    return (question.port is None or port == dialect.port) and (has_login() or not question.only_with_login)


def too_slow(within_s: float) -> PollFailure:
    return PollFailure(FailureKind.READ_TIMEOUT, f"The device did not answer everything within {within_s:g} s.")


def as_log(ip: str, reading: AsicReading, model: models.Model | None, taken_at: datetime) -> AsicLog:
    """Returns the message to report, without impossible values.

    The algorithm is the model's, or else what the device reports. The coin is that of its pool, or else the usual one.
    """
    algorithm, usual = _mined(model, reading.algorithm)
    power_w = possible("asic_power_w", reading.power_w, ip)
    log = AsicLog(
        taken_at=taken_at,
        uptime_s=reading.uptime_s,
        lan_ip=ip,
        algorithm=algorithm,
        coin=coin_of(algorithm, reading.pools, usual),
        hashrate_hs=reading.hashrate_hs,
        hashrate_window_s=reading.hashrate_window_s,
        average_hashrate_hs=reading.average_hashrate_hs,
        expected_hashrate_hs=reading.expected_hashrate_hs,
        power_w=power_w,
        power_source=None if power_w is None else PowerSource.REPORTED,
        temperature_c=reading.temperature_c,
        boards=reading.boards,
        fans_rpm=reading.fans_rpm,
        pools=reading.pools,
        rejected_percent=reading.rejected_percent,
        faults=reading.faults,
    )
    return left_out(_LOG, log, ip)


def _mined(model: models.Model | None, reported: str | None) -> tuple[str | None, str | None]:
    """Returns the algorithm and its usual coin."""
    if model is not None and model.algorithm is not None:
        return model.algorithm, model.coin
    return reported, usual_coin(reported) if reported else None
