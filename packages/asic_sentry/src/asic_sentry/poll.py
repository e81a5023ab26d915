"""Asks one ASIC that is identified: its figures each time, its specs in a slow cycle. A failing device is a value."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from protocol.asic_messages import AsicLog, AsicSpecs, PowerSource
from protocol.reading import Reader
from sentry_kit.impossible import left_out, possible

from asic_sentry import all_firmware, models
from asic_sentry.coins import coin_of
from asic_sentry.dialects.cgminer import answer_of
from asic_sentry.dialects.parsing import AsicReading
from asic_sentry.dialects.registry import BY_NAME, Dialect
from asic_sentry.failures import FailureKind, PollError, PollFailure
from asic_sentry.transport import ask

POLL_S = 5.0
_LOG = Reader(AsicLog)


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of an ASIC to poll it; kept on disk. Its specs are what it said when it was identified."""

    ip: str
    port: int
    dialect: str
    specs: AsicSpecs

    @property
    def model(self) -> models.Model | None:
        return models.find(self.specs.make or "", self.specs.model or "")


class Sample(msgspec.Struct, frozen=True):
    """A poll that succeeded: its hashrate or its uptime came from it."""

    log: AsicLog


def utc_now() -> datetime:
    """In whole milliseconds, as logs are stored and told apart."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


async def poll(identity: Identity, now: Callable[[], datetime] = utc_now) -> Sample | PollFailure:
    """The figures of one ASIC. Never raises for what a device does, and never makes a figure up."""
    if identity.dialect == all_firmware.DIALECT:
        log = await all_firmware.ask(identity.ip, now)
        return log if isinstance(log, PollFailure) else Sample(left_out(_LOG, log, identity.ip))
    dialect, model = BY_NAME[identity.dialect], identity.model
    try:
        async with asyncio.timeout(POLL_S):
            figures = await _figures_of(identity, dialect, model)
    except PollError as error:
        return error.failure
    except TimeoutError:
        return too_slow()
    return Sample(as_log(identity.ip, figures, model, now()))


async def _figures_of(identity: Identity, dialect: Dialect, model: models.Model | None) -> AsicReading:
    replies = [await ask(identity.ip, identity.port, dialect.family, each) for each in dialect.figures]
    figures = dialect.parse(replies, model)
    if dialect.fills_gaps and None in (figures.hashrate_hs, figures.uptime_s, figures.rejected_percent):
        replies.append(await ask(identity.ip, identity.port, dialect.family, dialect.fills_gaps))
        figures = dialect.parse(replies, model)
    return figures


async def specs_of(identity: Identity) -> AsicSpecs | PollFailure:
    """What an ASIC that is identified says of itself now."""
    if identity.dialect == all_firmware.DIALECT:
        return await all_firmware.find(identity.ip)
    return await read_specs(identity.ip, identity.port, BY_NAME[identity.dialect])


async def read_specs(ip: str, port: int, dialect: Dialect) -> AsicSpecs | PollFailure:
    """What the ASIC is: every 30 to 60 minutes is enough."""
    try:
        async with asyncio.timeout(POLL_S):
            replies = [await _fact(ip, port, dialect, question) for question in dialect.facts]
        return dialect.parse_specs(replies)
    except PollError as error:
        return error.failure
    except TimeoutError:
        return too_slow()


async def _fact(ip: str, port: int, dialect: Dialect, question: str) -> bytes | None:
    """None where the firmware does not know an optional question; some close then, instead of saying so."""
    try:
        reply = await ask(ip, port, dialect.family, question)
        if question in dialect.optional:
            answer_of(reply)
    except PollError:
        if question in dialect.optional:
            return None
        raise
    return reply


def too_slow() -> PollFailure:
    return PollFailure(FailureKind.READ_TIMEOUT, f"The device did not answer everything within {POLL_S:g} s.")


def as_log(ip: str, figures: AsicReading, model: models.Model | None, taken_at: datetime) -> AsicLog:
    """Returns the message to report, without impossible values.

    The algorithm is the model's. The coin is that of its pool, or else the model's usual one.
    """
    power_w = possible("asic_power_w", figures.power_w, ip)
    log = AsicLog(
        taken_at=taken_at,
        uptime_s=figures.uptime_s,
        lan_ip=ip,
        algorithm=model.algorithm if model else None,
        coin=coin_of(model.algorithm, figures.pools, model.coin) if model else None,
        hashrate_hs=figures.hashrate_hs,
        hashrate_window_s=figures.hashrate_window_s,
        average_hashrate_hs=figures.average_hashrate_hs,
        expected_hashrate_hs=figures.expected_hashrate_hs,
        power_w=power_w,
        power_source=None if power_w is None else PowerSource.REPORTED,
        temperature_c=figures.temperature_c,
        boards=figures.boards,
        fans_rpm=figures.fans_rpm,
        pools=figures.pools,
        rejected_percent=figures.rejected_percent,
        faults=figures.faults,
    )
    return left_out(_LOG, log, ip)
