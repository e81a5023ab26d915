"""The outbox: which channels get which news, as rows in the database."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from commander.db import Database
from commander.live.channels import Channels
from commander.live.operational_index import OperationalIndex
from commander.live.rigs import LiveRigs
from commander.notifications import delivery_store
from commander.notifications.domain import MessageState, Wishes
from commander.notifications.news import Event, News
from commander.notifications.outbox import Outbox
from commander.notifications.tables import notification_channels, notifications
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind

NOW = datetime(2026, 11, 29, 3, 12, tzinfo=UTC)
BOTH = Wishes()


def news(event: Event = Event.OPENED, step: int = 1, **more: object) -> News:
    """Returns news of incident 7 about rig 1 of the CPU/GPU rigs."""
    values: dict[str, object] = {
        "incident_id": 7,
        "severity": Severity.CRITICAL,
        "title": f"message {step}",
        "lines": (),
        "rigs": ((RigKind.CPU_GPU, 1),),
        "incident": msgspec.Raw(b"{}"),
        "at": NOW,
    }
    return msgspec.convert({"event": event, "step": step, **values, **more}, News)


@pytest.fixture
def outbox() -> Outbox:
    """Rig 1 is in hall 1, ASIC 2 in hall 2."""
    lives = {}
    for kind, rig_id in ((RigKind.CPU_GPU, 1), (RigKind.ASIC, 2)):
        index = OperationalIndex(stale_after_s=45, offline_after_s=60)
        index.add(rig_id, f"rig-{rig_id}", added_at=NOW)
        lives[kind] = LiveRigs(kind, index, Channels(), describe=lambda rig: b"{}", describe_log=lambda log: b"{}")
        lives[kind].tags_changed(rig_id, (f"hall:{rig_id}",))
    return Outbox(lives)


async def add_channel(database: Database, name: str, wishes: Wishes = BOTH, *, is_enabled: bool = True) -> int:
    values = {
        "name": name,
        "kind": "webhook",
        "settings": b"{}",
        "secrets": b"",
        "wishes": msgspec.json.encode(wishes),
        "is_enabled": is_enabled,
        "off_reason": "",
        "last_error": "",
    }
    async with database.transaction() as db:
        query = sa.insert(notification_channels).values(values).returning(notification_channels.c.id)
        made: int = (await db.execute(query)).scalar_one()
    return made


async def tell(database: Database, outbox: Outbox, *pieces: News) -> None:
    async with database.transaction() as db:
        for piece in pieces:
            await outbox.enqueue(db, piece)


async def rows(database: Database) -> list[tuple[int, int, str, datetime]]:
    """Returns each message's channel, step, state and due time."""
    table = notifications.c
    async with database.reading() as db:
        query = sa.select(table.channel_id, table.step, table.state, table.due_at).order_by(table.id)
        return [tuple(row) for row in await db.execute(query)]


async def set_state(database: Database, state: MessageState) -> None:
    async with database.transaction() as db:
        await db.execute(sa.update(notifications).values(state=state))


async def test_each_channel_that_is_on_gets_a_row_once(database: Database, outbox: Outbox) -> None:
    first, second = await add_channel(database, "a"), await add_channel(database, "b")
    await add_channel(database, "c", is_enabled=False)
    await tell(database, outbox, news(), news())
    assert await rows(database) == [(first, 1, "waiting", NOW), (second, 1, "waiting", NOW)]


@pytest.mark.parametrize(
    ("wishes", "is_wanted"),
    [
        (Wishes(severities=(Severity.CRITICAL,)), True),
        (Wishes(severities=(Severity.WARNING,)), False),
        (Wishes(select="tag:hall:1"), True),
        (Wishes(select="tag:hall:2"), False),
        (Wishes(select="kind:asic"), False),
    ],
)
async def test_severity_and_selection_decide(
    database: Database, outbox: Outbox, wishes: Wishes, is_wanted: bool
) -> None:
    await add_channel(database, "a", wishes)
    await tell(database, outbox, news())
    assert len(await rows(database)) == is_wanted


async def test_a_selection_matches_if_one_of_the_rigs_does(database: Database, outbox: Outbox) -> None:
    await add_channel(database, "a", Wishes(select="tag:hall:2"))
    await tell(database, outbox, news(rigs=((RigKind.CPU_GPU, 1), (RigKind.ASIC, 2))))
    assert len(await rows(database)) == 1


