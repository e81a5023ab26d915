"""Adds, changes, removes and tests channels. Each is one transaction."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.store import record
from commander.db import Database
from commander.notifications import channel_store, delivery_store
from commander.notifications.channel_store import NotificationChannel
from commander.notifications.deliveries import NO_INCIDENT, Sender
from commander.notifications.domain import CHANNELS_AT_MOST, Wishes
from commander.notifications.failures import DeliveryFailure, PartlySent
from commander.notifications.news import Event, News
from commander.notifications.settings_check import CheckedSettings, checked_settings, kind_of
from commander.notifications.timing import next_digest
from commander.problems import CommanderError, ErrorKind
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind
from commander.registry.names import checked_name
from commander.sealing import Sealer, SecretsUnreadable
from commander.selections.compiled import compiled
from commander.selections.parser import parse

log = logging.getLogger(__name__)


class ChannelNameTaken(CommanderError):
    """Another channel has this name."""

    kind = ErrorKind(409, "name_taken", "Name taken", field="name")


class TooManyChannels(CommanderError):
    """There are as many channels as there may be."""

    kind = ErrorKind(422, "too_many_channels", "Too many channels", field="name")


class BadQuietHours(CommanderError):
    """The quiet hours begin and end at the same time, or a time zone does not exist."""

    kind = ErrorKind(422, "bad_quiet_hours", "Bad quiet hours", field="quiet")


class ChannelOrder(NamedTuple):
    """A channel as a person enters it. `settings` may lack secrets that are stored already."""

    name: str
    kind: str
    settings: Mapping[str, object]
    wishes: Wishes
    is_enabled: bool = True


class ChannelNow(NamedTuple):
    """A channel without its secrets, and the number of its waiting messages. `secrets_set` names the stored secrets."""

    channel: NotificationChannel
    settings: dict[str, object]
    secrets_set: list[str]
    waiting: int
    next_attempt_at: datetime | None


class ChannelActions:
    """`changed` is called after each commit that the page of channels shows."""

    def __init__(
        self, database: Database, sealer: Sealer, sender: Sender, changed: Callable[[], None], *, loopback: bool
    ) -> None:
        self._database, self._sealer, self._sender = database, sealer, sender
        self._changed, self._loopback = changed, loopback

    async def channels(self) -> list[ChannelNow]:
        """Returns all channels, oldest first."""
        async with self._database.reading() as db:
            found, attempts = await channel_store.all_channels(db), await delivery_store.next_attempts(db)
        return [self._now(channel, *attempts.get(channel.id, (0, None))) for channel in found]

    async def find(self, channel_id: int) -> ChannelNow:
        """Raises `ChannelNotFound`."""
        async with self._database.reading() as db:
            channel = await channel_store.get_channel(db, channel_id)
            attempts = await delivery_store.next_attempts(db)
        return self._now(channel, *attempts.get(channel_id, (0, None)))

    async def add(self, order: ChannelOrder) -> ChannelNow:
        """Adds a channel. Raises an error of what a `ChannelOrder` can be wrong in, such as `ChannelNameTaken`."""
        name, wishes = checked_name(order.name), checked_wishes(order.wishes)
        settings = checked_settings(kind_of(order.kind), order.settings, None, loopback=self._loopback)
        now = await self._database.now()
        async with self._database.transaction() as db:
            if len(await channel_store.all_channels(db)) >= CHANNELS_AT_MOST:
                raise TooManyChannels(f"There are {CHANNELS_AT_MOST} channels already. Remove one first.")
            await _check_name(db, name, None)
            values = await self._values(name, wishes, settings, now)
            values |= {"kind": order.kind, "is_enabled": order.is_enabled}
            channel_id = await channel_store.insert_channel(db, values)
            await record(db, "channel added", name, order.kind)
        self._changed()
        return await self.find(channel_id)

    async def change(self, channel_id: int, order: ChannelOrder) -> ChannelNow:
        """Changes a channel. Its waiting messages become due. Raises what `add` raises, and `ChannelNotFound`."""
        name, wishes = checked_name(order.name), checked_wishes(order.wishes)
        now = await self._database.now()
        async with self._database.transaction() as db:
            channel = await channel_store.get_channel(db, channel_id)
            stored = self._stored(channel) if channel.kind == order.kind else None
            settings = checked_settings(kind_of(order.kind), order.settings, stored, loopback=self._loopback)
            await _check_name(db, name, channel_id)
            values = await self._values(name, wishes, settings, now)
            values |= {"kind": order.kind, "is_enabled": order.is_enabled}
            values |= {"off_reason": "", "last_error": "", "last_error_at": None}
            await channel_store.update_channel(db, channel_id, values)
            await delivery_store.send_soon(db, channel_id, now=now, as_summary=not channel.is_enabled)
            await record(db, "channel changed", name, _what_changed(channel, order))
        self._changed()
        return await self.find(channel_id)

    async def remove(self, channel_id: int) -> None:
        """Removes a channel with its waiting messages. Raises `ChannelNotFound`."""
        async with self._database.transaction() as db:
            channel = await channel_store.get_channel(db, channel_id)
            await channel_store.delete_channel(db, channel_id)
            await record(db, "channel removed", channel.name)
        self._changed()

    async def test(self, channel_id: int) -> str:
        """Sends a test at once, and returns the error; empty: it was sent. Raises `ChannelNotFound`."""
        now = await self._database.now()
        async with self._database.reading() as db:
            channel = await channel_store.get_channel(db, channel_id)
        error = ""
        try:
            await self._sender.send(channel, _test_news(channel.name, now), now=now)
        except (DeliveryFailure, PartlySent) as failure:
            error = str(failure)
        async with self._database.transaction() as db:
            if error:
                await channel_store.note_error(db, channel_id, error, at=now)
            else:
                await channel_store.note_sent(db, channel_id, at=now)
            await record(db, "channel tested", channel.name, error or "sent")
        self._changed()
        return error

    def _now(self, channel: NotificationChannel, waiting: int, next_attempt_at: datetime | None) -> ChannelNow:
        shown = msgspec.json.decode(channel.settings, type=dict[str, object])
        try:
            names = sorted(self._sealer.unseal(channel.secrets))
        except SecretsUnreadable:
            names = []
        return ChannelNow(channel, shown, names, waiting, next_attempt_at if channel.is_enabled else None)

    def _stored(self, channel: NotificationChannel) -> CheckedSettings:
        try:
            secrets = self._sealer.unseal(channel.secrets)
        except SecretsUnreadable as error:
            log.warning("channel %d: %s", channel.id, error)
            secrets = {}
        return CheckedSettings(msgspec.json.decode(channel.settings, type=dict[str, object]), secrets)

    async def _values(self, name: str, wishes: Wishes, settings: CheckedSettings, now: datetime) -> dict[str, object]:
        return {
            "name": name,
            "settings": msgspec.json.encode(settings.shown),
            "secrets": await asyncio.to_thread(self._sealer.seal, settings.secrets),  # it may wait for a lock
            "wishes": msgspec.json.encode(wishes),
            "digest_due_at": next_digest(wishes.digest, after=now) if wishes.digest else None,
        }


def checked_wishes(wishes: Wishes) -> Wishes:
    """Raises `BadSelection` or `BadQuietHours`."""
    selection = parse(wishes.select)
    for kind in RigKind:
        compiled(selection, kind)
    if wishes.quiet and wishes.quiet.since == wishes.quiet.until:
        raise BadQuietHours("Quiet hours must begin and end at different times. Leave both empty for none.")
    for part in (wishes.quiet, wishes.digest):
        if part and not is_time_zone(part.time_zone):
            raise BadQuietHours(f"{part.time_zone[:64]} is not a time zone. Enter one such as Europe/Berlin.")
    return wishes


def is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # KeyError: it is not in the database of time zones
        return False
    return True


async def _check_name(db: AsyncConnection, name: str, own_id: int | None) -> None:
    if await channel_store.id_of_name(db, name) not in (None, own_id):
        raise ChannelNameTaken(f"Another channel is called {name}; choose another name.")


def _what_changed(channel: NotificationChannel, order: ChannelOrder) -> str:
    """Returns words for the audit log, without values: some of them are secret."""
    if channel.is_enabled != order.is_enabled:
        return "switched on" if order.is_enabled else "switched off"
    return order.kind if channel.kind == order.kind else f"{channel.kind} to {order.kind}"


def _test_news(name: str, now: datetime) -> News:
    return News(
        incident_id=0,
        step=0,
        event=Event.TEST,
        severity=Severity.WARNING,
        title=f"the channel “{name}” works",
        lines=("This is a test. Messages about incidents will arrive here.",),
        rigs=(),
        incident=NO_INCIDENT,
        at=now,
    )
