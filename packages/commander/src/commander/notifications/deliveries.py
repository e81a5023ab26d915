"""Sends the messages of the outbox: those of one channel in their order, and each channel independently."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.actor import COMMANDER
from commander.audit.store import record
from commander.db import Database
from commander.jobs.loop import rest
from commander.notifications import channel_store, delivery_store
from commander.notifications.channel_store import NotificationChannel
from commander.notifications.domain import ChannelNotFound, MessageState
from commander.notifications.failures import DeliveryFailure, PartlySent
from commander.notifications.kinds.kind import SafeNetwork
from commander.notifications.kinds.registry import KINDS
from commander.notifications.messages import Message, message_of, word_of
from commander.notifications.news import Event, News
from commander.notifications.outbox import Outbox
from commander.notifications.timing import Unsent, is_due, next_of_channel, next_try, quiet_until
from commander.problems import DatabaseProblem
from commander.readings.severity import Severity
from commander.sealing import Sealer, SecretsUnreadable

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
CLAIMED_FOR = timedelta(minutes=2)  # longer than any kind's own timeout
STOPS_WITHIN_S = 3.0
IN_A_SUMMARY = 40
NO_INCIDENT = msgspec.Raw(b"null")


class Sender:
    """Sends messages by the kinds of channels."""

    def __init__(self, sealer: Sealer, network: SafeNetwork, public_url: str) -> None:
        self._sealer, self._network, self._public_url = sealer, network, public_url

    async def send(self, channel: NotificationChannel, news: News, *, now: datetime) -> None:
        """Raises `DeliveryFailure` or `PartlySent`."""
        kind = KINDS.get(channel.kind)
        if kind is None:
            raise DeliveryFailure(f"This commander knows no channels of the kind {channel.kind}. Update the commander.")
        try:
            values = msgspec.json.decode(channel.settings, type=dict[str, object])
            settings = msgspec.convert({**values, **self._sealer.unseal(channel.secrets)}, kind.settings)
        except SecretsUnreadable as error:
            raise DeliveryFailure(str(error)) from error
        except msgspec.ValidationError as error:
            raise DeliveryFailure(
                f"The channel's settings are not complete: {error}. Edit the channel.", is_final=True
            ) from error
        try:
            await kind.send(settings, self._message(news, now), self._network)
        except (DeliveryFailure, PartlySent):
            raise
        except Exception as error:
            log.exception("a message could not be sent by channel %d (%s)", channel.id, channel.kind)
            raise DeliveryFailure(
                "The commander could not send the message because of an error of its own. Its log has the details."
            ) from error

    def why_unreadable(self, channel: NotificationChannel) -> str:
        """Returns why this node can't read the channel's secrets; empty: it can. Another node may have the key."""
        try:
            self._sealer.unseal(channel.secrets)
        except SecretsUnreadable as error:
            return str(error)
        return ""

    def _message(self, news: News, now: datetime) -> Message:
        return message_of(news, public_url=self._public_url, sent_at=now)


class Deliveries:
    """The sender of one web node. Other nodes may send, too: so a message is claimed before it is sent.

    `changed` is called after each commit that the page of channels shows.
    """

    def __init__(self, database: Database, sender: Sender, outbox: Outbox, changed: Callable[[], None]) -> None:
        self._database, self._sender, self._outbox, self._changed = database, sender, outbox, changed
        self._busy: set[int] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Sends until `stop`."""
        async with asyncio.TaskGroup() as group:
            tasks: set[asyncio.Task[None]] = set()
            while not stop.is_set():
                for channel_id in await self._due_now():
                    task = group.create_task(self._send_all(channel_id, self._database.now))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                await rest(stop, LOOK_EVERY_S)
            if tasks:
                await asyncio.wait(tasks, timeout=STOPS_WITHIN_S)
            for task in tasks:
                task.cancel()  # its message stays claimed, and is sent by the next commander

    async def send_due(self, now: datetime) -> None:
        """Sends everything that is due at a moment, and returns when that is done."""

        async def moment() -> datetime:
            return now

        async with asyncio.TaskGroup() as group:
            for channel_id in await self._due(now):
                group.create_task(self._send_all(channel_id, moment))

    async def _due_now(self) -> list[int]:
        """Returns none where an error keeps them from being found: they are looked for again."""
        try:
            return await self._due(await self._database.now())
        except (DatabaseProblem, DBAPIError):
            return []  # the jobs say so in the log
        except Exception:
            log.exception("messages that are due could not be found; they are looked for again")
            return []

    async def _due(self, now: datetime) -> list[int]:
        """Returns the channels that have something to send and are not being sent to here."""
        async with self._database.reading() as db:
            found = await delivery_store.due_channels(db, now)
        return [channel_id for channel_id in found if channel_id not in self._busy]

    async def _send_all(self, channel_id: int, clock: Callable[[], Awaitable[datetime]]) -> None:
        self._busy.add(channel_id)
        try:
            while await self._send_next(channel_id, await clock()):
                pass
        except (DatabaseProblem, DBAPIError) as error:
            log.warning("messages wait for the database: %s", error)
        except ChannelNotFound:
            pass  # somebody has removed it
        except Exception:
            log.exception("the messages of channel %d could not be sent; they are tried again", channel_id)
        finally:
            self._busy.discard(channel_id)

    async def _send_next(self, channel_id: int, now: datetime) -> bool:
        """Sends or holds one message, or one summary. Returns whether the next one may follow."""
        async with self._database.transaction() as db:
            channel = await channel_store.get_channel(db, channel_id)
            unsent = await delivery_store.unsent_of(db, channel_id, now=now)
            first = next_of_channel(unsent, now=now)
            if first is None or not channel.is_enabled:
                return False
            if problem := self._sender.why_unreadable(channel):
                if channel.last_error != problem:
                    await channel_store.note_error(db, channel_id, problem, at=now)
                return False
            chosen = [each for each in unsent if each.is_held and is_due(each, now=now)] if first.is_held else [first]
            pieces = await delivery_store.news_of(db, [each.id for each in chosen])
            if until := _quiet_until(channel, pieces, now):
                held = [await delivery_store.hold(db, each, until=until) for each in chosen]
                return any(held)
            claimed = [each for each in chosen if await delivery_store.claim(db, each, until=now + CLAIMED_FOR)]
            pieces = await delivery_store.news_of(db, [each.id for each in claimed])
        return await self._send(channel, claimed, pieces, now) if claimed else False  # else another node was first

    async def _send(
        self, channel: NotificationChannel, chosen: Sequence[Unsent], pieces: Sequence[News], now: datetime
    ) -> bool:
        news = pieces[0] if len(pieces) == 1 else summary_of(pieces, zone=_zone(channel), now=now)
        ids, remark = [each.id for each in chosen], ""
        try:
            await self._sender.send(channel, news, now=now)
        except PartlySent as partly:
            remark = str(partly)
        except DeliveryFailure as failure:
            await self._failed(channel, chosen, failure, now)
            return failure.is_refusal  # then the next one may be accepted
        async with self._database.transaction() as db:
            await delivery_store.finish(db, ids, MessageState.SENT, at=now)
            await channel_store.note_sent(db, channel.id, at=now)
            if remark:
                await channel_store.note_error(db, channel.id, remark, at=now)
        self._changed()
        return True

    async def _failed(
        self, channel: NotificationChannel, chosen: Sequence[Unsent], failure: DeliveryFailure, now: datetime
    ) -> None:
        log.warning("channel %d (%s): %s", channel.id, channel.kind, failure)
        text = str(failure)
        async with self._database.transaction() as db:
            if failure.is_final:
                await delivery_store.put_back(db, [each.id for each in chosen], text, due_at=now)
                if await channel_store.switch_off(db, channel.id, text, at=now):
                    await record(db, "channel switched off", channel.name, text, actor=COMMANDER, at=now)
                    await self._outbox.enqueue(db, _news_of_switch_off(channel, text, now))
            else:
                await _put_back(db, chosen, failure, now)
                await channel_store.note_error(db, channel.id, text, at=now)
        self._changed()


