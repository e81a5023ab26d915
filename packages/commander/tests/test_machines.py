"""Copies of a rig's data folder on another machine are noticed; a changed network card is not taken for one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa
from commander.db import open_database
from commander.machines.domain import KnownMachine, RigNow, Verdict, decide
from commander.machines.tables import rig_machines
from commander.settings import Settings
from commander_farm import RIGS, Farm, Rig, a_log, running
from enrolling import Machine, code_of, token_text
from protocol.enrolment_messages import Identity

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SILENCE = timedelta(seconds=60)
KEY, OLD_CARD, NEW_CARD = 32 * "0", "02:00:00:00:00:01", "02:00:00:00:00:02"
BOARD = 64 * "b"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def a_machine(
    number: int, mac: str, asked_s: float, *, seen_s: float | None = None, accepted: bool = True
) -> KnownMachine:
    seen_at = ago(asked_s if seen_s is None else seen_s)
    return KnownMachine(number, frozenset([mac] if mac else []), None, None, ago(asked_s), seen_at, accepted)


FIRST = a_machine(1, OLD_CARD, 90_000)
ASKS = a_machine(2, NEW_CARD, 10, seen_s=5, accepted=False)


def verdict(
    mac: str, known: list[KnownMachine], *, reported_s: float | None = None, has_two: bool = False, **more: str
) -> Verdict:
    asking = Identity(key=KEY, macs=[mac] if mac else [], **more)
    rig = RigNow(None if reported_s is None else ago(reported_s), has_two)
    return decide(asking, known, rig, now=NOW, silence=SILENCE).verdict


def test_the_first_machine_is_the_rig() -> None:
    assert verdict(OLD_CARD, []) is Verdict.ACCEPTED
    assert verdict(OLD_CARD, [FIRST], reported_s=1) is Verdict.KNOWN
    assert verdict("", [FIRST], reported_s=1) is Verdict.KNOWN, "nothing tells them apart"
    assert verdict(NEW_CARD, [ASKS], reported_s=1) is Verdict.CLONE, "another one is the rig, known or not"
    assert verdict("02:00:00:00:00:03", [ASKS], reported_s=1) is Verdict.UNCLEAR


def test_a_machine_with_new_macs_waits_until_the_rig_reports_or_is_silent_for_long() -> None:
    assert verdict(NEW_CARD, [FIRST], reported_s=1) is Verdict.UNCLEAR
    assert verdict(NEW_CARD, [FIRST, ASKS], reported_s=11) is Verdict.UNCLEAR
    assert verdict(NEW_CARD, [FIRST, ASKS], reported_s=4) is Verdict.CLONE
    waited = a_machine(2, NEW_CARD, 61, seen_s=5, accepted=False)
    assert verdict(NEW_CARD, [FIRST, waited], reported_s=62) is Verdict.ACCEPTED
    assert verdict(NEW_CARD, [FIRST, waited]) is Verdict.ACCEPTED, "it has never reported"
    away = a_machine(2, NEW_CARD, 5000, seen_s=4000, accepted=False)
    assert verdict(NEW_CARD, [FIRST, away], reported_s=100) is Verdict.UNCLEAR, "an old question counts no more"


def test_the_same_board_with_another_card_does_not_wait() -> None:
    board = FIRST._replace(board_serial=BOARD)
    assert verdict(NEW_CARD, [board], reported_s=1, board_serial=BOARD) is Verdict.ACCEPTED
    assert verdict(NEW_CARD, [board], reported_s=1, board_serial=64 * "c") is Verdict.UNCLEAR
    assert verdict(NEW_CARD, [board], reported_s=1, has_two=True, board_serial=BOARD) is Verdict.UNCLEAR


def test_of_two_machines_that_report_at_once_the_later_one_is_the_copy() -> None:
    later = a_machine(2, NEW_CARD, 3000, seen_s=2)
    now = FIRST._replace(seen_at=ago(5))
    assert verdict(NEW_CARD, [now, later], reported_s=1, has_two=True) is Verdict.CLONE
    assert verdict(OLD_CARD, [now, later], reported_s=1, has_two=True) is Verdict.KNOWN
    assert verdict(NEW_CARD, [FIRST, later], reported_s=1, has_two=True) is Verdict.KNOWN, "the first is an old card"
    assert verdict(NEW_CARD, [now, later], reported_s=1) is Verdict.KNOWN


async def let_pass(farm: Farm, seconds: float) -> None:
    """Moves the first question of machines back in time."""
    async with open_database(farm.settings.database_url) as database, database.transaction() as db:
        asked_at = rig_machines.c.asked_at
        earlier = sa.type_coerce(asked_at, sa.BigInteger) - int(seconds * 1_000_000)
        await db.execute(sa.update(rig_machines).values({asked_at: earlier}))


async def names(farm: Farm) -> dict[str, bool]:
    return {each["name"]: each["approved"] for each in (await farm.get(RIGS)).json()}


async def an_enrolled(farm: Farm) -> tuple[Machine, Rig]:
    machine = Machine(farm, "rig-07")
    rig = await machine.enrol(await token_text(farm, approve_by_hand=False))
    assert (await machine.start(rig)).status_code == 204
    await farm.report(rig, a_log(), run="one")
    return machine, rig


async def test_a_copied_data_folder_becomes_a_rig_of_its_own(farm: Farm) -> None:
    machine, rig = await an_enrolled(farm)
    copy = replace(machine, macs=["02:00:00:00:00:02"])
    assert code_of(await copy.start(rig)) == (503, "machine_unclear")
    await farm.report(rig, a_log(), run="one")
    answer = await copy.start(rig)
    assert code_of(answer) == (409, "clone")
    assert "rig-07" in answer.json()["detail"]
    copy.with_new_key()
    other = await copy.enrol(rig.token)
    assert (other.name, await names(farm)) == ("copy of rig-07", {"rig-07": True, "copy of rig-07": False})
    assert (await copy.enrol(rig.token)).id == other.id, "the answer was lost"
    assert (await machine.start(rig)).status_code == 204
    assert (await farm.report(rig, a_log(), run="one")).json()["stored"] == 1
    second = replace(machine, macs=["02:00:00:00:00:03"])
    second.with_new_key()
    assert (await second.enrol(rig.token)).name == "copy of rig-07-2"


async def test_a_copy_that_enrols_with_the_farm_token_waits_whatever_the_token_says(farm: Farm) -> None:
    token = await token_text(farm, approve_by_hand=False)
    machine = Machine(farm, "rig-07")
    rig = await machine.enrol(token)
    copy = replace(machine, macs=["02:00:00:00:00:02"])
    assert code_of(await copy.ask(token)) == (503, "machine_unclear")
    await farm.report(rig, a_log())
    assert code_of(await copy.ask(token)) == (409, "clone")
    copy.with_new_key()
    assert (await copy.enrol(token)).name == "copy of rig-07"
    assert await names(farm) == {"rig-07": True, "copy of rig-07": False}


@asynccontextmanager
async def hours_later(settings: Settings, *machines: Machine, bind: bool = False) -> AsyncIterator[Farm]:
    """Gives a farm whose rig has been off for two hours, while the second machine has asked for one hour.

    `bind`: the rig is bound to the first machine.
    """
    first, second = machines
    async with running(settings) as client:
        farm = first.farm = second.farm = Farm(client, settings)
        await farm.make_key()
        rig = await first.enrol(await token_text(farm, approve_by_hand=False))
        await farm.report(rig, a_log(7200))
        if bind:
            assert (await first.bind(rig)).status_code == 204
        answer = await second.bind(rig) if bind else await second.start(rig)
        assert code_of(answer) == (503, "machine_unclear")
        assert answer.headers["retry-after"] == "5"
        await let_pass(farm, 3600)
    async with running(settings) as client:
        first.farm = second.farm = Farm(client, settings, farm.auth)
        yield first.farm


def two_machines(settings: Settings) -> tuple[Machine, Machine]:
    """The second one has the first one's data folder."""
    nowhere = Farm(httpx.AsyncClient(), settings)
    first = Machine(nowhere, "rig-07")
    return first, replace(first, macs=["02:00:00:00:00:02"])


