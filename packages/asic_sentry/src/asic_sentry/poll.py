"""Polls one identified ASIC: its values each time, its specs seldom."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

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
from asic_sentry.failures import FailureKind, PollError, PollFailure
from asic_sentry.transport import ask

_LOG = Reader(AsicLog)


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
    replies = [await _poll_reply(ip, port, dialect, each) for each in dialect.poll_questions]
    reading = dialect.parse(replies, model)
    gap = dialect.gap_question
    if gap is not None and None in (reading.hashrate_hs, reading.uptime_s, reading.rejected_percent):
        replies.append(await ask(ip, port, dialect.name, gap.name))
        reading = dialect.parse(replies, model)
    return reading


async def _poll_reply(ip: str, port: int, dialect: Dialect, question: Question | LibraryCall) -> bytes:
    """Returns the answer; an empty one if there is none to an optional question."""
    return await _specs_reply(ip, port, dialect, question) or b""


async def specs_of(identity: Identity) -> AsicSpecs | PollFailure:
    """Returns what an identified ASIC reports of itself now."""
    return await read_specs(identity.ip, identity.port, BY_NAME[identity.dialect])


async def read_specs(ip: str, port: int, dialect: Dialect) -> AsicSpecs | PollFailure:
    """Returns the ASIC's specs. Asking every 30 to 60 minutes is enough."""
    try:
        async with asyncio.timeout(dialect.specs_within_s):
            replies = [await _specs_reply(ip, port, dialect, each) for each in dialect.specs_questions]
        return dialect.parse_specs(replies)
    except PollError as error:
        return error.failure
    except TimeoutError:
        return too_slow(dialect.specs_within_s)


async def _specs_reply(ip: str, port: int, dialect: Dialect, question: Question | LibraryCall) -> bytes | None:
    """None if there is no answer to an optional question: some firmwares close the connection when it is unknown."""
    if question.optional and not is_asked(port, dialect, question):
        return None
    try:
        return await ask(ip, port, dialect.name, question.name)
    except PollError:
        if question.optional:
            return None
        raise


def is_asked(port: int, dialect: Dialect, question: Question | LibraryCall) -> bool:
    """Returns whether to ask an optional question. The other ports of an ASIC at an unusual port are unknown."""
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
