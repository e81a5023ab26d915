"""The rules and the maintenance on the page of alerts, as a browser without script gets them."""

import html
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa
from commander.alert_rules import store as rule_store
from commander.alert_rules.domain import SHIPPED, RuleLimits
from commander.alert_rules.pages import preview_text
from commander.alert_rules.preview import PreviewResult, RigFirings
from commander.alert_rules.tables import alert_rules
from commander.alert_rules.words import sentence
from commander.db import open_database
from commander.history.roll_up import roll_up
from commander.settings import Settings
from commander_farm import Farm, a_log
from pages import error_beside, page, post

RULES = "/api/v1/alert-rules"
MAINTENANCE = "/api/v1/maintenance"
FULL = {"about": "own", "rule": "power<100", "select": "tag:hall:2", "severity": "critical", "for_min": "1"}


async def rules_of(farm: Farm) -> list[dict[str, object]]:
    return list((await farm.get(RULES)).json()["rules"])


def row(text: str, name: str) -> str:
    """Returns the words of the row of a rule."""
    title = re.escape(html.escape(name))
    found = re.search(rf'<tr id="rule-\d+"[^>]*><th scope="row"><b>{title}</b>.*?</tr>', text, re.DOTALL)
    assert found, name
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])))


def id_of(rules: list[dict[str, object]], rule: str, sensor: str | None = None) -> object:
    return next(each["id"] for each in rules if (each["rule"], each["sensor"]) == (rule, sensor))


@pytest.mark.parametrize(
    ("shipped", "words"),
    [
        ("offline", "A rig has not reported for 3 min."),
        ("hashrate_low", "A rig mines with less than 90 % (critical: 70 %) of its usual hashrate for the same"),
        ("temperature", "A GPU is at 80 °C (critical: 85 °C) or hotter, for 2 min."),
        ("power", "A rig draws 125 % of its usual power or more, for 5 min."),
        ("spool", "The logs of a rig arrive 5 min late or later, for 5 min."),
        ("wallet", "A rig mines to another wallet or pool than its playbook's."),
    ],
)
def test_a_rule_is_a_sentence(shipped: str, words: str) -> None:
    assert sentence(SHIPPED[shipped]).startswith(words)


def test_every_shipped_rule_has_words_of_its_own() -> None:
    sentences = [sentence(limits) for limits in SHIPPED.values()]
    assert len(set(sentences)) == len(SHIPPED)
    assert not any("–" in each or "{}" in each for each in sentences)
    assert sentence(RuleLimits(rule="memory_temperature>=95")) == "A rig has memory temperature >= 95."


async def test_the_page_shows_all_rules_with_severity_rigs_and_state(person: httpx.AsyncClient) -> None:
    text = await page(person, "/alerts")
    assert text.count('<tr id="rule-') == len(SHIPPED)
    gpu = row(text, "GPU too hot")
    for words in ("80 °C (critical: 85 °C)", "Critical", "Warning", "all rigs", "On", "Edit"):
        assert words in gpu
    assert "Remove" not in gpu
    assert '<a href="/alerts" aria-current="page" title="Alerts">' in text


async def test_a_rule_that_can_not_be_evaluated_says_since_when(
    person: httpx.AsyncClient, farm: Farm, settings: Settings
) -> None:
    rule_id = id_of(await rules_of(farm), "power")
    since = datetime(2026, 11, 29, 3, 12, tzinfo=UTC)
    async with open_database(settings.database_url) as database, database.transaction() as db:
        await rule_store.set_failing(db, {int(str(rule_id)): since})
    text = row(await page(person, "/alerts"), "Power")
    assert "Could not be evaluated since" in text
    assert "Could not be evaluated" not in row(await page(person, "/alerts"), "Offline")


async def test_a_rule_of_another_version_says_why_it_is_not_evaluated(
    person: httpx.AsyncClient, farm: Farm, settings: Settings
) -> None:
    rule_id = int(str(id_of(await rules_of(farm), "power")))
    async with open_database(settings.database_url) as database, database.transaction() as db:
        await db.execute(sa.update(alert_rules).where(alert_rules.c.id == rule_id).values(severity="fatal"))
    text = await page(person, "/alerts")
    assert "Can't be evaluated This version of the commander knows no severity “fatal”." in row(text, "Power")
    assert "Can't be evaluated" not in row(text, "Offline")
    await post(person, f"/alerts/rules/{rule_id}/switch")
    assert "no severity" not in await page(person, "/alerts")


