"""Every route that changes something writes an entry into the audit log."""

import pytest
from commander_farm import on_sqlite
from every_change import ROUTES, Route, World, app_routes, changes, entries_of, request_of

READS = {
    ("POST", "/api/v1/cpu-gpu-rigs/{rig_id}/playbooks/preview"),
    ("POST", "/tags/preview"),
    ("POST", "/api/v1/alert-rules/preview"),
    ("POST", "/api/v1/playbooks/{playbook_id}/copy/preview"),
    ("POST", "/cpu-gpu/command"),
    ("POST", "/cpu-gpu/copy"),
    ("POST", "/cpu-gpu/update"),
}
OF_NAMED_ACCESSES = {("POST", "/access/password"), ("POST", "/api/v1/confirmation")}  # see test_accesses.py


@on_sqlite
async def test_every_route_that_changes_something_is_tried(world: World) -> None:
    assert app_routes(world.farm.settings) - READS - OF_NAMED_ACCESSES == set(ROUTES)


@on_sqlite
@pytest.mark.usefixtures("no_rounds")
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
async def test_a_change_writes_an_entry(world: World, route: Route) -> None:
    before = await entries_of(world.farm.settings)
    answer = await world.farm.client.send(
        request_of(world, *route, changes(world.ids, world.spec)[route]), follow_redirects=False
    )
    assert answer.status_code < 400, answer.text
    assert await entries_of(world.farm.settings) > before
