"""The command `update_sentry`: which versions there are, the hashes that it carries, and the growing batch."""

import asyncio
import hashlib
import os
from collections import Counter

import pytest
from command_farm import CommandFarm
from command_sentry import CommandSentry
from commander.commands.domain import Batch, BatchState
from commander.commands.updates import versions
from commander.db import Database
from commander.settings import Settings
from commander.wheels.store import WheelStore
from commander_farm import Farm, on_sqlite, post_form, serving
from protocol.command_messages import CommandAction, CommandState

COMMANDS = "/api/v1/commands"
OWN = ("minewarden_protocol", "minewarden_sentry_kit", "minewarden_cpu_gpu_sentry")


def fill_store(farm: Farm, *versions: str) -> None:
    folder = farm.settings.data_dir / "packages"
    folder.mkdir(exist_ok=True)
    for version in versions:
        for name in OWN:
            (folder / f"{name}-{version}-py3-none-any.whl").write_bytes(f"{name} {version}".encode())


async def test_an_update_carries_the_hashes_of_the_version(farm: Farm) -> None:
    fill_store(farm, "0.2.0", "0.10.0")
    rig = await farm.add()
    for arguments, version in (({}, "0.10.0"), ({"version": "0.2.0"}, "0.2.0")):
        body = {"action": "update_sentry", "rigs": [rig.id], "arguments": arguments}
        made = await farm.client.post(COMMANDS, json=body, headers=farm.auth)
        assert made.status_code == 202, made.text
        shown = (await farm.get(f"{COMMANDS}/{made.json()['id']}")).json()
        assert shown["arguments"]["version"] == version
        assert {each["file_name"]: each["sha256"] for each in shown["arguments"]["wheels"]} == {
            f"{name}-{version}-py3-none-any.whl": hashlib.sha256(f"{name} {version}".encode()).hexdigest()
            for name in OWN
        }
        assert shown["arguments"]["dependencies"] == []
    delivered = await CommandSentry(farm, rig).fetch()
    assert [each["arguments"]["version"] for each in delivered] == ["0.10.0", "0.2.0"]  # type: ignore[index]
    assert all(len(each["arguments"]["wheels"]) == 3 for each in delivered)  # type: ignore[index]


async def test_an_update_names_the_other_wheels_of_the_store_the_newest_versions_first(farm: Farm) -> None:
    """The index of the store is not signed, and the command is."""
    fill_store(farm, "0.2.0")
    wheels = ["httpx-0.28.0-py3-none-any.whl", *(f"msgspec-0.{n}.0-cp311-cp311-win_amd64.whl" for n in range(300))]
    others = ["minewarden_asic_sentry-0.2.0-py3-none-any.whl", "pip-26.0-py3-none-any.whl"]
    folder = farm.settings.data_dir / "packages"
    for name in wheels + others:
        (folder / name).write_bytes(name.encode())
    for name in wheels[1:-255]:  # too old to be named, and so never read
        (folder / name).unlink()
        (folder / name).symlink_to("/nowhere")
    rig = await farm.add()
    made = await farm.client.post(COMMANDS, json={"action": "update_sentry", "rigs": [rig.id]}, headers=farm.auth)
    assert made.status_code == 202, made.text
    (delivered,) = await CommandSentry(farm, rig).fetch()
    named = {each["file_name"]: each["sha256"] for each in delivered["arguments"]["dependencies"]}  # type: ignore[index]
    assert named == {name: hashlib.sha256(name.encode()).hexdigest() for name in [wheels[0], *wheels[-255:]]}


