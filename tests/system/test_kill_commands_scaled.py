"""A batch over 300 rigs on two web nodes, NATS and PostgreSQL: the node that leads is killed, and the batch goes on.

A tenth of the rigs fail. The batch stops, and a retry finishes it; each rig carries out each command once.
"""

import asyncio
import random
import ssl
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pytest
from scaled_farm import ScaledFarm, WebNode, scaled_farm

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

RIGS, SIZE, MAX_FAILURES, AT_ONCE = 300, 30, 5, 24
COMMANDS = "/api/v1/commands"


@dataclass
class Sentries:
    """The sentries of all rigs, over the real API, at whichever node answers. Each carries out a command once."""

    nodes: list[httpx.AsyncClient]
    tokens: dict[int, str]
    failing: set[int]
    carried_out: Counter[str] = field(default_factory=Counter)
    results: dict[str, dict[str, object]] = field(default_factory=dict)

    async def go_round(self, chance: random.Random) -> None:
        free = asyncio.Semaphore(AT_ONCE)

        async def one(rig_id: int) -> None:
            async with free:
                await self._ask(rig_id, chance)

        async with asyncio.TaskGroup() as group:
            for rig_id in chance.sample(sorted(self.tokens), len(self.tokens)):
                group.create_task(one(rig_id))

    async def _ask(self, rig_id: int, chance: random.Random) -> None:
        """An error is what a sentry meets, too: it asks again in the next round."""
        headers = {"Authorization": f"Bearer {self.tokens[rig_id]}"}
        node = chance.choice(self.nodes)
        try:
            items = (await node.get("/api/v1/sentry/inbox", headers=headers)).raise_for_status().json()["items"]
            for item in items:
                for command in item["body"].get("commands", []) if item["kind"] == "commands" else []:
                    await self._carry_out(node, headers, rig_id, command)
        except httpx.HTTPError:
            return

    async def _carry_out(
        self, node: httpx.AsyncClient, headers: dict[str, str], rig_id: int, command: dict[str, object]
    ) -> None:
        """Carries out a command once. One with a result is reported again, because the report was lost."""
        key = str(command["id"])
        if key not in self.results:
            self.carried_out[key] += 1
            state = "failed" if rig_id in self.failing else "done"
            self.results[key] = {"id": key, "action": command["action"], "state": state, "text": "So it is."}
            begun = self.results[key] | {"state": "begun", "boot_id": "a"}
            await self._report(node, headers, begun)
        await self._report(node, headers, self.results[key])

    async def _report(self, node: httpx.AsyncClient, headers: dict[str, str], status: dict[str, object]) -> None:
        body = {"boot_id": "a", "commands": [status]}
        (await node.put("/api/v1/sentry/commands/status", json=body, headers=headers)).raise_for_status()


@pytest.mark.parametrize("seed", [20_261_128])
def test_a_batch_goes_on_when_its_leading_node_is_killed(tmp_path: Path, seed: int) -> None:
    with scaled_farm(tmp_path) as farm:
        asyncio.run(run_batch(farm, farm.api_key(), random.Random(seed)))  # noqa: S311 - moments, not secrets


async def run_batch(farm: ScaledFarm, key: str, chance: random.Random) -> None:
    auth = {"Authorization": f"Bearer {key}"}
    trust = ssl.create_default_context(cafile=farm.ca)
    first, second = (httpx.AsyncClient(base_url=node.url, verify=trust, timeout=60) for node in farm.web)
    async with first, second:
        tokens = await add_rigs(first, auth)
        sentries = Sentries([first, second], tokens, set(chance.sample(sorted(tokens), RIGS // 10)))
        body = {"action": "restart_playbook", "rigs": sorted(tokens)}
        made = await first.post(
            COMMANDS, json=body | {"batch": {"size": SIZE, "max_failures": MAX_FAILURES}}, headers=auth
        )
        path = f"{COMMANDS}/{made.raise_for_status().json()['id']}"
        await sentries.go_round(chance)
        survivor = await kill_the_leader(farm, first, second)
        command = await follow(sentries, survivor, path, auth, chance, until="stopped")
        states = Counter(each["state"] for each in command["targets"])
        assert states["failed"] >= MAX_FAILURES
        assert states["cancelled"]
        sentries.failing.clear()
        (await survivor.post(f"{path}/retry", headers=auth)).raise_for_status()
        command = await follow(sentries, survivor, path, auth, chance, until="done")
    assert Counter(each["state"] for each in command["targets"]) == {"done": RIGS}
    assert set(sentries.carried_out.values()) == {1}
    assert sentries.carried_out.total() == RIGS + states["failed"]


async def add_rigs(node: httpx.AsyncClient, auth: dict[str, str]) -> dict[int, str]:
    tokens = {}
    for number in range(RIGS):
        answer = await node.post("/api/v1/cpu-gpu-rigs", json={"name": f"rig-{number:03}"}, headers=auth)
        added = answer.raise_for_status().json()
        tokens[added["id"]] = added["token"]
    return tokens


async def kill_the_leader(farm: ScaledFarm, first: httpx.AsyncClient, second: httpx.AsyncClient) -> httpx.AsyncClient:
    """SIGKILL for the node that holds the lease of the jobs; returns a client of the other one."""
    connection = await asyncpg.connect(farm.postgresql.url(), timeout=60)
    try:
        holder = str(await connection.fetchval("SELECT holder FROM leases WHERE name = 'jobs'"))
    finally:
        await connection.close()
    leader = next(node for node in farm.web if holder.split(":")[1] == pid_of(node))
    leader.kill()
    return second if leader is farm.web[0] else first


def pid_of(node: WebNode) -> str:
    assert node.process is not None
    return str(node.process.pid)


async def follow(
    sentries: Sentries,
    node: httpx.AsyncClient,
    path: str,
    auth: dict[str, str],
    chance: random.Random,
    *,
    until: str,
) -> dict[str, list[dict[str, object]]]:
    """Rounds of all sentries, until the command is in this state and none of its rigs waits."""
    while True:
        await sentries.go_round(chance)
        command = (await node.get(path, headers=auth)).raise_for_status().json()
        states = {each["state"] for each in command["targets"]}
        if command["state"] == until and not states & {"waiting", "begun"}:
            return dict(command)
