"""The password that is asked for again: each route that needs it, and the rigs whose playbooks change."""

import inspect
import re

import httpx
import pytest
from commander.accounts import confirmations
from commander.accounts.confirmations import RIGS_UNCONFIRMED, ChangedRigs
from commander.accounts.domain import CONFIRMED_FOR
from commander.accounts.route_roles import table
from commander.live.long_poll import LongPoll
from commander.routes import Routes
from commander.services import Services
from commander.settings import Settings
from commander_farm import PASSWORD, RIGS, Farm, make_stale, on_sqlite, post_form
from enrolling import code_of
from every_change import CHANGING, Route, World, changes, entries_of, request_of
from litestar.routes import HTTPRoute
from playbook_farm import Json, Playbooks, a_software, another


def routes_in(text: str) -> frozenset[Route]:
    lines = (line.split() for line in text.strip().splitlines())
    return frozenset((method, path) for method, path in lines)


# Written by hand, and not read from the commander's table: a change of that table has to be made here too.
CONFIRMED = routes_in("""
POST   /access
POST   /access/recovery-codes
POST   /access/second-factor
POST   /access/second-factor/off
POST   /access/view-links
POST   /access/{access_id}
POST   /access/{access_id}/remove
POST   /alerts/channels
POST   /alerts/channels/{channel_id}/edit
POST   /alerts/channels/{channel_id}/remove
POST   /api/v1/accesses
PATCH  /api/v1/accesses/{access_id}
DELETE /api/v1/accesses/{access_id}
POST   /api/v1/addresses
PUT    /api/v1/addresses/{address_id}
DELETE /api/v1/addresses/{address_id}
POST   /api/v1/notification-channels
PUT    /api/v1/notification-channels/{channel_id}
DELETE /api/v1/notification-channels/{channel_id}
POST   /settings/api-keys
POST   /templates
POST   /templates/{address_id}/edit
POST   /templates/{address_id}/remove
""")
CHANGES_OF_PLAYBOOKS = routes_in("""
POST   /api/v1/cpu-gpu-rigs/{rig_id}/playbooks
PUT    /api/v1/mining-software/{software_id}
PUT    /api/v1/playbooks/{playbook_id}
POST   /api/v1/playbooks/{playbook_id}/copy
POST   /api/v1/playbooks/{playbook_id}/revisions/{revision}/use
POST   /cpu-gpu/{rig_id}/playbooks
POST   /cpu-gpu/{rig_id}/playbooks/{playbook_id}/copies
POST   /cpu-gpu/{rig_id}/playbooks/{playbook_id}/edit
POST   /cpu-gpu/{rig_id}/playbooks/{playbook_id}/revisions/{revision}/use
POST   /mining-software/{software_id}
""")
TYPED_IN_THE_REQUEST = routes_in("""
POST   /access/password
POST   /api/v1/confirmation
""")
# What is about money or access, and yet needs no password: it takes something away, tries it, shows or orders it.
FREE = routes_in("""
POST   /access/sessions/end-others
POST   /access/view-links/{link_id}/revoke
POST   /alerts/channels/{channel_id}/test
POST   /api/v1/cpu-gpu-rigs/{rig_id}/playbooks/preview
PUT    /api/v1/cpu-gpu-rigs/{rig_id}/playbooks/order
DELETE /api/v1/mining-software/{software_id}
POST   /api/v1/mining-software
POST   /api/v1/notification-channels/{channel_id}/test
DELETE /api/v1/playbooks/{playbook_id}
POST   /api/v1/playbooks/pause
POST   /api/v1/playbooks/resume
POST   /api/v1/playbooks/{playbook_id}/copy/preview
POST   /api/v1/playbooks/{playbook_id}/pause
POST   /api/v1/playbooks/{playbook_id}/resume
POST   /cpu-gpu/{rig_id}/playbooks/{playbook_id}/{action}
POST   /mining-software
POST   /mining-software/{software_id}/remove
POST   /settings/api-keys/{key_id}/revoke
""")
ABOUT_MONEY_OR_ACCESS = re.compile(
    r"access|second-factor|recovery|password|confirm|view-link|api-key|channel|address|templates|playbook|software"
)


def routes_that_change(settings: Settings) -> dict[Route, bool]:
    """Returns each route that may change something, and whether its handler asks for a confirmation itself."""
    found: dict[Route, bool] = {}
    for route in Routes(Services(settings, None, LongPoll())).site.routes:
        if isinstance(route, HTTPRoute) and not route.path_format.startswith("/api/v1/sentry"):
            for handler in route.route_handlers:
                asks = "confirmations" in inspect.signature(handler.fn).parameters
                found |= {(str(method), route.path_format): asks for method in handler.http_methods}
    return {route: asks for route, asks in found.items() if route[0] in CHANGING}


@on_sqlite
def test_no_route_about_money_or_access_is_missing_in_these_lists(settings: Settings) -> None:
    routes = routes_that_change(settings)
    assert {route for route, right in table().rights.items() if right.is_confirmed} == CONFIRMED
    assert {route for route, asks in routes.items() if asks} == CHANGES_OF_PLAYBOOKS | TYPED_IN_THE_REQUEST
    of_that_sort = {route for route in routes if ABOUT_MONEY_OR_ACCESS.search(route[1])}
    listed = CONFIRMED | CHANGES_OF_PLAYBOOKS | TYPED_IN_THE_REQUEST | FREE
    assert of_that_sort == listed, "decide whether this route needs the password again, and write it into a list"


