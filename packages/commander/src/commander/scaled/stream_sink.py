"""The intake's way into the queue: a report is answered when the stream has acknowledged each of its logs.

A log's message id is (kind, rig, `taken_at`): sent again within the stream's duplicate window, it is known as a
duplicate whichever node it comes to; later ones are the database's to know.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from protocol.reasons import reason

from commander.intake.group_commit import LOGS_WAITING, Overloaded, StorageAway
from commander.limit_log import LimitLog
from commander.raw_logs.store import NewLog
from commander.scaled.nats_bus import ANSWER_TIMEOUT_S, Bus, NatsAway
from commander.scaled.stream import QueueLimits, StreamNames, encode_log, message_id, settle_consumer, settle_stream
from commander.web.bodies import TooLarge
from commander.web.exposition import Histogram, Metric, gauge

STREAM_FULL = frozenset({10047, 10077})  # no room left on the server; the stream's own limits
HEADER_BYTES = 512
ACK_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class LogTooLarge(TooLarge):
    """A log that no message of this NATS can hold."""

    def __init__(self) -> None:
        Exception.__init__(self, "A log is larger than the queue's messages may be (max_payload of the NATS server).")


class Refusal(msgspec.Struct, frozen=True, gc=False):
    err_code: int = 0
    description: str = ""


class Ack(msgspec.Struct, frozen=True, gc=False):
    """JetStream's answer to a message."""

    duplicate: bool = False
    error: Refusal | None = None


class Flight:
    """A report's logs on their way: the stream's answer to each, and a future for when all are answered."""

    def __init__(self, logs: int) -> None:
        self.written: list[bool | None] = [None] * logs
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = logs

    def acknowledged(self, place: int, ack: Ack) -> None:
        if ack.error:
            self.failed(_meaning_of(ack.error))
            return
        self.written[place] = not ack.duplicate
        self._left -= 1
        if not self._left and not self.done.done():
            self.done.set_result(None)

    def failed(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


_ack_decoder = msgspec.json.Decoder(Ack)


class StreamIntake:
    """A `LogSink`."""

    def __init__(self, bus: Bus, names: StreamNames, limits: QueueLimits) -> None:
        self._bus = bus
        self._names = names
        self._limits = limits
        self._client: Client | None = None
        self._inbox = ""
        self._numbers = count(1)
        self._flying: dict[int, tuple[Flight, int]] = {}
        self._seconds = Histogram(ACK_SECONDS)
        self._limit_log = LimitLog()
        bus.attach(self._attached)

    async def write(self, logs: Sequence[NewLog]) -> list[bool | None]:
        """`LogSink.write`; also raises `LogTooLarge`."""
        if self._flying and len(self._flying) + len(logs) > LOGS_WAITING:
            self._limit_log.note(
                "waiting", f"reports have to wait: the queue has not taken {len(self._flying):,} logs yet"
            )
            raise Overloaded("The commander has more reports waiting than the queue takes at once; come back.")
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        flight = Flight(len(logs))
        numbers: list[int] = []
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._send(logs, flight, numbers)
                await flight.done
        except (NatsAway, NatsError, OSError, TimeoutError) as error:
            why = f"NATS can't be used: {reason(error)}" if isinstance(error, OSError) else str(error)
            raise StorageAway(f"{why.rstrip('.')}. Nothing is lost: come back.") from error
        finally:
            for number in numbers:
                self._flying.pop(number, None)
        self._seconds.observe(loop.time() - started_s)
        return flight.written

    def metrics(self) -> list[Metric]:
        return [
            self._seconds.metric("minewarden_queue_seconds", "How long the queue took to acknowledge a report's logs."),
            gauge("minewarden_queue_waiting_logs", "Logs that the queue has not acknowledged yet.", len(self._flying)),
        ]

    async def _send(self, logs: Sequence[NewLog], flight: Flight, numbers: list[int]) -> None:
        client = self._client
        if client is None:
            self._bus.check()
            raise NatsAway("The queue is not ready yet")
        messages = [encode_log(log) for log in logs]
        if max(map(len, messages)) + HEADER_BYTES > client.max_payload:
            raise LogTooLarge
        for place, (log, message) in enumerate(zip(logs, messages, strict=True)):
            number = next(self._numbers)
            numbers.append(number)
            self._flying[number] = flight, place
            reply = f"{self._inbox}.{number}"
            headers = {"Nats-Msg-Id": message_id(log)}
            await client.publish(self._names.logs(log.kind), message, reply=reply, headers=headers)

    @asynccontextmanager
    async def _attached(self, client: Client) -> AsyncIterator[None]:
        await settle_stream(client, self._names, self._limits)
        await settle_consumer(client, self._names)
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._receive)
        self._client = client
        try:
            yield
        finally:
            self._client = None
            for flight, _ in self._flying.values():
                flight.failed(NatsAway("The connection to the queue was lost"))

    async def _receive(self, message: Msg) -> None:
        flying = self._flying.pop(int(message.subject.rpartition(".")[2]), None)
        if flying is None:  # too late: its request was already answered with 503
            return
        flight, place = flying
        if message.headers and "Status" in message.headers:
            flight.failed(NatsAway("The queue does not take messages now (JetStream is not ready)"))
        else:
            flight.acknowledged(place, _ack_decoder.decode(message.data))


def _meaning_of(refusal: Refusal) -> Exception:
    if refusal.err_code in STREAM_FULL:
        return Overloaded(f"The queue is full ({refusal.description}); come back when the workers have caught up.")
    return NatsAway(f"The queue refuses logs: {refusal.description}")
