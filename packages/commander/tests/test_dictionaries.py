"""Logs are packed with a dictionary made of the farm's own, and every row stays readable."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa
from commander.raw_logs import codec
from commander.raw_logs.codec import ZSTD_DICTIONARY, Packer, unpack
from commander.raw_logs.dictionaries import use_newest
from commander.raw_logs.dictionary_training import made_from, make_if_it_pays
from commander.raw_logs.starter import starter_of
from commander.raw_logs.store import read_logs
from commander.raw_logs.tables import LOGS
from commander.registry.kinds import RigKind
from commander_farm import a_log, an_asic_log
from history_farm import KIND, START, Moment, Place, a_place, steady


async def bodies(place: Place, rig_id: int) -> list[bytes]:
    async with place.database.reading() as db:
        found = await read_logs(db, KIND, rig_id, from_us=0, before_us=1 << 62, limit=100_000)
    return [log.body for log in reversed(found)]


async def codecs(place: Place) -> list[tuple[int, int]]:
    """Codec and size of each row, oldest first."""
    async with place.database.reading() as db:
        logs = LOGS[KIND]
        rows = await db.execute(sa.select(logs.c.codec, logs.c.body).order_by(logs.c.taken_at_us))
        return [(number, len(body)) for number, body in rows]


async def test_the_farms_own_dictionary_packs_better_and_old_rows_stay_readable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_place(database_url, rig_count=2) as place:
        plain, packed, after = steady(1, 0, 9_000), steady(1, 9_000, 9_600), steady(1, 9_600, 9_700)
        await place.send(plain[:300])
        await make_if_it_pays(place.database, place.commit.packer, now=START)
        await place.send(plain[300:])
        assert {row[0] for row in await codecs(place)} == {1}, "too few logs say nothing"
        await make_if_it_pays(place.database, place.commit.packer, now=START + timedelta(hours=2.5))
        await place.send(packed)
        rows = await codecs(place)
        assert {row[0] for row in rows[-60:]} == {ZSTD_DICTIONARY}
        assert max(row[1] for row in rows[-60:]) < min(row[1] for row in rows[:900]) / 2
        _restart(place, monkeypatch)
        await use_newest(place.database, place.commit.packer)
        await place.send(after)
        assert (await codecs(place))[-1][0] == ZSTD_DICTIONARY
        _restart(place, monkeypatch)
        assert await bodies(place, 1) == [moment.body() for moment in (*plain, *packed, *after)]


def _restart(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process knows no dictionary; other rows are packed by those that are known."""
    monkeypatch.setattr(codec, "_DICTIONARIES", {})
    monkeypatch.setattr(codec, "_of_thread", type("Thread", (), {})())
    place.commit.packer._by_kind.clear()


async def test_a_new_farm_begins_with_the_shipped_one_and_soon_has_its_own(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_place(database_url, rig_count=2) as place:
        older, first, packed = steady(1, 0, 100), steady(1, 100, 9_000), steady(1, 9_000, 9_100)
        await place.send(older)
        starts = [use_newest(place.database, packer) for packer in (place.commit.packer, Packer())]
        await asyncio.gather(*starts)
        assert await dictionary_count(place) == len(RigKind), "one of each kind, although two commanders began"
        await place.send(first)
        await make_if_it_pays(place.database, place.commit.packer, now=START + timedelta(hours=2.5))
        assert await dictionary_count(place) == len(RigKind) + 1
        await place.send(packed)
        rows = await codecs(place)
        assert [row[0] for row in rows] == [1] * 10 + [ZSTD_DICTIONARY] * 900
        plain, with_shipped, with_own = rows[0][1], rows[10][1], rows[-1][1]
        assert with_own < with_shipped < 0.6 * plain
        _restart(place, monkeypatch)
        await use_newest(place.database, place.commit.packer)
        assert await dictionary_count(place) == len(RigKind) + 1
        assert await bodies(place, 1) == [moment.body() for moment in (*older, *first, *packed)]


@pytest.mark.parametrize(("kind", "log"), [(RigKind.CPU_GPU, a_log()), (RigKind.ASIC, an_asic_log())])
def test_the_shipped_ones_are_worth_it_for_logs_that_they_were_not_made_from(
    kind: RigKind, log: dict[str, object]
) -> None:
    number, body = starter_of(kind)
    codec.learn(number, body)
    plain = msgspec.json.encode(log)
    codec_number, packed = Packer({kind: number}).pack(kind, plain)
    assert unpack(codec_number, packed) == plain
    assert len(packed) < 0.6 * len(Packer().pack(kind, plain)[1])


async def test_another_is_made_when_logs_have_changed(database_url: str) -> None:
    async with a_place(database_url, rig_count=2) as place:
        packer = place.commit.packer
        await place.send(steady(1, 0, 9_000))
        await make_if_it_pays(place.database, packer, now=START + timedelta(hours=2.5))
        first = await dictionary_count(place)
        await make_if_it_pays(place.database, packer, now=START + timedelta(hours=2.6))
        assert (first, await dictionary_count(place)) == (1, 1)
        day_s = 86_400
        coin = "a coin of which nobody had heard before, with a very long name "
        changed = [each._replace(coin=f"{coin}{each.at_s % 7}") for each in steady(1, day_s, day_s + 9_000)]
        await place.send(changed)
        await make_if_it_pays(place.database, packer, now=START + timedelta(hours=26.5))
        assert await dictionary_count(place) == 2
        await place.send(steady(1, day_s + 9_000, day_s + 9_100))
        assert len(await bodies(place, 1)) == 900 + 900 + 10


async def dictionary_count(place: Place) -> int:
    async with place.database.reading() as db:
        return int((await db.exec_driver_sql("SELECT count(*) FROM log_dictionaries")).scalar_one())


def test_an_unknown_codec_or_dictionary_is_said_to_be_one() -> None:
    with pytest.raises(ValueError, match="codec 9"):
        unpack(9, b"")
    made = made_from([Moment(1, at_s, float(at_s)).body() for at_s in range(900)])
    codec.learn(made.dict_id(), made.as_bytes())
    packed = Packer({KIND: made.dict_id()}).pack(KIND, b"{}")
    del codec._DICTIONARIES[made.dict_id()]
    with pytest.raises(ValueError, match=f"dictionary {made.dict_id()}"):
        unpack(*packed)
