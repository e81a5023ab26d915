"""Finds out which dialect a device at an address speaks. Its `Identity` is stored; polling never asks this again.

A device is asked one harmless question per port until a dialect recognises its answer, then for its specs and for one
complete poll: every identified ASIC can be polled.
"""

import asyncio
import ipaddress
import logging
import re
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from asic_sentry.dialects.dialect import Dialect, Question
from asic_sentry.dialects.registry import DIALECTS
from asic_sentry.failures import FailureKind, PasswordFailure, PollError, PollFailure, broken
from asic_sentry.families import family_in, sentence
from asic_sentry.models import make_and_model, makes_of
from asic_sentry.poll import Identity, poll, read_specs
from asic_sentry.transport import ask

log = logging.getLogger(__name__)

# If nothing was found, the first of these failures that happened is reported.
_MOST_SPECIFIC_FIRST = (
    FailureKind.LOCAL_LIMIT,
    FailureKind.ERROR_STATUS,
    FailureKind.READ_TIMEOUT,
    FailureKind.BAD_RESPONSE,
    FailureKind.CLOSED,
    FailureKind.CONNECT_TIMEOUT,
    FailureKind.UNREACHABLE,
    FailureKind.REFUSED,
)
# After these almost no other dialect is tried: no device is there, or it hangs.
_FINAL = {FailureKind.LOCAL_LIMIT, FailureKind.CONNECT_TIMEOUT, FailureKind.UNREACHABLE, FailureKind.READ_TIMEOUT}
_OTHER_FIRMWARE = {FailureKind.BAD_RESPONSE, FailureKind.ERROR_STATUS, FailureKind.CLOSED}
_DETAIL_LIMIT = 400
_WITHIN_S, _AFTER_SILENCE_S = 15.0, 2.0

_LOGGED: set[str] = set()  # dialects of which the log has a traceback

T = TypeVar("T")
Probe = tuple[int, Question]


async def identify(ip: str, port: int | None = None, model: str | None = None) -> Identity | PollFailure:
    """Returns the ASIC at this IP; with `port` only if it answers there, with `model` only if it is of that make.

    `model` is also the name of an ASIC that does not report its model.
    """
    address = str(ipaddress.ip_address(ip))
    try:
        return await _identified(address, port, model)
    except Exception:
        log.exception("identification_broken ip=%s", address)
        return broken()


async def _identified(address: str, port: int | None, model: str | None) -> Identity | PollFailure:
    failures: list[PollFailure] = []
    of_dialect: dict[str, PollFailure] = {}
    answers: dict[Probe, bytes | PollFailure] = {}
    try:
        async with asyncio.timeout(_WITHIN_S) as limit:
            rest = candidates(port, model)
            while rest:
                dialect = rest.pop(0)
                result = await _guarded(address, dialect, _try(address, port, dialect, answers))
                if isinstance(result, Identity):
                    better = await _guarded(address, dialect, _better(result, dialect, port))
                    return _named(better if isinstance(better, Identity) else result, model)
                failures.append(result)
                of_dialect[dialect.name] = result
                if result.kind in _FINAL:
                    rest = after_silence(rest, dialect, port, result.kind)
                    limit.reschedule(asyncio.get_running_loop().time() + _AFTER_SILENCE_S)
    except TimeoutError:
        failures.append(PollFailure(FailureKind.READ_TIMEOUT, "The device was not identified in time."))
    failure = most_specific(failures)
    if failure.kind not in _OTHER_FIRMWARE:
        return failure
    found = await _other_firmware(address, model) if port is None else None
    return found or _as_it_calls_itself(failure, answers.values(), of_dialect)


async def _guarded(ip: str, dialect: Dialect, step: Awaitable[T]) -> T | PollFailure:
    """Returns the result of a step of this dialect. If the dialect is faulty, the others are still tried."""
    try:
        return await step
    except Exception:
        log.error("dialect_broken ip=%s dialect=%s", ip, dialect.name, exc_info=dialect.name not in _LOGGED)
        _LOGGED.add(dialect.name)
        return broken()


def _as_it_calls_itself(
    failure: PollFailure, answers: Iterable[bytes | PollFailure], of_dialect: Mapping[str, PollFailure]
) -> PollFailure:
    """Returns the failure with the name that the device gives itself, and the reason of that firmware's own dialect."""
    texts = [each.detail if isinstance(each, PollFailure) else each.decode("utf-8", "replace") for each in answers]
    family = next((family for text in texts if (family := family_in(text)) is not None), None)
    if family is None or (failure.kind is FailureKind.ERROR_STATUS and not failure.detail.startswith("HTTP ")):
        return failure  # an error in the device's own words
    own = [of_dialect[name] for name in sorted(family.dialects) if name in of_dialect]
    if not own:
        return PollFailure(failure.kind, sentence(family, None)[:_DETAIL_LIMIT])
    reason = most_specific([*own, failure])  # its other port may be closed
    detail = sentence(family, reason.detail)[:_DETAIL_LIMIT]
    return msgspec.structs.replace(reason, kind=failure.kind, detail=detail)


