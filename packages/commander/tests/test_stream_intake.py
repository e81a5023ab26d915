"""The intake's way into the queue, on a real NATS: acknowledged means kept, and nothing is kept twice."""

import asyncio
from collections.abc import Iterator

import pytest
from commander.intake.group_commit import Overloaded, StorageAway
from commander.raw_logs.store import NewLog
from commander.readings.summary import RigSummary, Work
from commander.registry.kinds import RigKind
from commander.scaled import stream_sink as stream_intake
from commander.scaled.nats_bus import Bus
from commander.scaled.stream import QueueLimits, decode_log, encode_log
from commander.scaled.stream_sink import LogTooLarge, StreamIntake
from nats_server import NatsServer, running_nats
from queue_farm import ROOMY, Queue, a_log, eventually, new_queue

pytestmark = pytest.mark.servers


@pytest.fixture
def queue(nats_server: NatsServer) -> Queue:
    return new_queue(nats_server.url)


@pytest.fixture
def own_server() -> Iterator[NatsServer]:
    """One that a test may kill."""
    with running_nats() as server:
        yield server


async def test_what_is_answered_is_in_the_queue(queue: Queue) -> None:
    async with queue.intake() as intake:
        assert await intake.write([a_log(1, 0), a_log(2, 0), a_log(1, 1)]) == [True, True, True]
    assert await queue.messages() == 3


async def test_a_log_that_is_sent_again_is_a_duplicate_to_whichever_node_it_comes(queue: Queue) -> None:
    async with queue.intake() as one, queue.intake() as other:
        assert await one.write([a_log(1, 0)]) == [True]
        assert await other.write([a_log(1, 0), a_log(1, 1), a_log(1, 1)]) == [False, True, False]
    assert await queue.messages() == 2


async def test_many_reports_are_in_flight_together(queue: Queue) -> None:
    async with queue.intake() as intake, asyncio.TaskGroup() as group:
        writing = [group.create_task(intake.write([a_log(1, n // 2), a_log(2, n)])) for n in range(200)]
    assert sum(bool(task.result()[0]) for task in writing) == 100
    assert all(task.result()[1] for task in writing)
    assert await queue.messages() == 300


async def test_too_much_in_flight_is_refused(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_intake, "LOGS_WAITING", 3)
    async with queue.intake() as intake, asyncio.TaskGroup() as group:
        first = group.create_task(intake.write([a_log(1, 0), a_log(1, 1)]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await intake.write([a_log(2, 0), a_log(2, 1)])
        assert await first == [True, True]


async def test_a_full_queue_refuses_and_keeps_what_it_has(nats_server: NatsServer) -> None:
    queue = new_queue(nats_server.url, QueueLimits(max_bytes=20_000, max_age_s=3_600, replicas=1))
    async with queue.intake() as intake:
        with pytest.raises(Overloaded, match="full"):
            await fill(intake)
        kept = await queue.messages()
        assert 10 < kept < 1_000
        with pytest.raises(Overloaded):
            await intake.write([a_log(2, 0), a_log(2, 1)])
        assert await queue.messages() == kept


async def fill(intake: StreamIntake) -> None:
    for second in range(1_000):
        assert await intake.write([a_log(1, second)]) == [True]


async def test_new_limits_are_given_to_the_queue_that_is_there(queue: Queue) -> None:
    async with queue.intake() as intake:
        await intake.write([a_log(1, 0)])
    queue.limits = QueueLimits(max_bytes=30_000_000, max_age_s=7_200, replicas=1)
    async with queue.intake(), queue.client() as client:
        info = await client.jetstream().stream_info(queue.names.stream)
    assert (info.config.max_bytes, info.config.max_age, info.state.messages) == (30_000_000, 7_200, 1)


async def test_more_than_the_server_has_room_for_is_refused_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    with running_nats(max_file_bytes=10_000_000) as small:
        bus = Bus(small.url)
        intake = StreamIntake(bus, new_queue(small.url).names, ROOMY)

        async def was_said() -> bool:
            return "insufficient storage" in caplog.text

        async with bus.running():
            await eventually(was_said)
            with pytest.raises(StorageAway, match="insufficient storage"):
                await intake.write([a_log(1, 0)])


async def test_a_log_that_no_message_can_hold_is_too_large(queue: Queue) -> None:
    async with queue.intake() as intake:
        with pytest.raises(LogTooLarge):
            await intake.write([a_log(1, 0)._replace(body=bytes(2_000_000))])
        assert await intake.write([a_log(1, 1)]) == [True]


async def test_while_nats_is_away_nothing_is_taken_and_afterwards_it_is_again(own_server: NatsServer) -> None:
    queue = new_queue(own_server.url)
    async with queue.intake() as intake:
        assert await intake.write([a_log(1, 0)]) == [True]
        own_server.kill()
        with pytest.raises(StorageAway, match=r"127\.0\.0\.1|connection"):
            await intake.write([a_log(1, 1)])
        own_server.start()

        async def is_taken() -> bool:
            try:
                return await intake.write([a_log(1, 2)]) == [True]
            except StorageAway:
                return False

        await eventually(is_taken)
        assert await intake.write([a_log(1, 0)]) == [False], "what was acknowledged before SIGKILL is still known"
    assert await queue.messages() >= 2


async def test_the_password_in_the_url_is_told_to_nobody() -> None:
    bus = Bus("nats://farm:secret@127.0.0.1:1")
    with pytest.raises(StorageAway) as told:
        bus.check()
    assert "127.0.0.1:1" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_queued_log_comes_out_as_it_went_in() -> None:
    figures = RigSummary(hashrates_hs={Work("Monero", "rx/0"): 17_000.0, Work(None, "?"): None}, power_w=200.5)
    log = NewLog(RigKind.ASIC, 7, 1_700_000_000_000_000, b'{"taken_at": "..."}', figures)
    assert decode_log(encode_log(log)) == log
