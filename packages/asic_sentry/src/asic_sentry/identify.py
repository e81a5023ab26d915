"""Finds out what answers at an address: once, then its `Identity` is kept; polling never asks this again.

A device is asked one harmless question per port until a dialect knows its answer, then for its specs and for a whole
set of figures: what is identified can be polled.
"""

import asyncio
import ipaddress
import re
from collections.abc import Sequence

import msgspec

from asic_sentry import all_firmware
from asic_sentry.dialects.registry import DIALECTS, Dialect
from asic_sentry.failures import FailureKind, PollError, PollFailure
from asic_sentry.models import makes_of
from asic_sentry.poll import Identity, poll, read_specs
from asic_sentry.transport import Family, ask

# What says most about the device comes first: that failure is told if nothing was found.
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
# After these hardly anything more is tried: nobody is there, or who is there hangs.
_FINAL = {FailureKind.LOCAL_LIMIT, FailureKind.CONNECT_TIMEOUT, FailureKind.UNREACHABLE, FailureKind.READ_TIMEOUT}
_ANOTHER_PROGRAM = {FailureKind.BAD_RESPONSE, FailureKind.ERROR_STATUS, FailureKind.CLOSED}
_WITHIN_S, _AFTER_SILENCE_S = 15.0, 2.0
_NO_PORT = 4028  # of other firmware: its library finds the port itself

Probe = tuple[int, Family, str]


async def identify(ip: str, port: int | None = None, model: str | None = None) -> Identity | PollFailure:
    """The ASIC at this IP, whichever it is or of the make that `model` names; with `port` only there.

    `model` is also what an ASIC is called that keeps its name to itself.
    """
    address = str(ipaddress.ip_address(ip))
    failures: list[PollFailure] = []
    try:
        async with asyncio.timeout(_WITHIN_S) as limit:
            answers: dict[Probe, bytes | PollFailure] = {}
            rest = candidates(port, model)
            while rest:
                dialect = rest.pop(0)
                result = await _try(address, port, dialect, answers)
                if isinstance(result, Identity):
                    return _named(result, model)
                failures.append(result)
                if result.kind in _FINAL:
                    rest = after_silence(rest, dialect, port, result.kind)
                    limit.reschedule(asyncio.get_running_loop().time() + _AFTER_SILENCE_S)
    except TimeoutError:
        failures.append(PollFailure(FailureKind.READ_TIMEOUT, "The device did not say in time what it is."))
    failure = most_specific(failures)
    if port is None and failure.kind in _ANOTHER_PROGRAM and not (model and makes_of(model)):
        return await _other_firmware(address, model) or failure
    return failure


async def _other_firmware(ip: str, model: str | None) -> Identity | None:
    """The optional extra is asked last, about what answers and is none of ours."""
    if not all_firmware.is_installed():
        return None
    specs = await all_firmware.find(ip)
    if isinstance(specs, PollFailure):
        return None
    return _named(Identity(ip=ip, port=_NO_PORT, dialect=all_firmware.DIALECT, specs=specs), model)


def candidates(port: int | None, model: str | None) -> list[Dialect]:
    """The dialects to try: those first whose own port this one looks like (14433 is like 4433), and Whatsminer V3 last,
    because no other device answers its question."""
    makes = makes_of(model) if model else set()
    possible = [dialect for dialect in DIALECTS if not makes or dialect.makes & makes]
    if port is None:
        return possible
    return sorted(possible, key=lambda each: (not looks_like(port, each), each.family is Family.WHATSMINER_V3))


def looks_like(port: int, dialect: Dialect) -> bool:
    return port % 10_000 == dialect.port


def after_silence(rest: list[Dialect], tried: Dialect, port: int | None, kind: FailureKind) -> list[Dialect]:
    """What is still worth trying with a device that hangs: a Whatsminer V3 does, if it is asked in another dialect."""
    if port is None or looks_like(port, tried) or kind is not FailureKind.READ_TIMEOUT:
        return []
    return [dialect for dialect in rest if dialect.family is Family.WHATSMINER_V3]


async def _try(
    ip: str, port: int | None, dialect: Dialect, answers: dict[Probe, bytes | PollFailure]
) -> Identity | PollFailure:
    """The device as one of this dialect, or why it isn't. `answers` keeps what was asked before."""
    at = port or dialect.port
    family, question = dialect.probe
    if port is not None and family is Family.PROBE:
        question = "summary_line"
    probe = (at, family, question)
    if probe not in answers:
        answers[probe] = await _answer(ip, *probe)
    reply = answers[probe]
    if isinstance(reply, PollFailure):
        return reply
    try:
        dialect.recognise(reply)
    except PollError as error:
        return error.failure
    return await _proven(ip, at, dialect)


async def _answer(ip: str, port: int, family: Family, question: str) -> bytes | PollFailure:
    try:
        return await ask(ip, port, family, question)
    except PollError as error:
        return error.failure


async def _proven(ip: str, port: int, dialect: Dialect) -> Identity | PollFailure:
    """What can be identified can be polled: it is, once."""
    specs = await read_specs(ip, port, dialect)
    if isinstance(specs, PollFailure):
        return specs
    identity = Identity(ip=ip, port=port, dialect=dialect.name, specs=specs)
    sample = await poll(identity)
    return sample if isinstance(sample, PollFailure) else identity


def _named(identity: Identity, model: str | None) -> Identity:
    """The device's own word comes first; without one the operator's, who may have named the make too."""
    specs = identity.specs
    if model is None or specs.model is not None:
        return identity
    name = re.sub(rf"(?i)^{re.escape(specs.make or '')}\s*", "", model.strip())[:256]
    return msgspec.structs.replace(identity, specs=msgspec.structs.replace(specs, model=name or None))


def most_specific(failures: Sequence[PollFailure]) -> PollFailure:
    return min(failures, key=lambda failure: _MOST_SPECIFIC_FIRST.index(failure.kind))