async def test_a_rig_with_another_network_card_is_the_same_rig(settings: Settings) -> None:
    machine, changed = two_machines(settings)
    async with hours_later(settings, machine, changed) as farm:
        rig = await machine.enrol(await token_text(farm))
        assert (await changed.start(rig)).status_code == 204
        await farm.report(rig, a_log(), run="two")
        assert (await changed.start(rig)).status_code == 204
        assert (await machine.start(rig)).status_code == 204, "its old card is known"
        assert await names(farm) == {"rig-07": True}


async def test_a_copy_that_began_while_the_rig_was_off_is_noticed_when_it_is_back(settings: Settings) -> None:
    machine, copy = two_machines(settings)
    async with hours_later(settings, machine, copy) as farm:
        rig = await machine.enrol(await token_text(farm))
        assert (await copy.start(rig)).status_code == 204
        assert (await machine.start(rig)).status_code == 204
        for run in ("copy", "back", "copy"):
            receipt = await farm.report(rig, a_log(), run=run)
        assert receipt.json()["two_sentries"] is True
        assert (await machine.start(rig)).status_code == 204
        assert code_of(await copy.start(rig)) == (409, "clone")


async def test_copies_of_one_rig_are_limited(farm: Farm) -> None:
    _, rig = await an_enrolled(farm)
    answers = [await Machine(farm).ask(rig.token) for _ in range(21)]
    assert [answer.status_code for answer in answers[:20]] == [201] * 20
    assert code_of(answers[20]) == (409, "too_many_copies")


