"""Commands reach sentries by their inbox: at once, with the seconds that are left, never after they were stopped."""

import asyncio

import pytest
from command_sentry import CommandSentry
from commander.live.long_poll import LongPoll
from commander.settings import Settings
from commander_farm import Farm, Rig, serving
from playbook_farm import FOR_SENTRY

COMMANDS = "/api/v1/commands"


async def order(farm: Farm, rig: Rig, action: str = "diagnose", **more: object) -> str:
    """The address of a new command."""
    body = {"action": action, "rigs": [rig.id], **more}
    answer = await farm.client.post(COMMANDS, json=body, headers=farm.auth)
    assert answer.status_code == 202, answer.text
    return f"{COMMANDS}/{answer.json()['id']}"


async def target(farm: Farm, path: str) -> tuple[str, str | None]:
    (only,) = (await farm.get(path)).json()["targets"]
    return only["state"], only["result"]


async def until_target(farm: Farm, path: str, state: str) -> str | None:
    """The result, as soon as the target is in this state."""
    async with asyncio.timeout(60):
        while (now := await target(farm, path))[0] != state:  # noqa: ASYNC110 - scripts have to look
            await asyncio.sleep(0.05)
    return now[1]


async def test_a_command_is_an_item_with_the_seconds_that_are_left(farm: Farm) -> None:
    rig = await farm.add()
    sentry = CommandSentry(farm, rig)
    assert await sentry.fetch() == []
    assert "commands" not in sentry.versions
    path = await order(farm, rig, valid_s=60, reason="after the storm")
    (command,) = await sentry.fetch()
    assert command["action"] == "diagnose"
    assert command["reason"] == "after the storm"
    assert command["made_by"] == "API key tests"
    assert isinstance(command["valid_s"], float | int)
    assert 55 < command["valid_s"] <= 60
    assert await sentry.fetch() == []  # it has this version
    await sentry.report(command, "begun")
    await sentry.report(command, "done", "Answered.")
    assert await target(farm, path) == ("done", "Answered.")


async def test_a_stopped_command_is_taken_out_of_the_inbox(farm: Farm) -> None:
    rig = await farm.add()
    sentry = CommandSentry(farm, rig)
    path = await order(farm, rig)
    (command,) = await sentry.fetch()
    before = sentry.versions["commands"]
    await farm.client.post(f"{path}/cancel", headers=farm.auth)
    assert await sentry.fetch() == []
    assert sentry.versions["commands"] != before
    await sentry.report(command, "done", "It had begun already.")
    assert await target(farm, path) == ("done", "It had begun already.")


async def test_a_held_request_gets_a_command_at_once(settings: Settings) -> None:
    long_poll = LongPoll()
    async with serving(settings, long_poll) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        rig = await farm.add()
        sentry = CommandSentry(farm, rig)
        await sentry.fetch()
        async with asyncio.TaskGroup() as group:
            held = group.create_task(sentry.fetch(wait_s=50))
            async with asyncio.timeout(60):
                while not long_poll.waiting:  # noqa: ASYNC110 - of the commander in this process
                    await asyncio.sleep(0.01)
            await order(farm, rig)
            async with asyncio.timeout(40):
                (command,) = await held
        assert command["action"] == "diagnose"


async def test_commands_survive_a_restart_of_the_commander(settings: Settings) -> None:
    async with serving(settings, LongPoll()) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        rig = await farm.add()
        path = await order(farm, rig)
    async with serving(settings, LongPoll()) as client:
        farm = Farm(client, settings, farm.auth)
        sentry = CommandSentry(farm, rig)
        async with asyncio.timeout(60):
            while not (fetched := await sentry.fetch()):  # noqa: ASYNC110 - as a sentry does
                await asyncio.sleep(0.05)
        await sentry.report(fetched[0], "done", "Answered.")
        assert await target(farm, path) == ("done", "Answered.")


async def test_a_sentry_of_an_earlier_version_refuses_with_a_sentence(farm: Farm) -> None:
    rig = await farm.add("rig-07")
    path = await order(farm, rig, "reboot")
    assert (await farm.client.get(FOR_SENTRY, headers=rig.auth)).status_code == 200
    assert await target(farm, path) == ("refused", "The sentry of rig-07 is too old for commands; update it.")


async def test_a_removed_rigs_command_is_cancelled(farm: Farm) -> None:
    rig = await farm.add()
    path = await order(farm, rig)
    await farm.client.delete(f"/api/v1/cpu-gpu-rigs/{rig.id}", headers=farm.auth)
    assert await until_target(farm, path, "cancelled") == "The rig was removed."


async def test_the_version_does_not_change_with_the_time_that_is_left(farm: Farm) -> None:
    rig = await farm.add()
    await order(farm, rig)
    one, two = CommandSentry(farm, rig), CommandSentry(farm, rig)
    (first,), (second,) = await one.fetch(), await two.fetch()
    assert one.versions == two.versions
    assert first["id"] == second["id"]


@pytest.mark.parametrize("state", ["failed", "refused", "expired"])
async def test_what_a_sentry_says_in_words_is_shown(farm: Farm, state: str) -> None:
    rig = await farm.add()
    sentry = CommandSentry(farm, rig)
    path = await order(farm, rig, "reboot")
    (command,) = await sentry.fetch()
    await sentry.report(command, state, "CPU_GPU_SENTRY_ALLOW on this rig does not list reboot.")
    assert await target(farm, path) == (state, "CPU_GPU_SENTRY_ALLOW on this rig does not list reboot.")
