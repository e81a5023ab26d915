"""Sentries that wait for news must not hold up the commander's end."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from tests.farm import running_commander

pytestmark = pytest.mark.system
WAITING = 50


def test_held_requests_are_answered_when_the_commander_ends(tmp_path: Path) -> None:
    with running_commander(tmp_path) as commander:
        with commander.client(commander.api_key()) as script:
            rigs = [script.post("/api/v1/cpu-gpu-rigs", json={"name": f"rig-{n}"}).json() for n in range(WAITING)]

        tokens = [rig["token"] for rig in rigs]
        arrived = asyncio.Semaphore(0)

        async def wait(number: int, token: str) -> int:
            """Over a connection of its own, which stands when it says that it has arrived.

            Every other sentry is of an earlier version, which does not know the inbox.
            """
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=commander.url, verify=commander.trust, timeout=60) as client:
                known = await client.get("/api/v1/sentry/playbooks", headers=headers)
                arrived.release()
                etag, headers["Prefer"] = known.headers["ETag"], "wait=50"
                if number % 2:
                    return (
                        await client.get(f"/api/v1/sentry/inbox?playbooks={etag[1:-1]}", headers=headers)
                    ).status_code
                headers["If-None-Match"] = etag
                return (await client.get("/api/v1/sentry/playbooks", headers=headers)).status_code

        async def all_wait() -> tuple[list[int], float]:
            tasks = [asyncio.ensure_future(wait(number, each)) for number, each in enumerate(tokens)]
            for _ in tasks:
                await arrived.acquire()
            first, _ = await asyncio.wait(tasks, timeout=1)
            assert not first, "nobody is answered before there is news"
            began = time.monotonic()
            assert await asyncio.to_thread(commander.stop) == 0
            return await asyncio.gather(*tasks), time.monotonic() - began

        answers, took_s = asyncio.run(all_wait())
    assert answers == [304, 200] * (WAITING // 2)
    assert took_s < 8
