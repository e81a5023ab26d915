"""Sentries that wait for news must not hold up the commander's end."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from tests.farm import running_commander

pytestmark = pytest.mark.system
WAITING = 50


def test_who_waits_for_news_is_answered_when_the_commander_ends(tmp_path: Path) -> None:
    with running_commander(tmp_path) as commander:
        with commander.client(commander.api_key()) as script:
            rigs = [script.post("/api/v1/cpu-gpu-rigs", json={"name": f"rig-{n}"}).json() for n in range(WAITING)]

        tokens = [rig["token"] for rig in rigs]
        arrived = asyncio.Semaphore(0)

        async def wait(token: str) -> int:
            """Over a connection of its own, which stands when it says that it has arrived."""
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=commander.url, verify=commander.trust, timeout=60) as client:
                known = await client.get("/api/v1/sentry/playbooks", headers=headers)
                arrived.release()
                headers |= {"If-None-Match": known.headers["ETag"], "Prefer": "wait=50"}
                return (await client.get("/api/v1/sentry/playbooks", headers=headers)).status_code

        async def all_wait() -> tuple[list[int], float]:
            tasks = [asyncio.ensure_future(wait(each)) for each in tokens]
            for _ in tasks:
                await arrived.acquire()
            first, _ = await asyncio.wait(tasks, timeout=1)
            assert not first, "nobody is answered before there is news"
            began = time.monotonic()
            assert await asyncio.to_thread(commander.stop) == 0
            return await asyncio.gather(*tasks), time.monotonic() - began

        answers, took_s = asyncio.run(all_wait())
    assert answers == [304] * WAITING
    assert took_s < 8
