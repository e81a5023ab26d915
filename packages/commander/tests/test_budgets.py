"""The most that one rig's token can store."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress

import msgspec
import pytest
from commander.registry import budgets
from commander.registry.budgets import DAY_S, LOGS_AT_ONCE, MIB, Cost, OverBudget, RigBudgets
from commander.settings import Settings
from commander_farm import LOGS, Clock, Farm, a_log, an_asic_log, on_sqlite, running, serving
from msgspec.structs import replace

DAY_OF_LOGS = 8_640  # at 10 s


@pytest.fixture
def rigs(clock: Clock) -> RigBudgets:
    return RigBudgets(report_every_s=10, mb_a_day=256, now_s=clock)


def stored(rigs: RigBudgets, clock: Clock, *, seconds: int, logs: int, size: int) -> int:
    """Returns how many logs a rig stores that sends so many each second."""
    count = 0
    for _ in range(seconds):
        clock.now_s += 1
        with suppress(OverBudget):
            rigs.charged(7, Cost(logs, size))
            count += logs
    return count


def test_a_thief_of_a_token_stores_a_day_s_megabytes_and_no_more(rigs: RigBudgets, clock: Clock) -> None:
    count = stored(rigs, clock, seconds=int(DAY_S), logs=5_000, size=4 * MIB)
    assert count / 5_000 * 4 <= 2 * 256 + 4, "what may come at once, and what a day adds"


def test_small_logs_are_bounded_by_ten_times_the_interval(rigs: RigBudgets, clock: Clock) -> None:
    assert stored(rigs, clock, seconds=int(DAY_S), logs=1_000, size=1_000) <= LOGS_AT_ONCE + 10 * DAY_OF_LOGS + 1_000


def test_a_week_that_a_sentry_has_kept_passes_at_once(rigs: RigBudgets, clock: Clock) -> None:
    assert stored(rigs, clock, seconds=61, logs=1_000, size=1_500_000) >= 7 * DAY_OF_LOGS


def test_a_usual_rig_is_never_refused(rigs: RigBudgets, clock: Clock) -> None:
    for _ in range(3 * DAY_OF_LOGS):
        clock.now_s += 10
        rigs.charged(7, Cost(1, 3_000))


def test_one_rig_does_not_use_the_budget_of_another(rigs: RigBudgets) -> None:
    rigs.charged(7, Cost(LOGS_AT_ONCE + 1, 1))
    with pytest.raises(OverBudget) as refused:
        rigs.charged(7, Cost(1, 1))
    assert refused.value.retry_after_s == 10
    rigs.charged(8, Cost(1, 1))


@pytest.fixture
def small(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a commander whose rigs may send five logs at once."""
    monkeypatch.setattr(budgets, "LOGS_AT_ONCE", 5)
    return replace(settings, report_every_s=3600, offline_after_s=9000, stale_after_s=8000)


@on_sqlite
async def test_of_two_reports_at_once_the_second_is_refused_if_the_first_used_the_budget(small: Settings) -> None:
    async with serving(small) as client:
        farm = Farm(client, small)
        await farm.make_key()
        rig = await farm.add()
        body = msgspec.json.encode({"logs": [a_log(number) for number in range(6)]})
        has_begun, may_end = asyncio.Event(), asyncio.Event()

        async def halting() -> AsyncIterator[bytes]:
            yield body[:10]
            has_begun.set()
            await may_end.wait()
            yield body[10:]

        slow = asyncio.ensure_future(client.post(LOGS, content=halting(), headers=rig.auth))
        await has_begun.wait()
        first = await farm.report(rig, *(a_log(100 + number) for number in range(6)))
        may_end.set()
        second = await slow
        assert (first.status_code, second.status_code) == (200, 429)


@contextmanager
def that_can_not_be_written(small: Settings) -> Iterator[None]:
    """The commander's database, on which no log can be stored meanwhile."""
    with closing(sqlite3.connect(small.database_url.removeprefix("sqlite:///"), isolation_level=None)) as db:
        for table in ("cpu_gpu_logs", "asic_logs"):
            db.execute(f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END")
        yield
        for table in ("cpu_gpu_logs", "asic_logs"):
            db.execute(f"DROP TRIGGER no_{table}")


@on_sqlite
async def test_logs_that_could_not_be_stored_do_not_count(small: Settings) -> None:
    async with running(small) as client:
        farm = Farm(client, small)
        await farm.make_key()
        rig, asic = await farm.add(), await farm.add_asic()
        logs, asic_logs = [a_log(number) for number in range(6)], [an_asic_log(number) for number in range(6)]
        with that_can_not_be_written(small):
            for _ in range(2):
                assert (await farm.report(rig, *logs)).json()["code"] == "storage_away"
                answer = await farm.report_asics({"token": asic.token, "logs": asic_logs})
                assert answer.json()["code"] == "storage_away"
        assert (await farm.report(rig, *logs)).json()["stored"] == 6
        assert (await farm.report_asic(asic, *asic_logs))["stored"] == 6


@on_sqlite
async def test_a_report_of_asics_that_are_all_over_their_budgets_is_asked_to_come_back(small: Settings) -> None:
    """A sentry of the last release takes the error of an item for an invalid token."""
    async with running(small) as client:
        farm = Farm(client, small)
        await farm.make_key()
        asics = [await farm.add_asic(name) for name in ("first", "second")]
        for asic in asics:
            assert (await farm.report_asic(asic, *(an_asic_log(number) for number in range(6))))["stored"] == 6
        refused = await farm.report_asics(*({"token": asic.token, "logs": [an_asic_log(9)]} for asic in asics))
        assert (refused.status_code, refused.json()["code"]) == (429, "over_budget")
        assert 10 <= int(refused.headers["Retry-After"]) <= 60
        asked = await farm.report_asics(*({"token": asic.token} for asic in asics))
        assert [each["error"] for each in asked.json()["results"]] == [None, None], "it asks for the tokens alone"


@on_sqlite
async def test_a_rig_over_its_budget_is_asked_to_come_back_and_others_are_served(small: Settings) -> None:
    async with running(small) as client:
        farm = Farm(client, small)
        await farm.make_key()
        greedy, usual = await farm.add("greedy"), await farm.add("usual")
        first = await farm.report(greedy, *(a_log(number) for number in range(6)))
        assert first.json()["stored"] == 6
        refused = await farm.report(greedy, a_log())
        assert (refused.status_code, refused.json()["code"]) == (429, "over_budget")
        assert int(refused.headers["Retry-After"]) >= 10
        assert (await farm.report(usual, a_log())).status_code == 200


@on_sqlite
async def test_an_asic_over_its_budget_fails_its_own_item_only(small: Settings) -> None:
    async with running(small) as client:
        farm = Farm(client, small)
        await farm.make_key()
        greedy, usual = await farm.add_asic("greedy"), await farm.add_asic("usual")
        logs = [an_asic_log(number) for number in range(6)]
        items = [{"token": greedy.token, "logs": logs}, {"token": greedy.token, "logs": [an_asic_log(7)]}]
        answer = await farm.report_asics(*items, {"token": usual.token, "logs": [an_asic_log()]})
        found = [(each["stored"], each.get("error")) for each in answer.json()["results"]]
        assert found == [(6, None), (0, "over_budget"), (1, None)]
