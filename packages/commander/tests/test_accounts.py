"""Logging in and keys, through the account_actions on a real database."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher, Type
from commander.accounts import access_store, domain, store
from commander.accounts.access_actions import AccessActions
from commander.accounts.access_domain import OWNER_ID
from commander.accounts.actions import AccountActions
from commander.accounts.domain import (
    BadKeyName,
    KeyNameTaken,
    NoSuchKey,
    NotSignedIn,
    Role,
    Session,
    TooManyTries,
    WrongPassword,
)
from commander.accounts.second_factor_actions import TOTP_PURPOSE, SecondFactorActions
from commander.audit.tables import audit_log
from commander.db import Database, metadata, open_database
from commander.private_files import SECRETS_KEY
from commander.sealing import Sealer, SecretsUnreadable
from commander.settings import Settings
from commander_farm import PASSWORD, on_sqlite
from full_database import PagesLimit

LONG = "a long enough password"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENTRY = {"at": NOON, "who": "owner", "what": "x", "subject": "", "detail": "x" * 500}


class Clock:
    def __init__(self) -> None:
        self.now = NOON
        self.seconds = 1_000.0

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Person:
    """An access and its two sessions, the unstored one also as it was at first."""

    accesses: AccessActions
    access_id: int
    stored: str
    unstored: str
    session: Session


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ended() -> list[str]:
    """The sessions whose WebSockets were closed."""
    return []


@pytest.fixture
def account_actions(database: Database, clock: Clock) -> AccountActions:
    return AccountActions(database, now=clock, now_s=lambda: clock.seconds)


async def log_in(account_actions: AccountActions, password: str, *, name: str = "", device_cookie: str = "") -> str:
    return await account_actions.log_in(
        password, address="192.168.1.9", user_agent="a browser", name=name, device_cookie=device_cookie
    )


async def unstored_log_in(
    account_actions: AccountActions, database: Database, password: str = LONG, name: str = "anna"
) -> str:
    """Logs in while the disk is full. Afterwards there is room again."""
    full = PagesLimit(database)
    async with database.transaction() as db:
        await db.execute(sa.insert(audit_log), [ENTRY] * 200)
    full.pages = 1  # none more than there are
    while True:
        cookie = await log_in(account_actions, password, name=name)
        session = await account_actions.session_of(cookie)
        if session and session.id < 0:
            full.pages = 1_000_000
            return cookie


async def test_the_first_start_makes_a_password_and_the_second_does_not(account_actions: AccountActions) -> None:
    made = await account_actions.settle_password(None)
    assert made
    assert await account_actions.settle_password(None) is None
    assert await account_actions.session_of(await log_in(account_actions, made))


async def test_a_made_password_is_one_that_is_accepted(account_actions: AccountActions) -> None:
    made = await account_actions.settle_password(None)
    assert made
    assert len(made) == len(domain.new_password()) == 24
    domain.check_new_password(made)


async def test_a_configured_password_wins_and_ends_older_sessions(account_actions: AccountActions) -> None:
    cookie = await log_in(account_actions, await account_actions.settle_password(None) or "")
    assert await account_actions.settle_password("configured") is None
    assert await account_actions.session_of(cookie) is None
    cookie = await log_in(account_actions, "configured")
    await account_actions.settle_password("configured")
    assert await account_actions.session_of(cookie), "the same password again ends nothing"


@on_sqlite
async def test_a_log_in_under_way_while_the_password_changes_makes_no_session(
    account_actions: AccountActions, database: Database
) -> None:
    await account_actions.set_password("secret")
    turn = database.write_turn
    assert isinstance(turn, asyncio.Lock)
    async with asyncio.TaskGroup() as group, turn:
        logging_in = group.create_task(log_in_or_not(account_actions, "secret"))
        while not turn._waiters:  # noqa: ASYNC110 - until it has checked the password and wants to store the session
            await asyncio.sleep(0)
        async with database._connected() as connection, connection.begin():
            hashed = await account_actions.hash_password("another")
            await store.set_password_hash(connection, hashed, now=NOON)
    assert logging_in.result() is None
    assert await account_actions.sessions() == []
    assert await log_in(account_actions, "another")


async def log_in_or_not(account_actions: AccountActions, password: str) -> str | None:
    try:
        return await log_in(account_actions, password)
    except WrongPassword:
        return None


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
    session = await log_in(account_actions, "secret")
    known = await account_actions.new_device_cookie(session, "")
    assert known
    assert await account_actions.new_device_cookie(session, known) is None, "it is known already"
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


async def test_a_known_browser_is_a_stranger_to_every_other_access(
    account_actions: AccountActions, database: Database
) -> None:
    await account_actions.set_password("the owner's secret")
    await AccessActions(database, account_actions).add("anna", Role.VIEW, LONG)
    session = await log_in(account_actions, LONG, name="anna")
    known = await account_actions.new_device_cookie(session, "")
    assert known
    for _ in range(10):
        with pytest.raises(WrongPassword):
            await log_in(account_actions, "guess")
    for name, password in (("", "the owner's secret"), ("owner", "guess"), ("nobody", "guess")):
        with pytest.raises(TooManyTries, match="from your address"):
            await log_in(account_actions, password, name=name, device_cookie=known)
    assert await log_in(account_actions, LONG, name=" ANNA ", device_cookie=known)
    owners = await account_actions.log_in("the owner's secret", address="10.0.0.1", user_agent="")
    assert await account_actions.new_device_cookie(owners, known), "the owner's browser gets one of its own"


async def test_a_try_that_can_t_be_checked_is_no_wrong_password(settings: Settings, clock: Clock) -> None:
    async with open_database(settings.database_url) as database:
        sealer = Sealer(settings, TOTP_PURPOSE)
        account_actions = AccountActions(
            database, second_factors=SecondFactorActions(database, sealer), now_s=lambda: clock.seconds
        )
        async with database.transaction() as db:
            sealed = sealer.seal({"secret": pyotp.random_base32()})
            await access_store.update_access(db, OWNER_ID, {"totp_sealed": sealed})
        key = settings.data_dir / "tls" / SECRETS_KEY
        key.write_bytes(b"x" * 32)
        for _ in range(11):
            with pytest.raises(SecretsUnreadable):
                await log_in(account_actions, PASSWORD)


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


@pytest.fixture
async def anna(account_actions: AccountActions, database: Database, ended: list[str]) -> Person:
    """She has logged in twice, the second time while the disk was full."""
    await account_actions.set_password("secret")
    accesses = AccessActions(database, account_actions, on_end=ended.append)
    access, _ = await accesses.add("anna", Role.OWN, LONG)
    stored = await log_in(account_actions, LONG, name="anna")
    unstored = await unstored_log_in(account_actions, database)
    session = await account_actions.session_of(unstored)
    assert session
    return Person(accesses, access.id, stored, unstored, session)


@on_sqlite
async def test_a_removed_access_is_out_although_its_session_was_not_stored(
    account_actions: AccountActions, anna: Person, ended: list[str]
) -> None:
    await anna.accesses.remove(anna.access_id)
    assert await account_actions.session_of(anna.unstored) is None
    assert str(anna.session.id) in ended, "its WebSockets close"
    assert [each.access_name for each in await account_actions.sessions()] == []


@on_sqlite
async def test_a_session_that_was_not_stored_has_the_present_role_and_name(
    account_actions: AccountActions, anna: Person, ended: list[str]
) -> None:
    await anna.accesses.change(anna.access_id, role=Role.VIEW, name="Anna B")
    session = await account_actions.session_of(anna.unstored)
    assert session
    assert (session.role, session.access_name) == (Role.VIEW, "Anna B")
    assert str(session.id) in ended


@on_sqlite
async def test_a_new_password_ends_a_session_that_was_not_stored(
    account_actions: AccountActions, anna: Person, ended: list[str]
) -> None:
    await anna.accesses.change(anna.access_id, password="another long one")
    assert await account_actions.session_of(anna.unstored) is None
    assert str(anna.session.id) in ended


@on_sqlite
async def test_one_s_own_new_password_ends_the_other_sessions_that_were_not_stored(
    account_actions: AccountActions, database: Database, anna: Person, ended: list[str]
) -> None:
    other = await unstored_log_in(account_actions, database)
    await anna.accesses.change_own_password(anna.session, "another long one")
    assert await account_actions.session_of(anna.unstored) == anna.session
    for cookie in (other, anna.stored):
        assert await account_actions.session_of(cookie) is None
    assert str(anna.session.id) not in ended


@on_sqlite
async def test_a_session_that_has_ended_changes_no_password(account_actions: AccountActions, anna: Person) -> None:
    stored = await account_actions.session_of(anna.stored)
    assert stored
    for session in (stored, anna.session):
        await account_actions.end_session(session.id, by=session)
        with pytest.raises(NotSignedIn):
            await anna.accesses.change_own_password(session, "another long one")
    assert await log_in(account_actions, LONG, name="anna")


@on_sqlite
async def test_the_other_sessions_end_although_they_were_not_stored(
    account_actions: AccountActions, database: Database, anna: Person
) -> None:
    await anna.accesses.add("bert", Role.VIEW, LONG)
    berts = await unstored_log_in(account_actions, database, name="bert")
    session = await account_actions.session_of(berts)
    assert session
    await anna.accesses.end_other_sessions(session)
    assert await account_actions.session_of(anna.unstored), "of his own access alone"
    stored = await account_actions.session_of(anna.stored)
    assert stored
    await anna.accesses.end_other_sessions(stored)
    assert [each.id for each in await account_actions.sessions()] == [stored.id]


@on_sqlite
@pytest.mark.parametrize("name", ["anna", "owner"])
async def test_a_new_password_set_by_another_process_ends_sessions_that_were_not_stored(
    account_actions: AccountActions, database: Database, anna: Person, name: str
) -> None:
    """The owner's ends those of every access, as `commander set-password` says."""
    other = AccountActions(database)
    if name == "owner":
        await other.set_password("another")
    else:
        await AccessActions(database, other).change(anna.access_id, password="another long one")
    assert await account_actions.session_of(anna.unstored) is None
    assert anna.session.id not in {each.id for each in await account_actions.sessions()}
    assert str(anna.session.id) not in await account_actions.socket_owners()


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
    key, text = await account_actions.create_api_key(" grafana ", Role.VIEW)
    assert key.name == "grafana"
    assert await account_actions.api_key_of(text) is not None
    assert await account_actions.api_key_of(text[:-1]) is None
    with pytest.raises(KeyNameTaken):
        await account_actions.create_api_key("grafana", Role.VIEW)
    with pytest.raises(BadKeyName):
        await account_actions.create_api_key("<script>", Role.VIEW)
    assert [listed.last_used_at for listed in await account_actions.api_keys()] == [NOON]
    await account_actions.revoke_api_key_named("grafana")
    assert await account_actions.api_key_of(text) is None
    with pytest.raises(NoSuchKey):
        await account_actions.revoke_api_key_named("grafana")


async def test_no_secret_is_at_rest_in_clear(account_actions: AccountActions, database: Database) -> None:
    await account_actions.set_password("a long secret")
    cookie = await log_in(account_actions, "a long secret")
    _, key = await account_actions.create_api_key("grafana", Role.VIEW)
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
