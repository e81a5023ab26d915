"""Farm tokens: many rigs enrol by themselves, each once, and wait for approval."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
import sqlalchemy as sa
from command_sentry import CommandSentry
from commander.db import open_database
from commander.farm_tokens.domain import BadFarmToken, checked_pattern, free_name, names_of
from commander.farm_tokens.tables import farm_tokens
from commander.live.channels import Channels
from commander.live.long_poll import LongPoll
from commander.live.operational_index import OperationalIndex
from commander.live.rigs import LiveRigs
from commander.registry.kinds import RigKind
from commander.rigs.cpu_gpu_responses import log_json, rig_json
from commander.settings import Settings
from commander_farm import RIGS, Farm, a_log, running, serving
from enrolling import FARM_TOKENS, Machine, approve, code_of, farm_token, token_text
from playbook_farm import FOR_SENTRY, Playbooks
from protocol.tokens import TokenKind, parse_token

DAY_S = 86_400


async def rigs(farm: Farm, select: str = "") -> list[dict[str, object]]:
    answer = await farm.client.get(RIGS, params={"select": select} if select else {}, headers=farm.auth)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def expire_all(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database, database.transaction() as db:
        await db.execute(sa.update(farm_tokens).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))


async def test_a_farm_token_is_shown_once_with_the_command_to_type(farm: Farm) -> None:
    made = await farm_token(farm, name="hall 2", uses=40, tags=["hall:2"], name_pattern="gpu-{n:03}")
    assert parse_token(str(made["token"])).kind is TokenKind.FARM
    assert made["enroll_command"] == f"cpu-gpu-sentry enroll --url {made['commander_url']} --token {made['token']}"
    answer = await farm.get(FARM_TOKENS)
    assert str(made["token"]) not in answer.text
    (listed,) = answer.json()["farm_tokens"]
    facts = {"name": "hall 2", "uses": 40, "used": 0, "state": "valid", "tags": ["hall:2"], "approve_by_hand": True}
    assert listed.items() >= facts.items()
    lasts = datetime.fromisoformat(listed["expires_at"]) - datetime.fromisoformat(listed["created_at"])
    assert lasts.total_seconds() == DAY_S


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"uses": 0}, "uses"),
        ({"expires_in_s": 1}, "expires_in_s"),
        ({"name_pattern": "gpu-{m}"}, "name_pattern"),
        ({"name_pattern": "<b>"}, "name_pattern"),
        ({"tags": ["<b>"]}, "tags"),
        ({"name": "<b>"}, "name"),
    ],
)
async def test_a_farm_token_that_makes_no_sense_is_refused(farm: Farm, wrong: dict[str, object], field: str) -> None:
    answer = await farm.client.post(FARM_TOKENS, json=wrong, headers=farm.auth)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_forty_uses_are_forty_rigs_and_the_forty_first_is_refused(farm: Farm) -> None:
    token = await token_text(farm, uses=40, name_pattern="gpu-{n:03}", tags=["hall:2"])
    machines = [Machine(farm, f"host-{number}") for number in range(50)]
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(machine.ask(token)) for machine in machines]
    answers = [task.result() for task in asked]
    refused = [code_of(answer) for answer in answers if answer.status_code != 201]
    assert refused == [(403, "farm_token_used_up")] * 10
    names = sorted(answer.json()["rig"]["name"] for answer in answers if answer.status_code == 201)
    assert names == [f"gpu-{number:03}" for number in range(1, 41)]
    found = await rigs(farm)
    assert len(found) == 40
    assert {(each["approved"], tuple(each["tags"])) for each in found} == {(False, ("hall:2",))}  # type: ignore[arg-type]
    assert code_of(await Machine(farm).ask(token)) == (403, "farm_token_used_up")
    (listed,) = (await farm.get(FARM_TOKENS)).json()["farm_tokens"]
    assert (listed["used"], listed["state"]) == (40, "used_up")


async def test_a_machine_that_asks_again_is_the_same_rig_and_costs_no_use(farm: Farm) -> None:
    token = await token_text(farm, uses=1)
    machine = Machine(farm, "rig-07")
    first = await machine.enrol(token)
    await farm.report(first, a_log())
    again = await machine.enrol(token)  # it has lost the answer
    assert (again.id, again.name) == (first.id, "rig-07")
    assert (await farm.report(again, a_log())).status_code == 200
    assert code_of(await farm.report(first, a_log())) == (401, "invalid_token")
    assert len(await rigs(farm)) == 1


async def test_one_machine_that_asks_many_times_at_once_is_one_rig(farm: Farm) -> None:
    tokens = [await token_text(farm, uses=5, name=name) for name in ("one", "two")]
    machine = Machine(farm)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(machine.ask(tokens[number % 2])) for number in range(8)]
    assert {code_of(task.result()) for task in asked if task.result().status_code != 201} == set()
    assert len({task.result().json()["rig"]["id"] for task in asked}) == 1
    assert len(await rigs(farm)) == 1
    used = [each["used"] for each in (await farm.get(FARM_TOKENS)).json()["farm_tokens"]]
    assert sum(used) == 1


async def test_expired_revoked_and_wrong_tokens_are_told_apart(farm: Farm) -> None:
    machine, revoked = Machine(farm), await farm_token(farm)
    assert (await farm.client.delete(f"{FARM_TOKENS}/{revoked['id']}", headers=farm.auth)).status_code == 204
    again = await farm.client.delete(f"{FARM_TOKENS}/{revoked['id']}", headers=farm.auth)
    assert code_of(again) == (404, "farm_token_not_found")
    assert code_of(await machine.ask(str(revoked["token"]))) == (403, "farm_token_revoked")
    expired = await token_text(farm)
    await expire_all(farm)
    answer = await machine.ask(expired)
    assert code_of(answer) == (403, "farm_token_expired")
    assert "Make a new one" in answer.json()["detail"]
    assert code_of(await machine.ask("mw_farm_" + 64 * "0")) == (401, "invalid_token")
    assert code_of(await machine.ask((await farm.add_asic()).token)) == (401, "invalid_token")
    assert await rigs(farm) == []
    states = {each["state"] for each in (await farm.get(FARM_TOKENS)).json()["farm_tokens"]}
    assert states == {"revoked", "expired"}


async def test_a_farm_token_opens_nothing_else(farm: Farm) -> None:
    auth = {"Authorization": f"Bearer {await token_text(farm)}"}
    welcome = await farm.client.get("/api/v1/sentry", headers=auth)
    assert (welcome.json()["kind"], welcome.json()["rig"]) == ("farm", None)
    for path in ("/api/v1/sentry/inbox", "/api/v1/sentry/playbooks", RIGS):
        assert (await farm.client.get(path, headers=auth)).status_code == 401, path


async def test_names_that_are_taken_get_the_next_number(farm: Farm) -> None:
    await farm.add("rig-07")
    await farm.add("GPU-002")
    token = await token_text(farm)
    names = [(await Machine(farm, "rig-07").enrol(token)).name for _ in range(2)]
    assert names == ["rig-07-2", "rig-07-3"]
    assert (await Machine(farm, "bad\x00 host!").enrol(token)).name == "bad- host-"
    numbered = await token_text(farm, name_pattern="gpu-{n:03}")
    assert [(await Machine(farm).enrol(numbered)).name for _ in range(3)] == ["gpu-001", "gpu-003", "gpu-004"]


def test_a_pattern_gives_names() -> None:
    assert list(islice(names_of("{hostname}", None), 2)) == ["rig", "rig-2"]
    assert list(islice(names_of("{hostname}-{n}", "h"), 2)) == ["h-1", "h-2"]
    assert free_name(names_of("x" * 64, "h"), {"x" * 64}.__contains__) == "x" * 62 + "-2"
    for wrong in ("", "gpu-{n", "{n:0999}", "{hostname!r}", "-"):
        with pytest.raises(BadFarmToken):
            checked_pattern(wrong)


@pytest.mark.parametrize(
    ("pattern", "hostname", "names"),
    [
        ("{hostname}-{n:03}", "h" * 63, ["h" * 60 + "-001", "h" * 60 + "-002"]),
        ("{hostname}-{n}-x", "h" * 63, ["h" * 60 + "-1-x", "h" * 60 + "-2-x"]),
        ("{hostname}-gpu", "h" * 63, ["h" * 60 + "-gpu", "h" * 60 + "-g-2"]),
        ("x" * 60 + "-{n}", "h", ["x" * 60 + "-1", "x" * 60 + "-2"]),
        ("x" * 64 + "{n}", "h", ["x" * 63 + "1", "x" * 63 + "2"]),
        ("{n}-{hostname}", "h" * 63, ["1-" + "h" * 62, "2-" + "h" * 62]),
    ],
)
def test_a_name_that_is_too_long_keeps_its_number(pattern: str, hostname: str, names: list[str]) -> None:
    assert list(islice(names_of(pattern, hostname), 2)) == names


@pytest.mark.parametrize("pattern", ["{hostname}-{n:03}", "x" * 60 + "-{n}", "{n}" * 21, "{n:9}" * 10, "{n}{hostname}"])
def test_the_search_for_a_free_name_ends(pattern: str) -> None:
    names = list(islice(names_of(pattern, "1" * 63), 3_000))
    assert all(len(name) <= 64 for name in names)
    different = list(dict.fromkeys(names))
    taken = different[:1_200]
    assert free_name(names_of(pattern, "1" * 63), set(taken).__contains__) == different[1_200]


@pytest.mark.parametrize("pattern", ["x" * 60 + "-{n}", "{n}" * 13, "{n:9}" * 8])
async def test_a_pattern_whose_names_are_too_long_is_refused(farm: Farm, pattern: str) -> None:
    answer = await farm.client.post(FARM_TOKENS, json={"name_pattern": pattern}, headers=farm.auth)
    assert code_of(answer) == (422, "bad_farm_token")
    assert "5 digits" in answer.text
    assert (await farm.get(FARM_TOKENS)).json()["farm_tokens"] == []


async def test_machines_with_long_host_names_get_numbered_names(farm: Farm) -> None:
    token = await token_text(farm, name_pattern="{hostname}-{n:03}")
    names = [(await Machine(farm, "h" * 63).enrol(token)).name for _ in range(2)]
    assert names == ["h" * 60 + "-001", "h" * 60 + "-002"]


async def test_a_rig_that_waits_reports_and_gets_nothing(farm: Farm, playbooks: Playbooks) -> None:
    rig = await Machine(farm, "rig-07").enrol(await token_text(farm))
    await playbooks.add(rig, await playbooks.spec())
    receipt = (await farm.report(rig, a_log())).json()
    assert (receipt["stored"], receipt["waits_for_approval"]) == (1, True)
    (shown,) = await rigs(farm)
    assert (shown["approved"], shown["health"]) == (False, "online")
    limits = {"select": "name:*", "limits": {"low_percent": 20.0}}
    assert (await farm.client.post("/api/v1/watchdog-rules", json=limits, headers=farm.auth)).status_code == 201
    items = (await farm.client.get("/api/v1/sentry/inbox", headers=rig.auth)).json()["items"]
    assert [(each["kind"], each["body"]) for each in items] == [("playbooks", {"playbooks": []})]
    assert (await farm.client.get(FOR_SENTRY, headers=rig.auth)).json() == {"playbooks": []}
    for what in ({"rigs": [rig.id]}, {"select": "name:*"}):
        answer = await farm.client.post("/api/v1/commands", json={"action": "diagnose", **what}, headers=farm.auth)
        assert code_of(answer) == (422, "no_targets")
        assert "approval" in answer.json()["detail"]


async def test_a_command_for_a_selection_leaves_out_rigs_that_wait(farm: Farm) -> None:
    await Machine(farm, "rig-07").enrol(await token_text(farm))
    other = await farm.add("rig-08")
    order = {"action": "diagnose", "select": "name:rig-*"}
    made = (await farm.client.post("/api/v1/commands", json=order, headers=farm.auth)).json()
    targets = (await farm.get(f"/api/v1/commands/{made['id']}")).json()["targets"]
    assert [target["rig_id"] for target in targets] == [other.id]


async def test_approve_all_starts_them(settings: Settings) -> None:
    long_poll = LongPoll()
    async with serving(settings, long_poll) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        playbooks, token = Playbooks(farm), await token_text(farm, uses=3)
        waiting = [await Machine(farm, f"rig-{number}").enrol(token) for number in range(3)]
        spec = await playbooks.spec()
        for rig in waiting:
            await playbooks.add(rig, spec)
        sentries = [CommandSentry(farm, rig) for rig in waiting]
        for sentry in sentries:
            await sentry.fetch()
        before = [dict(sentry.versions) for sentry in sentries]
        async with asyncio.TaskGroup() as group, asyncio.timeout(30):
            held = [group.create_task(sentry.fetch(wait_s=50)) for sentry in sentries]
            while long_poll.waiting < len(held):  # noqa: ASYNC110 - of the commander in this process
                await asyncio.sleep(0.01)
            assert await approve(farm, select="approved:no") == 3
        assert all(sentry.versions != old for sentry, old in zip(sentries, before, strict=True))
        for rig in waiting:
            served = (await client.get(FOR_SENTRY, headers=rig.auth)).json()["playbooks"]
            assert len(served) == 1
        assert await rigs(farm, "approved:no") == []
        assert await approve(farm, rigs=[rig.id for rig in waiting]) == 0


async def test_a_rig_that_needs_no_approval_gets_its_playbooks_at_once(farm: Farm, playbooks: Playbooks) -> None:
    token = await token_text(farm, approve_by_hand=False)
    machine = Machine(farm)
    answer = await machine.ask(token)
    assert answer.json()["approved"] is True
    rig = await machine.enrol(token)
    await playbooks.add(rig, await playbooks.spec())
    assert len((await farm.client.get(FOR_SENTRY, headers=rig.auth)).json()["playbooks"]) == 1


async def test_a_restart_keeps_uses_rigs_and_approvals(settings: Settings) -> None:
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        token = await token_text(farm, uses=3)
        first, second = Machine(farm, "rig-1"), Machine(farm, "rig-2")
        approved, waits = await first.enrol(token), await second.enrol(token)
        assert await approve(farm, rigs=[approved.id]) == 1
        auth = farm.auth
    async with running(settings) as client:
        farm = Farm(client, settings, auth)
        assert {each["id"]: each["approved"] for each in await rigs(farm)} == {approved.id: True, waits.id: False}
        second.farm = farm
        assert (await second.enrol(token)).id == waits.id, "the commander ended between the use and its answer"
        await Machine(farm, "rig-3").enrol(token)
        assert code_of(await Machine(farm, "rig-4").ask(token)) == (403, "farm_token_used_up")
        assert len(await rigs(farm)) == 3


async def test_a_rig_that_is_refused_is_removed(farm: Farm) -> None:
    token = await token_text(farm, uses=2)
    machine = Machine(farm)
    rig = await machine.enrol(token)
    assert (await farm.client.delete(f"{RIGS}/{rig.id}", headers=farm.auth)).status_code == 204
    assert code_of(await farm.report(rig, a_log())) == (410, "rig_removed")
    assert (await machine.enrol(token)).id != rig.id


def test_a_rig_that_another_web_node_has_approved_is_approved_here() -> None:
    index, woken = OperationalIndex(stale_after_s=45, offline_after_s=60), list[int]()
    index.on_approval = woken.append
    live = LiveRigs(RigKind.CPU_GPU, index, Channels(), describe=rig_json, describe_log=log_json)
    now = datetime.now(UTC)
    live.follow(7, "rig-07", None, added_at=now, approved=False)
    assert (live.is_approved(7), live.is_approved(8)) == (False, False), "8 is not known here yet"
    assert index.unapproved == {7}
    live.follow(7, "rig-07", None, added_at=now, approved=True)
    assert (live.is_approved(7), index.unapproved, woken) == (True, set(), [7])
    live.follow(7, "rig-07", None, added_at=now, approved=True)
    assert woken == [7]
