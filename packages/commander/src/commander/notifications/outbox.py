"""The outbox: a row for each channel that gets a message, written in the transaction of the change."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.live.rigs import LiveRigs
from commander.notifications import store
from commander.notifications.domain import MessagePlan, plan
from commander.notifications.news import News
from commander.registry.kinds import RigKind
from commander.selections.compiled import compiled
from commander.selections.domain import BadSelection
from commander.selections.parser import parse

log = logging.getLogger(__name__)

Button = Literal["acknowledge", "mute"]
# Called with the incident's id, the button and who has pressed it; returns the answer for that person.
OnButton = Callable[[int, Button, str], Awaitable[str]]


class Outbox:
    """Decides which channels get a message, and writes it for them; `deliveries.py` sends it.

    `on_button` is what the buttons of a message do. The noun of incidents sets it.
    """

    def __init__(self, lives: Mapping[RigKind, LiveRigs]) -> None:
        self._lives = lives
        self.on_button: OnButton | None = None

    async def enqueue(self, connection: AsyncConnection, news: News) -> None:
        """Adds a message to each channel whose settings match, in the caller's transaction.

        A channel gets the message that an incident is closed only if it got one about the incident before. If its
        first message still waits for an acknowledgement (`only_after_s`), that message is cancelled.
        """
        earlier = await store.messages_about(connection, news.incident_id) if news.incident_id else {}
        for listener in await store.listeners(connection):
            is_chosen = self._is_chosen(listener.wishes.select, news)
            about_it = earlier.get(listener.id, [])
            planned = plan(news, listener.wishes, about_it, chosen=is_chosen)
            await _apply(connection, listener.id, news, planned)

    async def acknowledged(self, connection: AsyncConnection, incident_id: int) -> None:
        """Cancels the escalations and reminders of the incident that still wait."""
        await store.cancel_until_acknowledged(connection, incident_id, at=datetime.now(UTC))

    def _is_chosen(self, line: str, news: News) -> bool:
        """Returns whether the selection matches one of the rigs. News of the commander itself is for all channels."""
        if not line or not news.rigs:
            return True
        try:
            predicates = {kind: compiled(parse(line), kind) for kind in self._lives}
        except BadSelection as error:
            log.warning(
                "notification_selection_ignored %s", error
            )  # another version has stored it: send rather too much
            return True
        states = ((kind, self._lives[kind].index.rigs.get(rig_id)) for kind, rig_id in news.rigs)
        return any(state is not None and predicates[kind](state) for kind, state in states)


async def _apply(db: AsyncConnection, channel_id: int, news: News, planned: MessagePlan) -> None:
    at_once = MessagePlan(due_at=news.at)
    if planned.cancelled and not await store.cancel(db, planned.cancelled, at=news.at):
        planned = at_once  # a sender has just taken it
    if planned.replaced and not await store.replace_body(db, planned.replaced, news):
        planned = at_once
    if planned.due_at:
        await store.insert_message(db, channel_id, news, planned)
