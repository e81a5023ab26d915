"""WebSockets close soon after the end of the session, key or link that opened them, also if another process ends it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from commander.accounts import access_store
from commander.accounts.actions import AccountActions
from commander.accounts.domain import SESSION_LIFE, SESSION_LONGEST, Role
from commander.accounts.tables import accesses, api_keys, sessions
from commander.db import Database, open_database
from commander.live import loop
from commander.live.loop import run_live
from commander.registry.kinds import RigKind
from commander.saved_views.links import ViewLinks
from commander.saved_views.tables import saved_views, view_links
from commander_farm import PASSWORD, Farm, on_sqlite, post_form
from websockets import ClientConnection, ConnectionClosed

PROMISED_S = 2.0  # docs/access.md
PAGE, EVENTS = "/live?view=quiet", "/api/v1/events?channels=incidents"
Ending = Callable[[Database], Awaitable[object]]


def past(**ago: float) -> datetime:
    return datetime.now(UTC) - timedelta(**ago)


def write(table: sa.Table, **values: object) -> Ending:
    async def ending(database: Database) -> None:
        async with database.transaction() as db:
            await db.execute(sa.update(table).values(**values))

    return ending


def delete(table: sa.Table) -> Ending:
    async def ending(database: Database) -> None:
        async with database.transaction() as db:
            await db.execute(sa.delete(table))

    return ending


async def new_password_of_the_owner(database: Database) -> None:
    """As `commander set-password` does."""
    await AccountActions(database).set_password("another password")


async def revoked_on_the_command_line(database: Database) -> None:
    await AccountActions(database).revoke_api_key_named("wall")


async def removed_access(database: Database) -> None:
    async with database.transaction() as db:
        number = (await db.execute(sa.select(accesses.c.id).where(accesses.c.name == "anna"))).scalar_one()
        await access_store.delete_sessions_of(db, number)
        await access_store.delete_access(db, number)


OF_A_SESSION = {
    "the owner's password is new": new_password_of_the_owner,
    "the session was ended": delete(sessions),
    "nobody came for 30 days": write(sessions, last_seen_at=past(seconds=1) - SESSION_LIFE),
    "it has lasted 90 days": write(sessions, created_at=past(seconds=1) - SESSION_LONGEST),
    "the access was removed": removed_access,
}
OF_A_KEY = {
    "the key was revoked": revoked_on_the_command_line,
    "the key has expired": write(api_keys, expires_at=past(seconds=1)),
}
OF_A_LINK = {
    "the link was revoked": delete(view_links),
    "the link has expired": write(view_links, expires_at=past(seconds=1)),
}


async def close_code_after(farm: Farm, ending: Ending, socket: ClientConnection) -> int | None:
    """Returns the code with which the socket closes, after something that another process does to the database."""
    await (await socket.ping())
    async with open_database(farm.settings.database_url) as database:
        await ending(database)
    return await close_code(socket)


async def close_code(socket: ClientConnection) -> int | None:
    """Returns the code with which the commander closes the socket, when it does."""
    with suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code


@on_sqlite
@pytest.mark.parametrize("ending", OF_A_SESSION)
async def test_a_session_s_page_closes(served_farm: Farm, ending: str) -> None:
    access = {"name": "anna", "role": "view", "password": "a long enough password"}
    await served_farm.client.post("/api/v1/accesses", json=access, headers=served_farm.auth)
    await post_form(served_farm.client, "/login", name="anna", password=access["password"])
    async with served_farm.socket(PAGE, Cookie=served_farm.cookie) as page:
        assert await close_code_after(served_farm, OF_A_SESSION[ending], page) == 4401


@on_sqlite
@pytest.mark.parametrize("ending", OF_A_KEY)
async def test_a_key_s_socket_closes(served_farm: Farm, ending: str) -> None:
    async with open_database(served_farm.settings.database_url) as database:
        _, text = await AccountActions(database).create_api_key("wall", Role.VIEW, days=1)
    async with served_farm.socket(EVENTS, Authorization=f"Bearer {text}") as socket:
        assert await close_code_after(served_farm, OF_A_KEY[ending], socket) == 4401


@on_sqlite
@pytest.mark.parametrize("ending", OF_A_LINK)
async def test_a_view_link_s_page_closes(served_farm: Farm, ending: str) -> None:
    async with open_database(served_farm.settings.database_url) as database:
        async with database.transaction() as db:
            view = {"kind": RigKind.CPU_GPU.value, "name": "Hall 2", "name_key": "hall 2", "query": ""}
            view_id = (await db.execute(sa.insert(saved_views).values(view).returning(saved_views.c.id))).scalar_one()
        _, token = await ViewLinks(database).make(view_id, days=1)
    async with served_farm.socket(f"/view/{token}") as page:
        assert await close_code_after(served_farm, OF_A_LINK[ending], page) == 4401


@on_sqlite
async def test_the_former_session_of_a_browser_ends_when_it_logs_in_again(served_farm: Farm) -> None:
    await served_farm.log_in()
    cookie = served_farm.cookie
    async with served_farm.socket(PAGE, Cookie=cookie) as page:
        await (await page.ping())
        wrong = await post_form(served_farm.client, "/login", password="wrong")
        assert wrong.status_code == 422
        await (await page.ping())
        assert (await post_form(served_farm.client, "/login", password=PASSWORD)).status_code == 303
        assert await close_code(page) == 4401
    assert (await served_farm.client.get("/settings", follow_redirects=False)).status_code == 200, "the new one goes on"
    served_farm.client.cookies.clear()
    old = await served_farm.client.get("/settings", headers={"Cookie": cookie}, follow_redirects=False)
    assert old.status_code == 303
    newest = (await served_farm.get("/api/v1/audit")).json()["entries"][0]
    assert (newest["what"], newest["who"]) == ("session ended", "owner")
    assert newest["detail"].endswith("The same browser has logged in again.")


@on_sqlite
async def test_another_browser_s_session_goes_on(served_farm: Farm) -> None:
    await served_farm.log_in()
    cookie = served_farm.cookie
    served_farm.client.cookies.clear()
    await served_farm.log_in()
    served_farm.client.cookies.clear()
    first = await served_farm.client.get("/settings", headers={"Cookie": cookie}, follow_redirects=False)
    assert first.status_code == 200


async def test_ended_ones_are_looked_for_often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for the next look, and as much again for the look itself, are within what the docs promise."""
    assert loop.TICKS_BETWEEN_ROLL_CALLS * loop.TICK_S <= PROMISED_S / 2
    stop, ticks = asyncio.Event(), 0
    looked_at: list[int] = []

    async def rest(_stop: asyncio.Event, duration_s: float) -> None:
        nonlocal ticks
        assert duration_s == loop.TICK_S
        ticks += 1
        if len(looked_at) == 3:
            stop.set()

    async def hang_up() -> None:
        looked_at.append(ticks)

    async def nothing(*_: object) -> None:
        pass

    monkeypatch.setattr(loop, "rest", rest)
    await run_live([], [], stop, on_offline=nothing, look=nothing, hang_up=hang_up)
    gaps = [later - earlier for earlier, later in pairwise(looked_at)]
    assert gaps == [loop.TICKS_BETWEEN_ROLL_CALLS] * 2
