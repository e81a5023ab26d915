"""Playbooks for sentries, and their status and output: ETag, held requests, several sentries of one rig."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
import sqlalchemy as sa
from commander.db import metadata, open_database
from commander.live.long_poll import LONGEST_WAIT_S, WAITING_PER_RIG, LongPoll, wait_of
from commander.playbooks.endpoint import etags
from commander.playbooks.output import CHARACTERS_KEPT, LINES_KEPT
from commander.settings import Settings
from commander_farm import RIGS, Farm, Rig, running, serving
from playbook_farm import FOR_SENTRY, OUTPUT, PLAYBOOKS, STATUS, Playbooks, a_status
from protocol.tokens import TokenKind, new_token

WAIT = {"Prefer": "wait=50"}


async def test_a_sentry_that_has_the_newest_gets_304(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add()
    first = await playbooks.wire(rig)
    assert (first.status_code, first.json()) == (200, {"playbooks": []})
    for known in (first.headers["ETag"], f'"other", W/{first.headers["ETag"]}'):
        again = await playbooks.wire(rig, **{"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    await playbooks.add(rig)
    news = await playbooks.wire(rig, **{"If-None-Match": first.headers["ETag"]})
    assert news.status_code == 200
    assert news.json()["playbooks"][0]["package"]["software"] == "xmrig"


async def test_another_rig_s_playbooks_are_nobody_s_business(farm: Farm, playbooks: Playbooks) -> None:
    mine, other = await farm.add("rig-01"), await farm.add("rig-02")
    etag = (await playbooks.wire(other)).headers["ETag"]
    await playbooks.add(mine)
    assert (await playbooks.wire(other, **{"If-None-Match": etag})).status_code == 304


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
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is in the commander's own state
            await asyncio.sleep(0)


@asynccontextmanager
async def waiting(farm: Farm, long_poll: LongPoll, rig: Rig) -> AsyncIterator["asyncio.Task[httpx.Response]"]:
    """A sentry whose request is held because it has the newest playbooks."""
    sentry = Playbooks(farm)
    etag = (await sentry.wire(rig)).headers["ETag"]
    before = long_poll.waiting
    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        asked = group.create_task(sentry.wire(rig, **WAIT, **{"If-None-Match": etag}))
        await until(lambda: long_poll.waiting > before)
        yield asked


async def test_a_sentry_that_has_the_newest_waits_and_a_change_comes_at_once(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add()
    async with waiting(held, long_poll, rig) as asked:
        await Playbooks(held).add(rig)
    assert asked.result().status_code == 200
    assert len(asked.result().json()["playbooks"]) == 1
    assert asked.result().headers["Preference-Applied"] == "wait"
    assert long_poll.waiting == 0


async def test_a_sentry_with_old_playbooks_does_not_wait(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add()
    answer = await Playbooks(held).wire(rig, **WAIT, **{"If-None-Match": '"old"'})
    assert (answer.status_code, long_poll.waiting) == (200, 0)


async def test_a_change_for_another_rig_ends_no_wait(held: Farm, long_poll: LongPoll) -> None:
    mine, other = await held.add("rig-01"), await held.add("rig-02")
    async with waiting(held, long_poll, mine) as asked:
        await Playbooks(held).add(other)
        assert (long_poll.waiting, asked.done()) == (1, False)
        long_poll.wake(mine.id)
    assert asked.result().status_code == 304


async def test_a_removed_rig_s_sentry_is_answered_at_once(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add()
    async with waiting(held, long_poll, rig) as asked:
        await held.client.delete(f"{RIGS}/{rig.id}", headers=held.auth)
    assert (asked.result().status_code, asked.result().json()["code"]) == (410, "rig_removed")


async def test_a_replaced_token_ends_the_waiting(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add()
    async with waiting(held, long_poll, rig) as asked:
        await held.client.post(f"{RIGS}/{rig.id}/token", headers=held.auth)
    assert (asked.result().status_code, asked.result().json()["code"]) == (401, "invalid_token")


async def test_the_commander_s_end_answers_all_held_requests(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add()
    async with waiting(held, long_poll, rig) as asked:
        long_poll.close()
    assert asked.result().status_code == 304
    etag = asked.result().headers["ETag"]
    assert (await Playbooks(held).wire(rig, **WAIT, **{"If-None-Match": etag})).status_code == 304


async def test_a_rename_and_an_edited_wallet_end_the_wait_too(held: Farm, long_poll: LongPoll) -> None:
    rig = await held.add("rig-07")
    await Playbooks(held).add(rig)
    async with waiting(held, long_poll, rig) as asked:
        await held.client.patch(f"{RIGS}/{rig.id}", json={"name": "rig-99"}, headers=held.auth)
    assert "rig-99" in asked.result().json()["playbooks"][0]["script"]


async def test_of_one_rig_s_sentries_only_so_many_wait() -> None:
    long_poll = LongPoll()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        tasks = [group.create_task(long_poll.wait(1, 60)) for _ in range(WAITING_PER_RIG + 2)]
        await until(lambda: sum(task.done() for task in tasks) == 2)
        assert long_poll.waiting == WAITING_PER_RIG
        assert [task.done() for task in tasks[:2]] == [True, True]
        long_poll.close()


async def test_waiting_ends_by_itself() -> None:
    long_poll = LongPoll()
    async with asyncio.timeout(10):
        await long_poll.wait(1, 0.01)
    assert long_poll.waiting == 0


async def test_a_broken_connection_leaves_nothing_behind() -> None:
    long_poll = LongPoll()
    task = asyncio.ensure_future(long_poll.wait(1, 60))
    await until(lambda: long_poll.waiting == 1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert long_poll.waiting == 0


@pytest.mark.parametrize(
    ("prefer", "wait_s"),
    [
        ("wait=50", 50),
        ("respond-async, wait=10", 10),
        ("Wait = 5; x=1", 5),
        ("wait=9999", LONGEST_WAIT_S),
        ("wait=-1", 0),
        ("wait=x", 0),
        ("await=5", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_how_long_a_sentry_lets_itself_wait(prefer: str | None, wait_s: int) -> None:
    assert wait_of(prefer) == wait_s


def test_etags_are_read_as_http_writes_them() -> None:
    assert etags('"a", W/"b"') == {'"a"', '"b"'}
    assert etags(None) == {""}


async def test_without_a_token_nobody_comes_in(farm: Farm) -> None:
    for headers in ({}, {"Authorization": f"Bearer {new_token(TokenKind.RIG, pin=None)}"}):
        for answer in (
            await farm.client.get(FOR_SENTRY, headers=headers),
            await farm.client.put(STATUS, json={"playbooks": []}, headers=headers),
            await farm.client.post(OUTPUT, json={"output": []}, headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert (await farm.client.post(FOR_SENTRY)).headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_a_removed_rig_is_told_so_and_nothing_of_it_is_left(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add()
    added = await playbooks.add(rig)
    await playbooks.tell(rig, a_status(added, "mining"))
    refused = {"playbooks": [a_status(added, "mining")], "refused": "They are not signed."}
    await farm.client.put(STATUS, json=refused, headers=rig.auth)
    await playbooks.print(rig, added["id"], ["hello"])
    await farm.client.delete(f"{RIGS}/{rig.id}", headers=farm.auth)
    for answer in (
        await playbooks.wire(rig),
        await farm.client.put(STATUS, json={"playbooks": []}, headers=rig.auth),
        await farm.client.post(OUTPUT, json={"output": []}, headers=rig.auth),
    ):
        assert (answer.status_code, answer.json()["code"]) == (410, "rig_removed")
    assert await rows_of(farm.settings) == {
        "playbooks": 0,
        "playbook_revisions": 0,
        "playbook_status": 0,
        "playbook_runs": 0,
        "playbook_output": 0,
        "playbook_refusals": 0,
    }


async def rows_of(settings: Settings) -> dict[str, int]:
    tables = [table for name, table in metadata.tables.items() if name.startswith("playbook")]
    async with open_database(settings.database_url) as database, database.reading() as db:
        counts = {table.name: sa.select(sa.func.count()).select_from(table) for table in tables}
        return {name: (await db.execute(query)).scalar_one() for name, query in counts.items()}


@pytest.mark.parametrize("path", [STATUS, OUTPUT])
async def test_a_bad_body_gets_its_answer(farm: Farm, path: str) -> None:
    rig = await farm.add()
    send = farm.client.put if path == STATUS else farm.client.post
    for body, more, status in (
        (b"{", {}, 415),
        (b"{}", {}, 422),
        (b"x", {"Content-Type": "text/plain"}, 415),
        (b" " * (4 * 1024 * 1024 + 1), {}, 413),
    ):
        headers = rig.auth | {"Content-Type": "application/json"} | more
        assert (await send(path, content=body, headers=headers)).status_code == status


async def test_status_is_shown_with_the_playbook_and_survives_a_restart(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add()
    added = await playbooks.add(rig)
    path = f"{PLAYBOOKS}/{added['id']}"
    assert (await playbooks.get(path))["status"] is None
    failed = a_status(added, "failed", reason="the hash differs", last_lines=["a", "b"], percent=12.5)
    await playbooks.tell(rig, failed)
    told = (await playbooks.get(path))["status"]
    assert (told["state"], told["reason"], told["last_lines"], told["percent"]) == (
        "failed",
        "the hash differs",
        ["a", "b"],
        12.5,
    )
    brief = (await playbooks.get(f"{RIGS}/{rig.id}"))["playbooks"][0]
    assert (brief["state"], brief["reason"]) == ("failed", "the hash differs")
    async with running(farm.settings) as client:
        again = (await client.get(path, headers=farm.auth)).json()
    assert again["status"] == told
    await playbooks.tell(rig)
    assert (await playbooks.get(path))["status"] is None, "one that is not named is no longer on the rig"


async def test_a_status_of_another_rig_s_playbook_is_passed_over(farm: Farm, playbooks: Playbooks) -> None:
    mine, other = await farm.add("rig-01"), await farm.add("rig-02")
    added = await playbooks.add(mine)
    await playbooks.tell(other, a_status(added, "mining"), {**a_status(added, "mining"), "playbook_id": "x"})
    assert (await playbooks.get(f"{PLAYBOOKS}/{added['id']}"))["status"] is None


async def test_a_state_from_the_future_is_unknown(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add()
    added = await playbooks.add(rig)
    await playbooks.tell(rig, a_status(added, "dancing"))
    assert (await playbooks.get(f"{PLAYBOOKS}/{added['id']}"))["status"]["state"] == "unknown"


async def test_output_is_kept_in_order_and_each_line_once(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add()
    added = await playbooks.add(rig)
    await playbooks.print(rig, added["id"], ["one", "two"])
    await playbooks.print(rig, added["id"], ["one", "two"])
    await playbooks.print(rig, added["id"], ["two", "three"], first=1)
    await playbooks.print(rig, added["id"], ["again"], run="b")
    await playbooks.print(rig, added["id"], ["three"], first=2)
    assert await playbooks.printed(rig) == ["one", "two", "three", "again"]
    assert await playbooks.printed(rig, tail=2) == ["three", "again"]
    for tail in (0, LINES_KEPT + 1, "x"):
        assert (await farm.get(f"{RIGS}/{rig.id}/output?tail={tail}")).status_code == 422
    async with running(farm.settings) as client:
        answer = (await client.get(f"{RIGS}/{rig.id}/output", headers=farm.auth)).json()
    assert answer["output"][0]["lines"][-1] == {"run": "b", "line": 0, "text": "again"}


async def test_output_is_bounded_in_lines_and_in_bytes(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add()
    added = await playbooks.add(rig)
    await playbooks.print(rig, added["id"], [str(number) for number in range(5000)])
    kept = await playbooks.printed(rig)
    assert (len(kept), kept[0], kept[-1]) == (LINES_KEPT, str(5000 - LINES_KEPT), "4999")
    await playbooks.print(rig, added["id"], [str(number) for number in range(5000)])
    assert await playbooks.printed(rig) == kept, "lines that were dropped do not come back"
    await playbooks.print(rig, added["id"], ["x" * 2000] * 400, first=5000)
    kept = await playbooks.printed(rig)
    assert sum(len(line) + 1 for line in kept) <= CHARACTERS_KEPT
    assert len(kept) == CHARACTERS_KEPT // 2001


async def test_output_of_a_playbook_that_is_not_the_rig_s_is_passed_over(farm: Farm, playbooks: Playbooks) -> None:
    mine, other = await farm.add("rig-01"), await farm.add("rig-02")
    added = await playbooks.add(mine)
    await playbooks.print(other, added["id"], ["evil"])
    assert await playbooks.printed(mine) == []


async def test_a_script_hears_what_a_playbook_does(served_farm: Farm) -> None:
    farm, playbooks = served_farm, Playbooks(served_farm)
    rig = await farm.add()
    added = await playbooks.add(rig)
    channel = f"cpu-gpu-mining-rig:{rig.id}"
    async with farm.socket(f"/api/v1/events?channels={channel}", **farm.auth) as socket:
        await playbooks.tell(rig, a_status(added, "downloading", percent=40))
        message = json.loads(await asyncio.wait_for(socket.recv(), 60))
    assert (message["channel"], message["event"]) == (channel, "updated")
    assert message["data"]["playbooks"][0]["state"] == "downloading"
