"""Commands for scripts: ordered, listed, stopped, retried, over HTTP."""

import pytest
from commander_farm import Farm, Rig

COMMANDS = "/api/v1/commands"
STATUS = "/api/v1/sentry/commands/status"


async def order(farm: Farm, **body: object) -> dict[str, object]:
    answer = await farm.client.post(COMMANDS, json=body, headers=farm.auth)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def refused(farm: Farm, **body: object) -> dict[str, object]:
    answer = await farm.client.post(COMMANDS, json=body, headers=farm.auth)
    assert answer.status_code == 422, answer.text
    return dict(answer.json())


async def report(farm: Farm, rig: Rig, *commands: object, boot: str = "boot-1") -> None:
    answer = await farm.client.put(STATUS, json={"boot_id": boot, "commands": commands}, headers=rig.auth)
    assert answer.status_code == 204, answer.text


async def test_a_command_names_its_rigs_and_their_states(farm: Farm) -> None:
    one, two = await farm.add("rig-01"), await farm.add("rig-02")
    made = await order(farm, action="diagnose", rigs=[two.id, one.id], reason="after the storm")
    assert made == {"id": made["id"], "targets": 2, "overlaps": []}
    command = (await farm.get(f"{COMMANDS}/{made['id']}")).json()
    assert {name: command[name] for name in ("action", "state", "made_by", "reason")} == {
        "action": "diagnose",
        "state": "running",
        "made_by": "API key tests",
        "reason": "after the storm",
    }
    assert command["batch"] == {"size": 5, "max_failures": 2, "growing": False}
    assert [(each["rig_id"], each["name"], each["state"], each["result"]) for each in command["targets"]] == [
        (one.id, "rig-01", "waiting", None),
        (two.id, "rig-02", "waiting", None),
    ]


async def test_the_newest_command_is_listed_first(farm: Farm) -> None:
    rig = await farm.add()
    first = await order(farm, action="diagnose", rigs=[rig.id])
    second = await order(farm, action="reboot", rigs=[rig.id])
    listed = (await farm.get(COMMANDS)).json()["commands"]
    assert [each["id"] for each in listed] == [second["id"], first["id"]]
    assert [each["id"] for each in (await farm.get(f"{COMMANDS}?limit=1")).json()["commands"]] == [second["id"]]


async def test_a_selection_is_frozen_when_the_command_is_made(farm: Farm) -> None:
    await farm.add("rig-01")
    await farm.add("other-01")
    made = await order(farm, action="diagnose", select="name:rig-*")
    await farm.add("rig-02")
    command = (await farm.get(f"{COMMANDS}/{made['id']}")).json()
    assert command["selection"] == "name:rig-*"
    assert [each["name"] for each in command["targets"]] == ["rig-01"]


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"action": "rm -rf", "rigs": [1]}, "unknown_action", "no action called 'rm -rf'"),
        ({"action": "overclock", "rigs": [1]}, "unknown_action", "overclock"),
        ({"action": "reboot", "rigs": []}, "no_targets", "at least one rig"),
        ({"action": "reboot"}, "no_targets", "one of the two"),
        ({"action": "reboot", "rigs": [1], "select": "rig"}, "no_targets", "one of the two"),
        ({"action": "reboot", "rigs": [999]}, "no_targets", "no CPU/GPU rig 999"),
        ({"action": "reboot", "select": " "}, "no_targets", "every rig"),
        ({"action": "reboot", "select": "name:nobody"}, "no_targets", "No CPU/GPU rig matches"),
        ({"action": "reboot", "select": "tga:hall"}, "bad_selection", "tga"),
        ({"action": "reboot", "rigs": [1], "arguments": {"lines": 5}}, "bad_arguments", "no argument lines"),
    ],
)
async def test_what_is_wrong_with_an_order_is_said(farm: Farm, body: dict[str, object], code: str, words: str) -> None:
    problem = await refused(farm, **body)
    assert problem["code"] == code
    assert words in str(problem["detail"])
    assert (await farm.get(COMMANDS)).json() == {"commands": []}


async def test_asics_get_no_commands(farm: Farm) -> None:
    asic = await farm.add_asic("s19-01")
    assert (await refused(farm, action="reboot", rigs=[asic.id]))["code"] == "no_targets"
    assert (await refused(farm, action="reboot", select="name:s19-01"))["code"] == "no_targets"


async def test_the_later_operator_learns_of_the_earlier_command(farm: Farm) -> None:
    rig = await farm.add()
    first = await order(farm, action="stop_mining", rigs=[rig.id])
    second = await order(farm, action="reboot", rigs=[rig.id])
    assert second["overlaps"] == [
        {"id": first["id"], "action": "stop_mining", "made_by": "API key tests", "rigs": ["rig-01"]}
    ]
    shown = (await farm.get(f"{COMMANDS}/{second['id']}")).json()
    assert shown["overlaps"] == second["overlaps"]


async def test_cancel_and_retry(farm: Farm) -> None:
    rig = await farm.add()
    made = await order(farm, action="diagnose", rigs=[rig.id])
    again = await farm.client.post(f"{COMMANDS}/{made['id']}/retry", headers=farm.auth)
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_retry")
    stopped = await farm.client.post(f"{COMMANDS}/{made['id']}/cancel", headers=farm.auth)
    assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
    assert stopped.json()["targets"][0]["state"] == "cancelled"
    assert stopped.json()["targets"][0]["result"] == "Stopped by API key tests."
    again = await farm.client.post(f"{COMMANDS}/{made['id']}/retry", headers=farm.auth)
    assert (again.status_code, again.json()["targets"]) == (202, 1)
    command = (await farm.get(f"{COMMANDS}/{made['id']}")).json()
    assert (command["state"], command["targets"][0]["state"]) == ("running", "waiting")


async def test_no_such_command(farm: Farm) -> None:
    for call in ("", "/rigs/1"):
        answer = await farm.get(f"{COMMANDS}/77{call}")
        assert (answer.status_code, answer.json()["code"]) == (404, "command_not_found")
    for call in ("cancel", "retry"):
        answer = await farm.client.post(f"{COMMANDS}/77/{call}", headers=farm.auth)
        assert (answer.status_code, answer.json()["code"]) == (404, "command_not_found")


async def test_a_status_needs_a_rigs_token(farm: Farm) -> None:
    answer = await farm.client.put(STATUS, json={"boot_id": "a", "commands": []}, headers=farm.auth)
    assert answer.status_code == 401
    asic = await farm.add_asic()
    answer = await farm.client.put(STATUS, json={"boot_id": "a", "commands": []}, headers=asic.auth)
    assert answer.status_code == 401
    await report(farm, await farm.add())
