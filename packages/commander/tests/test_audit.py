"""The audit log: each change writes an entry in its own transaction, with who did it and from where."""

import html as html_lib
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from commander.accounts.actions import FAILURES_AN_HOUR, AccountActions
from commander.accounts.domain import WrongPassword
from commander.audit.actor import COMMANDER, Actor, act_as
from commander.audit.store import Entry, EntryFilter, delete_entries_before, read_entries, record
from commander.db import Database
from commander_farm import ASICS, PASSWORD, RIGS, Farm, on_sqlite, post_form
from pages import error_beside, page
from playbook_farm import ADDRESSES, OTHER_MONERO, PLAYBOOKS, Playbooks

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def entries(database: Database, wanted: EntryFilter | None = None) -> list[Entry]:
    async with database.reading() as db:
        return await read_entries(db, wanted or EntryFilter(), before_id=None, limit=1_000)


async def of_farm(farm: Farm) -> list[Entry]:
    database = Database(farm.settings.database_url)
    try:
        return await entries(database)
    finally:
        await database.dispose()


async def test_an_entry_is_there_exactly_if_its_change_is(database: Database) -> None:
    async with database.transaction() as db:
        await record(db, "rig added", "rig-07", at=NOW)
    with suppress(LookupError):
        async with database.transaction() as db:
            await record(db, "rig added", "rig-08", at=NOW)
            raise LookupError("the change fails")
    assert [(each.what, each.subject, each.who) for each in await entries(database)] == [
        ("rig added", "rig-07", COMMANDER.who)
    ]


async def test_entries_are_found_by_time_and_by_parts_of_their_texts(database: Database) -> None:
    async with database.transaction() as db:
        for hour, who in enumerate(("owner", "API key backup", "owner")):
            actor = Actor(who, "192.0.2.7")
            await record(db, "rig renamed", f"Rig_{hour}", "x", actor=actor, at=NOW + timedelta(hours=hour))
    assert [each.subject for each in await entries(database)] == ["Rig_2", "Rig_1", "Rig_0"]
    one = timedelta(hours=1)
    asked = {
        EntryFilter(since=NOW + one): ["Rig_2", "Rig_1"],
        EntryFilter(until=NOW + one): ["Rig_0"],
        EntryFilter(who="KEY"): ["Rig_1"],
        EntryFilter(subject="rig_"): ["Rig_2", "Rig_1", "Rig_0"],
        EntryFilter(subject="Rig%0"): [],
        EntryFilter(what="renamed", subject="2"): ["Rig_2"],
    }
    for wanted, subjects in asked.items():
        assert [each.subject for each in await entries(database, wanted)] == subjects, wanted


async def test_old_entries_go_and_the_others_stay(database: Database) -> None:
    async with database.transaction() as db:
        for day in range(5):
            await record(db, "rig added", str(day), at=NOW + timedelta(days=day))
        assert await delete_entries_before(db, NOW + timedelta(days=3), limit=2) == 2
        assert await delete_entries_before(db, NOW + timedelta(days=3), limit=2) == 1
    assert [each.subject for each in await entries(database)] == ["4", "3"]


async def test_long_texts_are_cut_and_a_change_does_not_fail_by_them(database: Database) -> None:
    async with database.transaction() as db:
        await record(db, "w" * 100, "s" * 1_000, "d" * 9_000, actor=Actor("x" * 500, "a" * 500))
    (entry,) = await entries(database)
    lengths = [len(text or "") for text in (entry.who, entry.address, entry.what, entry.subject, entry.detail)]
    assert lengths == [128, 64, 64, 256, 2_000]
    assert entry.detail.endswith("…")


async def test_log_ins_and_failed_ones_are_recorded_with_their_address(database: Database) -> None:
    gate = AccountActions(database, now=lambda: NOW)
    await gate.set_password(PASSWORD)
    await gate.log_in(PASSWORD, address="192.0.2.7", user_agent="Firefox")
    with pytest.raises(WrongPassword):
        await gate.log_in("wrong", address="192.0.2.8", user_agent="curl")
    found = [(each.who, each.address, each.what, each.detail) for each in await entries(database)]
    assert found[:2] == [
        ("stranger", "192.0.2.8", "log-in failed", "curl"),
        ("owner", "192.0.2.7", "logged in", "Firefox"),
    ]
    assert PASSWORD not in str(await entries(database))


async def test_strangers_cannot_fill_the_audit_log(database: Database) -> None:
    gate = AccountActions(database, now=lambda: NOW)
    async with database.transaction() as db:
        for number in range(FAILURES_AN_HOUR - 1):
            await record(db, "log-in failed", actor=Actor("stranger", f"192.0.2.{number}"), at=NOW)
    for _ in range(3):
        with pytest.raises(WrongPassword):
            await gate.log_in("wrong", address="198.51.100.1", user_agent="curl")
    assert len(await entries(database)) == FAILURES_AN_HOUR


async def test_the_end_of_a_request_ends_its_actor(farm: Farm) -> None:
    """A key's name stays with the changes of that key; the next request has an actor of its own."""
    act_as(Actor("nobody"))
    await farm.add("rig-07")
    await farm.log_in()
    await post_form(farm.client, "/cpu-gpu", name="rig-08")
    found = [(each.who, each.what, each.subject) for each in await of_farm(farm) if each.what == "rig added"]
    assert found == [("owner", "rig added", "rig-08"), ("API key tests", "rig added", "rig-07")]