async def test_news_of_the_commander_itself_is_for_every_selection(database: Database, outbox: Outbox) -> None:
    await add_channel(database, "a", Wishes(select="tag:hall:9"))
    await tell(database, outbox, news(rigs=()))
    assert len(await rows(database)) == 1


async def test_the_end_is_for_channels_that_were_told_of_the_beginning(database: Database, outbox: Outbox) -> None:
    critical = await add_channel(database, "a", Wishes(severities=(Severity.CRITICAL,)))
    await add_channel(database, "b", Wishes(severities=(Severity.WARNING,)))
    await tell(database, outbox, news())
    await set_state(database, MessageState.SENT)
    await tell(database, outbox, news(Event.CLOSED, 2, severity=Severity.WARNING))
    assert await rows(database) == [(critical, 1, "sent", NOW), (critical, 2, "waiting", NOW)]


async def test_the_end_comes_again_only_after_a_message_that_it_goes_on(database: Database, outbox: Outbox) -> None:
    await add_channel(database, "a")
    await tell(database, outbox, news(), news(Event.CLOSED, 2))
    await set_state(database, MessageState.SENT)
    await tell(database, outbox, news(Event.CLOSED, 3))
    assert [step for _, step, _, _ in await rows(database)] == [1, 2]
    await tell(database, outbox, news(Event.GROWN, 4), news(Event.CLOSED, 5))
    assert [step for _, step, _, _ in await rows(database)] == [1, 2, 4, 5]


async def test_the_end_is_told_after_months_too(database: Database, outbox: Outbox) -> None:
    await add_channel(database, "a")
    await tell(database, outbox, news(), news(incident_id=8), news(Event.CLOSED, 2, incident_id=8))
    async with database.transaction() as db:
        await db.execute(sa.update(notifications).values(state=MessageState.SENT, finished_at=NOW))
        later, earlier = NOW + timedelta(days=1), NOW - timedelta(days=1)
        await delivery_store.delete_finished_before(db, later, of_open_before=earlier)
    await tell(database, outbox, news(Event.CLOSED, 2))
    assert [(step, state) for _, step, state, _ in await rows(database)] == [(1, "sent"), (2, "waiting")]


async def test_an_incident_that_ends_before_the_escalation_is_not_sent(database: Database, outbox: Outbox) -> None:
    channel = await add_channel(database, "a", Wishes(only_after_s=600))
    await tell(database, outbox, news())
    assert await rows(database) == [(channel, 1, "waiting", NOW + timedelta(minutes=10))]
    await tell(database, outbox, news(Event.CLOSED, 2))
    assert await rows(database) == [(channel, 1, "cancelled", NOW + timedelta(minutes=10))]


async def test_an_escalation_says_what_is_newest(database: Database, outbox: Outbox) -> None:
    await add_channel(database, "a", Wishes(only_after_s=600))
    await tell(database, outbox, news(), news(Event.GROWN, 2), news(Event.REMINDER, 3))
    async with database.reading() as db:
        bodies = (await db.execute(sa.select(notifications.c.body))).scalars().all()
    (only,) = [msgspec.json.decode(body, type=News) for body in bodies]
    assert (only.event, only.title) == (Event.OPENED, "message 2")


async def test_an_acknowledgement_cancels_escalations_and_reminders(database: Database, outbox: Outbox) -> None:
    delayed, at_once = await add_channel(database, "a", Wishes(only_after_s=600)), await add_channel(database, "b")
    await tell(database, outbox, news(), news(Event.REMINDER, 2))
    async with database.transaction() as db:
        await outbox.acknowledged(db, 7)
    states = {(channel, step): state for channel, step, state, _ in await rows(database)}
    assert states == {(delayed, 1): "cancelled", (at_once, 1): "waiting", (at_once, 2): "cancelled"}


async def test_a_channel_hears_first_of_an_incident_that_has_grown_to_its_severity(
    database: Database, outbox: Outbox
) -> None:
    channel = await add_channel(database, "a", Wishes(severities=(Severity.CRITICAL,)))
    await tell(database, outbox, news(severity=Severity.WARNING), news(Event.GROWN, 2))
    assert await rows(database) == [(channel, 2, "waiting", NOW)]
