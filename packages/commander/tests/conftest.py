"""A real commander in this process: the whole application on a database of its own, SQLite or PostgreSQL.

Every test that takes `database_url`, `database`, `settings` or one of the farms runs on both. Those on SQLite carry the
marker `commander`, those on PostgreSQL the marker `servers`; the first of these starts the server.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from commander.accounts import actions
from commander.accounts.actions import AccountActions
from commander.accounts.route_roles import set_rights
from commander.accounts.tables import sessions
from commander.db import Database, open_database
from commander.incidents.running import Rounds
from commander.live.rigs import Lives
from commander.migrations import migrate
from commander.nouns import NOUNS
from commander.settings import Settings
from commander_farm import PASSWORD, POSTGRESQL, SQLITE, Clock, Farm, running, serving, settings_of
from every_change import World, make_world
from nats_server import NatsServer, running_nats
from playbook_farm import Playbooks
from postgresql_server import SMALL_WAL, PostgresqlServer, memory, running_server

_numbers = count(1)


@pytest.fixture(scope="session", autouse=True)
def rights() -> None:
    """The least role of each route, for tests that make no application."""
    set_rights(noun.rights for noun in NOUNS)


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def kind(request: pytest.FixtureRequest) -> str:
    """The database that this test runs on."""
    return str(request.param)


@pytest.fixture
def database_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with its tables and nothing in them."""
    if kind == "postgresql":
        yield from _copy_of("empty", request)
    else:
        path = tmp_path / "commander.db"
        shutil.copy(request.getfixturevalue("empty_sqlite"), path)
        yield f"sqlite:///{path}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
def farm_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with its tables and the password, in what will be the commander's data directory if it is a file."""
    folder = tmp_path / "commander"
    folder.mkdir()
    if kind == "postgresql":
        yield from _copy_of("farm", request)
    else:
        shutil.copy(request.getfixturevalue("empty_farm"), folder)
        yield f"sqlite:///{folder / 'commander.db'}"


@pytest.fixture
def settings(tmp_path: Path, farm_url: str) -> Settings:
    return settings_of(tmp_path / "commander", farm_url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def no_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the rounds that evaluate alert rules and the learning, for tests that write the rows of both themselves.

    A round would end incidents of rigs that do not exist; learning would replace usual values. Both come at any moment.
    """

    async def only_wait(rounds: Rounds, stop: asyncio.Event) -> None:
        await stop.wait()

    async def learn_nothing(database: Database, lives: Lives, now: datetime) -> None:
        pass

    monkeypatch.setattr("commander.incidents.noun.learn", learn_nothing)
    monkeypatch.setattr(Rounds, "run", only_wait)


@pytest.fixture
async def farm(settings: Settings) -> AsyncIterator[Farm]:
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        yield farm


@pytest.fixture
async def person(farm: Farm) -> httpx.AsyncClient:
    """The farm's client, logged in."""
    await farm.log_in()
    return farm.client


@pytest.fixture
def playbooks(farm: Farm) -> Playbooks:
    return Playbooks(farm)


@pytest.fixture
async def served_farm(settings: Settings) -> AsyncIterator[Farm]:
    async with serving(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        yield farm


@pytest.fixture(scope="module")
def made_world(empty_farm: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Made by a commander that has ended: its folder can be copied, which is faster than thirty requests."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copy(empty_farm, folder)
    return asyncio.run(make_world(settings_of(folder, f"sqlite:///{folder / 'commander.db'}")))


@pytest.fixture
async def world(made_world: World, settings: Settings) -> AsyncIterator[World]:
    shutil.copytree(made_world.farm.settings.data_dir, settings.data_dir, dirs_exist_ok=True)
    async with open_database(settings.database_url) as database, database.transaction() as db:
        await db.execute(sessions.update().values(confirmed_at=datetime.now(UTC)))  # the world may be old by now
    async with running(settings) as client:
        client.cookies.update(made_world.farm.client.cookies)
        yield replace(made_world, farm=Farm(client, settings, made_world.farm.auth))


@pytest.fixture(scope="session", autouse=True)
def shipped_hasher() -> Iterator[PasswordHasher]:
    """Makes hashes of passwords cheap: hundreds of tests log in. Returns the hasher of a real farm."""
    shipped = actions._hasher
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actions, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield shipped


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copying it is twenty times faster than making it."""
    path = tmp_path_factory.mktemp("empty") / "commander.db"
    migrate(path)
    return path


@pytest.fixture(scope="session")
def empty_farm(empty_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("farm") / "commander.db"
    shutil.copy(empty_sqlite, path)
    asyncio.run(_set_password(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """One for all tests of this process."""
    with running_server(memory(), **SMALL_WAL) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql(postgresql_server: PostgresqlServer) -> PostgresqlServer:
    """With two databases to copy: `empty` has its tables, `farm` the password too."""
    postgresql_server.run("createdb", "empty")
    migrate(postgresql_server.url("empty"))
    postgresql_server.run("createdb", "--template=empty", "farm")
    asyncio.run(_set_password(postgresql_server.url("farm")))
    return postgresql_server


@pytest.fixture(scope="session")
def drop_soon(postgresql_server: PostgresqlServer) -> Iterator[Callable[[str], None]]:
    """Drops a database while the next tests run: PostgreSQL waits for all of its processes."""
    drops: list[Future[str]] = []
    with ThreadPoolExecutor(max_workers=1) as one_by_one:
        yield lambda name: drops.append(one_by_one.submit(postgresql_server.run, "dropdb", "--force", name))
    for drop in drops:
        drop.result()


async def _set_password(url: str) -> None:
    async with open_database(url) as database:
        await AccountActions(database).set_password(PASSWORD)


def _copy_of(template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = f"test_{next(_numbers)}"
    drop: Callable[[str], None] = request.getfixturevalue("drop_soon")
    server.run("createdb", f"--template={template}", "--strategy=file_copy", name)
    yield server.url(name)
    drop(name)


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """One for all tests of this process; each takes subjects of its own."""
    with running_nats() as server:
        yield server