async def test_copies_of_copies_count_for_the_original(farm: Farm) -> None:
    _, rig = await an_enrolled(farm)
    first = await Machine(farm).enrol(rig.token)
    deeper = await Machine(farm).enrol(first.token)
    assert deeper.name == "copy of rig-07-2"
    answers = [await Machine(farm).ask(token) for token in (first.token, deeper.token) for _ in range(10)]
    assert [answer.status_code for answer in answers[:18]] == [201] * 18
    assert [code_of(answer) for answer in answers[18:]] == [(409, "too_many_copies")] * 2
    assert code_of(await Machine(farm).ask(rig.token)) == (409, "too_many_copies")
    assert (await farm.client.delete(f"{RIGS}/{rig.id}", headers=farm.auth)).status_code == 204
    assert code_of(await Machine(farm).ask(first.token)) == (409, "too_many_copies"), "the original was removed"


async def test_many_copies_do_not_make_the_rig_forgotten(farm: Farm) -> None:
    machine, rig = await an_enrolled(farm)
    copies = [replace(machine, macs=[f"02:00:00:00:01:{number:02x}"]) for number in range(20)]
    assert {code_of(await copy.start(rig)) for copy in copies} == {(503, "machine_unclear")}
    await farm.report(rig, a_log(), run="one")
    assert code_of(await copies[-1].start(rig)) == (409, "clone")
    assert (await machine.start(rig)).status_code == 204


@pytest.mark.parametrize("wrong", [{"key": "short"}, {"macs": ["no mac"]}, {"macs": 65 * ["02:00:00:00:00:02"]}])
async def test_an_identity_that_makes_no_sense_is_refused(farm: Farm, wrong: dict[str, object]) -> None:
    machine, rig = await an_enrolled(farm)
    answer = await farm.client.put("/api/v1/sentry/identity", json=machine.identity | wrong, headers=rig.auth)
    assert answer.status_code == 422
