"""The parts that send messages, made from the settings."""

import asyncio
from datetime import datetime, timedelta
from typing import NamedTuple

from commander.db import Database
from commander.jobs.loop import Job
from commander.live.rigs import Lives
from commander.notifications import delivery_store
from commander.notifications.channel_actions import ChannelActions
from commander.notifications.deliveries import Deliveries
from commander.notifications.digest import send_digests
from commander.notifications.heartbeat import PULSE, Heartbeat, pulse
from commander.notifications.telegram_buttons import TelegramButtons
from commander.notifications.timing import TRIED_FOR
from commander.sealing import Sealer
from commander.settings import Settings

KEPT = timedelta(days=30)
KEPT_OF_OPEN = timedelta(days=400)
_TIDIED_EVERY = timedelta(hours=1)


class NotificationService(NamedTuple):
    """Everything that sends in one web node."""

    database: Database
    settings: Settings
    sealer: Sealer
    actions: ChannelActions
    deliveries: Deliveries
    buttons: TelegramButtons
    heartbeat: Heartbeat
    lives: Lives

    async def start(self) -> None:
        """Makes due what this commander was sending when it was stopped, unless others run beside it."""
        await asyncio.to_thread(self.sealer.prepare)
        if not self.settings.nats_url:
            now = await self.database.now()
            async with self.database.transaction() as db:
                await delivery_store.release(db, now=now)

    def jobs(self) -> dict[str, Job]:
        async def tidy(now: datetime) -> None:
            async with self.database.transaction() as db:
                await delivery_store.give_up(db, made_before=now - TRIED_FOR - timedelta(days=1), at=now)
                await delivery_store.delete_finished_before(db, now - KEPT, of_open_before=now - KEPT_OF_OPEN)

        async def digests(now: datetime) -> None:
            await send_digests(self.database, self.lives, now)

        return {
            "tidy-notifications": Job(_TIDIED_EVERY, tidy),
            "send-digests": Job(timedelta(minutes=1), digests),
            PULSE: Job(timedelta(minutes=1), pulse),
        }
