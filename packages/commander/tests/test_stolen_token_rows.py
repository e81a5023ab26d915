"""The most rows and bytes that a stolen token can store by other calls than logs."""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import count

import httpx
import pytest
import sqlalchemy as sa
from commander.audit.store import ALIKE_AN_HOUR
from commander.audit.tables import audit_log
from commander.db import open_database
from commander.registry import budgets
from commander.watchdog import store as watchdog
from commander.watchdog.tables import watchdog_events
from commander_farm import LOGS, RIGS, Farm, Rig, a_log, on_sqlite
from enrolling import ENROL, IDENTITY, Machine, code_of, token_text
from test_adoption import adopt, found
from test_bound_rigs import CALLS, Route, call
from test_watchdog import event, report

BOUNDED_OTHERWISE = {
    ("POST", LOGS): "by the logs and bytes of the budget, test_budgets.py",
    ("POST", "/api/v1/sentry/installed"): "stores nothing",
    ("POST", ENROL): "20 copies of a rig wait, and a few entries an hour",
    ("PUT", IDENTITY): "32 machines of a rig, and a few entries an hour",
}
REPORTS = [each for each in CALLS if each[0] != "GET" and each not in BOUNDED_OTHERWISE]


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a rig send 256 times 20 bytes at once, and hardly more in a day."""
    monkeypatch.setattr(budgets, "MIB", 20)


async def padded(farm: Farm, rig: Rig, route: Route, body: bytes = b"") -> httpx.Response:
    """Sends the report with 6,000 bytes of white space, more than the budget."""
    method, path = route
    plain = body or farm.client.build_request(method, path, json=CALLS[route]).content
    return await farm.client.request(method, path, content=b" " * 6_000 + plain, headers=rig.auth)


@pytest.mark.parametrize("route", REPORTS, ids=" ".join)
@on_sqlite
@pytest.mark.usefixtures("little")
async def test_each_report_counts_for_the_budget_of_its_rig(route: Route, farm: Farm) -> None:
    greedy, usual = await farm.add("greedy"), await farm.add("usual")
    assert (await padded(farm, greedy, route)).status_code == 204
    refused = await call(farm, route, greedy.auth)
    assert code_of(refused) == (429, "over_budget")
    assert int(refused.headers["Retry-After"]) >= 10
    assert (await farm.report(greedy, a_log())).status_code == 200, "logs have a budget of their own"
    assert (await call(farm, route, usual.auth)).status_code == 204


@on_sqlite
@pytest.mark.usefixtures("little")
async def test_a_report_that_was_not_stored_does_not_count(farm: Farm) -> None:
    rig, route = await farm.add(), ("POST", "/api/v1/sentry/events")
    for _ in range(3):
        assert (await padded(farm, rig, route, b'{"events": 1}')).status_code == 422
    assert (await padded(farm, rig, route)).status_code == 204


async def rows_of(farm: Farm, table: sa.Table) -> int:
    async with open_database(farm.settings.database_url) as database, database.reading() as db:
        return (await db.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()


async def entries_of(farm: Farm, what: str, subject: str) -> list[tuple[datetime, str]]:
    """Returns time and detail of these entries, oldest first."""
    async with open_database(farm.settings.database_url) as database, database.reading() as db:
        query = sa.select(audit_log.c.at, audit_log.c.detail).order_by(audit_log.c.id)
        rows = await db.execute(query.where(audit_log.c.what == what, audit_log.c.subject == subject))
        return [(at, detail) for at, detail in rows]


def are_bounded(entries: list[tuple[datetime, str]]) -> bool:
    """Returns whether each hour has as many as it may have, or less if another one began meanwhile, and says so."""
    by_hour = Counter(at.replace(minute=0, second=0, microsecond=0) for at, _ in entries)
    full = [number for number in by_hour.values() if number == ALIKE_AN_HOUR]
    ends = [text for _, text in entries if text.endswith("More of these in this hour are not listed.")]
    return max(by_hour.values()) <= ALIKE_AN_HOUR <= len(entries) and len(ends) == len(full)


async def test_the_newest_events_of_a_rig_are_kept_and_a_few_of_an_hour_are_audited(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "EVENTS_OF_A_RIG", 5)
    rig, other = await farm.add("rig-07"), await farm.add("rig-08")
    assert await report(farm, other, event("e1")) == 204
    assert await report(farm, rig, event("first", age_s=900), event("gave up", age_s=800, act="gave_up")) == 204
    ids = count()
    for age_s in (700, 600, 500):
        assert await report(farm, rig, *(event(f"e{next(ids)}", age_s=age_s) for _ in range(20))) == 204
    assert await rows_of(farm, watchdog_events) == 5 + 1
    kept = (await farm.client.get(f"{RIGS}/{rig.id}/watchdog-events", headers=farm.auth)).json()["events"]
    assert len(kept) == 5
    assert {each["act"] for each in kept} == {"rebooted"}
    assert are_bounded(await entries_of(farm, "watchdog rebooted the rig", "rig-07"))
    assert len(await entries_of(farm, "watchdog rebooted the rig", "rig-08")) == 1


async def test_an_event_by_which_a_watchdog_has_given_up_until_now_is_kept(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "EVENTS_OF_A_RIG", 2)
    rig = await farm.add("rig-07")
    assert await report(farm, rig, event("e9", act="gave_up")) == 204
    assert await report(farm, rig, *(event(f"e{number}", age_s=60 + number) for number in range(5))) == 204
    assert await rows_of(farm, watchdog_events) == 2
    kept = (await farm.client.get(f"{RIGS}/{rig.id}/watchdog-events", headers=farm.auth)).json()["events"]
    assert [each["act"] for each in kept] == ["gave_up", "rebooted"]


async def test_copies_that_are_noticed_again_and_again_are_a_few_entries(farm: Farm) -> None:
    machine = Machine(farm, "rig-07")
    rig = await machine.enrol(await token_text(farm, approve_by_hand=False))
    for number in range(ALIKE_AN_HOUR + 3):
        copy = replace(machine, macs=[f"02:00:00:00:01:{number:02x}"])
        assert (await copy.start(rig)).status_code == 503
        await farm.report(rig, a_log())
        assert code_of(await copy.start(rig)) == (409, "clone")
    assert are_bounded(await entries_of(farm, "copy of a rig noticed", "rig-07"))


async def test_enrolments_again_are_a_few_entries(farm: Farm) -> None:
    token, machine = await token_text(farm), Machine(farm, "rig-07")
    for _ in range(ALIKE_AN_HOUR + 3):
        await machine.enrol(token)
    assert len(await entries_of(farm, "rig enrolled", "rig-07")) == 1
    assert are_bounded(await entries_of(farm, "rig enrolled again", "rig-07"))


async def test_asics_that_are_registered_again_are_one_entry_with_their_number(farm: Farm) -> None:
    site = await farm.site_token("hall 1")
    before = await rows_of(farm, audit_log)
    for _ in range(2):
        await adopt(farm, site, found(22))
    assert await rows_of(farm, audit_log) == before + 22 + 1
    ((_, again),) = await entries_of(farm, "tokens of ASICs replaced", "hall 1")
    assert again.endswith("KS5L-10.0.0.19 and 2 more.")
    for _ in range(ALIKE_AN_HOUR + 3):
        await adopt(farm, site, found(1))
    assert are_bounded(await entries_of(farm, "tokens of ASICs replaced", "hall 1"))
