"""Queries about channels and their messages. A function is one query; none commits."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.notifications.domain import EarlierMessage, MessagePlan, MessageState, Wishes
from commander.notifications.news import Event, News
from commander.notifications.tables import notification_channels as channels
from commander.notifications.tables import notifications as messages


class Listener(NamedTuple):
    """A channel that is in use, and what it wants."""

    id: int
    wishes: Wishes


async def listeners(db: AsyncConnection) -> list[Listener]:
    """Returns the channels that are switched on."""
    query = sa.select(channels.c.id, channels.c.wishes).where(channels.c.is_enabled).order_by(channels.c.id)
    return [Listener(row.id, msgspec.json.decode(row.wishes, type=Wishes)) for row in await db.execute(query)]


async def messages_about(db: AsyncConnection, incident_id: int) -> dict[int, list[EarlierMessage]]:
    """Returns the messages about an incident, oldest first, by the id of their channel."""
    columns = (messages.c.id, messages.c.state, messages.c.is_escalation, messages.c.event)
    query = sa.select(messages.c.channel_id, *columns)
    found: dict[int, list[EarlierMessage]] = {}
    for row in await db.execute(query.where(messages.c.incident_id == incident_id).order_by(messages.c.id)):
        message = EarlierMessage(row.id, MessageState(row.state), row.is_escalation, Event(row.event))
        found.setdefault(row.channel_id, []).append(message)
    return found


async def insert_message(db: AsyncConnection, channel_id: int, news: News, planned: MessagePlan) -> None:
    """Adds a message to a channel, once: the same incident and step again change nothing."""
    values = {
        "channel_id": channel_id,
        "incident_id": news.incident_id or None,
        "step": news.step,
        "event": news.event,
        "state": MessageState.WAITING,
        "is_escalation": planned.is_escalation,
        "is_held": False,
        "attempts": 0,
        "due_at": planned.due_at,
        "made_at": news.at,
        "error": "",
        "body": msgspec.json.encode(news),
    }
    await db.execute(insert_for(db, messages).values(values).on_conflict_do_nothing())


async def replace_body(db: AsyncConnection, message_id: int, news: News) -> bool:
    """Gives a message that still waits another text; it stays an opening. Returns whether it still waited."""
    body = msgspec.json.encode(msgspec.structs.replace(news, event=Event.OPENED))
    query = sa.update(messages).where(messages.c.id == message_id, messages.c.state == MessageState.WAITING)
    return (await db.execute(query.values(body=body))).rowcount == 1


async def cancel(db: AsyncConnection, message_ids: Collection[int], *, at: datetime) -> int:
    """Cancels those messages that still wait, and returns how many."""
    query = sa.update(messages).where(messages.c.id.in_(message_ids), messages.c.state == MessageState.WAITING)
    return (await db.execute(query.values(state=MessageState.CANCELLED, finished_at=at))).rowcount


async def cancel_until_acknowledged(db: AsyncConnection, incident_id: int, *, at: datetime) -> None:
    """Cancels the escalations and reminders about an incident that still wait."""
    query = sa.update(messages).where(
        messages.c.incident_id == incident_id,
        messages.c.state == MessageState.WAITING,
        sa.or_(messages.c.is_escalation, messages.c.event == Event.REMINDER),
    )
    await db.execute(query.values(state=MessageState.CANCELLED, finished_at=at))
