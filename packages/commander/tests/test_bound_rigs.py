"""A rig is bound to its machine: its token alone, such as a stolen one, is of no use."""

import secrets
from dataclasses import replace

import httpx
import pytest
from commander.live.long_poll import LongPoll
from commander.registry import store as registry
from commander.registry.kinds import RigKind
from commander.routes import Routes
from commander.services import Services
from commander.settings import Settings
from commander_farm import LOGS, RIGS, Farm, Rig, a_log, on_sqlite, running
from enrolling import ENROL, IDENTITY, Machine, code_of, token_text
from protocol.enrolment_messages import KEY_HEADER
from sqlalchemy.ext.asyncio import AsyncConnection
from test_machines import hours_later, names, two_machines

Route = tuple[str, str]
WELCOME, INBOX, FOR_SENTRY = "/api/v1/sentry", "/api/v1/sentry/inbox", "/api/v1/sentry/playbooks"
# Each call that takes a rig's token, with a body for it.
CALLS: dict[Route, object] = {
    ("GET", WELCOME): None,
    ("GET", INBOX): None,
    ("GET", FOR_SENTRY): None,
    ("POST", "/api/v1/sentry/installed"): None,
    ("POST", ENROL): {"key": 32 * "a"},
    ("PUT", IDENTITY): {"key": 32 * "a"},
    ("PUT", "/api/v1/sentry/specs"): {"hostname": "thief"},
    ("POST", LOGS): {"logs": []},
    ("PUT", "/api/v1/sentry/playbooks/status"): {"playbooks": []},
    ("POST", "/api/v1/sentry/output"): {"output": []},
    ("PUT", "/api/v1/sentry/commands/status"): {"boot_id": None, "commands": []},
    ("POST", "/api/v1/sentry/events"): {"events": []},
}
OF_ASIC_SENTRIES = {("POST", "/api/v1/sentry/asic-logs"), ("POST", "/api/v1/sentry/asic-rigs")}


async def a_bound_rig(farm: Farm, name: str = "rig-07") -> tuple[Machine, Rig]:
    machine, rig = Machine(farm, name), await farm.add(name)
    assert (await machine.bind(rig)).status_code == 204
    return machine, rig


async def call(farm: Farm, route: Route, headers: dict[str, str]) -> httpx.Response:
    method, path = route
    return await farm.client.request(method, path, json=CALLS[route], headers=headers)


async def reported(machine: Machine, rig: Rig) -> httpx.Response:
    """Sends a log as the sentry of the machine does."""
    return await machine.farm.client.post(LOGS, json={"logs": [a_log()]}, headers=machine.headers(rig))


def is_refused(answer: httpx.Response) -> bool:
    return answer.status_code == 401 and "another key" in answer.json()["detail"]


async def new_token(farm: Farm, rig: Rig) -> Rig:
    answer = await farm.client.post(f"{RIGS}/{rig.id}/token", headers=farm.auth)
    assert answer.status_code == 201, answer.text
    return Rig(rig.id, rig.name, answer.json()["token"])


def test_the_table_of_calls_has_each_call_of_sentries(settings: Settings) -> None:
    """A new call must be in the table, so that the next test calls it without the key."""
    routes = Routes(Services(settings, None, LongPoll())).methods()
    found = {
        (method, path)
        for path, methods in routes.items()
        for method in methods
        if path.startswith("/api/v1/sentry") and method not in ("HEAD", "OPTIONS")
    }
    assert found == CALLS.keys() | OF_ASIC_SENTRIES


@pytest.mark.parametrize("route", CALLS, ids=" ".join)
@on_sqlite
async def test_no_call_takes_the_token_of_a_bound_rig_without_its_key(farm: Farm, route: Route) -> None:
    machine, rig = await a_bound_rig(farm)
    for key in ({}, {KEY_HEADER: secrets.token_hex(16)}, {KEY_HEADER: ""}, {KEY_HEADER: "no key"}):
        assert is_refused(await call(farm, route, rig.auth | key)), key
    if route != ("PUT", IDENTITY):  # its body has another key
        assert not is_refused(await call(farm, route, machine.headers(rig)))
    assert (await reported(machine, rig)).json()["stored"] == 1


async def test_a_rig_whose_sentry_does_not_show_its_key_stays_unbound(farm: Farm) -> None:
    machine, rig = Machine(farm, "rig-07"), await farm.add("rig-07")
    assert (await machine.start(rig)).status_code == 204
    wrong = await farm.client.put(IDENTITY, json=machine.identity, headers=rig.auth | {KEY_HEADER: 32 * "f"})
    assert wrong.status_code == 204
    assert (await farm.report(rig, a_log())).json()["stored"] == 1, "a sentry of an earlier version, or a script"


async def test_the_key_of_a_bound_rig_is_not_replaced(farm: Farm) -> None:
    machine, rig = await a_bound_rig(farm)
    other = replace(machine, key=secrets.token_hex(16))
    answer = await farm.client.put(IDENTITY, json=other.identity, headers=machine.headers(rig))
    assert is_refused(answer)
    assert (await machine.bind(rig)).status_code == 204