async def test_a_rule_of_ones_own_is_added_changed_and_removed(person: httpx.AsyncClient, farm: Farm) -> None:
    assert (await post(person, "/alerts/rules", **FULL)).status_code == 303
    own = (await rules_of(farm))[-1]
    assert (own["rule"], own["select"], own["severity"], own["for_s"]) == ("power<100", "tag:hall:2", "critical", 60)
    text = row(await page(person, "/alerts"), "power<100")
    assert "A rig has power < 100, for 1 min." in text
    assert "tag:hall:2 0 now" in text
    edit = await page(person, f"/alerts?dialog=edit-rule&rule={own['id']}")
    assert 'value="power&lt;100"' in edit
    await post(person, f"/alerts/rules/{own['id']}/edit", **FULL | {"rule": "power<200"})
    assert (await rules_of(farm))[-1]["rule"] == "power<200"
    assert "Remove the rule power&lt;200?" in await page(person, f"/alerts?dialog=remove-rule&rule={own['id']}")
    for _ in range(2):
        assert (await post(person, f"/alerts/rules/{own['id']}/remove")).status_code == 303
    assert len(await rules_of(farm)) == len(SHIPPED)


async def test_some_rigs_get_other_limits(person: httpx.AsyncClient, farm: Farm) -> None:
    fields = {"about": "temperature:gpu", "select": "gpu:3090", "warning": "85", "critical": "90", "for_min": "2"}
    assert (await post(person, "/alerts/rules", **fields)).status_code == 303
    added = (await rules_of(farm))[-1]
    assert (added["rule"], added["sensor"], added["warning"], added["critical"]) == ("temperature", "gpu", 85, 90)
    assert "gpu:3090" in await page(person, "/alerts")


async def test_a_shipped_rule_is_changed_and_switched_off(person: httpx.AsyncClient, farm: Farm) -> None:
    rule_id = id_of(await rules_of(farm), "temperature", "gpu")
    edit = await page(person, f"/alerts?dialog=edit-rule&rule={rule_id}")
    assert "Warning at, in °C" in edit
    assert 'name="rule"' not in edit
    fields = {"about": "offline", "warning": "75", "critical": "80", "for_min": "3", "clear_min": "5"}
    await post(person, f"/alerts/rules/{rule_id}/edit", **fields)
    assert "75 °C (critical: 80 °C) or hotter, for 3 min." in row(await page(person, "/alerts"), "GPU too hot")
    await post(person, f"/alerts/rules/{rule_id}/switch")
    assert " Off " in row(await page(person, "/alerts"), "GPU too hot")
    await post(person, f"/alerts/rules/{rule_id}/switch")
    assert " On " in row(await page(person, "/alerts"), "GPU too hot")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"rule": "power"}, "rule", "Write a comparison"),
        ({"rule": "power<many"}, "rule", "many"),
        ({"select": "tga:hall"}, "select", "tga"),
        ({"for_min": "soon"}, "for_min", "Enter minutes"),
        ({"for_min": "1441"}, "for_min", "from 0 to 1,440"),
        ({"clear_min": "-1"}, "clear_min", "Enter minutes"),
        ({"about": "offline", "warning": "x"}, "warning", "Enter a number"),
        ({"about": "temperature:gpu", "warning": "90", "critical": "80"}, "critical", "must not be below"),
        ({"about": "rejected"}, "critical", "needs a limit"),
    ],
)
async def test_an_error_stands_beside_its_field(
    person: httpx.AsyncClient, fields: dict[str, str], field: str, words: str
) -> None:
    answer = await post(person, "/alerts/rules", **FULL | fields)
    assert answer.status_code == 422
    assert words in html.unescape(error_beside(answer.text, field))
    assert 'data-url="/alerts?dialog=add-rule"' in answer.text


