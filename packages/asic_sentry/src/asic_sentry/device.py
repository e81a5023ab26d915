"""One ASIC as it is just now, and how it is asked: its figures each time, what it is once in a while."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import msgspec
from protocol.asic_messages import AsicLog, AsicSpecs

from asic_sentry.asics.asic import Asic, Override
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, Sample, poll, specs_of
from asic_sentry.scan import usual_port

SPECS_AFTER_S = 1800.0  # and up to twice that
_IDENTIFIED_FOR_S = 86_400.0
_BAD_BEFORE_IDENTIFYING = 3
_AGAIN_AFTER_S = 900.0  # a failed attempt to read its specs, or to identify it

_VERSIONS = itertools.count(1)


@dataclass(slots=True, eq=False)
class Device:
    """`version` is another one whenever there is something else to show; `stranger` is the MAC of another device that
    answers at its address."""

    asic: Asic
    override: Override
    specs_due_s: float
    identify_due_s: float
    log: AsicLog | None = None
    failures: int = 0
    bad_responses: int = 0
    other_mac: str | None = None
    last_ms: int = 0
    specs_sent: AsicSpecs | None = None
    version: int = field(default_factory=lambda: next(_VERSIONS))

    def touch(self, **changes: object) -> None:
        """Its row is another one now."""
        self.asic = msgspec.structs.replace(self.asic, **changes)
        self.version = next(_VERSIONS)

    def reset(self) -> None:
        """With another address or token."""
        self.failures = self.bad_responses = 0
        self.other_mac = self.specs_sent = None
        self.version = next(_VERSIONS)

    def update(self, asic: Asic, override: Override) -> bool:
        """What the store says now; whether it is to be asked at once. How its polls go is known here better."""
        before = self.asic
        asic = msgspec.structs.replace(
            asic,
            failure=before.failure,
            failing_since=before.failing_since,
            answered=before.answered or asic.answered,
        )
        is_other = asic.identity != before.identity or asic.token != before.token
        if asic != before or override != self.override:
            self.asic, self.override, self.version = asic, override, next(_VERSIONS)
        if is_other:
            self.reset()
        return is_other

    def answered(self, sample: AsicLog) -> bool:
        """Whether that is news."""
        asic = self.asic
        is_news = asic.failure is not None or not asic.answered
        self.failures = self.bad_responses = 0
        self.log = sample
        if is_news:
            self.asic = msgspec.structs.replace(asic, failure=None, failing_since=None, answered=True)
        self.version = next(_VERSIONS)
        return is_news

    def failed(self, failure: PollFailure) -> bool:
        """Whether that is news. A limit of this computer says nothing about the ASIC: it is asked again as usual."""
        if failure.kind is not FailureKind.LOCAL_LIMIT:
            self.failures += 1
        self.bad_responses = self.bad_responses + 1 if failure.kind is FailureKind.BAD_RESPONSE else 0
        before = self.asic.failure
        if before is not None and before.kind is failure.kind:
            return False
        self.touch(failure=failure, failing_since=self.asic.failing_since or datetime.now(UTC))
        return True

    def note_other_device(self, mac: str) -> PollFailure:
        """Another device's figures are not this one's."""
        self.other_mac = mac
        sentence = (
            f"Another device ({mac}) answers at its address; this one is looked for. If it was replaced, add it anew."
        )
        return PollFailure(FailureKind.OTHER_DEVICE, sentence)


async def ask(
    device: Device, timestamp: Callable[[Device], datetime], clock_s: Callable[[], float]
) -> Sample | PollFailure:
    """One turn with it. What it is, is found out again after three bad answers, a new firmware, or a day."""
    now_s = clock_s()
    if device.other_mac or device.bad_responses >= _BAD_BEFORE_IDENTIFYING or now_s >= device.identify_due_s:
        failure = await _identify(device, now_s)
        if failure is not None and (device.other_mac or device.bad_responses):
            return failure
    answer = await poll(device.asic.identity, partial(timestamp, device))
    if isinstance(answer, Sample) and now_s >= device.specs_due_s:
        return await _check_specs(device, now_s) or answer
    return answer


async def _identify(device: Device, now_s: float) -> PollFailure | None:
    asic = device.asic
    device.identify_due_s = now_s + _AGAIN_AFTER_S
    identity = await identify(asic.ip, usual_port(asic.identity), asic.operator_model)
    if isinstance(identity, PollFailure):
        return identity
    device.identify_due_s = now_s + _IDENTIFIED_FOR_S
    return _recognised(device, identity)


async def _check_specs(device: Device, now_s: float) -> PollFailure | None:
    """The slow cycle; a failure only where another device answers."""
    identity = device.asic.identity
    specs = await specs_of(identity)
    if isinstance(specs, PollFailure):
        device.specs_due_s = now_s + _AGAIN_AFTER_S
        return None
    device.specs_due_s = now_s + SPECS_AFTER_S * (1 + device.asic.id * 7 % 100 / 100)
    if specs.firmware_version != identity.specs.firmware_version:
        device.identify_due_s = now_s
    model = specs.model or identity.specs.model  # the operator's word, where it does not tell
    return _recognised(device, msgspec.structs.replace(identity, specs=msgspec.structs.replace(specs, model=model)))


def _recognised(device: Device, identity: Identity) -> PollFailure | None:
    """What an ASIC says of itself is compared with what it said before; where it told a MAC, another is another's."""
    last_mac, mac = device.asic.identity.specs.mac, identity.specs.mac
    if last_mac is not None and mac is not None and last_mac != mac:
        return device.note_other_device(mac)
    if mac is None and device.other_mac is not None:  # met by the kernel; it will say too when that is over
        return device.note_other_device(device.other_mac)
    device.other_mac, device.bad_responses = None, 0
    if identity != device.asic.identity:
        device.touch(identity=identity, mac=mac or device.asic.mac, identified_at=datetime.now(UTC))
    return None