async def test_a_removed_rig_is_gone_with_and_without_its_key(farm: Farm) -> None:
    machine, rig = await a_bound_rig(farm)
    assert (await farm.client.delete(f"{RIGS}/{rig.id}", headers=farm.auth)).status_code == 204
    for headers in (rig.auth, machine.headers(rig)):
        answer = await farm.client.get(WELCOME, headers=headers)
        assert code_of(answer) == (410, "rig_removed")


async def test_a_new_token_moves_the_rig_to_the_first_machine_that_sends_its_identity_with_it(farm: Farm) -> None:
    first, rig = await a_bound_rig(farm)
    await reported(first, rig)
    second, moved = Machine(farm, "rig-07"), await new_token(farm, rig)
    assert (await second.bind(moved)).status_code == 204, "at once, though the first machine has reported just now"
    assert is_refused(await first.bind(moved))
    assert is_refused(await farm.report(moved, a_log()))
    assert (await reported(second, moved)).json()["stored"] == 1
    assert code_of(await first.bind(rig)) == (401, "invalid_token")
    again = await new_token(farm, moved)
    assert (await first.bind(again)).status_code == 204, "and back"


async def test_a_new_token_ends_what_the_old_key_could_do_with_a_farm_token(farm: Farm) -> None:
    """A thief of the whole data folder has both."""
    token = await token_text(farm, uses=2)
    machine = Machine(farm, "rig-07")
    rig = await machine.enrol(token)
    assert (await machine.bind(rig)).status_code == 204
    moved = await new_token(farm, rig)
    assert (await machine.enrol(token)).name == "rig-07-2"
    assert (await farm.report(moved, a_log())).json()["stored"] == 1


async def test_an_old_token_that_is_still_under_way_does_not_bind(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is replaced between the look at the request's headers and the transaction."""
    machine, rig = Machine(farm, "rig-07"), await farm.add("rig-07")

    async def replaced_before(db: AsyncConnection, rig_id: int) -> None:
        await registry.replace_token(db, RigKind.CPU_GPU, rig_id, 32 * b"x")

    with monkeypatch.context() as patch:
        patch.setattr("commander.machines.store.lock_rig", replaced_before)
        assert code_of(await machine.bind(rig)) == (401, "invalid_token")
    assert (await farm.report(rig, a_log())).json()["stored"] == 1, "nothing was bound, and all was rolled back"


async def test_a_copy_of_a_bound_rig_becomes_a_rig_of_its_own(farm: Farm) -> None:
    machine, rig = await a_bound_rig(farm)
    copy = replace(machine, macs=["02:00:00:00:00:02"])
    assert code_of(await copy.bind(rig)) == (503, "machine_unclear")
    assert (await reported(machine, rig)).status_code == 200
    assert code_of(await copy.bind(rig)) == (409, "clone")
    copy.with_new_key()
    for _ in range(2):  # the first answer was lost
        answer = await farm.client.post(ENROL, json=copy.identity, headers=copy.headers(rig))
        assert answer.status_code == 201
    own = Rig(answer.json()["rig"]["id"], answer.json()["rig"]["name"], answer.json()["token"])
    copy.former_key = None
    assert (own.name, (await copy.bind(own)).status_code) == ("copy of rig-07", 204)
    assert is_refused(await machine.bind(own))
    assert (await machine.bind(rig)).status_code == 204


async def test_a_rig_whose_data_folder_was_moved_goes_on_and_a_thief_of_the_token_does_not(settings: Settings) -> None:
    """The rig has been off for two hours, and the machine of another folder has asked for one hour."""
    machine, moved = two_machines(settings)
    async with hours_later(settings, machine, moved, bind=True) as farm:
        rig = await machine.enrol(await token_text(farm))
        assert (await moved.bind(rig)).status_code == 204
        thief = Machine(farm, "rig-07")
        for answer in (await thief.start(rig), await thief.bind(rig), await thief.ask(rig.token)):
            assert is_refused(answer)
        assert await names(farm) == {"rig-07": True}


async def test_an_enrolment_again_keeps_the_rig_bound(farm: Farm) -> None:
    token = await token_text(farm, approve_by_hand=False)
    machine = Machine(farm, "rig-07")
    first = await machine.enrol(token)
    assert (await machine.bind(first)).status_code == 204
    again = await machine.enrol(token)
    assert again.id == first.id
    assert is_refused(await farm.report(again, a_log()))
    assert (await machine.bind(again)).status_code == 204


async def test_a_rig_stays_bound_after_a_restart_of_the_commander(settings: Settings) -> None:
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        machine, rig = await a_bound_rig(farm)
    async with running(settings) as client:
        machine.farm = farm = Farm(client, settings, farm.auth)
        assert is_refused(await farm.report(rig, a_log()))
        assert (await machine.bind(rig)).status_code == 204


@on_sqlite
async def test_without_the_key_no_body_is_read(farm: Farm) -> None:
    """The body would be answered 415 if it was read."""
    _, rig = await a_bound_rig(farm)
    for path in (LOGS, "/api/v1/sentry/events"):
        assert is_refused(await farm.client.post(path, content=b"{", headers=rig.auth))
