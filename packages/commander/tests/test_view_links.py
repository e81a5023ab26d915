"""View links: one saved view for a wall screen, without a log-in, and nothing else."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa
from commander.accounts.domain import TooManyTries
from commander.accounts.login_guard import OF_ONE_SENDER
from commander.db import Database, open_database
from commander.live import open_sockets
from commander.live.sockets import TOO_MANY_SOCKETS
from commander.registry.kinds import RigKind
from commander.rig_pages.wall import without_links
from commander.saved_views.actions import SavedViewActions
from commander.saved_views.domain import NoSuchLink, link_owner
from commander.saved_views.links import ViewLinks
from commander.saved_views.tables import saved_views, view_links
from commander_farm import PASSWORD, RIGS, Farm, a_log, an_asic_log, on_sqlite, post_form
from pages import error_beside
from websockets import ClientConnection, ConnectionClosed

MONERO = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"
HALL_2 = "select=tag%3Ahall%3A2"
LINK = re.compile(r"/view/(mw_view_[0-9a-f]{64})")
LEADS_ON = re.compile(r"<(?:a|form|button|input|select|textarea|iframe)\b")


async def make_link(farm: Farm, name: str = "Hall 2", query: str = HALL_2, path: str = "/cpu-gpu") -> str:
    """Saves a view and makes a link to it; returns the link's path."""
    await farm.log_in()
    assert (await post_form(farm.client, f"{path}/views", name=name, back=query)).status_code == 303
    async with open_database(farm.settings.database_url) as database, database.reading() as db:
        newest = sa.select(sa.func.max(saved_views.c.id))
        view_id = (await db.execute(newest)).scalar_one()
    made = await post_form(farm.client, "/access/view-links", view=str(view_id), days="30")
    assert made.status_code == 200, made.text
    found = LINK.search(made.text)
    assert found
    farm.client.cookies.clear()
    return found[0]


async def tag(farm: Farm, rig_id: int, *tags: str) -> None:
    body = {"kind": "cpu-gpu", "rigs": [rig_id], "add": tags}
    assert (await farm.client.post("/api/v1/tags", json=body, headers=farm.auth)).status_code == 200


async def stored(farm: Farm) -> list[dict[str, object]]:
    async with open_database(farm.settings.database_url) as database, database.reading() as db:
        return [dict(row) for row in (await db.execute(sa.select(view_links))).mappings()]


async def expire(farm: Farm) -> None:
    """Lets the time of all links be over, as if another process's clock had said so."""
    async with open_database(farm.settings.database_url) as database, database.transaction() as db:
        await db.execute(sa.update(view_links).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))


async def test_the_token_is_shown_once_and_only_its_hash_is_stored(farm: Farm) -> None:
    link = await make_link(farm)
    token = link.removeprefix("/view/")
    (row,) = await stored(farm)
    assert token not in str(row)
    assert row["last_used_at"] is None
    audit = (await farm.get("/api/v1/audit")).json()["entries"]
    assert (audit[0]["what"], audit[0]["subject"], audit[0]["who"]) == ("view link made", "Hall 2", "owner")
    assert token not in str(audit)
    await farm.client.get(link)
    await farm.log_in()
    page = (await farm.client.get("/access")).text
    assert token not in page
    table = page[page.index('id="links-title"') :]
    assert re.search(rf'<a href="/cpu-gpu\?{HALL_2}">Hall 2</a></th><td data-label="Of">CPU/GPU rigs</td>', table)
    assert 'data-label="Last used">never' not in table, "it was used just now"
    assert (await stored(farm))[0]["last_used_at"] is not None


