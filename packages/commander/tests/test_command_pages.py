"""The pages of commands: the menu's forms, the list, one command, a rig's findings, all of it live."""

import re
from html import unescape

import websockets
from command_sentry import CommandSentry
from commander_farm import ASICS, Farm, post_form

COMMANDS = "/api/v1/commands"


def text_of(html: str) -> str:
    """Returns the text that a person reads, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html.partition("<main")[2])).split())


async def page(farm: Farm, path: str) -> str:
    answer = await farm.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def number_in(location: str) -> int:
    return int(location.rpartition("/")[2])


async def test_the_menus_action_opens_the_commands_page(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add("rig-07")
    answer = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="restart_playbook")
    assert answer.status_code == 303
    html = await page(farm, answer.headers["Location"])
    assert '<h1 tabindex="-1">Restart mining: 1 rig</h1>' in html
    assert "rig-07 Waiting" in text_of(html)
    assert "a browser at" in text_of(html)


async def test_shutting_down_needs_the_rigs_name(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add("rig-07")
    assert "<dialog open" in await page(farm, f"/cpu-gpu/{rig.id}/shutdown")
    wrong = await post_form(farm.client, f"/cpu-gpu/{rig.id}/shutdown", name="rig-08")
    assert wrong.status_code == 422
    assert "Type the rig&#39;s name: rig-07." in wrong.text
    assert (await farm.get(COMMANDS)).json() == {"commands": []}
    menu = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="shutdown")
    assert menu.headers["Location"] == f"/cpu-gpu/{rig.id}/shutdown"
    assert (await farm.get(COMMANDS)).json() == {"commands": []}
    right = await post_form(farm.client, f"/cpu-gpu/{rig.id}/shutdown", name="rig-07 ")
    assert right.status_code == 303


async def test_an_unknown_action_of_a_form_is_an_error_page(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add()
    answer = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="rm -rf")
    assert answer.status_code == 422
    assert "no action called" in answer.text


async def test_asics_have_no_such_form(farm: Farm) -> None:
    await farm.log_in()
    asic = await farm.add_asic()
    assert (await post_form(farm.client, f"/asics/{asic.id}/commands", action="reboot")).status_code in (404, 405)
    assert ASICS.startswith("/api")


async def test_the_list_shows_the_newest_first_with_their_counts(farm: Farm) -> None:
    await farm.log_in()
    assert "No command so far" in await page(farm, "/commands")
    one, two = await farm.add("rig-01"), await farm.add("rig-02")
    for action in ("diagnose", "reboot"):
        body = {"action": action, "rigs": [one.id, two.id], "reason": "a <test>"}
        await farm.client.post(COMMANDS, json=body, headers=farm.auth)
    html = await page(farm, "/commands")
    assert "No command so far" not in html
    assert text_of(html).index("Reboot 2 rigs") < text_of(html).index("Diagnose 2 rigs")
    assert "2 waiting" in text_of(html)
    assert "a &lt;test&gt;" in html


async def test_a_new_command_for_a_selection(farm: Farm) -> None:
    await farm.log_in()
    for name in ("rig-01", "rig-02", "other"):
        await farm.add(name)
    assert "2 rigs match now." in await page(farm, "/commands/new?select=name:rig-*&action=diagnose")
    answer = await post_form(
        farm.client, "/commands", action="diagnose", select="name:rig-*", size="1", max_failures="3", reason="dust"
    )
    assert answer.status_code == 303
    command = (await farm.get(f"{COMMANDS}/{number_in(answer.headers['Location'])}")).json()
    assert [each["name"] for each in command["targets"]] == ["rig-01", "rig-02"]
    assert (command["batch"], command["reason"]) == ({"size": 1, "max_failures": 3, "growing": False}, "dust")
    assert "1 at a time; stops after 3 failures" in text_of(await page(farm, answer.headers["Location"]))


async def test_a_new_command_for_many_named_rigs(farm: Farm) -> None:
    await farm.log_in()
    rigs = [await farm.add(f"rig-{number:03}") for number in range(120)]
    ids = ",".join(str(rig.id) for rig in rigs)
    html = await page(farm, f"/commands/new?rigs={ids}")
    assert "120 rigs" in text_of(html)
    assert "rig-049 and 70 more" in text_of(html)
    sent = re.search(r'name="rigs" value="([^"]+)"', html)
    assert sent
    answer = await post_form(farm.client, "/commands", action="diagnose", rigs=sent[1])
    assert answer.status_code == 303
    command = (await farm.get(f"{COMMANDS}/{number_in(answer.headers['Location'])}")).json()
    assert [each["rig_id"] for each in command["targets"]] == [rig.id for rig in rigs]
    assert command["batch"] == {"size": 12, "max_failures": 2, "growing": False}


async def test_wrong_fields_of_the_form_are_named(farm: Farm) -> None:
    await farm.log_in()
    await farm.add("rig-01")
    for fields, words in (
        ({"action": "", "select": "rig"}, "There is no action called"),
        ({"action": "reboot", "select": "tga:x"}, "tga"),
        ({"action": "reboot", "select": ""}, "every rig"),
        ({"action": "reboot", "select": "name:nobody"}, "No CPU/GPU rig matches"),
        ({"action": "reboot", "select": "rig", "size": "many"}, "Enter a whole number"),
        ({"action": "shutdown", "select": "rig"}, "Type how many rigs are to be switched off: 1."),
    ):
        answer = await post_form(farm.client, "/commands", **fields)
        assert answer.status_code == 422, fields
        assert words in unescape(answer.text), fields
    assert (await farm.get(COMMANDS)).json() == {"commands": []}


async def test_stop_and_retry_on_the_page(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add("rig-01")
    made = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="diagnose")
    path = made.headers["Location"]
    html = await page(farm, path)
    assert ">Stop</button>" in html
    assert ">Retry failed</button>" not in html
    assert (await post_form(farm.client, f"{path}/cancel")).headers["Location"] == path
    html = await page(farm, path)
    assert ">Stop</button>" not in html
    assert "rig-01 Cancelled Stopped by a browser at" in text_of(html)
    assert (await post_form(farm.client, f"{path}/retry")).headers["Location"] == path
    assert "rig-01 Waiting" in text_of(await page(farm, path))
    nothing = await post_form(farm.client, f"{path}/retry")
    assert nothing.status_code == 409
    assert "No rig of this command has failed" in nothing.text


async def test_findings_are_shown_and_downloadable(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add("rig-01")
    made = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="diagnose")
    path = made.headers["Location"]
    assert "This rig has sent no result" in text_of(await page(farm, f"{path}/rigs/{rig.id}"))
    sentry = CommandSentry(farm, rig)
    findings = [
        {"check": "disk", "severity": "critical", "text": "The disk is full."},
        {"check": "clock", "severity": "good", "text": "The clock is right."},
    ]
    (command,) = await sentry.fetch()
    await sentry.report(command, "done", "Answered 2 questions.", findings=findings)
    assert "Answered 2 questions. Findings" in text_of(await page(farm, path))
    shown = await page(farm, f"{path}/rigs/{rig.id}")
    assert "Critical The disk is full. disk Good The clock is right. clock" in text_of(shown)
    download = re.search(r'href="(/api/[^"]+)" download="([^"]+)"', shown)
    assert download
    assert download[2] == f"diagnose-rig-01-{number_in(path)}.json"
    assert (await farm.client.get(download[1])).json()["findings"] == findings


async def test_a_fetched_log_is_readable(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add("rig-01")
    made = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="fetch_log")
    sentry = CommandSentry(farm, rig)
    (command,) = await sentry.fetch()
    logs = [{"source": "sentry", "lines": ["started", "<b>bold</b>"]}, {"source": "kernel", "lines": []}]
    await sentry.report(command, "done", "Fetched 2 logs.", logs=logs)
    html = await page(farm, f"{made.headers['Location']}/rigs/{rig.id}")
    assert "<code>started\n&lt;b&gt;bold&lt;/b&gt;</code>" in html
    assert "The kernel's log Nothing was written there." in text_of(html)


async def test_a_command_that_was_replaced_everywhere_is_called_cancelled(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add("rig-01")
    first = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="reboot")
    second = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="reboot")
    words = text_of(await page(farm, first.headers["Location"]))
    assert "Reboot: 1 rig Cancelled" in words
    assert f"Replaced by command {number_in(second.headers['Location'])}." in words


async def test_overlapping_commands_are_named_on_the_page(farm: Farm) -> None:
    await farm.log_in()
    rig = await farm.add("rig-01")
    await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="stop_mining")
    later = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="reboot")
    words = text_of(await page(farm, later.headers["Location"]))
    assert re.search(r"Stop mining , ordered by a browser at .*, had not ended for rig-01", words)


async def next_frame(socket: websockets.ClientConnection, words: str) -> str:
    """Returns the first frame that contains `words`."""
    async for message in socket:
        frame = str(message).partition("\n")[2]
        if words in frame:
            return frame
    raise AssertionError(f"the socket closed before {words!r} came")


async def test_open_pages_follow_without_asking(served_farm: Farm) -> None:
    farm = served_farm
    await farm.log_in()
    rig = await farm.add("rig-01")
    cookie = "; ".join(f"{name}={value}" for name, value in farm.client.cookies.items())
    listed = await page(farm, "/commands")
    seq = re.search(r'data-seq="([^"]+)"', listed)
    assert seq
    async with farm.socket(f"/live?view=commands&seq={seq[1]}", Cookie=cookie) as socket:
        made = await post_form(farm.client, f"/cpu-gpu/{rig.id}/commands", action="diagnose")
        frame = await next_frame(socket, "Diagnose")
        assert 'data-in="command-rows"' in frame
    path = made.headers["Location"]
    shown = await page(farm, path)
    seq = re.search(r'data-seq="([^"]+)"', shown)
    assert seq
    sentry = CommandSentry(farm, rig)
    (command,) = await sentry.fetch()
    async with farm.socket(f"/live?view=command&command={number_in(path)}&seq={seq[1]}", Cookie=cookie) as socket:
        await sentry.report(command, "done", "Answered.")
        frame = await next_frame(socket, "Answered.")
        assert 'id="command-head"' in frame or await next_frame(socket, 'id="command-head"')


async def test_scripts_follow_the_channel(served_farm: Farm) -> None:
    farm = served_farm
    rig = await farm.add("rig-01")
    async with farm.socket("/api/v1/events?channels=commands", **farm.auth) as socket:
        made = await farm.client.post(COMMANDS, json={"action": "diagnose", "rigs": [rig.id]}, headers=farm.auth)
        created = str(await socket.recv())
        assert '"event":"created"' in created
        assert f'"id":{made.json()["id"]}' in created
        sentry = CommandSentry(farm, rig)
        (command,) = await sentry.fetch()
        await sentry.report(command, "done", "Answered.")
        async for message in socket:
            if '"state":"done","result":"Answered."' in str(message):
                assert '"event":"updated"' in str(message)
                break