async def _other_firmware(ip: str, model: str | None) -> Identity | None:
    """Tries the dialects without a probe: they are asked last, and only about a device that answers."""
    for dialect in _possible(model):
        if dialect.probe is None and dialect.is_installed():
            specs = await _guarded(ip, dialect, read_specs(ip, dialect.port, dialect))
            if not isinstance(specs, PollFailure):
                return _named(Identity(ip=ip, port=dialect.port, dialect=dialect.name, specs=specs), model)
    return None


def _possible(model: str | None) -> list[Dialect]:
    makes = makes_of(model) if model else set()
    return [dialect for dialect in DIALECTS if not makes or dialect.makes & makes]


def candidates(port: int | None, model: str | None) -> list[Dialect]:
    """Returns the dialects to try, in order: first those whose own port this one resembles (14433 resembles 4433).

    A dialect whose devices hang at other questions comes last: no other device answers its own question.
    """
    possible = [dialect for dialect in _possible(model) if dialect.probe is not None]
    if port is None:
        return possible
    return sorted(possible, key=lambda each: (not looks_like(port, each), each.hangs_if_asked_otherwise))


def looks_like(port: int, dialect: Dialect) -> bool:
    return port % 10_000 == dialect.port


def after_silence(rest: list[Dialect], tried: Dialect, port: int | None, kind: FailureKind) -> list[Dialect]:
    """Returns the dialects to try with a device that hangs: those whose devices hang at the question of another."""
    if kind is not FailureKind.READ_TIMEOUT or (port is not None and looks_like(port, tried)):
        return []
    hanging = [dialect for dialect in rest if dialect.hangs_if_asked_otherwise]
    return [dialect for dialect in hanging if port is not None or dialect.port == tried.port]


async def _try(
    ip: str, port: int | None, dialect: Dialect, answers: dict[Probe, bytes | PollFailure]
) -> Identity | PollFailure:
    """Returns the device if it speaks this dialect, or why not. `answers` keeps those to earlier probes."""
    at = port or dialect.port
    question = dialect.probe if port is None else dialect.probe_at_other_port or dialect.probe
    assert question is not None  # noqa: S101 - `candidates` have one
    if (at, question) not in answers:
        answers[at, question] = await _answer(ip, at, dialect, question)
    reply = answers[at, question]
    if isinstance(reply, PollFailure):
        return reply
    try:
        dialect.recognise(reply)
    except PollError as error:
        return error.failure
    return await _proven(ip, at, dialect)


async def _better(found: Identity, dialect: Dialect, port: int | None) -> Identity | PollFailure | None:
    """Returns the device as read by a dialect that reads more values of its firmware, at that dialect's own port."""
    name = dialect.better(found.specs)
    if name is None or port is not None:
        return None
    other = next(each for each in DIALECTS if each.name == name)
    return await _guarded(found.ip, other, _proven(found.ip, other.port, other))


async def _answer(ip: str, port: int, dialect: Dialect, question: Question) -> bytes | PollFailure:
    try:
        return await ask(ip, port, dialect.name, question.name)
    except PollError as error:
        return error.failure


async def _proven(ip: str, port: int, dialect: Dialect) -> Identity | PollFailure:
    """Reads the specs and polls once: every identified ASIC can be polled."""
    specs = await read_specs(ip, port, dialect)
    if isinstance(specs, PollFailure):
        return specs
    identity = Identity(ip=ip, port=port, dialect=dialect.name, specs=specs)
    sample = await poll(identity)
    return sample if isinstance(sample, PollFailure) else identity


def _named(identity: Identity, model: str | None) -> Identity:
    """Adds the operator's `model`, which may begin with the make, if the device does not report its own."""
    specs = identity.specs
    if model is None or specs.model is not None:
        return identity
    make, name = make_and_model(model) if specs.make is None else (specs.make, _without(specs.make, model))
    return msgspec.structs.replace(identity, specs=msgspec.structs.replace(specs, make=make, model=name))


def _without(make: str, model: str) -> str | None:
    return re.sub(rf"(?i)^{re.escape(make)}\s*", "", model.strip())[:256] or None


def most_specific(failures: Sequence[PollFailure]) -> PollFailure:
    """Returns the failure that says most. Of one kind, first is one about a password, then a fault of the sentry."""

    def order(failure: PollFailure) -> tuple[int, bool, bool]:
        is_other_error = not isinstance(failure, PasswordFailure)
        return _MOST_SPECIFIC_FIRST.index(failure.kind), is_other_error, failure != broken()

    return min(failures, key=order)