async def test_the_page_shows_the_rigs_of_the_view_and_leads_nowhere(farm: Farm) -> None:
    rig, other = await farm.add("rig-07"), await farm.add("rig-08-elsewhere")
    await tag(farm, rig.id, "hall:2")
    log = a_log()
    log["miners"][0]["algorithms"][0] |= {"pool": f"{MONERO}.example:443", "user": MONERO}  # type: ignore[index]
    for each in (rig, other):
        await farm.report(each, log)
    link = await make_link(farm, query=f"{HALL_2}&columns=temp,pool,worker&sort=name")
    answer = await farm.client.get(link)
    assert answer.status_code == 200
    html = answer.text
    assert f'<div id="rig-{rig.id}"' in html
    assert "rig-08-elsewhere" not in html
    assert "17.0 kH/s" in html
    assert '<span class="tag">hall:2</span>' in html
    assert 'data-label="Pool"' in html
    assert "no-power" in html
    assert "44AF…EP3A" in html
    assert MONERO not in html
    assert LEADS_ON.findall(html[html.index("<body") :]) == []
    assert not re.search(r'href="/(?!assets/)|data-(?:to|menu|dialog|chosen)', html)
    assert LINK.search(html) is None, "the page itself does not hold the token"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


async def test_an_asics_view_has_those_that_wait_for_their_sentry(farm: Farm) -> None:
    asic = await farm.add_asic("s19-01")
    await farm.report_asic(asic, an_asic_log())
    await farm.add_asic("s19-02")
    link = await make_link(farm, query="", path="/asics")
    html = (await farm.client.get(link)).text
    assert html.index("s19-02") < html.index('id="rows"') < html.index("s19-01")
    assert LEADS_ON.findall(html[html.index("<body") :]) == []
    assert "1 ASIC waits for its sentry" in html


async def test_a_link_opens_nothing_else(served_farm: Farm) -> None:
    rig = await served_farm.add("rig-07")
    link = await make_link(served_farm, query="")
    token = link.removeprefix("/view/")
    assert (await served_farm.client.get(link)).status_code == 200
    auth = {"Authorization": f"Bearer {token}", "Cookie": f"minewarden_session={token}"}
    for path in ("/", "/cpu-gpu", f"/cpu-gpu/{rig.id}", "/access", "/settings"):
        answer = await served_farm.client.get(path, headers=auth, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login"), path
    for path in (RIGS, f"{RIGS}/{rig.id}", "/metrics", "/schema/openapi.json"):
        assert (await served_farm.client.get(path, headers=auth)).status_code == 401, path
    assert (await served_farm.client.post(link, headers=auth)).status_code == 405
    assert (await served_farm.client.get(f"{link}/{rig.id}", headers=auth)).status_code == 404
    for path in ("/live?view=rigs", "/api/v1/events?channels=cpu-gpu-mining-rig-index"):
        async with served_farm.socket(path, **auth) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        assert socket.close_code == 4401, path


@on_sqlite
async def test_a_link_that_is_not_valid_shows_a_plain_page(farm: Farm) -> None:
    unknown = await farm.client.get("/view/mw_view_unknown")
    link = await make_link(farm)
    await expire(farm)
    expired = await farm.client.get(link)
    async with open_database(farm.settings.database_url) as database:
        await ViewLinks(database).revoke(1)
    revoked = await farm.client.get(link)
    assert [each.status_code for each in (unknown, expired, revoked)] == [404, 410, 404]
    assert "It was valid until" in expired.text
    assert "It was revoked" in revoked.text
    for each in (unknown, expired, revoked):
        assert LEADS_ON.findall(each.text[each.text.index("<body") :]) == []
        assert "data-live" not in each.text
        assert (each.headers["referrer-policy"], each.headers["cache-control"]) == ("no-referrer", "no-store")


@on_sqlite
async def test_a_view_that_can_not_be_read_does_not_show_all_rigs(farm: Farm) -> None:
    await farm.add("rig-07")
    link = await make_link(farm)
    async with open_database(farm.settings.database_url) as database, database.transaction() as db:
        await db.execute(sa.update(saved_views).values(query=f"{HALL_2}&sort=of-an-older-version"))
    answer = await farm.client.get(link)
    assert answer.status_code == 404
    assert "rig-07" not in answer.text


@on_sqlite
async def test_a_view_of_offline_rigs_counts_no_others(farm: Farm) -> None:
    await farm.report(await farm.add("rig-07"), a_log())
    page = (await farm.client.get(await make_link(farm, query="health=offline"))).text
    counts = re.search(r'id="counts".*?</', page, re.DOTALL)
    assert counts
    assert "Offline" in page
    assert not re.search(r"Online|Stale|With faults|>All", page)


@on_sqlite
async def test_while_the_database_fails_a_link_shows_a_plain_page(farm: Farm) -> None:
    link = await make_link(farm)
    async with open_database(farm.settings.database_url) as database, database.transaction() as db:
        await db.execute(sa.text("DROP TABLE view_links"))
    answer = await farm.client.get(link)
    assert (answer.status_code, answer.headers["refresh"]) == (503, "5")
    assert LEADS_ON.findall(answer.text[answer.text.index("<body") :]) == []


@on_sqlite
async def test_wrong_links_are_limited_and_keep_out_neither_a_known_link_nor_a_log_in(farm: Farm) -> None:
    known, other = await make_link(farm), await make_link(farm, "Other", "")
    assert (await farm.client.get(known)).status_code == 200
    for number in range(OF_ONE_SENDER.free):
        assert (await farm.client.get(f"/view/mw_view_{number}")).status_code == 404
    refused = await farm.client.get("/view/mw_view_x")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert refused.headers["refresh"] == "60", "a wall screen has no keyboard"
    assert "Too many links that are not valid from your address" in refused.text
    assert (await farm.client.get(other)).status_code == 429, "it was never seen here: it may be a guess"
    assert (await farm.client.get(known)).status_code == 200
    assert (await post_form(farm.client, "/login", password=PASSWORD)).status_code == 303


async def test_guesses_that_run_at_the_same_time_can_not_exceed_the_limit(database: Database) -> None:
    links = ViewLinks(database, now_s=lambda: 100.0)
    tries = (links.opened(f"mw_view_{number}", address="192.168.1.9") for number in range(OF_ONE_SENDER.free + 5))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each) for each in results].count(NoSuchLink) == OF_ONE_SENDER.free
    assert [type(each) for each in results].count(TooManyTries) == 5
    with pytest.raises(NoSuchLink):
        await links.opened("mw_view_x", address="192.168.2.9")