@on_sqlite
async def test_changes_say_what_was_changed(farm: Farm) -> None:
    playbooks = Playbooks(farm)
    rig = await farm.add("rig-07")
    playbook = await playbooks.add(rig, name="Main")
    wallet_id = playbook["works"][0]["wallet_id"]
    await playbooks.put(
        f"{ADDRESSES}/{wallet_id}", {"type": "wallet", "name": "Cold", "coin": "Monero", "address": OTHER_MONERO}
    )
    await farm.client.patch(f"{RIGS}/{rig.id}", json={"name": "rig-09"}, headers=farm.auth)
    await playbooks.delete(f"{PLAYBOOKS}/{playbook['id']}")
    asic = await farm.add_asic("asic-01")
    await farm.client.post(f"{ASICS}/{asic.id}/token", headers=farm.auth)
    await farm.client.delete(f"{ASICS}/{asic.id}", headers=farm.auth)
    newest_first = await of_farm(farm)
    found = {(each.what, each.subject): each.detail for each in reversed(newest_first)}
    assert OTHER_MONERO in found["wallet changed", "Cold"]
    assert found["rig renamed", "rig-09"] == "Renamed from rig-07 to rig-09"
    assert found["playbook changed", "Main on rig-07"] == "The wallet Cold was edited"
    assert found["playbook changed", "Main on rig-09"] == "Removed"
    assert {("token replaced", "asic-01"), ("ASIC removed", "asic-01"), ("ASIC added", "asic-01")} <= set(found)
    assert not any(secret in str(found) for secret in (rig.token, asic.token, farm.auth["Authorization"][7:]))


AUDIT = "/api/v1/audit"


@on_sqlite
async def test_scripts_read_the_log_a_page_at_a_time(farm: Farm) -> None:
    for number in range(3):
        await farm.add(f"rig-0{number}")
    first = (await farm.get(f"{AUDIT}?limit=2&what=rig added")).json()
    assert [each["subject"] for each in first["entries"]] == ["rig-02", "rig-01"]
    assert first["entries"][0]["who"] == "API key tests"
    assert set(first["entries"][0]) == {"at", "who", "address", "what", "subject", "detail"}
    last = (await farm.get(f"{AUDIT}?limit=2&what=rig added&cursor={first['cursor']}")).json()
    assert [each["subject"] for each in last["entries"]] == ["rig-00"]
    assert last["cursor"] is None
    assert (await farm.get(f"{AUDIT}?subject=RIG-01")).json()["entries"][0]["subject"] == "rig-01"
    assert (await farm.get(f"{AUDIT}?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z")).json()["entries"] == []
    assert (await farm.get(f"{AUDIT}?cursor=x")).status_code == 422
    assert (await farm.client.get(AUDIT)).status_code == 401


@on_sqlite
async def test_people_filter_the_log_and_download_it(person: httpx.AsyncClient, farm: Farm) -> None:
    for name in ("rig-07", "rig-08"):
        await farm.add(name)
    html = await page(person, "/audit?subject=rig-07")
    assert "rig added" in html
    assert "rig-08" not in html
    assert 'href="/audit.csv?subject=rig-07"' in html
    lines = (await person.get("/audit.csv?what=rig+added")).text.splitlines()
    assert lines[0] == "at,who,address,what,subject,detail"
    assert [line.split(",")[4] for line in lines[1:]] == ["rig-08", "rig-07"]
    wrong = await person.get("/audit?from=2026-11-20T12:00&to=2026-11-20T11:00")
    assert wrong.status_code == 422
    assert "ends before it begins" in error_beside(wrong.text, "to")
    assert "“yesterday” is not a time" in error_beside((await person.get("/audit?from=yesterday")).text, "from")
    assert "No entry matches" in await page(person, "/audit?subject=nothing")


@on_sqlite
async def test_the_log_has_pages(person: httpx.AsyncClient, farm: Farm) -> None:
    database = Database(farm.settings.database_url)
    async with database.transaction() as db:
        for number in range(150):
            await record(db, "rig added", f"rig-{number:03}")
    await database.dispose()
    first = await page(person, "/audit?what=rig+added")
    assert first.count('<tr><th scope="row">') == 100
    older = re.search(r'href="([^"]*)" rel="next"', first)
    assert older
    last = await page(person, html_lib.unescape(older[1]))
    assert last.count('<tr><th scope="row">') == 50
    assert "rig-000" in last
    assert 'rel="next"' not in last


@on_sqlite
async def test_a_cell_of_the_file_is_no_formula(person: httpx.AsyncClient, farm: Farm) -> None:
    database = Database(farm.settings.database_url)
    async with database.transaction() as db:
        await record(db, "log-in failed", detail="=HYPERLINK(1)", actor=Actor("stranger", "192.0.2.8"))
    await database.dispose()
    lines = (await person.get("/audit.csv?what=failed")).text.splitlines()
    assert lines[1].endswith(",'=HYPERLINK(1)")
