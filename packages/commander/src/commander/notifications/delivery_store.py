"""Queries about messages on their way. A function is one query; none commits."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.notifications.domain import MessageState
from commander.notifications.news import Event, News
from commander.notifications.tables import notification_channels as channels
from commander.notifications.tables import notifications as messages
from commander.notifications.timing import LONGEST_WAIT, Unsent

_UNSENT = (MessageState.WAITING, MessageState.SENDING)
_LOOKED_AT = 200


_IS_FRESH = sa.and_(messages.c.attempts == 0, ~messages.c.is_held, ~messages.c.is_escalation)
_IS_PASSED_BY = sa.or_(messages.c.is_held, sa.and_(messages.c.is_escalation, messages.c.attempts == 0))


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    """The same as `timing.is_due`."""
    return sa.or_(_IS_FRESH, messages.c.due_at <= now, messages.c.due_at > now + LONGEST_WAIT)


async def due_channels(db: AsyncConnection, now: datetime) -> list[int]:
    """Returns the channels with a message that is due, or whose sender did not finish in time."""
    query = sa.select(messages.c.channel_id).join(channels, channels.c.id == messages.c.channel_id)
    query = query.where(channels.c.is_enabled, messages.c.state.in_(_UNSENT), _is_due(now))
    return list((await db.execute(query.distinct())).scalars())


async def unsent_of(db: AsyncConnection, channel_id: int, *, now: datetime) -> list[Unsent]:
    """Returns a channel's messages that are not sent, oldest first, without those that wait and stop no other one."""
    columns = (
        *(messages.c.id, messages.c.state, messages.c.is_escalation, messages.c.is_held, messages.c.attempts),
        *(messages.c.due_at, messages.c.made_at),
    )
    query = sa.select(*columns).where(messages.c.channel_id == channel_id, messages.c.state.in_(_UNSENT))
    query = query.where(sa.or_(_is_due(now), ~_IS_PASSED_BY))
    return [
        Unsent(row.id, MessageState(row.state), *row[2:])
        for row in await db.execute(query.order_by(messages.c.id).limit(_LOOKED_AT))
    ]


async def news_of(db: AsyncConnection, message_ids: Collection[int]) -> list[News]:
    """Returns what the messages are about, in their order."""
    query = sa.select(messages.c.body).where(messages.c.id.in_(message_ids)).order_by(messages.c.id)
    return [msgspec.json.decode(body, type=News) for body in (await db.execute(query)).scalars()]


async def claim(db: AsyncConnection, message: Unsent, *, until: datetime) -> bool:
    """Takes a message to send it; returns False if another sender was first."""
    query = sa.update(messages).where(
        messages.c.id == message.id, messages.c.state == message.state, messages.c.due_at == message.due_at
    )
    values = {"state": MessageState.SENDING, "due_at": until, "attempts": messages.c.attempts + 1}
    return (await db.execute(query.values(values))).rowcount == 1


async def hold(db: AsyncConnection, message: Unsent, *, until: datetime) -> bool:
    """Holds a message in quiet hours; returns False if another sender was first."""
    query = sa.update(messages).where(
        messages.c.id == message.id, messages.c.state == message.state, messages.c.due_at == message.due_at
    )
    values = {"state": MessageState.WAITING, "is_held": True, "is_escalation": False, "due_at": until}
    return (await db.execute(query.values(values))).rowcount == 1


async def finish(
    db: AsyncConnection, message_ids: Collection[int], state: MessageState, error: str = "", *, at: datetime
) -> None:
    query = sa.update(messages).where(messages.c.id.in_(message_ids), messages.c.state == MessageState.SENDING)
    await db.execute(query.values(state=state, error=error, finished_at=at))


async def put_back(
    db: AsyncConnection, message_ids: Collection[int], error: str, *, due_at: datetime, alone: bool = False
) -> None:
    """Puts messages back that could not be sent. `alone`: each is then sent by itself, and not in a summary."""
    query = sa.update(messages).where(messages.c.id.in_(message_ids), messages.c.state == MessageState.SENDING)
    values = {"state": MessageState.WAITING, "error": error, "due_at": due_at}
    await db.execute(query.values(values | ({"is_held": False} if alone else {})))