@pytest.fixture
async def wall(served_farm: Farm) -> AsyncIterator[ClientConnection]:
    """The open WebSocket of a view link's page; the view has the rigs with the tag `hall:2`."""
    async with served_farm.socket(await hello(served_farm, await make_link(served_farm))) as socket:
        await socket.ping()
        yield socket


async def hello(farm: Farm, link: str) -> str:
    """Returns the address of the WebSocket that the page of this link opens."""
    page = (await farm.client.get(link)).text
    assert 'data-live="?live"' in page
    seq = re.search(r'data-seq="([^"]+)"', page)
    assert seq
    return f"{link}?live=&seq={seq[1]}"


async def frames_until(socket: ClientConnection, wanted: str) -> str:
    """Returns all that came until a frame had the text."""
    text = ""
    while wanted not in text:
        text += str(await socket.recv())
    return text


async def test_the_page_is_live_and_hears_of_no_other_rig(served_farm: Farm, wall: ClientConnection) -> None:
    farm = served_farm
    other = await farm.add("rig-08-elsewhere")
    log = a_log(hashrate_hs=5_000.0)
    log["miners"][0]["algorithms"][0] |= {"pool": f"{MONERO}.example:443"}  # type: ignore[index]
    await farm.report(other, a_log(hashrate_hs=9_000.0))
    await farm.client.patch(f"{RIGS}/{other.id}", json={"name": "rig-09-elsewhere"}, headers=farm.auth)
    rig = await farm.add("rig-07")
    await tag(farm, rig.id, "hall:2")
    await farm.report(rig, log)
    text = await frames_until(wall, "5.00 kH/s")
    assert "rig-07" in text
    assert not re.search(r"elsewhere|9\.00 kH/s|data-rename|data-total|chart", text)
    assert LEADS_ON.findall(text) == []
    assert MONERO not in text


