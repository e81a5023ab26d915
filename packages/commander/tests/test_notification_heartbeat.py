"""Heartbeat and digest: at their time, by one node, and the heartbeat only while all is well."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from commander.db import Database
from commander.jobs.loop import Job, run_due, set_due
from commander.live.channels import Channels
from commander.live.operational_index import OperationalIndex
from commander.live.rigs import LiveRigs, Lives
from commander.notifications import channel_store
from commander.notifications.digest import send_digests
from commander.notifications.domain import Digest, Wishes
from commander.notifications.heartbeat import PULSE, ROUNDS, Heartbeat, pulse
from commander.notifications.news import Event, News
from commander.notifications.outbox import Outbox
from commander.notifications.safe_http import SafeHttp
from commander.notifications.tables import notifications
from commander.problems import DatabaseAway
from commander.readings.severity import Severity
from commander.registry.kinds import RigKind
from notification_sinks import NIGHT, Sink, later, running_sink

JOBS = {PULSE: Job(timedelta(minutes=1), pulse)}


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with running_sink() as made:
        yield made


def heartbeat(database: Database, sink: Sink, holder: str = "here") -> Heartbeat:
    return Heartbeat(database, f"{sink.url}/ping", SafeHttp(loopback=True), lambda: None, holder=holder)


async def test_the_address_is_asked_while_jobs_are_done(database: Database, sink: Sink) -> None:
    assert not await heartbeat(database, sink).beat(NIGHT)  # no job has ever run
    await run_due(database, JOBS, now=NIGHT)
    assert await heartbeat(database, sink).beat(later(60))
    assert [(request.method, request.path) for request in sink.received] == [("GET", "/ping")]
    assert not await heartbeat(database, sink).beat(later(60 + 15 * 60))
    assert len(sink.received) == 1


async def test_no_heartbeat_while_alert_rules_are_not_evaluated(database: Database, sink: Sink) -> None:
    async with database.transaction() as db:
        await set_due(db, ROUNDS, NIGHT)
    await run_due(database, JOBS, now=later(20 * 60))
    assert not await heartbeat(database, sink).beat(later(20 * 60))
    async with database.transaction() as db:
        await set_due(db, ROUNDS, later(20 * 60))
    assert await heartbeat(database, sink).beat(later(20 * 60))


async def test_of_two_nodes_one_asks(database: Database, sink: Sink) -> None:
    await run_due(database, JOBS, now=NIGHT)
    assert await heartbeat(database, sink, "here").beat(NIGHT)
    assert not await heartbeat(database, sink, "there").beat(later(59))
    assert await heartbeat(database, sink, "there").beat(later(61))  # the first one has stopped


async def test_no_heartbeat_while_the_queue_is_away(database: Database, sink: Sink) -> None:
    await run_due(database, JOBS, now=NIGHT)

    def away() -> None:
        raise DatabaseAway("The queue is away.")

    with pytest.raises(DatabaseAway):
        await Heartbeat(database, sink.url, SafeHttp(loopback=True), away, holder="here").beat(NIGHT)
    assert sink.received == []


async def test_an_address_that_fails_is_no_trouble(database: Database, sink: Sink) -> None:
    await run_due(database, JOBS, now=NIGHT)
    sink.answers(500)
    assert await heartbeat(database, sink).beat(NIGHT)
    assert await heartbeat(database, sink).beat(later(30))
    assert len(sink.received) == 2


def lives() -> Lives:
    """One rig that never reported."""
    index = OperationalIndex(stale_after_s=45, offline_after_s=60)
    index.add(1, "rig-01", added_at=NIGHT)
    kind = RigKind.CPU_GPU
    return {kind: LiveRigs(kind, index, Channels(), describe=lambda rig: b"{}", describe_log=lambda log: b"{}")}


async def test_the_digest_is_put_into_the_outbox_once_a_day(database: Database) -> None:
    due_at = datetime(2026, 11, 29, 7, tzinfo=UTC)  # 08:00 in Berlin
    values = {
        "name": "phone",
        "kind": "ntfy",
        "settings": b"{}",
        "secrets": b"",
        "wishes": msgspec.json.encode(Wishes(digest=Digest(at="08:00", time_zone="Europe/Berlin"))),
        "is_enabled": True,
        "digest_due_at": due_at,
    }
    async with database.transaction() as db:
        await channel_store.insert_channel(db, values)
        opened = News(
            incident_id=7,
            step=1,
            event=Event.OPENED,
            severity=Severity.CRITICAL,
            title="38 rigs stopped reporting within 20 s",
            lines=(),
            rigs=(),
            incident=msgspec.Raw(b"{}"),
            at=NIGHT,
        )
        await Outbox({}).enqueue(db, opened)
    await send_digests(database, lives(), due_at - timedelta(seconds=1))
    for _ in range(2):
        await send_digests(database, lives(), due_at)
    async with database.reading() as db:
        query = sa.select(notifications.c.body).where(notifications.c.event == Event.DIGEST)
        (body,) = (await db.execute(query)).scalars()
        (channel,) = await channel_store.all_channels(db)
    news = msgspec.json.decode(body, type=News)
    assert news.title == "1 incident"
    assert news.lines == ("CPU/GPU rigs: 0 of 1 online", "04:12 Critical: 38 rigs stopped reporting within 20 s")
    assert channel.digest_due_at == due_at + timedelta(days=1)
