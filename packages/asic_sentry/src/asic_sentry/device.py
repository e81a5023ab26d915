"""One ASIC while the sentry runs, and its turns: a poll each time, its specs and its identity seldom."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import msgspec
from protocol.asic_messages import AsicLog, AsicSpecs

from asic_sentry.access import Login, using
from asic_sentry.asics.asic import Asic, Override
from asic_sentry.dialects.registry import BY_NAME
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.identify import identify, most_specific
from asic_sentry.poll import Identity, Sample, poll, specs_of
from asic_sentry.scan import usual_port

SPECS_AFTER_S = 1800.0  # and up to twice that
_IDENTIFIED_FOR_S = 86_400.0
_BAD_BEFORE_IDENTIFYING = 3
_AGAIN_AFTER_S = 900.0  # a failed attempt to read its specs, or to identify it

_VERSIONS = itertools.count(1)


@dataclass(slots=True, eq=False)
class Device:
    """The current state of one ASIC. `version` changes whenever the page has something new to show.

    `other_mac` is the MAC of another device that answers at the ASIC's address.
    """

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
    login: Login | None = None
    version: int = field(default_factory=lambda: next(_VERSIONS))

    def touch(self, **changes: object) -> None:
        """Changes fields of the ASIC's row."""
        self.asic = msgspec.structs.replace(self.asic, **changes)
        self.version = next(_VERSIONS)

    def reset(self) -> None:
        """Forgets failures; called when the ASIC has another address or token."""
        self.failures = self.bad_responses = 0
        self.other_mac = self.specs_sent = None
        self.version = next(_VERSIONS)

    def update(self, asic: Asic, override: Override) -> bool:
        """Takes over the stored row. Returns whether to poll at once. The results of polls are newer here than in
        the store."""
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

    def take_login(self, login: Login | None, now_s: float) -> bool:
        """Takes over the log-in. Returns whether it is another one: the ASIC is then identified again, because another
        dialect may read more with it."""
        if login == self.login:
            return False
        self.login, self.identify_due_s, self.specs_due_s = login, now_s, now_s
        self.version = next(_VERSIONS)
        return True

    def answered(self, sample: AsicLog) -> bool:
        """Takes over the log of a successful poll. Returns whether the ASIC failed before."""
        asic = self.asic
        is_news = asic.failure is not None or not asic.answered
        self.failures = self.bad_responses = 0
        self.log = sample
        if is_news:
            self.asic = msgspec.structs.replace(asic, failure=None, failing_since=None, answered=True)
        self.version = next(_VERSIONS)
        return is_news

    def failed(self, failure: PollFailure) -> bool:
        """Takes over a failed poll. Returns whether the kind of failure is new.

        A limit of this computer does not count as a failure of the ASIC.
        """
        if failure.kind is not FailureKind.LOCAL_LIMIT:
            self.failures += 1
        self.bad_responses = self.bad_responses + 1 if self._may_speak_otherwise(failure.kind) else 0
        before = self.asic.failure
        if before is not None and before.kind is failure.kind:
            return False
        self.touch(failure=failure, failing_since=self.asic.failing_since or datetime.now(UTC))
        return True

    def _may_speak_otherwise(self, kind: FailureKind) -> bool:
        """Returns whether another dialect may read the ASIC: after such an answer, or after a wrong password if there
        is one that needs none."""
        if kind is FailureKind.ERROR_STATUS:
            return BY_NAME[self.asic.identity.dialect].is_better
        return kind is FailureKind.BAD_RESPONSE

    def note_other_device(self, mac: str) -> PollFailure:
        """Stores that another device answers at the ASIC's address. Its values must not be reported for this ASIC."""
        self.other_mac = mac
        sentence = (
            f"Another device ({mac}) answers at its address; the sentry looks for this one. "
            "If it was replaced, add it again."
        )
        return PollFailure(FailureKind.OTHER_DEVICE, sentence)


async def ask(
    device: Device, timestamp: Callable[[Device], datetime], clock_s: Callable[[], float]
) -> Sample | PollFailure:
    """Polls once, with the log-in that was entered for the ASIC or its model."""
    with using(device.login):
        return await _ask(device, timestamp, clock_s)


async def _ask(
    device: Device, timestamp: Callable[[Device], datetime], clock_s: Callable[[], float]
) -> Sample | PollFailure:
    """Polls once. The ASIC is identified again after three bad answers, after a change of its firmware, and once a
    day.

    After bad answers the failure that says more is reported: an ASIC that refuses the password at its pages may be
    silent at the ports of other dialects.
    """
    now_s, failure = clock_s(), None
    if device.other_mac or device.bad_responses >= _BAD_BEFORE_IDENTIFYING or now_s >= device.identify_due_s:
        failure = await _identify(device, now_s)
        if failure is not None and device.other_mac:
            return failure
    answer = await poll(device.asic.identity, partial(timestamp, device))
    if isinstance(answer, PollFailure):
        return answer if failure is None or not device.bad_responses else most_specific([failure, answer])
    if now_s >= device.specs_due_s:
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
    """Reads the specs again. Returns a failure only if another device answers."""
    identity = device.asic.identity
    specs = await specs_of(identity)
    if isinstance(specs, PollFailure):
        device.specs_due_s = now_s + _AGAIN_AFTER_S
        return None
    device.specs_due_s = now_s + SPECS_AFTER_S * (1 + device.asic.id * 7 % 100 / 100)
    if specs.firmware_version != identity.specs.firmware_version:
        device.identify_due_s = now_s
    model = specs.model or identity.specs.model  # the operator's, if the device does not report one
    return _recognised(device, msgspec.structs.replace(identity, specs=msgspec.structs.replace(specs, model=model)))


def _recognised(device: Device, identity: Identity) -> PollFailure | None:
    """Compares the identity with the last one. If a known MAC has changed, another device has taken the address."""
    last_mac, mac = device.asic.identity.specs.mac, identity.specs.mac
    if last_mac is not None and mac is not None and last_mac != mac:
        return device.note_other_device(mac)
    if mac is None and device.other_mac is not None:  # from the ARP table, which also shows its end
        return device.note_other_device(device.other_mac)
    device.other_mac, device.bad_responses = None, 0
    if identity != device.asic.identity:
        device.touch(identity=identity, mac=mac or device.asic.mac, identified_at=datetime.now(UTC))
    return None
