"""Polls all ASICs: one poll per ASIC at a time, and a limited number at once."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from protocol.asic_messages import AsicLog
from sentry_kit.timestamps import SharedTimestamps

from asic_sentry.asics.asic import Asic, Override, override_for, with_override
from asic_sentry.asics.logins import Logins, login_for
from asic_sentry.device import SPECS_AFTER_S, Device, ask
from asic_sentry.failures import PollFailure, broken
from asic_sentry.poll import Identity, Sample
from asic_sentry.schedule import Due, Schedule

log = logging.getLogger(__name__)

NO_LOGINS: Logins = {}
AT_ONCE = 500
_TICK_S = 0.1  # due times that are closer together share a turn of the loop: to wake up costs as much as a poll
_IDENTIFIED_FOR_S = 86_400.0


@dataclass(slots=True)
class Listeners:
    """Functions to call for each sample, for each change to be stored, and with the delay of each poll."""

    sampled: Callable[[Device, AsicLog], None] = lambda _device, _log: None
    failing: Callable[[Device], None] = lambda _device: None
    identified: Callable[[Device], None] = lambda _device: None
    late: Callable[[float], None] = lambda _s: None


@dataclass(slots=True)
class Clocks:
    monotonic_s: Callable[[], float] = time.monotonic
    now_ms: Callable[[], int] = field(default=lambda: time.time_ns() // 1_000_000)


class Poller:
    """All ASICs and the loop that polls them. Used by the event loop alone."""

    def __init__(
        self,
        every_s: float,
        *,
        at_once: int = AT_ONCE,
        clocks: Clocks | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.devices: dict[int, Device] = {}
        self.listeners = Listeners()
        self.schedule = Schedule(every_s, dice)
        self._clocks = clocks or Clocks()
        self._dice = dice
        self._at_once = at_once
        self._timestamps = SharedTimestamps(int(dice() * 10))
        self._wake = asyncio.Event()
        self._rests_until_s = math.inf

    def __iter__(self) -> Iterator[Device]:
        """Returns the devices in the order of their addresses."""
        return iter(self.devices.values())

    def take(self, asics: Iterable[Asic], models: Mapping[str, Override], logins: Logins = NO_LOGINS) -> None:
        """Takes over the stored ASICs. New ones are polled soon, removed ones no longer."""
        now_s = self._clocks.monotonic_s()
        before, self.devices = self.devices, {}
        for asic in asics:
            override = override_for(asic, models)
            device = before.pop(asic.id, None)
            if device is None:
                device = self._new_device(asic, override, now_s)
                device.login = login_for(logins, asic.ip, asic.model_name)
            else:
                is_other_login = device.take_login(login_for(logins, asic.ip, asic.model_name), now_s)
                if device.update(asic, override) or is_other_login:
                    self.schedule.hurry(asic.id, now_s)
            self.devices[asic.id] = device
        for key in before:
            self.schedule.remove(key)
        self.schedule.add([key for key in self.devices if key not in self.schedule], now_s)
        self._wake.set()

    def _new_device(self, asic: Asic, override: Override, now_s: float) -> Device:
        """Returns a device that is identified again in about a day. ASICs that were added together are spread."""
        age_s = (datetime.now(UTC) - asic.identified_at).total_seconds()
        identify_in_s = max(0.0, _IDENTIFIED_FOR_S - age_s) + self._dice() * 3600
        return Device(asic, override, now_s + SPECS_AFTER_S * (1 + self._dice()), now_s + identify_in_s)

    def change_interval(self, every_s: float) -> None:
        if every_s != self.schedule.every_s:
            self.schedule.change_interval(every_s, self._clocks.monotonic_s())
            self._wake.set()

    def poll_now(self, key: int) -> None:
        self.schedule.hurry(key, self._clocks.monotonic_s())
        self._wake.set()

    async def poll_for_ever(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                now_s = self._clocks.monotonic_s()
                for due in self.schedule.take_due(now_s, self._at_once - self.schedule.in_flight):
                    self.listeners.late(now_s - due.at_s)
                    group.create_task(self._poll(due))
                await self._rest()

    async def _rest(self) -> None:
        """Waits until the next poll is due; or, if as many polls run as are allowed, until one of them is done."""
        is_full = self.schedule.in_flight >= self._at_once
        next_s = None if is_full else self.schedule.next_due_s()
        self._rests_until_s = math.inf if next_s is None else next_s
        wait_s = self._rests_until_s - self._clocks.monotonic_s()
        if wait_s <= _TICK_S:
            await asyncio.sleep(_TICK_S)
            return
        try:
            async with asyncio.timeout(None if next_s is None else wait_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _poll(self, due: Due) -> None:
        device = self.devices[due.key]
        identity, version = device.asic.identity, device.version
        try:
            answer = await ask(device, self._timestamp, self._clocks.monotonic_s)
        except Exception:
            log.exception("poll_broken ip=%s", identity.ip)
            answer = broken()
        if self.devices.get(due.key) is device and device.asic.ip == identity.ip:  # not removed or moved meanwhile
            if device.asic.identity is not identity and device.version != version:
                self.listeners.identified(device)
            self._took(device, answer)
        self.schedule.done(due.key, self._clocks.monotonic_s(), device.failures)
        next_s = self.schedule.next_due_s()
        if self._rests_until_s > (next_s or math.inf) or self.schedule.in_flight == self._at_once - 1:
            self._wake.set()

    def _timestamp(self, device: Device) -> datetime:
        device.last_ms = self._timestamps.next_ms(self._clocks.now_ms(), device.last_ms)
        return datetime.fromtimestamp(device.last_ms / 1000, UTC)

    def _took(self, device: Device, answer: Sample | PollFailure) -> None:
        if isinstance(answer, PollFailure):
            if device.failed(answer):
                self.listeners.failing(device)
            return
        sample = with_override(answer.log, device.override)
        if device.answered(sample):
            self.listeners.failing(device)
        self.listeners.sampled(device, sample)

    def moved(self, device: Device, identity: Identity, news: str) -> None:
        """Takes over the new address of an ASIC that was found again."""
        device.asic = msgspec.structs.replace(
            device.asic, identity=identity, news=news, failure=None, failing_since=None
        )
        device.reset()
        self.poll_now(device.asic.id)