async def test_a_rule_is_tried_before_it_is_saved(person: httpx.AsyncClient, farm: Farm) -> None:
    begin = (datetime.now(UTC) - timedelta(hours=3)).replace(minute=0, second=0)
    ago_s = (datetime.now(UTC) - begin).total_seconds()
    await farm.report(await farm.add("rig-07"), *(a_log(ago_s - 60 * step, power_w=90.0) for step in range(60)))
    async with open_database(farm.settings.database_url) as database:
        await roll_up(database, now=datetime.now(UTC))
    before = await rules_of(farm)
    fields = FULL | {"select": "", "do": "preview"}
    answer = await post(person, "/alerts/rules", **fields)
    assert answer.status_code == 200
    assert "In the last 7 days it would have fired once (rig-07 once)." in answer.text
    assert 'value="power&lt;100"' in answer.text, "the form keeps what was entered"
    quiet = await post(person, "/alerts/rules", **fields | {"rule": "power<50"})
    assert "In the last 7 days it would not have fired." in quiet.text
    clock = id_of(before, "clock")
    unknown = await post(person, f"/alerts/rules/{clock}/edit", **{"for_min": "5", "clear_min": "5", "do": "preview"})
    assert "There is no preview of this rule" in unknown.text
    assert await rules_of(farm) == before


def test_a_preview_names_the_rigs_that_fire_most() -> None:
    rigs = [RigFirings("rig-07", 2), *(RigFirings(f"rig-{number}", 1) for number in range(10, 16))]
    assert preview_text(PreviewResult(8, rigs, 1_000, 300)) == (
        "In the last 7 days it would have fired 8 times (rig-07 twice, rig-10 once, rig-11 once, rig-12 once,"
        " rig-13 once and 2 more). Only 300 of 1,000 rigs were looked at."
    )


def field_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")


async def test_maintenance_is_added_and_ended(person: httpx.AsyncClient, farm: Farm) -> None:
    assert "no messages about them are sent" in await page(person, "/alerts")
    form = await page(person, "/alerts?dialog=add-maintenance&select=tag:hall:2")
    assert 'name="select" value="tag:hall:2"' in form
    until = datetime.now(UTC) + timedelta(hours=3)
    fields = {"select": "tag:hall:2", "to": field_time(until), "reason": "new power supply"}
    assert (await post(person, "/alerts/maintenance", **fields)).status_code == 303
    (added,) = (await farm.get(MAINTENANCE)).json()["maintenance"]
    assert (added["select"], added["reason"]) == ("tag:hall:2", "new power supply")
    assert added["until"].startswith(field_time(until))
    text = await page(person, "/alerts")
    assert "new power supply" in text
    assert '<span class="state warning">Now</span>' in text
    dialog = await page(person, f"/alerts?dialog=end-maintenance&maintenance={added['id']}")
    assert "End the maintenance of tag:hall:2?" in dialog
    for _ in range(2):
        assert (await post(person, f"/alerts/maintenance/{added['id']}/end")).status_code == 303
    assert (await farm.get(MAINTENANCE)).json()["maintenance"] == []


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"to": ""}, "to", "Enter when"),
        ({"to": "2026-01-01T00:00"}, "to", "before now"),
        ({"to": "soon"}, "to", "is not a time"),
        ({"from": "soon"}, "from", "is not a time"),
        ({"select": "tga:x"}, "select", "tga"),
    ],
)
async def test_a_maintenance_that_can_not_be_is_told_beside_its_field(
    person: httpx.AsyncClient, fields: dict[str, str], field: str, words: str
) -> None:
    until = field_time(datetime.now(UTC) + timedelta(hours=3))
    answer = await post(person, "/alerts/maintenance", **{"to": until, "reason": "x"} | fields)
    assert answer.status_code == 422
    assert words in html.unescape(error_beside(answer.text, field))


async def test_allowed_pools_of_asics_are_entered_shown_and_checked(person: httpx.AsyncClient, farm: Farm) -> None:
    fields = {"about": "wallet", "select": "tag:owner:anna", "severity": "critical", "for_min": "0"}
    wrong = await post(person, "/alerts/rules", **fields, allowed="pool.example:3333, no pool!")
    assert "is no pool" in error_beside(wrong.text, "allowed")
    assert (await post(person, "/alerts/rules", **fields, allowed="farm@pool.example:3333")).status_code == 303
    rule = (await rules_of(farm))[-1]
    assert (rule["rule"], rule["allowed"]) == ("wallet", "farm@pool.example:3333")
    assert "or an ASIC to others than farm@pool.example:3333" in html.unescape(await page(person, "/alerts"))
    dialog = await page(person, f"/alerts?dialog=edit-rule&rule={rule['id']}")
    assert 'value="farm@pool.example:3333"' in dialog
    answer = await farm.client.post(
        RULES, json={"rule": "offline", "critical": 60, "allowed": "pool.example"}, headers=farm.auth
    )
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, ["allowed"])