async def test_a_screen_that_connects_after_another_rig_has_reported_is_not_told_to_start_again(
    served_farm: Farm,
) -> None:
    farm = served_farm
    rig, other = await farm.add("rig-07"), await farm.add("rig-08-elsewhere")
    await tag(farm, rig.id, "hall:2")
    await farm.report(rig, a_log(hashrate_hs=4_000.0))
    await farm.report(other, a_log(hashrate_hs=8_000.0))
    address = await hello(farm, await make_link(farm))
    await farm.report(other, a_log(hashrate_hs=9_000.0))
    async with farm.socket(address) as socket:
        await farm.report(rig, a_log(hashrate_hs=5_000.0))
        frames = [str(await socket.recv())]
        while "5.00 kH/s" not in frames[-1]:
            frames.append(str(await socket.recv()))
    assert [each for each in frames if each.endswith("\n")] == [], "an empty frame means: load the page again"


async def test_the_socket_of_a_screen_that_has_to_wait_is_closed_so_that_it_comes_again(served_farm: Farm) -> None:
    for number in range(OF_ONE_SENDER.free):
        assert (await served_farm.client.get(f"/view/mw_view_{number}")).status_code == 404
    async with served_farm.socket("/view/mw_view_x?live=") as socket:
        await socket.wait_closed()
    assert socket.close_code == TOO_MANY_SOCKETS


async def must_close(socket: ClientConnection) -> None:
    async with asyncio.timeout(2):
        await socket.wait_closed()
    assert socket.close_code == 4401


async def test_it_closes_when_the_link_is_revoked_on_the_page(served_farm: Farm, wall: ClientConnection) -> None:
    await served_farm.log_in()
    answer = await post_form(served_farm.client, "/access/view-links/1/revoke")
    assert answer.headers["location"] == "/access?done=link"
    await must_close(wall)
    assert (await served_farm.get("/api/v1/audit")).json()["entries"][0]["what"] == "view link revoked"


async def test_it_closes_when_the_link_is_revoked_by_another_process(served_farm: Farm, wall: ClientConnection) -> None:
    async with open_database(served_farm.settings.database_url) as database:
        await ViewLinks(database).revoke(1)
    await must_close(wall)


async def test_it_closes_when_the_time_of_the_link_is_over(served_farm: Farm, wall: ClientConnection) -> None:
    await expire(served_farm)
    await must_close(wall)


async def test_the_removal_of_the_view_ends_its_links(served_farm: Farm, wall: ClientConnection) -> None:
    await served_farm.log_in()
    await post_form(served_farm.client, "/cpu-gpu/views/1/remove")
    await must_close(wall)
    assert await stored(served_farm) == []
    newest = (await served_farm.get("/api/v1/audit")).json()["entries"][0]
    assert (newest["what"], newest["detail"]) == ("view removed", "1 view link has ended.")


async def test_a_view_that_is_saved_again_is_shown_by_its_links(served_farm: Farm, wall: ClientConnection) -> None:
    await served_farm.log_in()
    await post_form(served_farm.client, "/cpu-gpu/views", name="Hall 2", back="select=tag%3Ahall%3A3")
    await must_close(wall)
    assert len(await stored(served_farm)) == 1


@on_sqlite
async def test_an_ended_link_is_told_why_its_socket_closes(served_farm: Farm) -> None:
    async with served_farm.socket("/view/mw_view_x?live=") as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert socket.close_code == 4401


@on_sqlite
async def test_the_sockets_of_a_link_are_limited(served_farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_sockets, "OF_LINK", 1)
    address = await hello(served_farm, await make_link(served_farm))
    async with served_farm.socket(address) as first:
        await first.ping()
        async with served_farm.socket(address) as second:
            with pytest.raises(ConnectionClosed):
                await second.recv()
        assert second.close_code == 4429
        await first.ping()


@on_sqlite
async def test_nothing_is_logged_of_the_token(served_farm: Farm, caplog: pytest.LogCaptureFixture) -> None:
    """Of the commander's own loggers; `serve.py` lets its server log warnings alone."""
    with caplog.at_level(logging.DEBUG, logger="commander"):
        link = await make_link(served_farm)
        async with served_farm.socket(await hello(served_farm, link)) as socket:
            await socket.ping()
        await expire(served_farm)
        await served_farm.client.get(link)
    assert not [
        each for each in caplog.records if each.name.startswith("commander") and "mw_view_" in each.getMessage()
    ]


