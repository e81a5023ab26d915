"""The most that one rig's token can store."""

import pytest
from commander.intake import budgets
from commander.intake.budgets import DAY_S, LOGS_AT_ONCE, MIB, OverBudget, RigBudgets
from commander.settings import Settings
from commander_farm import Farm, a_log, an_asic_log, on_sqlite, running
from msgspec.structs import replace

DAY_OF_LOGS = 8_640  # at 10 s


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rigs(clock: Clock) -> RigBudgets:
    return RigBudgets(report_every_s=10, mb_a_day=256, now_s=clock)


def stored(rigs: RigBudgets, clock: Clock, *, seconds: int, logs: int, size: int) -> int:
    """Returns how many logs a rig stores that sends so many each second."""
    count = 0
    for _ in range(seconds):
        clock.now_s += 1
        try:
            rigs.check(7)
        except OverBudget:
            continue
        rigs.take(7, logs=logs, size=size)
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
        rigs.check(7)
        rigs.take(7, logs=1, size=3_000)


def test_one_rig_does_not_use_the_budget_of_another(rigs: RigBudgets) -> None:
    rigs.take(7, logs=LOGS_AT_ONCE + 1, size=1)
    with pytest.raises(OverBudget) as refused:
        rigs.check(7)
    assert refused.value.retry_after_s == 10
    rigs.check(8)


@on_sqlite
async def test_a_rig_over_its_budget_is_asked_to_come_back_and_others_are_served(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "LOGS_AT_ONCE", 5)
    async with running(replace(settings, report_every_s=3600, offline_after_s=9000, stale_after_s=8000)) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        greedy, usual = await farm.add("greedy"), await farm.add("usual")
        first = await farm.report(greedy, *(a_log(number) for number in range(6)))
        assert first.json()["stored"] == 6
        refused = await farm.report(greedy, a_log())
        assert (refused.status_code, refused.json()["code"]) == (429, "over_budget")
        assert int(refused.headers["Retry-After"]) >= 10
        assert (await farm.report(usual, a_log())).status_code == 200


@on_sqlite
async def test_an_asic_over_its_budget_fails_its_own_item_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "LOGS_AT_ONCE", 5)
    async with running(replace(settings, report_every_s=3600, offline_after_s=9000, stale_after_s=8000)) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        greedy, usual = await farm.add_asic("greedy"), await farm.add_asic("usual")
        logs = [an_asic_log(number) for number in range(6)]
        items = [{"token": greedy.token, "logs": logs}, {"token": greedy.token, "logs": [an_asic_log(7)]}]
        answer = await farm.report_asics(*items, {"token": usual.token, "logs": [an_asic_log()]})
        found = [(each["stored"], each.get("error")) for each in answer.json()["results"]]
        assert found == [(6, None), (0, "over_budget"), (1, None)]