@on_sqlite
@pytest.mark.usefixtures("no_rounds")
@pytest.mark.parametrize("route", sorted(CONFIRMED | CHANGES_OF_PLAYBOOKS), ids=" ".join)
async def test_a_stale_confirmation_is_refused_and_changes_nothing(
    world: World, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `test_audit_routes` shows, each of these requests writes an entry if it changes something."""
    monkeypatch.setattr(confirmations, "RIGS_UNCONFIRMED", 0)
    farm, change = world.farm, changes(world.ids, world.spec)[route]
    if route[1].endswith("mining-software/{software_id}"):
        world.ids["software_id"] = int(world.spec["software_id"])  # one that a rig uses
    request = request_of(world, *route, change)
    request.headers.pop("authorization", "")  # the session alone
    await make_stale(farm)
    before = await entries_of(farm.settings)
    refused = await farm.client.send(request, follow_redirects=False)
    assert refused.status_code == 403, refused.text
    if route[1].startswith("/api/"):
        assert refused.json()["code"] == "confirmation_needed"
    else:
        assert "Confirm that it is you" in refused.text
        for name, value in (change.form or {}).items():
            assert f'name="{name}"' in refused.text, f"{name}={value} was typed, and is lost"
    assert await entries_of(farm.settings) == before


class Copies:
    """A playbook, and requests by a session that copy it to rigs."""

    def __init__(self, farm: Farm, spec: Json, playbook_id: int, rigs: list[int]) -> None:
        self.farm, self.spec, self.playbook_id, self.rigs = farm, spec, playbook_id, rigs

    async def copy(self, *rigs: int) -> httpx.Response:
        path = f"/api/v1/playbooks/{self.playbook_id}/copy"
        return await self.farm.client.post(path, json={"rig_ids": rigs})


@pytest.fixture
async def copies(farm: Farm) -> Copies:
    playbooks, first = Playbooks(farm), await farm.add("rig-00")
    spec = await playbooks.spec()
    playbook = await playbooks.add(first, spec)
    rigs = [(await farm.add(f"rig-{number:02}")).id for number in range(1, RIGS_UNCONFIRMED + 3)]
    await farm.log_in()
    await make_stale(farm)
    return Copies(farm, spec, playbook["id"], rigs)


@on_sqlite
async def test_many_small_copies_count_as_one_large_copy(copies: Copies) -> None:
    for rig_id in copies.rigs[:RIGS_UNCONFIRMED]:
        assert (await copies.copy(rig_id)).status_code == 200
    assert (await copies.copy(copies.rigs[0])).status_code == 200, "the same rig again is no further one"
    assert code_of(await copies.copy(copies.rigs[-1])) == (403, "confirmation_needed")
    left = await copies.farm.get(f"{RIGS}/{copies.rigs[-1]}/playbooks")
    assert left.json() == [], "nothing was copied"
    await copies.farm.client.post("/api/v1/confirmation", json={"password": PASSWORD})
    assert (await copies.copy(copies.rigs[-1])).status_code == 200


@on_sqlite
async def test_edits_of_single_playbooks_and_other_software_count_too(copies: Copies) -> None:
    farm, spec, software_id = copies.farm, {**copies.spec, "script": another("edited")}, copies.spec["software_id"]
    await farm.client.post("/api/v1/confirmation", json={"password": PASSWORD})
    copied = (await copies.copy(*copies.rigs)).json()
    await make_stale(farm)
    for each in copied[:RIGS_UNCONFIRMED]:
        answer = await farm.client.put(f"/api/v1/playbooks/{each['playbook_id']}", json=spec)
        assert answer.status_code == 200, answer.text
    last = copied[RIGS_UNCONFIRMED]
    for answer in (
        await farm.client.put(f"/api/v1/playbooks/{last['playbook_id']}", json=spec),
        await farm.client.post(f"{RIGS}/{last['rig_id']}/playbooks", json=spec),
        await farm.client.post(f"/api/v1/playbooks/{last['playbook_id']}/revisions/1/use"),
        await farm.client.put(f"/api/v1/mining-software/{software_id}", json=a_software(version="9.9")),
    ):
        assert code_of(answer) == (403, "confirmation_needed")
    page = await post_form(farm.client, f"/cpu-gpu/{last['rig_id']}/playbooks", software=str(software_id), do="save")
    assert page.status_code == 403
    assert "Confirm that it is you" in page.text
    seen = await post_form(farm.client, f"/cpu-gpu/{last['rig_id']}/playbooks", software=str(software_id), do="preview")
    assert seen.status_code != 403, "a preview changes nothing"


def test_a_rig_counts_for_ten_minutes_and_for_its_session_alone() -> None:
    now_s = 0.0
    changed = ChangedRigs(lambda: now_s)
    assert changed.add(7, range(RIGS_UNCONFIRMED))
    assert not changed.add(7, [99])
    assert changed.add(8, [99])
    now_s = CONFIRMED_FOR.total_seconds() - 1
    assert not changed.add(7, [99])
    assert not changed.add(7, [98, 97]), "a refused change counts neither"
    now_s += 1
    assert changed.add(7, [99])
    now_s += CONFIRMED_FOR.total_seconds()
    assert changed.add(9, [])
    assert changed._changed_s == {}, "nothing is kept of sessions that have ended"
