"""One commander at a time on a PostgreSQL database, unless NATS joins them."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest
from commander import farm_lease
from commander.account_command import prepare_database
from commander.farm_lease import AnotherKey, DatabaseTaken, check_alone, holding_database
from commander.migrations import revision_at
from commander.migrations.revisions import HEAD
from commander.postgresql import connect
from commander.problems import WrongUse
from commander.settings import Settings, load_settings
from commander_farm import on_postgresql

pytestmark = on_postgresql


@pytest.fixture
def alone(database_url: str, tmp_path: Path) -> Settings:
    return load_settings({"COMMANDER_DATA_DIR": str(tmp_path), "COMMANDER_DATABASE_URL": database_url})


@pytest.fixture
def joined(database_url: str, tmp_path: Path) -> Settings:
    more = {"COMMANDER_DATABASE_URL": database_url, "COMMANDER_NATS_URL": "nats://127.0.0.1:1"}
    return load_settings({"COMMANDER_DATA_DIR": str(tmp_path), **more})


def ignored() -> None:
    """Does nothing if the database is taken."""


async def test_a_second_commander_without_nats_is_refused_until_the_first_has_ended(alone: Settings) -> None:
    async with holding_database(alone, ignored):
        with pytest.raises(DatabaseTaken, match="Another commander runs on this PostgreSQL database"):
            await check_alone(alone)
    await check_alone(alone)


async def test_commanders_that_nats_joins_share_the_database_and_one_without_is_refused(
    alone: Settings, joined: Settings
) -> None:
    async with AsyncExitStack() as nodes:
        for _ in range(2):
            await nodes.enter_async_context(holding_database(joined, ignored))
        with pytest.raises(DatabaseTaken):
            await check_alone(alone)
    async with holding_database(alone, ignored):
        with pytest.raises(DatabaseTaken, match="A commander without NATS"):
            await check_alone(joined)


A_KEY, ANOTHER_KEY = "00000000c0ffee00", "ffffffffc0ffee00"


@pytest.mark.parametrize(("first", "second"), [(A_KEY, ANOTHER_KEY), (A_KEY, None), (None, A_KEY)])
async def test_a_web_node_with_another_signing_key_is_refused_while_the_first_runs(
    joined: Settings, first: str | None, second: str | None
) -> None:
    def as_node(key_id: str | None) -> AbstractAsyncContextManager[None]:
        return holding_database(joined, ignored, signing_key_id=key_id, is_web_node=True)

    async with as_node(first), as_node(first), holding_database(joined, ignored):
        with pytest.raises(AnotherKey, match="has another key that signs playbooks"):
            await as_node(second).__aenter__()
    async with as_node(second):
        pass


async def test_a_command_changes_no_tables_while_commanders_that_nats_joins_run(joined: Settings) -> None:
    await _set_revision(joined, "0018")  # as if commanders of an older version ran
    async with holding_database(joined, ignored):
        with pytest.raises(WrongUse, match="A commander of an older version runs on this database"):
            await asyncio.to_thread(prepare_database, joined)
    assert await revision_at(joined.database_url) == "0018"
    await _set_revision(joined, HEAD)
    async with holding_database(joined, ignored):
        await asyncio.to_thread(prepare_database, joined)


async def test_a_commander_whose_database_was_taken_while_the_server_was_away_is_told(
    alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, is_told, sleep = asyncio.Event(), asyncio.Event(), asyncio.sleep

    async def until_allowed(delay_s: float) -> None:
        await (look.wait() if delay_s == farm_lease.LOOK_EVERY_S else sleep(delay_s))

    monkeypatch.setattr(asyncio, "sleep", until_allowed)
    async with holding_database(alone, is_told.set):
        await _end(alone, await _lock_holders(alone))
        async with holding_database(alone, ignored):
            look.set()
            async with asyncio.timeout(60):
                await is_told.wait()


async def test_a_commander_takes_its_lock_again_when_the_server_is_back(
    alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farm_lease, "LOOK_EVERY_S", 0.05)
    async with holding_database(alone, ignored), asyncio.timeout(60):
        before = await _lock_holders(alone)
        await _end(alone, before)
        while not (now := await _lock_holders(alone)) or now == before:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.05)
        with pytest.raises(DatabaseTaken):
            await check_alone(alone)


async def _set_revision(settings: Settings, revision: str) -> None:
    connection = await connect(settings.database_url)
    try:
        await connection.execute("UPDATE alembic_version SET version_num = $1", revision)
    finally:
        await connection.close()


async def _lock_holders(settings: Settings) -> list[int]:
    connection = await connect(settings.database_url)
    try:
        query = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = $1"
        return [row["pid"] for row in await connection.fetch(query, farm_lease.FARM_LOCK)]
    finally:
        await connection.close()


async def _end(settings: Settings, pids: list[int]) -> None:
    connection = await connect(settings.database_url)
    try:
        for pid in pids:
            await connection.fetchval("SELECT pg_terminate_backend($1)", pid)
    finally:
        await connection.close()