async def release(db: AsyncConnection, *, now: datetime) -> None:
    """Makes the messages due that an earlier process was sending when it ended."""
    query = sa.update(messages).where(messages.c.state == MessageState.SENDING)
    await db.execute(query.values(state=MessageState.WAITING, due_at=now))


async def send_soon(db: AsyncConnection, channel_id: int, *, now: datetime, as_summary: bool) -> None:
    """Makes a channel's waiting messages due now, after a change of its settings. `as_summary`: as one message."""
    query = sa.update(messages).where(
        messages.c.channel_id == channel_id, messages.c.state == MessageState.WAITING, ~messages.c.is_escalation
    )
    await db.execute(query.values({"due_at": now, **({"is_held": True} if as_summary else {})}))


async def next_attempts(db: AsyncConnection) -> dict[int, tuple[int, datetime]]:
    """Returns, by channel, how many messages wait and when the next one is tried."""
    query = sa.select(
        messages.c.channel_id, sa.func.count(), sa.func.min(messages.c.due_at, type_=messages.c.due_at.type)
    )
    query = query.where(messages.c.state.in_(_UNSENT)).group_by(messages.c.channel_id)
    return {channel_id: (count, due_at) for channel_id, count, due_at in await db.execute(query)}


async def failing_channels(db: AsyncConnection, *, made_before: datetime) -> dict[int, str]:
    """Returns the channels that are on and failed to send a message that is so old, by their id, with their name.

    The message is still tried again, or it was given up and no other one has been sent since then.
    """
    query = sa.select(channels.c.id, channels.c.name).join(messages, messages.c.channel_id == channels.c.id)
    is_last = sa.or_(channels.c.last_sent_at.is_(None), channels.c.last_sent_at < messages.c.finished_at)
    query = query.where(
        channels.c.is_enabled,
        channels.c.last_error != "",
        sa.or_(messages.c.state.in_(_UNSENT), sa.and_(messages.c.state == MessageState.FAILED, is_last)),
        messages.c.attempts > 0,
        messages.c.made_at < made_before,
    )
    return {row.id: row.name for row in await db.execute(query.distinct())}


async def opened_since(db: AsyncConnection, since: datetime, events: Sequence[str]) -> list[News]:
    """Returns the first message about each incident since then, on any channel, oldest first."""
    first = sa.select(sa.func.min(messages.c.id)).where(
        messages.c.made_at >= since, messages.c.incident_id.is_not(None), messages.c.event.in_(events)
    )
    query = sa.select(messages.c.body).where(messages.c.id.in_(first.group_by(messages.c.incident_id)))
    return [
        msgspec.json.decode(body, type=News) for body in (await db.execute(query.order_by(messages.c.id))).scalars()
    ]


async def give_up(db: AsyncConnection, *, made_before: datetime, at: datetime) -> None:
    """Gives up messages that are too old to be of use, such as those of a channel that is switched off.

    One whose sender was killed is among them. It is not claimed again while its channel is off.
    """
    is_left = sa.and_(messages.c.state == MessageState.SENDING, messages.c.due_at < at)
    query = sa.update(messages).where(
        sa.or_(messages.c.state == MessageState.WAITING, is_left), messages.c.made_at < made_before
    )
    await db.execute(query.values(state=MessageState.FAILED, finished_at=at))


async def delete_finished_before(db: AsyncConnection, moment: datetime, *, of_open_before: datetime) -> None:
    """Deletes old messages. Until the end of an incident is sent, its messages stay: they say which channels get it."""
    closed = sa.select(messages.c.incident_id).where(
        messages.c.event == Event.CLOSED, messages.c.incident_id.is_not(None)
    )
    is_over = sa.or_(messages.c.incident_id.is_(None), messages.c.incident_id.in_(closed))
    is_old = sa.or_(messages.c.finished_at < of_open_before, sa.and_(messages.c.finished_at < moment, is_over))
    await db.execute(sa.delete(messages).where(is_old))
