"""The sentries' inbox: items by kind and version, held requests, several web nodes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from commander.live.cluster import SingleNode
from commander.live.inbox import Inbox, inbox_item
from commander.live.inbox_endpoint import versions_of
from commander.live.long_poll import LongPoll
from commander.settings import Settings
from commander_farm import RIGS, Farm, Rig, serving
from nats_server import NatsServer
from playbook_farm import FOR_SENTRY, Playbooks
from protocol.inbox_messages import InboxItem
from queue_farm import cluster_nodes

INBOX = "/api/v1/sentry/inbox"
WAIT = {"Prefer": "wait=50"}


async def ask(farm: Farm, rig: Rig, versions: dict[str, str] | None = None, **headers: str) -> httpx.Response:
    return await farm.client.get(INBOX, params=versions, headers=rig.auth | headers)


async def version_of_playbooks(farm: Farm, rig: Rig) -> dict[str, str]:
    return {item["kind"]: item["version"] for item in (await ask(farm, rig)).json()["items"]}


async def test_an_item_comes_until_the_sentry_names_its_version(farm: Farm) -> None:
    rig = await farm.add()
    first = await ask(farm, rig)
    assert first.status_code == 200
    assert first.headers["Cache-Control"] == "no-store"
    (item,) = first.json()["items"]
    assert (item["kind"], item["body"]) == ("playbooks", {"playbooks": []})
    (again,) = (await ask(farm, rig)).json()["items"]
    assert (again["version"], again["body"]) == (item["version"], item["body"])
    assert again["signature"]["number"] >= item["signature"]["number"]
    known = {"playbooks": item["version"], "a kind of a later release": "9"}
    assert (await ask(farm, rig, known)).json() == {"items": []}
    await Playbooks(farm).add(rig)
    (news,) = (await ask(farm, rig, known)).json()["items"]
    assert news["version"] != item["version"]
    assert len(news["body"]["playbooks"]) == 1


async def test_an_item_of_playbooks_is_the_answer_that_earlier_sentries_get(farm: Farm) -> None:
    rig = await farm.add()
    await Playbooks(farm).add(rig)
    (item,) = (await ask(farm, rig)).json()["items"]
    earlier = await farm.client.get(FOR_SENTRY, headers=rig.auth)
    assert item["body"] == earlier.json()
    assert f'"{item["version"]}"' == earlier.headers["ETag"]


async def test_without_a_rig_s_token_there_is_no_inbox(farm: Farm) -> None:
    answer = await farm.client.get(INBOX)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert (await farm.client.post(INBOX)).headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.fixture
async def long_poll() -> LongPoll:
    return LongPoll()


@pytest.fixture
async def held(settings: Settings, long_poll: LongPoll) -> AsyncIterator[Farm]:
    """A farm whose long polls the test can see."""
    async with serving(settings, long_poll) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        yield farm


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for is in the commander's own state
            await asyncio.sleep(0)


@asynccontextmanager
async def waiting(farm: Farm, long_poll: LongPoll, rig: Rig) -> AsyncIterator["asyncio.Task[httpx.Response]"]:
    """A sentry whose request is held because it has everything."""
    versions = await version_of_playbooks(farm, rig)
    before = long_poll.waiting
    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        asked = group.create_task(ask(farm, rig, versions, **WAIT))
        await until(lambda: long_poll.waiting > before)
        yield asked


async def test_a_held_request_brings_a_change_at_once(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add()
    async with waiting(held, long_poll, rig) as asked:
        await Playbooks(held).add(rig)
    (item,) = asked.result().json()["items"]
    assert len(item["body"]["playbooks"]) == 1
    assert asked.result().headers["Preference-Applied"] == "wait"
    assert long_poll.waiting == 0


async def test_a_request_is_held_on_if_it_was_woken_for_nothing(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add()
    async with waiting(held, long_poll, rig) as asked:
        long_poll.wake(("inbox", rig.id))
        await until(lambda: long_poll.waiting == 1)
        await version_of_playbooks(held, rig)
        assert not asked.done()
        await Playbooks(held).add(rig)
    assert len(asked.result().json()["items"]) == 1


async def test_a_removed_rig_and_a_replaced_token_end_the_wait(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add()
    async with waiting(held, long_poll, rig) as asked:
        await held.client.post(f"{RIGS}/{rig.id}/token", headers=held.auth)
    assert (asked.result().status_code, asked.result().json()["code"]) == (401, "invalid_token")
    other = await held.add("rig-02")
    async with waiting(held, long_poll, other) as asked:
        await held.client.delete(f"{RIGS}/{other.id}", headers=held.auth)
    assert (asked.result().status_code, asked.result().json()["code"]) == (410, "rig_removed")


async def test_the_commander_s_end_answers_all_held_requests(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add()
    async with waiting(held, long_poll, rig) as asked:
        long_poll.close()
    assert (asked.result().status_code, asked.result().json()) == (200, {"items": []})


async def test_a_wait_ends_after_its_time_with_an_empty_answer(held: Farm) -> None:
    rig = await held.add()
    answer = await ask(held, rig, await version_of_playbooks(held, rig), Prefer="wait=1")
    assert answer.json() == {"items": []}


class Counted:
    """A source whose item is a number."""

    def __init__(self, kind: str) -> None:
        self.kind, self.number = kind, 0
        self.on_look: Callable[[], None] = lambda: None

    async def item_for(self, rig_id: int) -> InboxItem:
        item = inbox_item(self.kind, str(self.number), b"%d" % self.number)
        self.on_look()
        return item


async def test_kinds_are_told_apart_and_unchanged_ones_are_left_out() -> None:
    inbox, one, two = Inbox(LongPoll(), SingleNode()), Counted("one"), Counted("two")
    inbox.add(one)
    inbox.add(two)
    assert [each.kind for each in await inbox.news(7, {})] == ["one", "two"]
    two.number = 5
    (item,) = await inbox.news(7, {"one": "0", "two": "0"})
    assert (item.kind, item.version, bytes(item.body)) == ("two", "5", b"5")
    assert await inbox.news(7, {"one": "0", "two": "5"}) == []


async def test_a_change_during_the_look_is_not_missed() -> None:
    inbox, one, two = Inbox(LongPoll(), SingleNode()), Counted("one"), Counted("two")
    inbox.add(one)
    inbox.add(two)

    def change_the_first() -> None:
        one.number = 1
        inbox.notify(7)

    two.on_look = change_the_first
    with inbox.waiter(7) as waiter:
        assert await inbox.news(7, {"one": "0", "two": "0"}) == []
        assert await waiter.wait(10)


async def test_an_item_s_news_wakes_no_sentry_of_an_earlier_version() -> None:
    long_poll = LongPoll()
    inbox = Inbox(long_poll, SingleNode())
    with long_poll.waiter(7) as earlier, inbox.waiter(7) as own, inbox.waiter(8) as other:
        inbox.notify(7)
        assert await own.wait(10)
        long_poll.close()
        assert not await earlier.wait(10)
        assert not await other.wait(10)


@pytest.mark.servers
async def test_a_notification_reaches_the_sentries_that_wait_at_other_nodes(nats_server: NatsServer) -> None:
    async with cluster_nodes(nats_server.url, 2) as clusters:
        here, there = (Inbox(LongPoll(), cluster) for cluster in clusters)
        with there.waiter(7) as waiter:
            here.notify(7)
            assert await waiter.wait(10)


def test_versions_are_read_as_a_query_writes_them() -> None:
    assert versions_of(b"playbooks=5d41&commands=a%20b&x") == {"playbooks": "5d41", "commands": "a b"}
    assert versions_of(b"") == {}
