"""Logging in and keys, through the gate on a real database."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from commander.accounts.actions import Gate
from commander.accounts.domain import BadKeyName, KeyNameTaken, NoSuchKey, TooManyTries, WrongPassword
from commander.db import Database, metadata

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(database: Database, clock: Clock) -> Gate:
    return Gate(database, now=clock)


async def log_in(gate: Gate, password: str) -> str:
    return await gate.log_in(password, address="192.168.1.9", user_agent="a browser")


async def test_the_first_start_makes_a_password_and_the_second_does_not(gate: Gate) -> None:
    made = await gate.settle_password(None)
    assert made
    assert await gate.settle_password(None) is None
    assert await gate.session_of(await log_in(gate, made))


async def test_a_configured_password_wins_and_ends_older_sessions(gate: Gate) -> None:
    cookie = await log_in(gate, await gate.settle_password(None) or "")
    assert await gate.settle_password("configured") is None
    assert await gate.session_of(cookie) is None
    cookie = await log_in(gate, "configured")
    await gate.settle_password("configured")
    assert await gate.session_of(cookie), "the same password again ends nothing"


async def test_any_number_of_sessions_and_each_can_be_ended(gate: Gate) -> None:
    await gate.set_password("secret")
    cookies = [await log_in(gate, "secret") for _ in range(5)]
    sessions = await gate.sessions()
    assert len(sessions) == 5
    await gate.end_session(sessions[0].id)
    alive = [await gate.session_of(cookie) for cookie in cookies]
    assert [session is None for session in alive].count(True) == 1


async def test_a_session_ends_thirty_days_after_it_was_last_seen(gate: Gate, clock: Clock) -> None:
    await gate.set_password("secret")
    cookie = await log_in(gate, "secret")
    for _ in range(3):
        clock.now += timedelta(days=29)
        assert await gate.session_of(cookie)
    clock.now += timedelta(days=31)
    assert await gate.session_of(cookie) is None


async def test_guessing_is_slowed_down_for_one_address_and_the_right_password_works_again(
    gate: Gate, clock: Clock
) -> None:
    await gate.set_password("secret")
    for _ in range(10):
        with pytest.raises(WrongPassword):
            await log_in(gate, "guess")
    with pytest.raises(TooManyTries):
        await log_in(gate, "secret")
    assert await gate.log_in("secret", address="192.168.1.10", user_agent="")
    clock.now += timedelta(minutes=1)
    assert await log_in(gate, "secret")


async def test_wrong_passwords_of_a_clock_that_was_ahead_count_no_longer_when_it_is_right(
    gate: Gate, clock: Clock
) -> None:
    await gate.set_password("secret")
    clock.now += timedelta(days=1)
    for _ in range(10):
        with pytest.raises(WrongPassword):
            await log_in(gate, "guess")
    clock.now = NOON
    assert await log_in(gate, "secret")


async def test_a_visit_to_a_clock_that_was_ahead_does_not_make_a_session_live_longer(gate: Gate, clock: Clock) -> None:
    await gate.set_password("secret")
    clock.now += timedelta(days=400)
    cookie = await log_in(gate, "secret")
    clock.now = NOON
    assert await gate.session_of(cookie)
    clock.now += timedelta(days=31)
    assert await gate.session_of(cookie) is None


async def test_api_keys_are_named_listed_and_revoked(gate: Gate) -> None:
    key, text = await gate.create_api_key(" grafana ")
    assert key.name == "grafana"
    assert await gate.api_key_of(text) is not None
    assert await gate.api_key_of(text[:-1]) is None
    with pytest.raises(KeyNameTaken):
        await gate.create_api_key("grafana")
    with pytest.raises(BadKeyName):
        await gate.create_api_key("<script>")
    assert [listed.last_used_at for listed in await gate.api_keys()] == [NOON]
    await gate.revoke_api_key_named("grafana")
    assert await gate.api_key_of(text) is None
    with pytest.raises(NoSuchKey):
        await gate.revoke_api_key_named("grafana")


async def test_no_secret_is_at_rest_in_clear(gate: Gate, database: Database) -> None:
    await gate.set_password("a long secret")
    cookie = await log_in(gate, "a long secret")
    _, key = await gate.create_api_key("grafana")
    async with database.reading() as db:
        rows = [row for table in metadata.sorted_tables for row in await db.execute(sa.select(table))]
    kept = b"".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    for secret in ("a long secret", cookie, key, key.removeprefix("mw_key_")):
        assert secret.encode() not in kept
