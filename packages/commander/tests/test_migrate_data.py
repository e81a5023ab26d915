"""`commander migrate-data`: every table arrives, also after kills and outages."""

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from commander.accounts.actions import AccountActions
from commander.db import connect_sqlite, metadata, open_database, to_us
from commander.lock import only_commander
from commander.migrate_data import MigrateDataProblem
from commander.migrate_data import copy_farm as copying
from commander.migrate_data.copy_farm import copy_farm
from commander.migrate_data.source import CONVERTED, SAME, key_from_text, key_text, read_rows
from commander.migrations import migrate
from commander.problems import DatabaseProblem
from commander.settings import Settings
from commander_farm import RIGS, Farm, a_log, running
from msgspec.structs import replace
from postgresql_server import PostgresqlServer
from test_group_commit import NOON

MANY, FEW = 120, 5
pytestmark = pytest.mark.servers
Content = dict[str, list[tuple[object, ...]]]
_names = iter(range(1_000_000))


@pytest.fixture
def kind() -> str:
    """Of the farm that moves."""
    return "sqlite"


@pytest.fixture
def empty(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """A database with nothing in it."""
    name = f"moved_{next(_names)}"
    postgresql_server.run("createdb", name)
    yield postgresql_server.url(name)
    postgresql_server.run("dropdb", "--force", name)


@pytest.fixture
def full(settings: Settings) -> Settings:
    """A farm with rows in every table that there is."""
    chance = random.Random(1)  # noqa: S311 - any values will do
    with closing(sqlite3.connect(path_of(settings))) as connection:
        for table in metadata.sorted_tables:
            places = ", ".join("?" * len(table.columns))
            for number in range(MANY if "logs" in table.name else FEW):
                row = [value_for(column, number, chance) for column in table.columns]
                connection.execute(f"INSERT OR REPLACE INTO {table.name} VALUES ({places})", row)  # noqa: S608
        connection.commit()
    return settings


def path_of(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


def value_for(column: sa.Column[object], number: int, chance: random.Random) -> object:
    kind = column.type.impl if isinstance(column.type, sa.types.TypeDecorator) else column.type
    if column.nullable and number % 3 == 0:
        return None
    if column.name == "bucket":
        return to_us(NOON) // 600_000_000 - number * 20
    if isinstance(kind, sa.Boolean):
        return number % 2
    if isinstance(kind, sa.BigInteger):
        return to_us(NOON) + number
    if isinstance(kind, sa.Integer):
        return number + 1
    if isinstance(kind, sa.Float):
        return number / 3
    if isinstance(kind, sa.LargeBinary):
        return number.to_bytes(8) + chance.randbytes(chance.randrange(200) if kind.length is None else 24)
    return f"ä{number}"[: getattr(kind, "length", None)]


def content_of(url: str) -> Content:
    async def read() -> Content:
        async with open_database(url) as database, database.reading() as db:
            return {
                table.name: sorted((tuple(row) for row in await db.execute(sa.select(table))), key=repr)
                for table in metadata.sorted_tables
            }

    return asyncio.run(read())


def test_every_table_arrives_whole(full: Settings, empty: str, capsys: pytest.CaptureFixture[str]) -> None:
    copy_farm(full, empty)
    there = content_of(full.database_url)
    assert content_of(empty) == there
    assert all(there.values()), "no table was left empty"
    said = capsys.readouterr().err
    assert "cpu_gpu_logs: 120 rows" in said
    assert "all tables compared" in said
    assert ":secret" not in said


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


@pytest.mark.parametrize("batches", [0, 1, 7, 20, 33])
def test_it_goes_on_where_it_was_killed(
    full: Settings, empty: str, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.setattr(copying, "ROWS_A_BATCH", 7)
    put, done = copying._put, 0

    async def put_until_killed(*arguments: object) -> None:
        nonlocal done
        if done == batches:
            raise Killed
        done += 1
        await put(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(copying, "_put", put_until_killed)
        copy_farm(full, empty)
    with pytest.raises(DatabaseProblem, match="half copied"):
        migrate(empty)
    rows_there = rows_in(empty)
    copy_farm(full, empty)
    assert content_of(empty) == content_of(full.database_url)
    assert rows_there == 0 or batches > 0


def rows_in(url: str) -> int:
    return sum(len(rows) for rows in content_of(url).values())


def test_typed_again_it_leaves_a_whole_copy_as_it_is(full: Settings, empty: str) -> None:
    copy_farm(full, empty)
    copy_farm(full, empty)
    assert content_of(empty) == content_of(full.database_url)
    write_to(full)
    with pytest.raises(MigrateDataProblem, match="holds a farm already"):
        copy_farm(full, empty)


def write_to(settings: Settings) -> None:
    with closing(connect_sqlite(path_of(settings))) as connection:
        connection.execute("PRAGMA user_version = 7")


def test_it_begins_anew_if_the_farm_has_changed_meanwhile(
    full: Settings, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(copying, "_compare", killed)
        copy_farm(full, empty)
    with closing(connect_sqlite(path_of(full))) as connection:
        connection.execute("DELETE FROM cpu_gpu_logs WHERE taken_at_us % 2 = 0")
        connection.execute("UPDATE cpu_gpu_rigs SET name = 'renamed'")
    copy_farm(full, empty)
    assert content_of(empty) == content_of(full.database_url)


async def test_the_farm_lives_on_in_its_new_place(settings: Settings, empty: str) -> None:
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        rig, gone = await farm.add("kept"), await farm.add("gone")
        await farm.report(rig, a_log(20), a_log(10))
        await client.delete(f"{RIGS}/{gone.id}", headers=farm.auth)
    await asyncio.to_thread(copy_farm, settings, empty)
    moved = replace(settings, database_url=empty)
    async with running(moved) as client:
        there = Farm(client, moved, auth=farm.auth)
        assert [each["name"] for each in (await there.get(RIGS)).json()] == ["kept"]
        assert len((await there.get(f"{RIGS}/{rig.id}/logs")).json()["logs"]) == 2
        assert (await there.report(rig, a_log())).json()["stored"] == 1
        assert (await there.report(gone, a_log())).status_code == 410
        assert (await there.add("next")).id > gone.id, "an id is never given twice"
        await there.log_in()


def test_a_difference_at_the_end_is_said_and_the_copy_is_removed(
    full: Settings, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_the_last(*arguments: object, **more: object) -> object:
        rows = read_rows(*arguments, **more)  # type: ignore[arg-type]
        return rows[:-1] if len(rows) > 1 else []

    with monkeypatch.context() as patched:
        patched.setattr(copying, "read_rows", without_the_last)
        with pytest.raises(MigrateDataProblem, match="differs from the original"):
            copy_farm(full, empty)
    copy_farm(full, empty)
    assert content_of(empty) == content_of(full.database_url)


def test_one_changed_value_is_found(full: Settings, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = copying._compare

    async def spoil_and_compare(source: sqlite3.Connection, connection: object) -> None:
        await connection.execute("UPDATE cpu_gpu_rigs SET name = reverse(name) WHERE id = 2")  # type: ignore[attr-defined]
        await compare(source, connection)  # type: ignore[arg-type]

    monkeypatch.setattr(copying, "_compare", spoil_and_compare)
    with pytest.raises(MigrateDataProblem, match="cpu_gpu_rigs differs"):
        copy_farm(full, empty)


def test_what_is_in_the_way_is_said(settings: Settings, empty: str, postgresql_server: PostgresqlServer) -> None:
    with pytest.raises(MigrateDataProblem, match="--to"):
        copy_farm(settings, "sqlite:///elsewhere.db")
    with pytest.raises(MigrateDataProblem, match="already"):
        copy_farm(replace(settings, database_url=empty), empty)
    with only_commander(settings), pytest.raises(MigrateDataProblem, match="stop it first"):
        copy_farm(settings, empty)
    name = empty.rpartition("/")[2]
    postgresql_server.run("psql", "-d", name, "-qc", "CREATE TABLE somebodys (id int)")
    with pytest.raises(MigrateDataProblem, match="something else"):
        copy_farm(settings, empty)
    postgresql_server.run("psql", "-d", name, "-qc", "DROP TABLE somebodys")
    copy_farm(settings, empty)
    write_to(settings)  # another farm now
    with pytest.raises(MigrateDataProblem, match="holds a farm already"):
        copy_farm(settings, empty)


async def test_a_database_on_which_a_commander_runs_is_not_filled(settings: Settings, empty: str) -> None:
    await asyncio.to_thread(migrate, empty)
    async with open_database(empty) as database:
        assert await AccountActions(database).api_keys() == []
        with pytest.raises(MigrateDataProblem, match="A commander runs on the database"):
            await asyncio.to_thread(copy_farm, settings, empty)


def test_a_key_of_any_kind_survives_the_checkpoint() -> None:
    key = (1, "ä", b"\x00\xff", 1 << 60)
    assert key_from_text(key_text(key)) == key


def test_every_column_is_of_a_kind_that_can_be_copied() -> None:
    for table in metadata.sorted_tables:
        assert list(table.primary_key.columns), f"{table.name} needs a key to be copied in its order"
        for column in table.columns:
            kind = column.type.impl if isinstance(column.type, sa.types.TypeDecorator) else column.type
            assert isinstance(kind, (*CONVERTED, *SAME)), f"{table.name}.{column.name}"
