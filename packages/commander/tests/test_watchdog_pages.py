"""The watchdog page as a browser without script gets it."""

import html
import re

import httpx
import pytest
from commander.watchdog.words import differences
from commander_farm import Farm, on_sqlite
from pages import error_beside, page, post
from protocol.command_messages import LadderSettings, MinimumHashrate

RULES = "/api/v1/watchdog-rules"
Rule = dict[str, object]


async def rules_of(farm: Farm) -> list[Rule]:
    answer = await farm.client.get(RULES, headers=farm.auth)
    return list(answer.json()["rules"])


async def rows(person: httpx.AsyncClient) -> list[str]:
    """Returns the text of each row of a rule, in the order of the page."""
    found = re.findall(r'<tr id="rule-\d+">(.*?)</tr>', await page(person, "/watchdog"), re.DOTALL)
    return [html.unescape(re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", row))).strip() for row in found]


async def test_the_page_without_rules_says_what_to_do_and_stands_in_the_navigation(person: httpx.AsyncClient) -> None:
    text = await page(person, "/watchdog")
    assert '<a href="/watchdog" aria-current="page" title="Watchdog">' in text
    assert "No rules yet" in text
    assert 'href="/watchdog?dialog=add"' in text
    assert "No watchdog has done anything" in text
    assert "From 1 to 95. Leave empty for the usual 50." in await page(person, "/watchdog?dialog=add")


async def test_a_rule_is_added_changed_and_removed_in_dialogs(person: httpx.AsyncClient, farm: Farm) -> None:
    for name in ("rig-01", "rig-02"):
        await farm.add(name)
    added = await post(person, "/watchdog", select="name:rig-01", reboots="yes", low_percent="40")
    assert (added.status_code, added.headers["location"]) == (303, "/watchdog")
    assert (await post(person, "/watchdog", select="", restarts="no", critical_gpu_c=" 85.5 ")).status_code == 303
    newest, oldest = await rows(person)
    assert newest.startswith("all CPU/GPU rigs restarts nothing, GPU critical at 85.5 °C 2 rigs match")
    assert oldest.startswith("name:rig-01 may reboot, restarts below 40 % 1 rig matches")
    rule_id = (await rules_of(farm))[0]["id"]
    dialog = await page(person, f"/watchdog?dialog=edit&rule={rule_id}")
    for mark in ('value="name:rig-01"', '<option value="yes" selected>Yes', 'name="low_percent" value="40"'):
        assert mark in dialog
    edited = await post(person, f"/watchdog/{rule_id}/edit", select="name:rig-02", reboots="no", low_percent="")
    assert edited.status_code == 303
    assert (await rows(person))[1].startswith("name:rig-02 the usual ones 1 rig matches")
    assert "Remove the rule for name:rig-02?" in await page(person, f"/watchdog?dialog=remove&rule={rule_id}")
    removed = await post(person, f"/watchdog/{rule_id}/remove")
    assert "The rule was removed." in await page(person, removed.headers["location"])
    assert len(await rows(person)) == 1


async def test_the_form_keeps_limits_that_it_has_no_field_for(person: httpx.AsyncClient, farm: Farm) -> None:
    limits = {"grace_s": 1200, "minimum_hashrates": [{"algorithm": "kawpow", "hashrate_hs": 50e6}]}
    added = await farm.client.post(RULES, json={"select": "", "limits": limits}, headers=farm.auth)
    await post(person, f"/watchdog/{added.json()['id']}/edit", select="", reboots="yes")
    (row,) = await rows(person)
    assert "may reboot, waits 20 min after a start, at least 50.0 MH/s with kawpow" in row


@on_sqlite
@pytest.mark.parametrize("number", ["none", "0", "96", "nan", "40 %"])
async def test_a_wrong_selection_and_a_wrong_number_stand_beside_their_fields(
    person: httpx.AsyncClient, farm: Farm, number: str
) -> None:
    fields = {"select": "colour:red", "low_percent": number, "reboots": "yes", "critical_cpu_c": "106"}
    answer = await post(person, "/watchdog", **fields)
    assert answer.status_code == 422
    assert "colour" in error_beside(answer.text, "select")
    assert error_beside(answer.text, "low_percent") == "Enter a number from 1 to 95, such as 50."
    assert error_beside(answer.text, "critical_cpu_c") == "Enter a number from 60 to 105, such as 98."
    assert f'value="{number}"' in answer.text
    assert '<option value="yes" selected>Yes' in answer.text
    assert 'data-url="/watchdog?dialog=add"' in answer.text
    assert await rules_of(farm) == []


async def test_a_wrong_change_leaves_the_rule_as_it_was(person: httpx.AsyncClient, farm: Farm) -> None:
    await post(person, "/watchdog", select="tag:test", reboots="yes")
    (before,) = await rules_of(farm)
    answer = await post(person, f"/watchdog/{before['id']}/edit", select='tag:"a', critical_memory_c="hot")
    assert answer.status_code == 422
    assert error_beside(answer.text, "select")
    assert error_beside(answer.text, "critical_memory_c") == "Enter a number from 60 to 120, such as 112."
    assert f'data-url="/watchdog?dialog=edit&amp;rule={before["id"]}"' in answer.text
    assert await rules_of(farm) == [before]


async def test_a_rule_that_is_gone(person: httpx.AsyncClient) -> None:
    for path in ("/watchdog?dialog=edit&rule=7", "/watchdog?dialog=remove&rule=x"):
        assert (await person.get(path)).status_code == 404
    assert (await post(person, "/watchdog/7/edit", select="")).status_code == 404
    assert (await post(person, "/watchdog/7/remove")).headers["location"] == "/watchdog"


async def test_the_newest_acts_of_all_rigs_are_shown(person: httpx.AsyncClient, farm: Farm) -> None:
    first, second = await farm.add("rig-01"), await farm.add("rig-02")
    for rig, act, reason, age_s in (
        *((first, "restarted_playbook", f"reason {number}.", 9000 - number) for number in range(60)),
        (second, "gave_up", "gave up: <it> stays slow", 60),
    ):
        events = [{"id": reason, "act": act, "reason": reason, "age_s": age_s}]
        answer = await farm.client.post("/api/v1/sentry/events", json={"events": events}, headers=rig.auth)
        assert answer.status_code == 204
    text = await page(person, "/watchdog")
    reasons = re.findall(r'data-label="Reason">([^<]*)<', text)
    assert reasons == ["gave up: &lt;it&gt; stays slow", *(f"reason {number}." for number in range(59, 10, -1))]
    assert f'<a href="/cpu-gpu/{second.id}"><span data-rig="{second.id}">rig-02</span></a>' in text
    assert 'data-label="Act">Gave up<' in text
    assert 'data-label="Act">Restarted a playbook<' in text


def test_each_limit_that_is_not_the_usual_one_has_words() -> None:
    assert differences(LadderSettings()) == []
    limits = LadderSettings(
        restarts=False, reboots=True, low_percent=60, low_for_s=90, cure_within_s=3600, grace_s=60,
        minimum_hashrates=[MinimumHashrate(algorithm="rx/0", hashrate_hs=9000)],
        critical_gpu_c=80, critical_memory_c=100, critical_cpu_c=90,
    )  # fmt: skip
    assert differences(limits) == [
        "may reboot",
        "restarts nothing",
        "low below 60 %",
        "low after 1.5 min",
        "two restarts have to help within 60 min",
        "waits 1 min after a start",
        "at least 9.00 kH/s with rx/0",
        "GPU critical at 80 °C",
        "memory critical at 100 °C",
        "CPU critical at 90 °C",
    ]
