"""Uptime: the share of time in which a rig is online and mines, from the history."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from commander.alert_rules.tables import usual_values
from commander.alert_rules.view import Usual
from commander.db import open_database
from commander.history.query import History, HistorySeries
from commander.history.tables import TEN_MINUTES
from commander.history.uptime import DAY_CELLS, Activity, Bucket, Uptime, buckets_of, read_uptime, uptime_of
from commander.rig_pages.uptime_view import Run, runs_of, share_text, uptime_view
from commander.settings import Settings
from commander_farm import Farm, a_log
from history_farm import KIND, START, Moment, a_place
from pages import page
from protocol import units

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
STEP_S = TEN_MINUTES.step_s


def series(figure: str, low: list[float | None], mean: list[float | None], high: list[float | None]) -> HistorySeries:
    return HistorySeries(figure=figure, device=None, algorithm=None, coin=None, min=low, mean=mean, max=high)


def bucket(minutes_ago: int, *, online: float = 1.0, mining: float = 1.0) -> Bucket:
    return Bucket(NOW - timedelta(minutes=minutes_ago), STEP_S, online, mining)


def test_a_bucket_has_the_parts_in_which_the_rig_was_online_and_mined() -> None:
    times = [NOW - timedelta(minutes=50 - 10 * number) for number in range(5)]
    nothing: list[float | None] = [None] * 5
    alive: list[float | None] = [1.0, 0.5, 1.0, None, 1.0]
    hashrate = series(
        "hashrate_hs", [9.0, 9.0, 0.0, None, 0.0], [10.0, 10.0, 5.0, None, 0.0], [11.0, 11.0, 10, None, 0]
    )
    history = History(step_s=STEP_S, times=times, series=[series("alive", nothing, alive, nothing), hashrate])
    buckets = buckets_of(history, now=NOW)
    assert [(each.online, each.mining) for each in buckets] == [(1, 1), (0.5, 0.5), (1, 0.5), (0, 0), (1, 0)]
    assert [each.activity for each in buckets] == ["mining", "partly", "partly", "offline", "idle"]


def test_the_newest_bucket_counts_for_as_long_as_it_lasts() -> None:
    alive = series("alive", [0.3], [0.3], [0.3])
    work = series("hashrate_hs", [1.0], [1.0], [1.0])
    history = History(step_s=STEP_S, times=[NOW - timedelta(minutes=3)], series=[alive, work])
    (newest,) = buckets_of(history, now=NOW)
    assert (newest.seconds, newest.online, newest.mining) == (180, 1, 1)


def test_two_works_at_once_are_no_more_than_one() -> None:
    alive = series("alive", [1.0], [1.0], [1.0])
    works = [series("hashrate_hs", [1.0], [1.0], [1.0]), series("hashrate_hs", [0.0], [1.0], [2.0])]
    (only,) = buckets_of(History(step_s=STEP_S, times=[NOW - timedelta(minutes=10)], series=[alive, *works]), now=NOW)
    assert only.mining == 1


def test_time_before_the_first_report_of_a_new_rig_does_not_count() -> None:
    added = NOW - timedelta(hours=2)
    buckets = [bucket(ago, online=float(ago <= 60), mining=float(ago <= 60)) for ago in range(120, 0, -10)]
    uptime = uptime_of(buckets, added_at=added, now=NOW)
    assert (uptime.day, uptime.week, uptime.month) == (1, 1, 1)
    assert len(uptime.cells) == DAY_CELLS
    assert set(uptime.cells[:-7]) == {Activity.UNKNOWN}
    assert set(uptime.cells[-7:-1]) == {Activity.MINING}


def test_a_rig_that_first_reported_in_the_midst_of_ten_minutes_counts_from_then_on() -> None:
    buckets = [bucket(20, online=0.2, mining=0.1), bucket(10)]
    uptime = uptime_of(buckets, added_at=NOW - timedelta(hours=2), now=NOW)
    assert uptime.day == pytest.approx((60 + 600) / (120 + 600))


def test_time_without_a_report_of_an_old_rig_is_offline() -> None:
    month = [bucket(ago) for ago in range(30 * 24 * 60, 12 * 60, -10)]
    silent = [bucket(ago, online=0, mining=0) for ago in range(12 * 60, 0, -10)]
    uptime = uptime_of([*month, *silent], added_at=NOW - timedelta(days=400), now=NOW)
    assert uptime.day == pytest.approx(0.5)
    assert uptime.week == pytest.approx(6.5 / 7)
    assert uptime.month == pytest.approx(29.5 / 30)
    assert uptime.cells.count(Activity.MINING) == DAY_CELLS // 2 - 1


def test_of_a_rig_without_reports_nothing_is_known() -> None:
    uptime = uptime_of([], added_at=NOW - timedelta(days=3), now=NOW)
    assert uptime == Uptime(None, None, None, [Activity.UNKNOWN] * DAY_CELLS)


async def test_it_is_read_from_the_history(database_url: str) -> None:
    """An hour of mining, ten minutes at 0 H/s, ten minutes of silence, ten minutes of mining."""
    mining = [*range(0, 3600, 30), *range(4800, 5400, 30)]
    logs = [Moment(1, at_s) for at_s in mining] + [Moment(1, at_s, hashrate_hs=0.0) for at_s in range(3600, 4200, 30)]
    async with a_place(database_url, rig_count=1) as place:
        await place.send(sorted(logs, key=lambda moment: moment.at_us))
        async with place.database.reading() as db:
            now = START + timedelta(seconds=5400)
            uptime = await read_uptime(db, KIND, 1, added_at=START, now=now)
    assert uptime.day == pytest.approx(7 / 9)
    assert uptime.cells[-10:] == ["mining"] * 6 + ["idle", "offline", "mining", "offline"]


async def test_the_page_of_a_rig_has_shares_and_the_strip(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    assert 'id="uptime"' not in await page(person, f"/cpu-gpu/{rig.id}")
    await farm.report(rig, a_log(20), a_log(10), a_log(0))
    html = await page(person, f"/cpu-gpu/{rig.id}")
    assert re.search(r'data-figure="uptime-24h">100 %<', html)
    assert 'aria-label="Last 24 hours: mining' in html


@pytest.mark.usefixtures("no_rounds")
async def test_the_page_of_a_rig_shows_what_is_usual_or_until_when_it_is_learnt(
    person: httpx.AsyncClient, farm: Farm, settings: Settings
) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log(0))
    assert 'id="usual"' not in await page(person, f"/cpu-gpu/{rig.id}")
    for usual, words in (
        (Usual(learning_until=NOW), "Usual: its hashrate is being learnt until"),
        (
            Usual(hashrates_hs={"rx/0": 17_000.0}, power_w=412.0),
            f"Usual: {units.hashrate_text(17_000.0)} rx/0, {units.power_text(412.0)}.",
        ),
        (Usual(boards=(0, 1, 2), fans=4), "Usual: 3 boards, 4 fans."),
    ):
        row = {"kind": KIND, "rig_id": rig.id, "learnt_at": NOW, "body": msgspec.json.encode(usual)}
        async with open_database(settings.database_url) as database, database.transaction() as db:
            await db.execute(sa.delete(usual_values))
            await db.execute(sa.insert(usual_values).values(row))
        assert words in await page(person, f"/cpu-gpu/{rig.id}")


def test_cells_that_are_alike_are_one_piece_of_the_strip() -> None:
    cells = [Activity.OFFLINE, Activity.MINING, Activity.MINING]
    assert runs_of(cells) == [Run(Activity.OFFLINE, 0, 1), Run(Activity.MINING, 1, 2)]
    view = uptime_view(Uptime(0.994, None, 1.0, [Activity.MINING] * DAY_CELLS), KIND, 7)
    assert view.shares == [("24 h", "99.4 %"), ("7 d", "–"), ("30 d", "100 %")]
    assert view.about == "Last 24 hours: mining 100 %"


@pytest.mark.parametrize(("share", "text"), [(0.9999, "99.9 %"), (1.0, "100 %"), (0.0001, "0.1 %"), (0.0, "0 %")])
def test_only_all_of_the_time_is_a_hundred_percent(share: float, text: str) -> None:
    assert share_text(share) == text
