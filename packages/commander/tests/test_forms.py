"""One contract for both forms of the commander: one process, and several web nodes on NATS and PostgreSQL.

What is done at one node is seen at the other; in the embedded form they are the same one.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import websockets
from commander.settings import Settings
from commander_farm import LOGS, RIGS, Farm, Rig, a_log, serving
from enrolling import Machine
from nats_server import NatsServer
from playbook_farm import FOR_SENTRY, STATUS, Playbooks
from queue_farm import eventually, new_queue

SOON_S = 1.0
ASICS = "/api/v1/asic-rigs"
FORMS = [pytest.param("embedded", marks=pytest.mark.commander), pytest.param("scaled", marks=pytest.mark.servers)]


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kind(form: str) -> str:
    return "postgresql" if form == "scaled" else "sqlite"


@dataclass
class Nodes:
    here: Farm
    there: Farm

    async def seen_there(self, rig: Rig, holds: Callable[[dict[str, object]], bool]) -> None:
        """Returns when the other node's answer about the rig fulfils `holds`; fails after a second."""

        async def is_seen() -> bool:
            answer = await self.there.get(f"{RIGS}/{rig.id}")
            return answer.status_code == 200 and holds(answer.json())

        await eventually(is_seen, within_s=SOON_S)


@pytest.fixture
async def nodes(form: str, settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        if form == "scaled":
            server: NatsServer = request.getfixturevalue("nats_server")
            queue = new_queue(server.url)
            settings = msgspec.structs.replace(
                settings, nats_url=queue.url, nats_prefix=queue.names.prefix, queue_max_mb=20
            )
        here = Farm(await stack.enter_async_context(serving(settings)), settings)
        await here.make_key()
        there = here
        if form == "scaled":
            (tmp_path / "other").mkdir()
            other = msgspec.structs.replace(settings, data_dir=tmp_path / "other")
            there = replace(here, client=await stack.enter_async_context(serving(other)), settings=other)
        for node in (here, there):
            await eventually(lambda node=node: is_well(node))  # type: ignore[misc]
        yield Nodes(here, there)


async def is_well(node: Farm) -> bool:
    return (await node.client.get("/healthz")).status_code == 200


async def test_a_rig_that_is_added_at_one_node_is_known_and_may_report_at_the_other(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    assert (await nodes.there.report(rig, a_log())).json()["stored"] == 1
    await nodes.seen_there(rig, lambda seen: seen["name"] == "rig-01")
    welcome = await nodes.there.client.get("/api/v1/sentry", headers=rig.auth)
    assert welcome.json()["rig"] == {"id": rig.id, "name": "rig-01"}


async def test_a_rig_that_is_bound_at_one_node_is_bound_at_the_other_and_a_new_token_unbinds_it(nodes: Nodes) -> None:
    rig, machine = await nodes.here.add(), Machine(nodes.here)
    assert (await nodes.there.report(rig, a_log())).status_code == 200  # the token is in the other node's memory now
    assert (await machine.bind(rig)).status_code == 204

    async def is_refused() -> bool:
        return (await nodes.there.report(rig, a_log())).status_code == 401

    await eventually(is_refused, within_s=SOON_S)
    with_key = await nodes.there.client.post(LOGS, json={"logs": [a_log()]}, headers=machine.headers(rig))
    assert with_key.json()["stored"] == 1
    answer = await nodes.here.client.post(f"{RIGS}/{rig.id}/token", headers=nodes.here.auth)
    rig.token = answer.json()["token"]
    assert (await nodes.there.report(rig, a_log())).json()["stored"] == 1


async def test_a_log_that_comes_to_one_node_is_shown_by_the_other(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    receipt = await nodes.here.report(rig, a_log(hashrate_hs=12_345.0))
    assert receipt.json() == {
        "stored": 1,
        "duplicates": 0,
        "rejected": [],
        "two_sentries": False,
        "rig": {"id": rig.id, "name": rig.name},
        "waits_for_approval": False,
    }
    await nodes.seen_there(rig, lambda seen: seen["health"] == "online")
    stats = (await nodes.there.get("/api/v1/cpu-gpu-stats")).json()
    assert (stats["rigs_alive"], stats["coins"][0]["hashrate_hs"]) == (1, 12_345.0)
    logs = (await nodes.there.get(f"{RIGS}/{rig.id}/logs")).json()["logs"]
    assert len(logs) == 1


async def test_tags_that_are_given_at_one_node_are_selected_by_at_the_other(nodes: Nodes) -> None:
    rig, other = await nodes.here.add("rig-01"), await nodes.here.add("rig-02")
    await nodes.seen_there(other, lambda seen: seen["tags"] == [])
    body = {"select": "rig", "add": ["hall:2"]}
    changed = await nodes.here.client.post("/api/v1/tags", json=body, headers=nodes.here.auth)
    assert changed.json() == {"changed": 2}
    for each in (rig, other):
        await nodes.seen_there(each, lambda seen: seen["tags"] == ["hall:2"])
    await nodes.there.client.patch(f"{RIGS}/{rig.id}", json={"tags": []}, headers=nodes.there.auth)
    await nodes.seen_there(rig, lambda seen: seen["tags"] == [])
    selected = await nodes.there.get(f"{RIGS}?select=tag:hall:2")
    assert [each["name"] for each in selected.json()] == ["rig-02"]


async def test_the_same_log_at_both_nodes_is_one_log(nodes: Nodes) -> None:
    rig, log = await nodes.here.add(), a_log()
    await nodes.here.report(rig, log)
    again = (await nodes.there.report(rig, log, a_log(5))).json()
    assert (again["stored"], again["duplicates"]) == (1, 1)


async def test_a_sentry_that_waits_at_one_node_hears_of_a_playbook_that_is_added_at_the_other(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    first = await nodes.there.client.get(FOR_SENTRY, headers=rig.auth)
    waits = rig.auth | {"If-None-Match": first.headers["etag"], "Prefer": "wait=50"}
    playbooks = Playbooks(nodes.here)
    spec = await playbooks.spec()
    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        waiting = group.create_task(nodes.there.client.get(FOR_SENTRY, headers=waits))
        added = await playbooks.add(rig, spec)
    assert [each["id"] for each in waiting.result().json()["playbooks"]] == [str(added["id"])]
    told = {"playbook_id": str(added["id"]), "revision": 1, "state": "mining"}
    answer = await nodes.there.client.put(STATUS, json={"playbooks": [told]}, headers=rig.auth)
    assert answer.status_code == 204

    async def is_shown() -> bool:
        shown = (await nodes.here.get(f"{RIGS}/{rig.id}")).json()["playbooks"]
        return [each["state"] for each in shown] == ["mining"]

    await eventually(is_shown)


async def test_an_asic_that_reports_to_one_node_is_shown_by_the_other(nodes: Nodes) -> None:
    answer = await nodes.here.client.post(ASICS, json={"name": "asic-01"}, headers=nodes.here.auth)
    token, asic_id = answer.json()["token"], answer.json()["id"]
    log = {"taken_at": datetime.now(UTC).isoformat(), "algorithm": "SHA-256", "coin": "Bitcoin", "hashrate_hs": 9e13}
    report = {"items": [{"token": token, "specs": {"make": "Bitmain", "model": "S19"}, "logs": [log]}]}
    receipt = await nodes.here.client.post("/api/v1/sentry/asic-logs", json=report)
    assert receipt.json()["results"][0]["stored"] == 1, receipt.text

    async def is_seen() -> bool:
        seen = (await nodes.there.get(f"{ASICS}/{asic_id}")).json()
        return bool(seen.get("latest") and seen["specs"])

    await eventually(is_seen, within_s=SOON_S)


async def test_what_cant_be_stored_is_rejected_by_itself(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    receipt = (await nodes.here.report(rig, a_log(), {"taken_at": "1970-01-01T00:00:00Z"})).json()
    assert (receipt["stored"], [each["index"] for each in receipt["rejected"]]) == (1, [1])


async def test_a_new_name_and_specs_are_seen_at_the_other_node(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    await nodes.here.client.patch(f"{RIGS}/{rig.id}", json={"name": "renamed"}, headers=nodes.here.auth)
    specs = {"hostname": "box", "cpu": {"name": "a CPU"}}
    answer = await nodes.here.client.put("/api/v1/sentry/specs", json=specs, headers=rig.auth)
    assert answer.status_code == 204, answer.text
    await nodes.seen_there(rig, lambda seen: seen["name"] == "renamed" and bool(seen["specs"]))


async def test_an_old_token_is_dead_at_the_other_node_too(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    assert (await nodes.there.report(rig, a_log())).status_code == 200  # so that it is remembered there
    answer = await nodes.here.client.post(f"{RIGS}/{rig.id}/token", headers=nodes.here.auth)

    async def is_dead() -> bool:
        return (await nodes.there.report(rig, a_log())).status_code == 401

    await eventually(is_dead, within_s=SOON_S)
    rig.token = answer.json()["token"]
    assert (await nodes.there.report(rig, a_log())).status_code == 200


async def test_a_removed_rig_is_gone_at_the_other_node_and_its_sentry_is_told(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    await nodes.there.report(rig, a_log())
    await nodes.here.client.delete(f"{RIGS}/{rig.id}", headers=nodes.here.auth)

    async def is_gone() -> bool:
        reported = await nodes.there.report(rig, a_log())
        stats = (await nodes.there.get("/api/v1/cpu-gpu-stats")).json()
        return reported.status_code == 410 and stats["rigs_total"] == stats["rigs_alive"] == 0

    await eventually(is_gone, within_s=SOON_S)


async def test_channels_of_the_other_node_tell_of_rigs_and_their_logs(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    await nodes.seen_there(rig, lambda seen: True)
    names = f"cpu-gpu-mining-rig-index,cpu-gpu-mining-rig-operation-stats:{rig.id}"
    async with nodes.there.socket(f"/api/v1/events?channels={names}", **nodes.there.auth) as events:
        second = await nodes.here.add("rig-02")
        created = await heard(events)
        assert (created["event"], created["data"]["id"]) == ("created", second.id)
        await nodes.here.report(rig, a_log(hashrate_hs=777.0))
        logged = await heard(events)
        assert logged["channel"] == f"cpu-gpu-mining-rig-operation-stats:{rig.id}"
        assert logged["data"]["miners"][0]["algorithms"][0]["hashrate_hs"] == 777.0


async def test_a_log_at_one_node_moves_the_open_page_of_the_other(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    await nodes.seen_there(rig, lambda seen: True)
    async with await open_page(nodes.there) as page:
        await nodes.here.report(rig, a_log(power_w=321.0))
        async with asyncio.timeout(SOON_S):
            while "321" not in await frame(page):
                pass


async def test_a_session_that_ends_at_one_node_ends_the_others_pages(nodes: Nodes) -> None:
    async with await open_page(nodes.there) as page:
        answer = await nodes.here.client.post("/logout", headers=cookie_of(nodes.there))
        assert answer.status_code < 400, answer.text
        with pytest.raises(websockets.ConnectionClosed):
            await read_until_closed(page)


async def test_two_sentries_with_one_token_are_seen_even_at_different_nodes(nodes: Nodes) -> None:
    rig = await nodes.here.add()
    async with asyncio.timeout(SOON_S * 5):
        for number in range(100):
            await nodes.here.report(rig, a_log(number), run="one")
            if (await nodes.there.report(rig, a_log(number + 0.5), run="two")).json()["two_sentries"]:
                break
            await asyncio.sleep(0.01)
    await nodes.seen_there(rig, lambda seen: True)


async def open_page(node: Farm) -> websockets.connect:
    """The socket that the index page opens."""
    await node.log_in()
    page = (await node.client.get("/cpu-gpu")).text
    live, seq = (re.search(rf'data-{name}="([^"]+)"', page) for name in ("live", "seq"))
    assert live
    assert seq
    return node.socket(f"{live[1].replace('&amp;', '&')}&seq={seq[1]}", **cookie_of(node))


def cookie_of(node: Farm) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in node.client.cookies.items())}


async def heard(socket: websockets.ClientConnection) -> Any:
    async with asyncio.timeout(SOON_S):
        return json.loads(await socket.recv())


async def read_until_closed(socket: websockets.ClientConnection) -> None:
    async with asyncio.timeout(SOON_S):
        while True:
            await socket.recv()


async def frame(socket: websockets.ClientConnection) -> str:
    async with asyncio.timeout(SOON_S):
        return str(await socket.recv())
