"""The day's digest: the state of the farm, and what was opened in the last 24 hours."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from commander.db import Database
from commander.live.rig_state import Health
from commander.live.rigs import Lives
from commander.notifications import channel_store, delivery_store, store
from commander.notifications.deliveries import NO_INCIDENT
from commander.notifications.domain import MessagePlan
from commander.notifications.messages import word_of
from commander.notifications.news import Event, News
from commander.notifications.timing import next_digest
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind

_DAY = timedelta(days=1)
_SHOWN = 30
_KINDS = {RigKind.CPU_GPU: "CPU/GPU rigs", RigKind.ASIC: "ASICs"}


async def send_digests(database: Database, lives: Lives, now: datetime) -> None:
    """Puts each digest that is due into the outbox, once."""
    async with database.transaction() as db:
        for channel in await channel_store.due_digests(db, now):
            digest, due_at = channel.wishes.digest, channel.digest_due_at
            if digest is None or due_at is None:
                continue
            if await channel_store.set_digest(db, channel.id, was=due_at, due_at=next_digest(digest, after=now)):
                opened = await delivery_store.opened_since(db, now - _DAY, (Event.OPENED, Event.GROWN))
                news = digest_of(opened, farm_lines(lives), zone=ZoneInfo(digest.time_zone), now=now)
                await store.insert_message(db, channel.id, news, MessagePlan(due_at=now))


def digest_of(opened: Sequence[News], farm: Sequence[str], *, zone: ZoneInfo, now: datetime) -> News:
    """Returns the digest as a message. `opened` is the first message about each incident."""
    lines = [f"{each.at.astimezone(zone):%H:%M} {word_of(each)}: {each.title}" for each in opened[-_SHOWN:]]
    if len(opened) > _SHOWN:
        lines.append(f"and {len(opened) - _SHOWN} before these")
    count = {0: "no incidents", 1: "1 incident"}.get(len(opened), f"{len(opened)} incidents")
    return News(
        incident_id=0,
        step=0,
        event=Event.DIGEST,
        severity=Severity.WARNING,
        title=count,
        lines=(*farm, *lines),
        rigs=(),
        incident=NO_INCIDENT,
        at=now,
    )


def farm_lines(lives: Lives) -> list[str]:
    """Returns a line for each kind of rig that there is: how many are online now."""
    lines = []
    for kind, live in lives.items():
        healths = Counter(rig.health for rig in live.index.rigs.values())
        if total := healths.total():
            offline = healths[Health.OFFLINE]
            text = f"{_KINDS[kind]}: {total - offline - healths[Health.WAITING]:,} of {total:,} online"
            lines.append(f"{text}, {offline:,} offline" if offline else text)
    return lines
