"""A worker: takes logs out of the queue, writes them, and only then acknowledges them.

It may be killed at any line. After `ACK_WAIT_S` its logs are given to another worker; those that were committed are
duplicates to the database. After the commit it first notifies the web nodes and then acknowledges: a notification that
comes twice is harmless, and logs that are not acknowledged are notified again.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from protocol.plain_words import sentence

from commander.db import Database
from commander.intake.counts import BatchCounts
from commander.intake.writers import LogWriter, log_writer
from commander.problems import DatabaseProblem
from commander.raw_logs.codec import Packer
from commander.raw_logs.store import NewLog
from commander.scaled.dead_letters import DeadLetter, put_aside
from commander.scaled.nats_bus import ANSWER_TIMEOUT_S, Bus, NatsAway
from commander.scaled.pull import Pull, pulling
from commander.scaled.stream import (
    ACK_WAIT_S,
    STUCK_AFTER_S,
    WORKERS,
    CommittedLog,
    QueueLimits,
    Standstill,
    StreamNames,
    backlog_of,
    decode_log,
    encode_stored,
    renew_consumer,
    settle_consumer,
    settle_stream,
)
from commander.web.exposition import Metric, MetricKind, Sample, counter

log = logging.getLogger(__name__)
LOGS_A_TRANSACTION = 2_000
TOLD_AT_ONCE_BYTES = 256 * 1024
DATABASE_AGAIN_AFTER_S = 0.5
ACK, GIVE_BACK, STILL_WORKING = b"+ACK", b"-NAK", b"+WPI"


class Held(NamedTuple):
    """A message that this worker has to acknowledge."""

    message: Msg
    log: NewLog


@dataclass(slots=True)
class IngestCounts:
    stored: int = 0
    duplicates: int = 0
    of_removed_rigs: int = 0
    put_aside: int = 0
    given_back: int = 0
    batches: BatchCounts = field(default_factory=BatchCounts)

    def metrics(self) -> list[Metric]:
        outcomes = {
            "stored": self.stored,
            "duplicate": self.duplicates,
            "rig_removed": self.of_removed_rigs,
            "put_aside": self.put_aside,
        }
        samples = [Sample(count, {"outcome": outcome}) for outcome, count in outcomes.items()]
        taken = "Logs taken from the queue, by what became of them."
        given_back = "Logs given back to the queue, because the database was away."
        return [
            Metric("minewarden_ingested_logs_total", MetricKind.COUNTER, taken, samples),
            counter("minewarden_given_back_logs_total", given_back, self.given_back),
            *self.batches.metrics(),
        ]


class Ingest:
    """One worker. Any number of them share the queue."""

    def __init__(self, database: Database, bus: Bus, names: StreamNames, limits: QueueLimits, packer: Packer) -> None:
        self.counts = IngestCounts()
        self._database = database
        self._names = names
        self._limits = limits
        self._packer = packer
        self._messages: list[Msg] = []
        bus.attach(self._attached)

    @asynccontextmanager
    async def _attached(self, client: Client) -> AsyncIterator[None]:
        await settle_stream(client, self._names, self._limits)
        await settle_consumer(client, self._names)
        stop = asyncio.Event()
        async with pulling(client, self._names.stream, WORKERS) as pull, asyncio.TaskGroup() as group:
            group.create_task(self._work(client, pull, stop))
            beside = [group.create_task(self._hold(client, pull)), group.create_task(self._look_for_standstill(client))]
            try:
                yield
            finally:
                stop.set()
                pull.hurry()
                for task in beside:
                    task.cancel()

    async def _work(self, client: Client, pull: Pull, stop: asyncio.Event) -> None:
        """Works until `stop`; the batch that is being written is finished first."""
        async with log_writer(self._database, self._packer) as writer:
            while not stop.is_set():
                try:
                    self._messages = await pull.take()
                    for batch in _parts(self._messages):
                        await self._batch(client, writer, batch)
                except DatabaseProblem as error:
                    log.warning("the queue waits for the database: %s", error)
                    await self._await_database(stop)
                    log.info("the database is back")
                except (NatsError, OSError) as error:  # the client connects again by itself
                    log.debug("the queue could not be answered: %s", error)
                    await _rest(stop, DATABASE_AGAIN_AFTER_S)
                except Exception:
                    log.exception("a batch from the queue could not be worked on; it comes again")
                    await _rest(stop, DATABASE_AGAIN_AFTER_S)
                finally:
                    self._messages = []  # they are stored, or the queue sends them again

    async def _hold(self, client: Client, pull: Pull) -> None:
        """Keeps the queue from giving this worker's messages to another while the database is slow."""
        before: set[str] = set()
        while True:
            await asyncio.sleep(ACK_WAIT_S / 3)
            held = [*self._messages, *pull.waiting]
            with suppress(NatsError, OSError):
                await _answer(client, [message for message in held if message.reply in before], STILL_WORKING)
            before = {message.reply for message in held}

    async def _look_for_standstill(self, client: Client) -> None:
        """Renews the consumer if its oldest log is not delivered, and makes it again if a renewal was cut off."""
        standstill, jetstream = Standstill(), client.jetstream(timeout=ANSWER_TIMEOUT_S)
        while True:
            await asyncio.sleep(ACK_WAIT_S)
            with suppress(NatsError, OSError, TimeoutError, NatsAway):
                try:
                    backlog = backlog_of(await jetstream.consumer_info(self._names.stream, WORKERS))
                except NotFoundError:
                    await settle_consumer(client, self._names)
                    continue
                # A worker that waits for the database has messages, so none is renewed then.
                if standstill.has_lasted(backlog, time.monotonic()) and not self._messages:
                    log.warning("NATS has not delivered its oldest log for %g s: it is asked again", STUCK_AFTER_S)
                    standstill = Standstill()
                    await renew_consumer(client, self._names)

    async def _batch(self, client: Client, writer: LogWriter, messages: Sequence[Msg]) -> None:
        """Raises `DatabaseProblem` when all of it was given back."""
        held, unreadable = _sorted_out(messages)
        try:
            async with self._database.write_turn:
                kept, refused = await self._write(writer, held)
            if dead := unreadable + refused:
                await self._put_aside(dead)
        except DatabaseProblem:
            self.counts.batches.failed += 1
            self.counts.given_back += len(messages)
            await _answer(client, messages, GIVE_BACK)
            raise
        await self._announce(client, kept)
        await _answer(client, messages, ACK)

    async def _write(self, writer: LogWriter, held: list[Held]) -> tuple[list[Held], list[tuple[Msg, str]]]:
        """Writes the logs; returns those that are stored, and those that can never be, with the reason."""
        if not held:
            return [], []
        started_s = time.monotonic()
        try:
            written = await writer.write([each.log for each in held])
        except DatabaseProblem as error:
            if not _is_about_the_data(error):
                raise
            if len(held) == 1:
                return [], [(held[0].message, str(error.__cause__))]
            parts = [await self._write(writer, [each]) for each in held]
            return [one for kept, _ in parts for one in kept], [one for _, refused in parts for one in refused]
        self.counts.batches.observe(len(held), time.monotonic() - started_s)
        self.counts.stored += written.count(True)
        self.counts.duplicates += written.count(False)
        self.counts.of_removed_rigs += written.count(None)
        return [each for each, stored in zip(held, written, strict=True) if stored is not None], []

    async def _put_aside(self, dead: list[tuple[Msg, str]]) -> None:
        for message, reason in dead:
            log.error("a message of the queue can't be stored and is put aside (%s): %s", message.subject, reason)
        async with self._database.transaction() as db:
            letters = [DeadLetter(message.subject, reason, message.data) for message, reason in dead]
            await put_aside(db, letters, now=datetime.now(UTC))
        self.counts.put_aside += len(dead)

    async def _announce(self, client: Client, kept: list[Held]) -> None:
        """Sends each rig's newest log to the web nodes, which need no older ones."""
        newest: dict[tuple[str, int], Held] = {}
        for each in kept:
            key = each.log.kind, each.log.rig_id
            if key not in newest or newest[key].log.taken_at_us < each.log.taken_at_us:
                newest[key] = each
        newest_logs = [CommittedLog(received_at_us(each.message), each.message.data) for each in newest.values()]
        for part in _by_size(newest_logs):
            await client.publish(self._names.stored, encode_stored(part))

    async def _await_database(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await _rest(stop, DATABASE_AGAIN_AFTER_S)
            try:
                await self._database.now()
            except DatabaseProblem:
                continue
            return


def received_at_us(message: Msg) -> int:
    """Returns when the queue took the message, from its reply subject, which has one of two forms."""
    tokens = message.reply.split(".")
    return int(tokens[7] if len(tokens) == 9 else tokens[9]) // 1_000


def _sorted_out(messages: Sequence[Msg]) -> tuple[list[Held], list[tuple[Msg, str]]]:
    """Logs, and what can't be read as one with the reason."""
    held: list[Held] = []
    unreadable: list[tuple[Msg, str]] = []
    for message in messages:
        try:
            held.append(Held(message, decode_log(message.data)))
        except msgspec.DecodeError as error:
            unreadable.append((message, sentence(error)))
    return held, unreadable


def _is_about_the_data(error: DatabaseProblem) -> bool:
    """Returns whether the database refuses the rows, and will refuse them again."""
    about = (asyncpg.DataError, asyncpg.exceptions.DataError, asyncpg.IntegrityConstraintViolationError)
    return isinstance(error.__cause__, about)


async def _answer(client: Client, messages: Sequence[Msg], answer: bytes) -> None:
    for message in messages:
        await client.publish(message.reply, answer)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _parts(messages: list[Msg]) -> Iterator[list[Msg]]:
    for start in range(0, len(messages), LOGS_A_TRANSACTION):
        yield messages[start : start + LOGS_A_TRANSACTION]


def _by_size(logs: list[CommittedLog]) -> Iterator[list[CommittedLog]]:
    part: list[CommittedLog] = []
    size = 0
    for each in logs:
        if part and size + len(each.queued) > TOLD_AT_ONCE_BYTES:
            yield part
            part, size = [], 0
        part.append(each)
        size += len(each.queued)
    if part:
        yield part
