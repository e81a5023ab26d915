"""Queries about channels. A function is one query; none commits."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.notifications.domain import ChannelNotFound, MessageState, Wishes
from commander.notifications.tables import notification_channels as channels
from commander.notifications.tables import notifications as messages

ERROR_SHOWN_FOR = timedelta(days=1)
_GONE = "There is no such channel; it may have been removed."


class NotificationChannel(NamedTuple):
    """A channel as it is stored. `settings` is JSON without secrets; `secrets` is sealed."""

    id: int
    name: str
    kind: str
    settings: bytes
    secrets: bytes
    wishes: Wishes
    is_enabled: bool
    off_reason: str
    last_error: str
    last_error_at: datetime | None
    last_sent_at: datetime | None
    digest_due_at: datetime | None


async def all_channels(db: AsyncConnection) -> list[NotificationChannel]:
    """Returns the channels, oldest first."""
    return [_channel(row) for row in await db.execute(sa.select(channels).order_by(channels.c.id))]


async def get_channel(db: AsyncConnection, channel_id: int) -> NotificationChannel:
    """Raises `ChannelNotFound`."""
    row = (await db.execute(sa.select(channels).where(channels.c.id == channel_id))).one_or_none()
    if row is None:
        raise ChannelNotFound(_GONE)
    return _channel(row)


async def insert_channel(db: AsyncConnection, values: Mapping[str, object]) -> int:
    """Returns the id of the new channel."""
    defaults = {"off_reason": "", "last_error": ""}
    query = sa.insert(channels).values({**defaults, **values}).returning(channels.c.id)
    return int((await db.execute(query)).scalar_one())


async def update_channel(db: AsyncConnection, channel_id: int, values: Mapping[str, object]) -> None:
    """Raises `ChannelNotFound`."""
    changed = await db.execute(sa.update(channels).where(channels.c.id == channel_id).values(dict(values)))
    if changed.rowcount != 1:
        raise ChannelNotFound(_GONE)


async def delete_channel(db: AsyncConnection, channel_id: int) -> None:
    """Removes the channel and its messages. Raises `ChannelNotFound`."""
    if (await db.execute(sa.delete(channels).where(channels.c.id == channel_id))).rowcount != 1:
        raise ChannelNotFound(_GONE)


async def id_of_name(db: AsyncConnection, name: str) -> int | None:
    found: int | None = (await db.execute(sa.select(channels.c.id).where(channels.c.name == name))).scalar()
    return found


async def switch_off(db: AsyncConnection, channel_id: int, reason: str, *, at: datetime) -> bool:
    """Switches a channel off because it failed; returns whether it was on."""
    query = sa.update(channels).where(channels.c.id == channel_id, channels.c.is_enabled)
    values = {"is_enabled": False, "off_reason": reason, "last_error": reason, "last_error_at": at}
    return (await db.execute(query.values(values))).rowcount == 1


async def note_sent(db: AsyncConnection, channel_id: int, *, at: datetime) -> None:
    """Notes that a message was sent. The error of one that was given up in the last day stays to be seen."""
    given_up = sa.select(messages.c.id).where(
        messages.c.channel_id == channel_id,
        messages.c.state == MessageState.FAILED,
        messages.c.finished_at > at - ERROR_SHOWN_FOR,
    )
    query = sa.update(channels).where(channels.c.id == channel_id)
    await db.execute(query.values(last_sent_at=at))
    await db.execute(query.where(~given_up.exists()).values(last_error="", last_error_at=None))


async def note_error(db: AsyncConnection, channel_id: int, error: str, *, at: datetime) -> None:
    await db.execute(sa.update(channels).where(channels.c.id == channel_id).values(last_error=error, last_error_at=at))


async def due_digests(db: AsyncConnection, now: datetime) -> list[NotificationChannel]:
    query = sa.select(channels).where(channels.c.is_enabled, channels.c.digest_due_at <= now)
    return [_channel(row) for row in await db.execute(query.order_by(channels.c.id))]


async def set_digest(db: AsyncConnection, channel_id: int, *, was: datetime, due_at: datetime) -> bool:
    """Sets when the next digest is due; returns False if another commander has done so."""
    query = sa.update(channels).where(channels.c.id == channel_id, channels.c.digest_due_at == was)
    return (await db.execute(query.values(digest_due_at=due_at))).rowcount == 1


def _channel(row: sa.Row[tuple[object, ...]]) -> NotificationChannel:
    values = dict(row._mapping)
    wishes = msgspec.json.decode(values.pop("wishes"), type=Wishes)
    return NotificationChannel(wishes=wishes, **values)
