"""News between the web nodes of a farm, on a real NATS server."""

import asyncio

import pytest
from commander.live.cluster import RIGS, SESSIONS, TOKENS, RigKey, SingleNode
from commander.registry.kinds import RigKind
from nats_server import NatsServer
from queue_farm import cluster_nodes, eventually

NEWS_OF_ANOTHER_VERSION = (
    b'{"type":"session","session":"1"}',
    b'{"type":"playbooks","rig_id":7}',
    b'["a topic of a later release","1"]',
    b'["sessions",{"id":1}]',
    b"[]",
    b"not JSON",
)


@pytest.mark.servers
async def test_every_node_gets_the_news_of_its_topics_once_and_in_order(nats_server: NatsServer) -> None:
    async with cluster_nodes(nats_server.url, 3) as (one, two, three):
        sessions: list[str] = []
        news = [list[object](), list[object]()]
        two.subscribe(SESSIONS, sessions.append)
        for cluster, received in zip((one, three), news, strict=True):
            cluster.subscribe(TOKENS, received.append)
            cluster.subscribe(RIGS, received.append)
        rig = RigKey(RigKind.ASIC, 7)
        one.publish(TOKENS, b"\xff\x00")
        one.publish(RIGS, rig)
        one.publish(TOKENS, b"a")
        one.publish(TOKENS, b"a")
        one.publish(SESSIONS, "17")

        async def has_arrived() -> bool:
            return bool(sessions) and all(len(received) == 3 for received in news)

        await eventually(has_arrived)
        assert sessions == ["17"]
        assert news == [[b"\xff\x00", rig, b"a"]] * 2


@pytest.mark.servers
async def test_news_of_a_node_of_another_version_is_passed_over(nats_server: NatsServer) -> None:
    async with cluster_nodes(nats_server.url, 2) as (here, other):
        sessions: list[str] = []
        here.subscribe(SESSIONS, sessions.append)
        assert other.bus.client
        for news in NEWS_OF_ANOTHER_VERSION:
            await other.bus.client.publish(other.names.changes, news)
        other.publish(SESSIONS, "2")

        async def has_arrived() -> bool:
            return bool(sessions)

        await eventually(has_arrived)
        assert sessions == ["2"]
        await asyncio.wait_for(other.bus.client.flush(), 60)


@pytest.mark.servers
async def test_a_node_that_comes_back_learns_that_it_may_have_missed_news(nats_server: NatsServer) -> None:
    async with cluster_nodes(nats_server.url, 2) as (here, other):
        sessions, gaps = list[str](), list[bool]()
        here.subscribe(SESSIONS, sessions.append)
        here.on_gap(lambda: gaps.append(True))
        assert here.bus.client
        assert other.bus.client
        before = here.bus.connections
        await here.bus.client.close()
        other.publish(SESSIONS, "1")
        await asyncio.wait_for(other.bus.client.flush(), 60)

        async def is_back() -> bool:
            return here.bus.connections > before

        await eventually(is_back)
        assert gaps == [True]
        other.publish(SESSIONS, "2")

        async def has_arrived() -> bool:
            return "2" in sessions

        await eventually(has_arrived)


def test_a_single_node_needs_no_news() -> None:
    sessions: list[str] = []
    cluster = SingleNode()
    cluster.subscribe(SESSIONS, sessions.append)
    cluster.on_gap(lambda: sessions.append("missed"))
    cluster.publish(SESSIONS, "1")
    assert sessions == []
