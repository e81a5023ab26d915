"""Logging in and keys, through the account_actions on a real database."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher, Type
from commander.accounts.actions import AccountActions
from commander.accounts.domain import BadKeyName, KeyNameTaken, NoSuchKey, TooManyTries, WrongPassword
from commander.audit.tables import audit_log
from commander.db import Database, metadata
from commander_farm import on_sqlite
from full_database import PagesLimit

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENTRY = {"at": NOON, "who": "owner", "what": "x", "subject": "", "detail": "x" * 500}


class Clock:
    def __init__(self) -> None:
        self.now = NOON
        self.seconds = 1_000.0

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account_actions(database: Database, clock: Clock) -> AccountActions:
    return AccountActions(database, now=clock, now_s=lambda: clock.seconds)


async def log_in(account_actions: AccountActions, password: str) -> str:
    return await account_actions.log_in(password, address="192.168.1.9", user_agent="a browser")


async def test_the_first_start_makes_a_password_and_the_second_does_not(account_actions: AccountActions) -> None:
    made = await account_actions.settle_password(None)
    assert made
    assert await account_actions.settle_password(None) is None
    assert await account_actions.session_of(await log_in(account_actions, made))


async def test_a_configured_password_wins_and_ends_older_sessions(account_actions: AccountActions) -> None:
    cookie = await log_in(account_actions, await account_actions.settle_password(None) or "")
    assert await account_actions.settle_password("configured") is None
    assert await account_actions.session_of(cookie) is None
    cookie = await log_in(account_actions, "configured")
    await account_actions.settle_password("configured")
    assert await account_actions.session_of(cookie), "the same password again ends nothing"


async def test_any_number_of_sessions_and_each_can_be_ended(account_actions: AccountActions) -> None:
    await account_actions.set_password("secret")
    cookies = [await log_in(account_actions, "secret") for _ in range(5)]
    sessions = await account_actions.sessions()
    assert len(sessions) == 5
    await account_actions.end_session(sessions[0].id, by=sessions[1])
    alive = [await account_actions.session_of(cookie) for cookie in cookies]
    assert [session is None for session in alive].count(True) == 1


async def test_a_session_ends_thirty_days_after_it_was_last_seen(account_actions: AccountActions, clock: Clock) -> None:
    await account_actions.set_password("secret")
    cookie = await log_in(account_actions, "secret")
    for _ in range(2):
        clock.now += timedelta(days=29)
        assert await account_actions.session_of(cookie)
    clock.now += timedelta(days=31)
    assert await account_actions.session_of(cookie) is None


async def test_a_session_ends_ninety_days_after_its_log_in_whatever_the_visits(
    account_actions: AccountActions, clock: Clock
) -> None:
    await account_actions.set_password("secret")
    cookie = await log_in(account_actions, "secret")
    for _ in range(89):
        clock.now += timedelta(days=1)
        assert await account_actions.session_of(cookie)
    clock.now += timedelta(days=1)
    assert await account_actions.session_of(cookie) is None


async def test_guessing_is_slowed_down_for_one_address_and_the_right_password_works_again(
    account_actions: AccountActions, clock: Clock
) -> None:
    await account_actions.set_password("secret")
    for _ in range(10):
        with pytest.raises(WrongPassword):
            await log_in(account_actions, "guess")
    with pytest.raises(TooManyTries):
        await log_in(account_actions, "secret")
    assert await account_actions.log_in("secret", address="192.168.1.10", user_agent="")
    clock.seconds += 60
    assert await log_in(account_actions, "secret")


async def test_a_known_browser_gets_in_while_its_address_is_refused(
    account_actions: AccountActions, clock: Clock
) -> None:
    await account_actions.set_password("secret")
    known = await account_actions.new_device_cookie("")
    assert known
    assert await account_actions.new_device_cookie(known) is None, "it is known already"
    for _ in range(10):
        with pytest.raises(WrongPassword):
            await log_in(account_actions, "guess")
    await account_actions.log_in("secret", address="192.168.1.9", user_agent="", device_cookie=known)
    with pytest.raises(TooManyTries):
        await account_actions.log_in("secret", address="192.168.1.9", user_agent="", device_cookie=f"{known}0")
    await account_actions.set_password("another")
    clock.seconds += 6
    with pytest.raises(TooManyTries):
        await account_actions.log_in("another", address="192.168.1.9", user_agent="", device_cookie=known)


async def test_a_restart_gives_no_new_tries(account_actions: AccountActions, database: Database, clock: Clock) -> None:
    await account_actions.set_password("secret")
    for _ in range(10):
        with pytest.raises(WrongPassword):
            await log_in(account_actions, "guess")
    again = AccountActions(database, now=clock, now_s=lambda: 5.0)
    await again.remember_failures()
    with pytest.raises(TooManyTries):
        await log_in(again, "secret")


async def test_wrong_passwords_of_a_clock_that_was_ahead_count_no_longer_when_it_is_right(
    account_actions: AccountActions, database: Database, clock: Clock
) -> None:
    await account_actions.set_password("secret")
    clock.now += timedelta(days=1)
    for _ in range(10):
        with pytest.raises(WrongPassword):
            await log_in(account_actions, "guess")
    clock.now = NOON
    clock.seconds += 60
    assert await log_in(account_actions, "secret")
    again = AccountActions(database, now=clock)
    await again.remember_failures()
    assert await log_in(again, "secret")


@on_sqlite
async def test_on_a_full_disk_the_owner_still_gets_in_and_wrong_passwords_count(
    account_actions: AccountActions, database: Database, clock: Clock
) -> None:
    await account_actions.set_password("secret")
    async with database.transaction() as db:
        await db.execute(sa.insert(audit_log), [ENTRY] * 200)
    full = PagesLimit(database)
    full.pages = 1  # none more than there are
    for _ in range(9):
        with pytest.raises(WrongPassword):
            await log_in(account_actions, "guess")
    cookies = [await log_in(account_actions, "secret") for _ in range(40)]
    sessions = [await account_actions.session_of(cookie) for cookie in cookies]
    unstored = [session for session in sessions if session and session.id < 0]
    assert all(sessions)
    assert unstored
    assert {session.id for session in unstored} <= {session.id for session in await account_actions.sessions()}
    with pytest.raises(WrongPassword):
        await log_in(account_actions, "guess")
    with pytest.raises(TooManyTries):
        await log_in(account_actions, "guess")
    await account_actions.end_session(unstored[0].id, by=unstored[1])
    assert await account_actions.session_of(cookies[sessions.index(unstored[0])]) is None


async def test_a_visit_to_a_clock_that_was_ahead_does_not_make_a_session_live_longer(
    account_actions: AccountActions, clock: Clock
) -> None:
    await account_actions.set_password("secret")
    clock.now += timedelta(days=400)
    cookie = await log_in(account_actions, "secret")
    clock.now = NOON
    assert await account_actions.session_of(cookie)
    clock.now += timedelta(days=31)
    assert await account_actions.session_of(cookie) is None


async def test_api_keys_are_named_listed_and_revoked(account_actions: AccountActions) -> None:
    key, text = await account_actions.create_api_key(" grafana ")
    assert key.name == "grafana"
    assert await account_actions.api_key_of(text) is not None
    assert await account_actions.api_key_of(text[:-1]) is None
    with pytest.raises(KeyNameTaken):
        await account_actions.create_api_key("grafana")
    with pytest.raises(BadKeyName):
        await account_actions.create_api_key("<script>")
    assert [listed.last_used_at for listed in await account_actions.api_keys()] == [NOON]
    await account_actions.revoke_api_key_named("grafana")
    assert await account_actions.api_key_of(text) is None
    with pytest.raises(NoSuchKey):
        await account_actions.revoke_api_key_named("grafana")


async def test_no_secret_is_at_rest_in_clear(account_actions: AccountActions, database: Database) -> None:
    await account_actions.set_password("a long secret")
    cookie = await log_in(account_actions, "a long secret")
    _, key = await account_actions.create_api_key("grafana")
    async with database.reading() as db:
        rows = [row for table in metadata.sorted_tables for row in await db.execute(sa.select(table))]
    kept = b"".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    for secret in ("a long secret", cookie, key, key.removeprefix("mw_key_")):
        assert secret.encode() not in kept


def test_a_guess_at_a_stolen_hash_costs_memory_and_time(shipped_hasher: PasswordHasher) -> None:
    """At least what RFC 9106 recommends where memory is scarce."""
    assert shipped_hasher.type is Type.ID
    assert shipped_hasher.memory_cost >= 64 * 1024
    assert shipped_hasher.time_cost >= 3
    assert shipped_hasher.hash_len >= 32
