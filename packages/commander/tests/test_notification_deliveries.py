"""The sender: once where it was confirmed, at least once always, in order, each channel apart. Time is passed in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from commander.audit.store import EntryFilter, read_entries
from commander.db import Database
from commander.notifications import channel_store, delivery_store
from commander.notifications.channel_store import NotificationChannel
from commander.notifications.deliveries import Deliveries, Sender
from commander.notifications.domain import QuietHours, Wishes
from commander.notifications.kinds.kind import SafeNetwork
from commander.notifications.news import Event, News
from commander.notifications.outbox import Outbox
from commander.notifications.safe_http import SafeHttp
from commander.notifications.tables import notifications
from commander.readings.severity import Severity
from commander.sealing import Sealer
from commander.settings import Settings
from commander_farm import on_sqlite
from notification_sinks import HANGS, NIGHT, Answer, Received, Sink, later, running_sink
from sqlalchemy.ext.asyncio import AsyncConnection

URL = "https://farm.example:8443"
BERLIN = "Europe/Berlin"
QUIET = Wishes(quiet=QuietHours(since="22:00", until="07:00", time_zone=BERLIN))
MORNING = datetime(2026, 11, 29, 6, 0, tzinfo=UTC)  # 07:00 in Berlin


def news(number: int = 7, step: int = 1, event: Event = Event.OPENED, **more: object) -> News:
    values: dict[str, object] = {
        "incident_id": number,
        "step": step,
        "event": event,
        "severity": Severity.CRITICAL,
        "title": f"incident {number} step {step}",
        "lines": (),
        "rigs": (),
        "incident": msgspec.Raw(b"{}"),
        "at": NIGHT,
    }
    return msgspec.convert({**values, **more}, News)


@dataclass
class Post:
    """An outbox with its sender, and sinks as webhooks."""

    database: Database
    settings: Settings
    stack: AsyncExitStack
    outbox: Outbox = field(default_factory=lambda: Outbox({}))

    def sender(self) -> Deliveries:
        """A sender as each web node has one."""
        network = SafeNetwork(SafeHttp(loopback=True), loopback=True)
        sender = Sender(Sealer(self.settings), network, URL)
        return Deliveries(self.database, sender, self.outbox, lambda: None)

    async def channel(self, name: str = "hook", wishes: Wishes | None = None) -> tuple[int, Sink]:
        sink = await self.stack.enter_async_context(running_sink())
        values = {
            "name": name,
            "kind": "webhook",
            "settings": msgspec.json.encode({"url": sink.url}),
            "secrets": Sealer(self.settings).seal({"secret": "s3cret"}),
            "wishes": msgspec.json.encode(wishes or Wishes()),
            "is_enabled": True,
        }
        async with self.database.transaction() as db:
            return await channel_store.insert_channel(db, values), sink

    async def put(self, *pieces: News) -> None:
        async with self.database.transaction() as db:
            for piece in pieces:
                await self.outbox.enqueue(db, piece)

    async def find(self, channel_id: int) -> NotificationChannel:
        async with self.database.reading() as db:
            return await channel_store.get_channel(db, channel_id)

    async def states(self, channel_id: int) -> list[str]:
        query = sa.select(notifications.c.state).where(notifications.c.channel_id == channel_id)
        async with self.database.reading() as db:
            return list((await db.execute(query.order_by(notifications.c.id))).scalars())


@pytest.fixture
async def post(database: Database, settings: Settings) -> AsyncIterator[Post]:
    async with AsyncExitStack() as stack:
        yield Post(database, settings, stack)


def titles(sink: Sink) -> list[object]:
    return [request.json()["title"] for request in sink.received]


async def test_a_message_is_sent_once_and_signed(post: Post) -> None:
    channel_id, sink = await post.channel()
    await post.put(news())
    for _ in range(3):
        await post.sender().send_due(NIGHT)
    assert titles(sink) == ["Critical: incident 7 step 1"]
    assert sink.received[0].headers["minewarden-signature"].startswith("sha256=")
    assert await post.states(channel_id) == ["sent"]
    assert (await post.find(channel_id)).last_sent_at == NIGHT


async def test_of_two_nodes_that_send_at_once_one_does(post: Post) -> None:
    _, sink = await post.channel()
    await post.put(*(news(number) for number in range(1, 21)))
    await asyncio.gather(*(post.sender().send_due(NIGHT) for _ in range(4)))
    await post.sender().send_due(NIGHT)
    assert sorted(titles(sink), key=str) == sorted((f"Critical: incident {n} step 1" for n in range(1, 21)), key=str)


async def test_a_channels_messages_go_in_order_and_one_that_fails_stops_the_next(post: Post) -> None:
    channel_id, sink = await post.channel()
    await post.put(news(), news(step=2, event=Event.GROWN), news(8))
    sink.answers(500)
    await post.sender().send_due(NIGHT)
    assert titles(sink) == ["Critical: incident 7 step 1"]
    assert await post.states(channel_id) == ["waiting"] * 3
    sink.received.clear()
    sink.answers(200)
    await post.sender().send_due(later(30))
    assert titles(sink) == [
        "Critical: incident 7 step 1",
        "Growing (critical): incident 7 step 2",
        "Critical: incident 8 step 1",
    ]


async def test_a_server_that_fails_for_an_hour_gets_the_message_afterwards(post: Post) -> None:
    channel_id, sink = await post.channel()
    sink.answers(500)
    await post.put(news())
    tried = []
    for second in range(0, 3 * 3600, 10):
        if second == 3600 + 600:
            sink.answers(200)
        before = len(sink.received)
        await post.sender().send_due(later(second))
        tried += [second] * (len(sink.received) - before)
    assert tried == [0, 30, 150, 750, 4350]  # after 30 s, 2 min, 10 min, 1 h
    channel = await post.find(channel_id)
    assert (channel.is_enabled, channel.last_error, channel.last_sent_at) == (True, "", later(4350))


async def test_after_three_days_a_message_is_given_up_and_the_next_one_goes(post: Post) -> None:
    channel_id, sink = await post.channel()
    sink.answers(500)
    await post.put(news())
    for hour in range(80):
        await post.sender().send_due(later(hours=hour))
    assert await post.states(channel_id) == ["failed"]
    assert "status 500" in (await post.find(channel_id)).last_error
    sink.answers(200)
    await post.put(news(8, at=later(hours=80)))
    await post.sender().send_due(later(hours=80))
    assert titles(sink)[-1] == "Critical: incident 8 step 1"


async def test_retry_after_is_kept(post: Post) -> None:
    _, sink = await post.channel()
    sink.answers(429, Retry_After="300")
    await post.put(news())
    await post.sender().send_due(NIGHT)
    sink.answers(200)
    await post.sender().send_due(later(299))
    assert len(sink.received) == 1
    await post.sender().send_due(later(300))
    assert len(sink.received) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_channel_that_is_wrong_is_switched_off_and_the_others_are_informed(post: Post, status: int) -> None:
    wrong_id, wrong = await post.channel("wrong")
    _, fine = await post.channel("fine")
    wrong.answers(status, b"bad token")
    await post.put(news())
    await post.sender().send_due(NIGHT)
    await post.sender().send_due(later(1))
    channel = await post.find(wrong_id)
    reason = f"The webhook's server refused the message (status {status}): bad token."
    assert (channel.is_enabled, channel.off_reason) == (False, reason)
    assert titles(fine) == [
        "Critical: incident 7 step 1",
        "Channel switched off: the channel “wrong” gets no more messages",
    ]
    assert fine.received[1].json()["lines"] == [
        reason,
        "Correct the channel on the page Alerts, and save it.",
    ]
    async with post.database.reading() as db:
        (entry,) = await read_entries(db, EntryFilter(), before_id=None, limit=10)
    assert (entry.who, entry.what, entry.subject, entry.detail) == (
        "commander",
        "channel switched off",
        "wrong",
        reason,
    )
    await post.put(news(8))
    await post.sender().send_due(later(hours=2))
    assert len(wrong.received) == 1


async def test_a_late_message_says_when_it_happened(post: Post) -> None:
    _, sink = await post.channel()
    sink.answers(500)
    await post.put(news(lines=("In common: hall 2.",)))
    await post.sender().send_due(NIGHT)
    sink.answers(200)
    await post.sender().send_due(later(600))
    lines = [request.json()["lines"] for request in sink.received]
    assert lines == [["In common: hall 2."], ["In common: hall 2.", "This happened at 2026-11-29 03:12 UTC."]]


async def test_a_server_that_hangs_holds_up_no_other_channel(post: Post) -> None:
    _, hanging = await post.channel("hanging")
    _, fine = await post.channel("fine")

    def hang(request: Received) -> Answer:
        return HANGS

    hanging.answer = hang
    await post.put(news())
    sending = asyncio.create_task(post.sender().send_due(NIGHT))
    while not (hanging.received and fine.received):  # noqa: ASYNC110 - the sinks have no event to wait for
        await asyncio.sleep(0.01)
    assert not sending.done()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_a_commander_that_was_killed_while_sending_sends_again_after_its_start(post: Post) -> None:
    channel_id, sink = await post.channel()
    await post.put(news(), news(8))
    async with post.database.transaction() as db:
        first = (await delivery_store.unsent_of(db, channel_id, now=NIGHT))[0]
        assert await delivery_store.claim(db, first, until=later(120))
    await post.sender().send_due(later(60))
    assert sink.received == []  # it may be another node that sends the first one
    async with post.database.transaction() as db:
        await delivery_store.release(db, now=later(61))
    await post.sender().send_due(later(61))
    assert titles(sink) == ["Critical: incident 7 step 1", "Critical: incident 8 step 1"]


async def test_what_another_node_claimed_and_never_sent_is_sent_by_this_one(post: Post) -> None:
    channel_id, sink = await post.channel()
    await post.put(news())
    async with post.database.transaction() as db:
        (first,) = await delivery_store.unsent_of(db, channel_id, now=NIGHT)
        assert await delivery_store.claim(db, first, until=later(120))
        assert not await delivery_store.claim(db, first, until=later(120))
    await post.sender().send_due(later(120))
    assert len(sink.received) == 1


async def test_an_escalation_waits_and_does_not_stop_others(post: Post) -> None:
    _, sink = await post.channel(wishes=Wishes(only_after_s=600))
    await post.put(news(), news(8, at=NIGHT - timedelta(minutes=10)))
    await post.sender().send_due(NIGHT)
    assert titles(sink) == ["Critical: incident 8 step 1"]
    await post.sender().send_due(later(600))
    assert titles(sink)[1:] == ["Critical: incident 7 step 1"]


async def test_quiet_hours_hold_messages_for_one_summary_and_let_critical_ones_pass(post: Post) -> None:
    channel_id, sink = await post.channel(wishes=QUIET)
    warning = Severity.WARNING
    closed = news(1, 2, Event.CLOSED, at=later(600), severity=warning)
    await post.put(news(1, severity=warning), news(2), closed, news(3, severity=warning))
    await post.sender().send_due(later(600))
    assert titles(sink) == ["Critical: incident 2 step 1"]
    await post.sender().send_due(MORNING - timedelta(seconds=1))
    assert len(sink.received) == 1
    await post.sender().send_due(MORNING)
    summary = sink.received[1].json()
    assert (summary["event"], summary["title"]) == ("summary", "Summary: 3 messages")
    assert summary["lines"] == [
        "04:12 Warning: incident 1 step 1",
        "04:22 Over: incident 1 step 2",
        "04:12 Warning: incident 3 step 1",
    ]
    assert await post.states(channel_id) == ["sent"] * 4


@on_sqlite
async def test_a_critical_message_passes_more_held_ones_than_are_looked_at(post: Post) -> None:
    _, sink = await post.channel(wishes=QUIET)
    await post.put(*(news(number, severity=Severity.WARNING) for number in range(1, 301)))
    await post.sender().send_due(NIGHT)
    await post.sender().send_due(NIGHT)
    await post.put(news(500))
    await post.sender().send_due(NIGHT)
    assert titles(sink) == ["Critical: incident 500 step 1"]


async def test_a_message_from_before_the_clock_was_put_back_is_sent(post: Post) -> None:
    _, sink = await post.channel()
    await post.put(news(1, at=later(30 * 86_400)), news(2))
    await post.sender().send_due(NIGHT)
    assert titles(sink) == ["Critical: incident 1 step 1", "Critical: incident 2 step 1"]


@on_sqlite
async def test_an_error_that_nobody_has_thought_of_ends_no_sender(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    _, sink = await post.channel()
    await post.put(news())
    due, stop = delivery_store.due_channels, asyncio.Event()

    async def fails_once(db: AsyncConnection, now: datetime) -> list[int]:
        monkeypatch.setattr(delivery_store, "due_channels", due)
        raise RuntimeError("nobody has thought of this")

    def stops(request: Received) -> Answer:
        stop.set()
        return Answer()

    sink.answer = stops
    monkeypatch.setattr(delivery_store, "due_channels", fails_once)
    async with asyncio.timeout(60):
        await post.sender().run(stop)
    assert titles(sink) == ["Critical: incident 7 step 1"]


async def test_what_a_killed_sender_had_claimed_is_given_up_too(post: Post) -> None:
    channel_id, _ = await post.channel()
    await post.put(news(), news(8, at=later(7 * 86_400)))
    async with post.database.transaction() as db:
        await db.execute(sa.update(notifications).values(state="sending", due_at=later(120)))
        await delivery_store.give_up(db, made_before=later(4 * 86_400), at=later(8 * 86_400))
    assert await post.states(channel_id) == ["failed", "sending"]


async def test_one_held_message_is_sent_as_itself(post: Post) -> None:
    _, sink = await post.channel(wishes=QUIET)
    await post.put(news(severity=Severity.WARNING))
    await post.sender().send_due(NIGHT)
    await post.sender().send_due(MORNING)
    assert titles(sink) == ["Warning: incident 7 step 1"]


async def test_a_summary_that_fails_is_tried_again(post: Post) -> None:
    _, sink = await post.channel(wishes=QUIET)
    await post.put(news(1, severity=Severity.WARNING), news(2, severity=Severity.WARNING))
    await post.sender().send_due(NIGHT)
    sink.answers(500)
    await post.sender().send_due(MORNING)
    sink.answers(200)
    await post.sender().send_due(MORNING + timedelta(seconds=30))
    assert titles(sink) == ["Summary: 2 messages"] * 2


async def test_of_a_summary_that_is_refused_each_message_is_sent_by_itself(post: Post) -> None:
    channel_id, sink = await post.channel(wishes=QUIET)
    await post.put(*(news(number, severity=Severity.WARNING) for number in (1, 2, 3)))
    await post.sender().send_due(NIGHT)
    sink.answer = lambda request: Answer(413 if b"Summary" in request.body or b"incident 2 " in request.body else 200)
    await post.sender().send_due(MORNING)
    assert titles(sink) == ["Summary: 3 messages", *(f"Warning: incident {number} step 1" for number in (1, 2, 3))]
    assert await post.states(channel_id) == ["sent", "failed", "sent"]


async def test_of_a_summary_only_what_is_three_days_old_is_given_up(post: Post) -> None:
    channel_id, sink = await post.channel(wishes=QUIET)
    await post.put(news(1, severity=Severity.WARNING), news(2, severity=Severity.WARNING, at=later(hours=72)))
    await post.sender().send_due(later(hours=72))
    sink.answers(500)
    await post.sender().send_due(MORNING + timedelta(hours=72))
    assert await post.states(channel_id) == ["failed", "waiting"]


async def test_secrets_that_can_not_be_read_make_the_message_late(post: Post) -> None:
    channel_id, sink = await post.channel()
    await post.put(news())
    key = post.settings.data_dir / "tls" / "secrets.key"
    kept = key.read_bytes()
    key.write_bytes(b"0" * 32)
    await post.sender().send_due(NIGHT)
    assert "can't be read" in (await post.find(channel_id)).last_error
    assert await post.states(channel_id) == ["waiting"]  # another node may have the right key
    key.write_bytes(kept)
    await post.sender().send_due(later(1))
    assert len(sink.received) == 1
    assert (await post.find(channel_id)).last_error == ""


async def test_a_message_that_is_refused_for_good_holds_no_other_one_up(post: Post) -> None:
    channel_id, sink = await post.channel()
    sink.answers(400, b"the message can't be parsed")
    await post.put(news(1))
    await post.sender().send_due(NIGHT)
    assert await post.states(channel_id) == ["failed"]
    sink.answers(204)
    await post.put(news(2))
    await post.sender().send_due(later(1))
    assert await post.states(channel_id) == ["failed", "sent"]
    channel = await post.find(channel_id)
    assert channel.is_enabled
    assert "the message can't be parsed" in channel.last_error
    await post.put(news(3))
    await post.sender().send_due(later(2 * 86_400))
    assert (await post.find(channel_id)).last_error == ""


async def test_several_refused_messages_are_given_up_in_one_go(post: Post) -> None:
    channel_id, sink = await post.channel()
    sink.answers(422)
    await post.put(*(news(number) for number in range(1, 6)))
    await post.sender().send_due(NIGHT)
    assert await post.states(channel_id) == ["failed"] * 5
    assert len(sink.received) == 5


@pytest.mark.parametrize("status", [408, 425, 429, 500])
async def test_an_answer_that_may_change_is_waited_for(post: Post, status: int) -> None:
    channel_id, sink = await post.channel()
    sink.answers(status)
    await post.put(news(1), news(2))
    await post.sender().send_due(NIGHT)
    assert await post.states(channel_id) == ["waiting", "waiting"]
    assert len(sink.received) == 1