@on_sqlite
@pytest.mark.parametrize("days", ["", "0", "366", "x"])
async def test_a_link_is_valid_for_a_year_at_most(person: httpx.AsyncClient, days: str) -> None:
    await post_form(person, "/cpu-gpu/views", name="Hall 2", back="")
    answer = await post_form(person, "/access/view-links", view="1", days=days)
    assert answer.status_code == 422
    assert error_beside(answer.text, "days") == "A link is valid for 1 to 365 days."


@on_sqlite
async def test_a_link_needs_a_view_and_there_are_not_too_many(
    person: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "First save a view" in (await person.get("/access")).text
    await post_form(person, "/cpu-gpu/views", name="Hall 2", back="")
    for view in ("", "7", "x"):
        answer = await post_form(person, "/access/view-links", view=view, days="30")
        assert error_beside(answer.text, "view") == "Choose a saved view."
    monkeypatch.setattr("commander.saved_views.links.LINKS_MOST", 1)
    for status in (200, 422):
        assert (await post_form(person, "/access/view-links", view="1", days="30")).status_code == status


@on_sqlite
async def test_a_viewer_is_shown_no_view_links(farm: Farm) -> None:
    await make_link(farm)
    body = {"name": "anna", "role": "operate", "password": "a long password"}
    assert (await farm.client.post("/api/v1/accesses", json=body, headers=farm.auth)).status_code == 201
    await post_form(farm.client, "/login", name="anna", password="a long password")
    assert "links-title" not in (await farm.client.get("/access")).text
    assert "Make a link" not in (await farm.client.get(f"/cpu-gpu?{HALL_2}")).text
    assert (await farm.client.get("/access?dialog=view-link")).status_code == 403
    assert (await post_form(farm.client, "/access/view-links/1/revoke")).status_code == 403


@on_sqlite
async def test_the_page_of_the_view_leads_to_the_form_for_a_link(person: httpx.AsyncClient) -> None:
    await post_form(person, "/cpu-gpu/views", name="Hot", back="sort=temperature")
    html = (await person.get("/cpu-gpu?sort=temperature")).text
    assert 'href="/access?dialog=view-link&amp;view=1" aria-label="Make a link to view Hot"' in html
    form = (await person.get("/access?dialog=view-link&view=1")).text
    assert '<option value="1" selected>CPU/GPU rigs: Hot</option>' in form


async def test_two_kinds_of_rigs_have_links_and_all_are_listed_by_name(database: Database) -> None:
    ended: list[str] = []
    views = SavedViewActions(database, is_alone=True, on_end=ended.append)
    links = ViewLinks(database, on_end=ended.append)
    for kind, name in ((RigKind.ASIC, "b"), (RigKind.CPU_GPU, "a")):
        await views.save(kind, name, "")
    for view_id in (1, 2, 1):
        await links.make(view_id, 1)
    assert [(each.name, each.rig_kind, each.id) for each in await links.all()] == [
        ("a", RigKind.CPU_GPU, 2),
        ("b", RigKind.ASIC, 1),
        ("b", RigKind.ASIC, 3),
    ]
    assert await links.socket_owners() == {link_owner(each) for each in (1, 2, 3)}
    await views.remove(RigKind.CPU_GPU, 1)  # of the other kind: nothing is removed
    assert ended == []
    await views.remove(RigKind.ASIC, 1)
    assert ended == [link_owner(1), link_owner(3)]
    assert await links.socket_owners() == {link_owner(2)}


def test_the_links_of_rows_become_text() -> None:
    row = (
        '<div id="rig-7"><div class="cell tick" role="cell"><input type="checkbox" value="7"></div>\n'
        '<div class="cell name"><a href="/cpu-gpu/7">rig-07</a><a class="tag" href="/cpu-gpu?select=x">hall:2</a></div>'
        '<div class="cell buttons" role="cell"><a class="button quiet" href="/cpu-gpu/7">⋯</a></div></div>'
    )
    assert without_links(row) == (
        '<div id="rig-7"><div class="cell name"><span>rig-07</span><span class="tag">hall:2</span></div></div>'
    )
