"""The words of pages when something is wrong on the farm."""

import re

import httpx
import pytest
from commander.live.rig_state import Health
from commander.registry.kinds import RigKind
from commander.rig_pages.asic import ASICS
from commander.rig_pages.listing import IndexQuery
from commander.rig_pages.live_views import RigView
from commander.rig_pages.navigation import no_match
from commander.software.placeholders import BadScript, fill
from commander_farm import Farm, an_asic_log
from live_farm import LiveFarm, Screen
from protocol.playbook_messages import Platform


async def test_a_missing_page_says_so_once(person: httpx.AsyncClient) -> None:
    answer = await person.get("/nothing-like-it")
    assert answer.status_code == 404
    assert '<h1 tabindex="-1">There is no page at this address.</h1>' in answer.text
    assert not re.search("Nothing here|Not Found|Status 404", answer.text)


async def test_totals_count_with_one_grouping_of_digits(person: httpx.AsyncClient, farm: Farm) -> None:
    asic = await farm.add_asic()
    await farm.report_asic(asic, an_asic_log(fans_rpm=[5843, 5633], hashrate_hs=110e12))
    html = (await person.get(f"/asics/{asic.id}")).text
    assert "5,843 rpm" in html
    assert "5,633 rpm" in html
    assert 'title="110,000,000,000,000 H/s"' in html
    assert "<dt>Reporting</dt>" in (await person.get("/asics")).text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (IndexQuery(kind=RigKind.ASIC, faulty=True), "No ASIC has a fault."),
        (IndexQuery(kind=RigKind.ASIC, select="x"), "No ASIC matches “x”."),
        (IndexQuery(kind=RigKind.ASIC, select="x", faulty=True), "No ASIC with a fault matches “x”."),
        (IndexQuery(health=Health.OFFLINE), "No rig is offline."),
        (IndexQuery(health=Health.WAITING), "No rig is waiting for its sentry."),
        (IndexQuery(health=Health.STALE, select="x"), "No rig in the state Stale matches “x”."),
    ],
)
def test_a_filter_says_which_rigs_there_are_none_of(query: IndexQuery, sentence: str) -> None:
    assert no_match(query) == sentence


def test_a_fault_is_named_with_the_time_since_when_it_is_there() -> None:
    farm = LiveFarm(display=ASICS)
    farm.add("s19-01")
    farm.tell(1, an_asic_log(faults=["temperature"]))
    too_hot_at = farm.index.rigs[1].taken_at
    page = Screen(farm, RigView(farm.views, 1))
    page.step()
    boards = [{"slot": 1, "hashrate_hs": 0.0}, {"slot": 2, "hashrate_hs": 50e12}]
    farm.tell(1, an_asic_log(faults=["temperature"], boards=boards))
    began_at = farm.index.rigs[1].taken_at
    farm.now_s += 30
    farm.tell(1, an_asic_log(faults=["temperature"], boards=boards))
    html = page.step()
    assert too_hot_at is not None
    assert f'<h2>Too hot <small>(since <time datetime="{too_hot_at.isoformat()}" data-clock>' in html
    assert began_at is not None
    assert f'Board 1 has no hashrate <small>(since <time datetime="{began_at.isoformat()}" data-clock>' in html


@pytest.mark.parametrize(
    ("placeholder", "sentence"),
    [
        ("algorithm", "Enter an algorithm: the script uses {algorithm}."),
        ("algorithm2", "Enter a second algorithm: the script uses {algorithm2}."),
        ("pool2_hostport", "Choose a second pool: the script uses {pool2_hostport}."),
        ("password", "Enter a pool password: the script uses {password}."),
    ],
)
def test_a_placeholder_without_a_value_says_what_to_enter(placeholder: str, sentence: str) -> None:
    with pytest.raises(BadScript) as wrong:
        fill(f"./miner {{{placeholder}}}", {}, Platform.LINUX)
    assert wrong.value.wrong == {placeholder: sentence}
