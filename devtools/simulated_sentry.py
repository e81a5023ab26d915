"""A sentry of rigs that do not exist: measures on time and keeps each log until it is acknowledged."""

import asyncio
import random
import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, TextIO

import msgspec
from farm_wire import Answer, Commander, WireError
from protocol.asic_messages import AsicItemReceipt
from protocol.messages import LogReceipt
from simulated_rig import SimulatedRig

BATCH_LOGS = 100
KEPT_LOGS = 5_000
LONGEST_WAIT_S = 30.0

_encode = msgspec.json.Encoder().encode
_receipt = msgspec.json.Decoder(LogReceipt)


class Kept(NamedTuple):
    """A log that waits for its acknowledgement; `place` says of which of the sentry's machines."""

    taken_at: str
    body: bytes
    place: int = 0


@dataclass(slots=True)
class Tally:
    """Counts of the commander's answers to all sentries of the farm. `ledger` gets a line for each acknowledged log."""

    ledger: TextIO | None = None
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    unacknowledged: int = 0
    dropped: int = 0
    turned_away: dict[str, int] = field(default_factory=dict)
    all_acknowledged: asyncio.Event = field(default_factory=asyncio.Event)

    def keep(self, logs: int) -> None:
        """That many more (less, if negative) wait for their acknowledgement."""
        self.unacknowledged += logs
        if self.unacknowledged:
            self.all_acknowledged.clear()
        else:
            self.all_acknowledged.set()

    def count(
        self, receipt: LogReceipt | AsicItemReceipt, rig_id: int, batch: Sequence[Kept], *, key: str = "rig_id"
    ) -> None:
        self.stored += receipt.stored
        self.duplicates += receipt.duplicates
        self.rejected += len(receipt.rejected)
        if self.ledger is None:
            return
        rejected = {each.index for each in receipt.rejected}
        taken = (kept.taken_at for index, kept in enumerate(batch) if index not in rejected)
        self.ledger.writelines(f'{{"{key}": {rig_id}, "taken_at": "{taken_at}"}}\n' for taken_at in taken)
        self.ledger.flush()

    def summary(self) -> str:
        return (
            f"acknowledged {self.stored + self.duplicates} logs "
            f"(stored {self.stored}, duplicates {self.duplicates}, rejected {self.rejected}), "
            f"unacknowledged {self.unacknowledged}"
        )


class Sentry(ABC):
    """Logs that wait for their acknowledgement, and two loops: one measures, one sends."""

    def __init__(self, commander: Commander, tally: Tally, *, kept_logs: int) -> None:
        self._commander, self._tally = commander, tally
        self._headers = {"Sentry-Run": secrets.token_hex(16)}
        self._kept: deque[Kept] = deque()
        self._kept_logs = kept_logs
        self._news = asyncio.Event()
        self._failures = 0
        self._gone = False

    @abstractmethod
    def take(self, now: datetime) -> None:
        """Keep what there is to see at `now`."""

    @abstractmethod
    async def attempt(self, longest_s: float) -> float:
        """Send one batch; returns for how long to leave the commander alone."""

    async def measure(self, *, every_s: float, first_after_s: float) -> None:
        """Take a log every `every_s` seconds, on time whatever the network does. For ever."""
        loop = asyncio.get_running_loop()
        due = loop.time() + first_after_s
        while not self._gone:
            await asyncio.sleep(due - loop.time())
            self.take(datetime.now(UTC))
            due = max(due + every_s, loop.time())

    async def deliver(self, *, every_s: float) -> None:
        """Send what is kept, oldest first, until the commander turns this sentry away."""
        while not self._gone:
            if not self._kept:
                self._news.clear()
                await self._news.wait()
            wait_s = await self.attempt(min(every_s, LONGEST_WAIT_S))
            if wait_s:
                await asyncio.sleep(wait_s)

    def keep(self, log: Kept) -> None:
        """The oldest goes when there is no more room."""
        if len(self._kept) >= self._kept_logs:
            self._kept.popleft()
            self._tally.keep(-1)
            self._tally.dropped += 1
        self._kept.append(log)
        self._tally.keep(1)
        self._news.set()

    def batch(self, logs: int) -> list[Kept]:
        return [self._kept[at] for at in range(min(logs, len(self._kept)))]

    def delivered(self, batch: Sequence[Kept]) -> None:
        """The batch is the front of what is kept, except for what fell out of it in the meantime."""
        self._failures = 0
        for log in batch:
            if self._kept and self._kept[0] is log:
                self._kept.popleft()
                self._tally.keep(-1)

    def failed(self, longest_s: float, retry_after_s: float | None = None) -> float:
        """For how long to leave the commander alone."""
        if retry_after_s is not None:
            return retry_after_s * random.uniform(1, 1.5)
        self._failures += 1
        return min(longest_s, 0.25 * 2.0 ** min(self._failures, 10)) * random.uniform(0.5, 1)


class SimulatedSentry(Sentry):
    """Speaks the sentries' API for one rig."""

    def __init__(self, rig: SimulatedRig, rig_id: int, token: str, commander: Commander, tally: Tally) -> None:
        super().__init__(commander, tally, kept_logs=KEPT_LOGS)
        self.rig_id = rig_id
        self._rig = rig
        self._headers |= {"Authorization": f"Bearer {token}"}
        self._specs_sent = False
        self._last_taken: datetime | None = None

    def take(self, now: datetime) -> None:
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        if now == self._last_taken or (log := self._rig.log(now)) is None:
            return
        self._last_taken = now
        self.keep(Kept(now.isoformat(timespec="milliseconds"), _encode(log)))

    async def attempt(self, longest_s: float) -> float:
        batch = self.batch(BATCH_LOGS)
        try:
            if not self._specs_sent:
                answer = await self._ask("PUT", "/api/v1/sentry/specs", _encode(self._rig.specs()))
                self._specs_sent = answer.status == 204
            answer = await self._ask("POST", "/api/v1/sentry/logs", body_of(batch))
        except WireError:
            return self.failed(longest_s)
        return self._heard(answer, batch, longest_s)

    async def _ask(self, method: str, path: str, body: bytes) -> Answer:
        return await self._commander.send(self._commander.request(method, path, self._headers, body))

    def _heard(self, answer: Answer, batch: Sequence[Kept], longest_s: float) -> float:
        if answer.status == 200:
            self._tally.count(_receipt.decode(answer.body), self.rig_id, batch)
            self.delivered(batch)
            return 0
        if answer.status in (401, 410):
            self._turned_away("token replaced" if answer.status == 401 else "rig removed")
            return 0
        return self.failed(longest_s, answer.retry_after_s)

    def _turned_away(self, why: str) -> None:
        self._gone = True
        self._tally.keep(-len(self._kept))
        self._tally.dropped += len(self._kept)
        self._kept.clear()
        self._tally.turned_away[why] = self._tally.turned_away.get(why, 0) + 1


def body_of(batch: Sequence[Kept]) -> bytes:
    return b'{"logs":[' + b",".join(kept.body for kept in batch) + b"]}"