async def _put_back(db: AsyncConnection, chosen: Sequence[Unsent], failure: DeliveryFailure, now: datetime) -> None:
    """Puts messages back that were not sent, so that they are tried again. Gives up those that are refused or too old.

    If a summary is refused, one of its messages may be the reason. So each is then sent by itself.
    """
    text = str(failure)
    if failure.is_refusal and len(chosen) > 1:
        await delivery_store.put_back(db, [each.id for each in chosen], text, due_at=now, alone=True)
        return
    tries = {each.id: next_try(each.made_at, each.attempts + 1, failure.retry_after_s, now=now) for each in chosen}
    again = [moment for moment in tries.values() if moment is not None]
    given_up = [number for number, moment in tries.items() if failure.is_refusal or moment is None]
    await delivery_store.finish(db, given_up, MessageState.FAILED, text, at=now)
    if kept := tries.keys() - set(given_up):
        await delivery_store.put_back(db, kept, text, due_at=max(again))


def summary_of(pieces: Sequence[News], *, zone: ZoneInfo, now: datetime) -> News:
    """Returns one message for the messages that waited in quiet hours, or while the channel was off."""
    lines = [f"{piece.at.astimezone(zone):%H:%M} {word_of(piece)}: {piece.title}" for piece in pieces]
    if len(lines) > IN_A_SUMMARY:
        lines = [*lines[:IN_A_SUMMARY], f"and {len(lines) - IN_A_SUMMARY} more"]
    worst = Severity.CRITICAL if any(each.severity is Severity.CRITICAL for each in pieces) else Severity.WARNING
    return News(
        incident_id=0,
        step=0,
        event=Event.SUMMARY,
        severity=worst,
        title=f"{len(pieces)} messages",
        lines=tuple(lines),
        rigs=(),
        incident=NO_INCIDENT,
        at=now,
    )


def _news_of_switch_off(channel: NotificationChannel, reason: str, now: datetime) -> News:
    return News(
        incident_id=0,
        step=0,
        event=Event.CHANNEL_OFF,
        severity=Severity.CRITICAL,
        title=f"the channel “{channel.name}” gets no more messages",
        lines=(reason, "Correct the channel on the page Alerts, and save it."),
        rigs=(),
        incident=NO_INCIDENT,
        at=now,
    )


def _quiet_until(channel: NotificationChannel, pieces: Sequence[News], now: datetime) -> datetime | None:
    if channel.wishes.quiet is None or any(each.severity is Severity.CRITICAL for each in pieces):
        return None
    return quiet_until(channel.wishes.quiet, now=now)


def _zone(channel: NotificationChannel) -> ZoneInfo:
    return ZoneInfo(channel.wishes.quiet.time_zone if channel.wishes.quiet else "UTC")