@on_sqlite
async def test_requests_are_answered_while_an_update_reads_wheels(settings: Settings) -> None:
    async with serving(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        rig = await farm.add()
        fill_store(farm, "0.2.0")
        slow = settings.data_dir / "packages" / "httpx-0.28.0-py3-none-any.whl"
        os.mkfifo(slow)  # who reads it waits until somebody has written it
        async with asyncio.TaskGroup() as group:
            body = {"action": "update_sentry", "rigs": [rig.id]}
            made = group.create_task(client.post(COMMANDS, json=body, headers=farm.auth))
            written = await asyncio.to_thread(slow.open, "wb")  # returns when the commander has opened it
            try:
                assert (await client.get("/healthz")).text == "ok"
            finally:
                written.close()
        assert made.result().status_code == 202


async def test_the_form_of_an_update_reads_no_wheel(farm: Farm) -> None:
    fill_store(farm, "0.2.0", "0.10.0")
    store = WheelStore(farm.settings.data_dir / "packages")
    for path in (farm.settings.data_dir / "packages").iterdir():
        path.unlink()
        path.symlink_to("/nowhere")  # there by name; reading it fails
    assert versions(store) == ["0.10.0", "0.2.0"]
    with pytest.raises(FileNotFoundError):
        store.wheels_of("minewarden-protocol", "0.2.0")


@pytest.mark.parametrize(
    ("stored", "arguments", "words"),
    [
        ((), {}, "has no packages of the CPU/GPU sentry"),
        (
            ("0.2.0", "0.1.0"),
            {"version": "0.3.0"},
            "does not have version 0.3.0 of the CPU/GPU sentry. It has 0.2.0, 0.1.0",
        ),
        (("0.2.0",), {"version": "../0.2.0"}, "does not have version ../0.2.0"),
        (("0.2.0",), {"playbook_id": "7"}, "no argument playbook_id"),
        (("0.2.0",), {"wheels": [{"file_name": "a", "sha256": "0" * 64}]}, "no argument wheels"),
        (("0.2.0",), {"dependencies": [{"file_name": "a", "sha256": "0" * 64}]}, "no argument dependencies"),
    ],
)
async def test_a_version_that_the_store_does_not_have_is_refused(
    farm: Farm, stored: tuple[str, ...], arguments: dict[str, object], words: str
) -> None:
    fill_store(farm, *stored)
    rig = await farm.add()
    body = {"action": "update_sentry", "rigs": [rig.id], "arguments": arguments}
    answer = await farm.client.post(COMMANDS, json=body, headers=farm.auth)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_arguments")
    assert words in answer.json()["detail"]


async def test_a_version_without_all_packages_of_the_sentry_is_not_there(farm: Farm) -> None:
    fill_store(farm, "0.2.0", "0.3.0")
    (farm.settings.data_dir / "packages" / "minewarden_protocol-0.3.0-py3-none-any.whl").unlink()
    rig = await farm.add()
    body = {"action": "update_sentry", "rigs": [rig.id]}
    made = await farm.client.post(COMMANDS, json=body, headers=farm.auth)
    assert (await farm.get(f"{COMMANDS}/{made.json()['id']}")).json()["arguments"]["version"] == "0.2.0"


async def test_the_menu_and_the_bar_lead_to_a_form_with_the_newest_version(farm: Farm) -> None:
    fill_store(farm, "0.2.0", "0.10.0")
    await farm.log_in()
    rigs = [await farm.add(f"rig-{number:02}") for number in range(1, 13)]
    assert (
        f"/commands/new?action=update_sentry&amp;rigs={rigs[0].id}"
        in (await farm.client.get(f"/cpu-gpu/{rigs[0].id}")).text
    )
    chosen = await post_form(farm.client, "/cpu-gpu/update", rigs=f"{rigs[0].id},{rigs[1].id}")
    assert chosen.status_code == 303
    html = (await farm.client.get(chosen.headers["Location"])).text
    assert '<option value="update_sentry" selected>' in html
    assert html.index('<option value="0.10.0"') < html.index('<option value="0.2.0"')
    named = ",".join(str(each.id) for each in rigs)
    sent = await post_form(farm.client, "/commands", action="update_sentry", rigs=named, version="0.2.0")
    assert sent.status_code == 303
    shown = (await farm.get(f"/api/v1{sent.headers['Location']}")).json()
    assert shown["arguments"]["version"] == "0.2.0"
    assert shown["batch"] == {"size": 2, "max_failures": 2, "growing": True}
    html = (await farm.client.get(sent.headers["Location"])).text
    assert "1 rig, then 2, then all; stops after 2 failures" in html
    wrong = await post_form(farm.client, "/commands", action="update_sentry", rigs=named, version="0.9")
    assert wrong.status_code == 422
    assert "does not have version 0.9" in wrong.text
    audited = (await farm.get("/api/v1/audit")).json()["entries"]
    assert any(each["detail"].startswith("Update sentry to 0.2.0, command") for each in audited)


async def test_a_direct_order_of_the_menu_asks_for_the_version_first(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add()
    answer = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="update_sentry")
    assert answer.headers["Location"] == f"/commands/new?action=update_sentry&rigs={rig.id}"


# --- batches


async def waves(farm: CommandFarm, rig_ids: list[int], failing: set[int]) -> list[int]:
    """Lets all sentries ask in rounds until there is nothing to do; returns how many began in each round."""
    sizes: list[int] = []
    while True:
        asked = {rig_id: await farm.commands(rig_id) for rig_id in rig_ids}
        begun = [rig_id for rig_id, commands in asked.items() if commands]
        if not begun:
            return sizes
        sizes.append(len(begun))
        for rig_id in begun:
            await farm.finish(rig_id, CommandState.FAILED if rig_id in failing else CommandState.DONE)


async def test_fifty_sentries_are_updated_one_then_a_tenth_then_all(database: Database) -> None:
    farm = CommandFarm(database)
    rig_ids = await farm.add_rigs(50)
    made = await farm.order(CommandAction.UPDATE_SENTRY, rig_ids)
    assert await waves(farm, rig_ids, set()) == [1, 5, 44]
    assert await farm.state(made.id) is BatchState.DONE


@pytest.mark.parametrize(
    ("failing", "sizes", "failed"),
    [({1, 2}, [1, 1], 2), ({2, 3}, [1, 5, 1], 2), ({3}, [1, 5, 1, 43], 1), ({10, 11}, [1, 5, 44], 2)],
)
async def test_an_update_that_fails_reaches_no_further_rigs(
    database: Database, failing: set[int], sizes: list[int], failed: int
) -> None:
    """`failing` are places in the order of turns, from 1."""
    farm = CommandFarm(database)
    rig_ids = await farm.add_rigs(50)
    made = await farm.order(CommandAction.UPDATE_SENTRY, rig_ids)
    assert await waves(farm, rig_ids, {rig_ids[place - 1] for place in failing}) == sizes
    states = Counter(await farm.states(made.id))
    assert states["failed"] == failed
    assert states["cancelled"] == 50 - sum(sizes)
    assert await farm.state(made.id) is (BatchState.STOPPED if states["cancelled"] else BatchState.DONE)


async def test_an_entered_batch_does_not_grow(database: Database) -> None:
    farm = CommandFarm(database)
    rig_ids = await farm.add_rigs(6)
    await farm.order(CommandAction.UPDATE_SENTRY, rig_ids, batch=Batch(size=2, max_failures=1))
    assert await waves(farm, rig_ids, set()) == [2, 2, 2]
