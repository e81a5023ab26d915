"""The engine over hours and with trouble: removed cards, flapping rigs, much at once, a rule that fails."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

import msgspec
import pytest
import sqlalchemy as sa
from commander.accounts.tables import site_tokens
from commander.alert_rules import store as rule_store
from commander.alert_rules.domain import RuleLimits, RuleName
from commander.alert_rules.judgement import Judgement
from commander.alert_rules.judging import JUDGES
from commander.alert_rules.tables import alert_rules
from commander.alert_rules.view import JudgedRig, Usual
from commander.audit.actor import COMMANDER, Actor
from commander.audit.store import record
from commander.commands.tables import command_targets, commands
from commander.db import Database
from commander.incidents import writer
from commander.incidents.changes_before import NOTHING, changes_before
from commander.incidents.domain import Condition, ConditionKey, Phase
from commander.incidents.given_up import RigsGivenUp
from commander.incidents.pieces import pieces_of
from commander.incidents.retention import KEPT_OF_DEVICE, forget_old
from commander.incidents.running import Rounds
from commander.incidents.store import insert_conditions
from commander.incidents.tables import conditions, incidents
from commander.jobs.leadership import Leadership
from commander.jobs.tables import jobs
from commander.live.rig_state import RigState
from commander.notifications.heartbeat import ROUNDS
from commander.readings.severity import Severity
from commander.registry.tables import asic_rigs, cpu_gpu_rigs
from commander.watchdog import store as watchdog
from commander.watchdog.domain import GivenUp
from commander_farm import on_sqlite
from engine_farm import ASIC, CPU_GPU, START, EngineFarm
from protocol.command_messages import LadderAct, LadderEvent
from sqlalchemy.ext.asyncio import AsyncConnection

pytestmark = on_sqlite
CARDS = ("0000:03:00.0", "0000:04:00.0")


@pytest.fixture
async def farm(database: Database) -> EngineFarm:
    farm = EngineFarm(database)
    await farm.begin()
    return farm


def hot(*addresses: str, core_c: float = 97.0) -> list[dict[str, object]]:
    return [{"pci_address": each, "temperature_c": core_c, "fan_percent": 70.0} for each in addresses]


def specs(*addresses: str) -> bytes:
    return msgspec.json.encode({"gpus": [{"pci_address": each, "name": "RTX 3080"} for each in addresses]})


async def count(database: Database, table: sa.Table) -> int:
    async with database.reading() as db:
        return int((await db.execute(sa.select(sa.func.count()).select_from(table))).scalar_one())


async def test_the_condition_of_a_card_that_was_taken_out_ends_and_says_so(farm: EngineFarm) -> None:
    rig = farm.add()
    farm.lives[CPU_GPU].index.set_specs(rig.id, specs(*CARDS))
    await farm.run(200, [rig], gpus=hot(*CARDS))
    assert len(await farm.conditions()) == 2
    farm.lives[CPU_GPU].index.set_specs(rig.id, specs(CARDS[0]))
    await farm.run(20, [rig], gpus=hot(CARDS[0]))
    assert [each.key.device for each in await farm.conditions()] == [CARDS[0]]
    await farm.run(320, [rig], gpus=hot(CARDS[0], core_c=60))
    assert farm.events() == ["opened", "closed"]
    assert farm.outbox.news[-1].lines[-1] == "rig-001 (GPU 03:00 97 °C, GPU 04:00 97 °C, the card was removed)."


async def test_a_card_at_another_address_takes_no_old_condition_along(farm: EngineFarm) -> None:
    rig = farm.add()
    farm.lives[CPU_GPU].index.set_specs(rig.id, specs(CARDS[0]))
    await farm.run(200, [rig], gpus=hot(CARDS[0]))
    farm.lives[CPU_GPU].index.set_specs(rig.id, specs(CARDS[1]))
    await farm.run(20, [rig], gpus=hot(CARDS[1], core_c=60))
    assert await farm.conditions() == []


async def test_a_card_that_fell_off_the_bus_is_lost_and_keeps_its_conditions(farm: EngineFarm) -> None:
    rig = farm.add()
    farm.lives[CPU_GPU].index.set_specs(rig.id, specs(*CARDS))
    await farm.run(200, [rig], gpus=hot(*CARDS))
    lost = {"pci_address": CARDS[1], "is_lost": True}
    await farm.run(900, [rig], gpus=[*hot(CARDS[0]), lost])
    found = {(each.key.rule, each.key.device): each.phase for each in await farm.conditions()}
    assert found == {
        ("temperature", CARDS[0]): Phase.FIRING,
        ("temperature", CARDS[1]): Phase.FIRING,
        ("device_lost", ""): Phase.FIRING,
    }


async def test_a_board_that_is_not_usual_any_more_was_removed(farm: EngineFarm) -> None:
    rig = farm.add(ASIC)
    boards = [{"slot": slot, "chip_temperature_c": 99.0, "chips": 114} for slot in (1, 2)]
    await farm.run(200, [rig], ASIC, boards=boards, temperature_c=99.0)
    farm.engine.evaluation.usual = {(ASIC, rig.id): Usual(boards=(1, 2))}
    await farm.run(20, [rig], ASIC, boards=boards[:1], temperature_c=99.0)
    found = [each.key.device for each in await farm.conditions() if each.key.rule == "temperature"]
    assert found == ["board 1", "board 2"]
    farm.engine.evaluation.usual = {(ASIC, rig.id): Usual(boards=(1,))}
    await farm.run(20, [rig], ASIC, boards=boards[:1], temperature_c=99.0)
    found = [each.key.device for each in await farm.conditions() if each.key.rule == "temperature"]
    assert found == ["board 1"]


async def test_an_algorithm_that_is_not_mined_any_more_is_not_low(farm: EngineFarm) -> None:
    rig = farm.add()
    farm.engine.evaluation.usual = {(CPU_GPU, rig.id): Usual(hashrates_hs={"rx/0": 9e9, "kHeavyHash": 9e9})}
    await farm.run(620, [rig])
    assert "rx/0" in {each.key.device for each in await farm.conditions()}
    farm.engine.evaluation.usual = {(CPU_GPU, rig.id): Usual(hashrates_hs={"rx/0": 1.0})}
    await farm.run(20, [rig])
    assert [each for each in await farm.conditions() if each.key.device] == []


@pytest.mark.parametrize(
    "usual",
    [
        pytest.param(Usual(), id="not learnt yet"),
        pytest.param(Usual(learnt_at=START, learning_until=START + timedelta(hours=6)), id="learns"),
    ],
)
async def test_while_it_is_learnt_again_what_is_usual_nothing_is_low_or_high(farm: EngineFarm, usual: Usual) -> None:
    rig = farm.add()
    farm.engine.evaluation.usual = {(CPU_GPU, rig.id): Usual(hashrates_hs={"rx/0": 9e9}, power_w=1.0)}
    await farm.run(620, [rig])
    assert {each.key.rule for each in await farm.conditions()} == {"hashrate_low", "power"}
    farm.engine.evaluation.usual = {(CPU_GPU, rig.id): usual}
    await farm.run(20, [rig])
    assert await farm.conditions() == []


async def test_a_farm_of_one_rig(farm: EngineFarm) -> None:
    rigs = [farm.add(name="rig-alone")]
    await farm.run(60, rigs)
    await farm.run(240)
    assert [(news.title, news.lines) for news in farm.outbox.news] == [
        ("rig-alone stopped reporting", ("rig-alone (no report).", NOTHING))
    ]
    await farm.run(90, rigs)
    assert farm.events() == ["opened", "closed"]


async def test_what_people_changed_in_the_hour_before_stands_in_the_opening_alone(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.run(60, rigs)
    async with farm.database.transaction() as db:
        for number in range(5):
            await record(db, "playbook changed", f"rig-0{number}", at=farm.now - timedelta(minutes=30 - number))
        await record(db, "playbook changed", "of yesterday", at=farm.now - timedelta(hours=20))
        await record(db, "logged in", at=farm.now)
        await record(db, "incident acknowledged", "another one", at=farm.now)
    await farm.run(240, rigs[1:])
    (news,) = farm.outbox.news
    at = farm.now - timedelta(seconds=240 + 26 * 60)
    assert news.lines[-1].startswith(f"Changed in the hour before: playbook changed (rig-04, {at:%H:%M} UTC), playbook")
    assert news.lines[-1].endswith(" UTC) and 2 more.")
    await farm.run(90, rigs)
    assert "changed in the hour" not in " ".join(farm.outbox.news[-1].lines).lower()


@pytest.mark.parametrize(
    "what",
    [
        *("site token revoked", "token replaced", "tags changed", "maintenance removed", "playbooks reordered"),
        *("mining software changed", "wallet removed", "pool added", "watchdog rule added", "command sent"),
    ],
)
async def test_a_change_that_may_matter_is_named_before_two_hundred_log_ins(farm: EngineFarm, what: str) -> None:
    at = START - timedelta(minutes=30)
    async with farm.database.transaction() as db:
        await record(db, what, "hall 1", actor=Actor("anna"), at=at)
        for _ in range(250):
            await record(db, "logged in", actor=Actor("anna"), at=at)
        found = await changes_before(db, START)
    assert found == f"Changed in the hour before: {what} (hall 1, 02:30 UTC)."


async def test_what_nobody_did_and_what_changes_no_rig_is_not_named(farm: EngineFarm) -> None:
    at = START - timedelta(minutes=30)
    async with farm.database.transaction() as db:
        for what in ("command ended", "command stopped"):
            await record(db, what, "command 7", actor=COMMANDER, at=at)
        await record(db, "watchdog rebooted the rig", "rig-001", actor=Actor("watchdog"), at=at)
        await record(db, "site token made", "hall 1", actor=Actor("anna"), at=START)
        for what in ("farm token made", "access added", "view saved", "password changed", "incident muted"):
            await record(db, what, "x", actor=Actor("anna"), at=at)
        assert await changes_before(db, START) == NOTHING


async def test_hundreds_of_changes_are_counted(farm: EngineFarm) -> None:
    async with farm.database.transaction() as db:
        for number in range(1_204):
            await record(db, "playbook changed", f"rig-{number}", actor=Actor("anna"), at=START - timedelta(minutes=30))
        assert (await changes_before(db, START)).endswith(" and 1,201 more.")


async def test_asics_of_one_sentry_have_that_in_common(farm: EngineFarm) -> None:
    asics = [farm.add(ASIC) for _ in range(12)]
    async with farm.database.transaction() as db:
        await db.execute(sa.insert(site_tokens).values(id=1, name="hall 1", key_hash=b"1", created_at=START))
        for state in asics:
            row = {"id": state.id, "name": state.name, "name_key": state.name, "created_at": START}
            row |= {"token_hash": state.name.encode(), "site_id": 1 + state.id % 2, "site_key": state.name}
            await db.execute(sa.insert(asic_rigs).values(row))
    await farm.run(60, asics, ASIC)
    await farm.run(240, [each for each in asics if each.id % 2], ASIC)
    assert farm.outbox.news[0].lines[0] == "In common: ASIC sentry of the site hall 1 (6 of its 6 rigs; 0 of 6 others)."


async def test_a_board_and_a_fan_that_are_usual_are_missed(farm: EngineFarm) -> None:
    rig, other = farm.add(ASIC), farm.add(ASIC)
    usual = Usual(boards=(1, 2, 3), fans=4)
    farm.engine.evaluation.usual = {(ASIC, rig.id): usual, (ASIC, other.id): usual}
    boards = [{"slot": slot, "hashrate_hs": 3e13, "chips": 114} for slot in (1, 2, 3)]
    for _ in range(40):
        farm.pass_time(5)
        farm.report(rig, ASIC, 0, boards=boards[:2], fans_rpm=[6_000.0] * 3)
        farm.report(other, ASIC, 0, boards=boards, fans_rpm=[6_000.0] * 4)
        await farm.round()
    found = {(each.name, each.key.rule, each.value) for each in await farm.conditions() if each.is_open}
    assert found == {(rig.name, "device_lost", "Board 3 is missing"), (rig.name, "fan", "3 of 4 fans")}
    await farm.run(400, [rig], ASIC, boards=[], fans_rpm=[])
    assert {each.phase for each in await farm.conditions() if each.name == rig.name} == {Phase.FIRING}, "unknown"
    await farm.run(400, [rig], ASIC, boards=boards, fans_rpm=[6_000.0] * 4)
    assert [each for each in await farm.conditions() if each.name == rig.name] == []


async def flap(farm: EngineFarm, rigs: Iterable[RigState], seconds: float) -> None:
    """Lets rigs be hot for 30 s and cool for 30 s, again and again."""
    for step in range(round(seconds / 5)):
        farm.pass_time(5)
        for state in rigs:
            farm.report(state, gpus=hot(CARDS[0], core_c=97 if step // 6 % 2 else 40))
        await farm.round()


async def test_hours_of_flapping_need_no_more_rows_and_no_more_memory(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.add_rule("temperature", sensor="gpu", critical=85.0, for_s=0.0, clear_for_s=10.0)
    await flap(farm, rigs, 1_800)
    evaluation = farm.engine.evaluation
    rows = await count(farm.database, conditions), await count(farm.database, incidents)
    told = len(farm.outbox.news)
    await flap(farm, rigs, 3_600)
    assert (await count(farm.database, conditions), await count(farm.database, incidents)) == rows == (3, 1)
    assert len(list(evaluation.current)) + len(evaluation.current._ended) == 3
    assert len(farm.outbox.news) == told, "a rig that comes back is no growth"
    farm.restart()
    await flap(farm, rigs, 120)
    assert await count(farm.database, conditions) == 3


async def test_a_condition_that_waits_to_fire_again_goes_on_in_its_row(farm: EngineFarm) -> None:
    rigs = [farm.add()]
    await farm.run(200, rigs, gpus=hot(CARDS[0]))
    await farm.run(400, rigs, gpus=hot(CARDS[0], core_c=40))
    await farm.run(200, rigs, gpus=hot(CARDS[0]))
    (condition,) = await farm.conditions()
    assert (condition.phase, condition.began_at < START + timedelta(seconds=60)) == (Phase.FIRING, True)
    assert await count(farm.database, conditions) == 1
    assert len(await farm.open()) == 1


async def test_a_condition_that_comes_back_after_a_rename_has_the_new_name(farm: EngineFarm) -> None:
    rig = farm.add(name="rig-old")
    await farm.run(30, [rig])
    await farm.run(200)
    await farm.run(80, [rig])
    rig.name = "rig-new"
    await farm.run(200)
    assert [each.name for each in await farm.conditions()] == ["rig-new"]
    farm.restart()
    await farm.round()
    assert [each.name for each in farm.engine.evaluation.current] == ["rig-new"]


async def test_of_slow_flapping_the_newest_conditions_are_kept(farm: EngineFarm) -> None:
    rig, other = ConditionKey("cpu-gpu", 1, "offline", ""), ConditionKey("cpu-gpu", 2, "offline", "")
    ended = [
        Condition(key, "rig", Severity.CRITICAL, Phase.GONE, "", START, ended_at=START)
        for key, rows in ((rig, KEPT_OF_DEVICE + 50), (other, 7))
        for _ in range(rows)
    ]
    async with farm.database.transaction() as db:
        for condition in ended:
            await insert_conditions(db, [condition])
    await forget_old(farm.database, START + timedelta(days=1))
    async with farm.database.reading() as db:
        query = sa.select(conditions.c.rig_id, sa.func.count(), sa.func.min(conditions.c.id))
        rows = [tuple(row) for row in await db.execute(query.group_by(conditions.c.rig_id))]
    assert rows == [(1, KEPT_OF_DEVICE, 51), (2, 7, KEPT_OF_DEVICE + 51)]


@pytest.mark.parametrize("fails_at", [2, 3, 4, 5])
async def test_a_kill_between_two_pieces_of_a_round_loses_nothing(
    farm: EngineFarm, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    monkeypatch.setattr(writer, "pieces_of", partial(pieces_of, rows=3))
    rigs = [farm.add() for _ in range(20)]
    await farm.run(60, rigs)
    await farm.run(170, rigs[10:])
    keep, calls = Leadership.keep, list[int]()

    async def keep_until_killed(self: Leadership, db: AsyncConnection) -> None:
        calls.append(1)
        if len(calls) == fails_at:
            raise asyncio.CancelledError
        await keep(self, db)

    monkeypatch.setattr(Leadership, "keep", keep_until_killed)
    killed = False
    for _ in range(24):
        try:
            await farm.run(5, rigs[10:])
        except asyncio.CancelledError:
            killed = True
            farm.restart()
    assert killed
    assert farm.events() == ["opened"]
    assert len(farm.outbox.news[0].rigs) == 10
    assert len(await farm.open()) == 1
    await farm.run(120, rigs)
    assert farm.events() == ["opened", "closed"]


async def test_an_incident_without_conditions_is_closed(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.run(60, rigs)
    await farm.run(240, rigs[1:])
    async with farm.database.transaction() as db:
        await db.execute(sa.delete(conditions))
    farm.restart()
    farm.report(rigs[0])
    await farm.run(20, rigs)
    assert await farm.open() == []


async def test_a_rule_that_fails_stops_no_other_and_is_told_once(
    farm: EngineFarm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
        raise ZeroDivisionError("no power")

    monkeypatch.setitem(JUDGES, RuleName.POWER, broken)
    rigs = [farm.add() for _ in range(4)]
    with caplog.at_level(logging.ERROR, "commander.incidents.failing_rules"):
        await farm.run(200, rigs, gpus=hot(CARDS[0]))
    assert len(caplog.records) == 1
    assert "no power" in caplog.text
    titles = {news.title for news in farm.outbox.news}
    assert titles == {"The alert rule “Power” can't be evaluated. The log says why", "4 rigs are too hot"}
    async with farm.database.reading() as db:
        (since,) = (await rule_store.failing_rules(db)).values()
    assert since < START + timedelta(seconds=30)
    assert not farm.engine.is_well
    farm.restart()
    await farm.run(20, rigs)
    async with farm.database.reading() as db:
        assert list((await rule_store.failing_rules(db)).values()) == [since]
    monkeypatch.undo()
    farm.restart()
    await farm.run(320, rigs)
    async with farm.database.reading() as db:
        assert await rule_store.failing_rules(db) == {}
    assert farm.engine.is_well


async def test_a_selection_that_fails_leaves_out_its_rule_alone(
    farm: EngineFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    rigs = [farm.add() for _ in range(2)]
    await farm.add_rule("power<500", select="tag:hall:2", for_s=0.0)
    rigs[0].tags = None  # type: ignore[assignment]  # as no tag is
    await farm.run(200, rigs, gpus=hot(CARDS[0]))
    assert {each.key.rule for each in await farm.conditions()} == {"temperature", "commander"}


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        pytest.param({"rule": "moon_phase"}, "This version of the commander knows no rule “moon_phase”.", id="rule"),
        pytest.param({"rule": "power<many"}, "“many” (character 1) is no value of power. ", id="comparison"),
        pytest.param({"selection": "moon:full"}, "“moon” (character 1) is not a key. ", id="selection"),
        pytest.param({"severity": "fatal"}, "This version of the commander knows no severity “fatal”.", id="severity"),
        pytest.param({"sensor": "nose"}, "This version of the commander knows no sensor “nose”.", id="sensor"),
    ],
)
async def test_a_rule_of_another_version_stops_no_other_and_is_told_with_its_reason(
    farm: EngineFarm, stored: dict[str, str], reason: str
) -> None:
    await farm.add_rule("power<100")
    async with farm.database.transaction() as db:
        newest = sa.select(sa.func.max(alert_rules.c.id)).scalar_subquery()
        await db.execute(sa.update(alert_rules).where(alert_rules.c.id == newest).values(stored))
    rigs = [farm.add() for _ in range(2)]
    await farm.run(200, rigs, gpus=hot(CARDS[0]))
    name = stored.get("rule", "power<100")
    assert sorted(news.title for news in farm.outbox.news) == [
        "2 rigs are too hot",
        f"The alert rule “{name}” can't be evaluated. The page Alerts says why",
    ]
    assert next(iter(farm.rules.unreadable.values())).startswith(reason)
    assert not farm.engine.is_well


async def test_only_rounds_in_which_all_rules_work_are_noted_for_the_heartbeat(
    farm: EngineFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
        raise ZeroDivisionError

    rigs = [farm.add()]
    given_up = RigsGivenUp(farm.database, farm.lives[CPU_GPU])
    rounds = Rounds(farm.database, farm.engine, Leadership(farm.database, holder="here", is_alone=True), given_up)
    farm.report(rigs[0])
    await rounds.turn(farm.now_s)
    first = await noted(farm)
    monkeypatch.setitem(JUDGES, RuleName.POWER, broken)
    farm.rules.changed()
    farm.rules.books.clear()
    farm.engine.forget()
    farm.pass_time(120)
    farm.report(rigs[0])
    await rounds.turn(farm.now_s)
    assert await noted(farm) == first


async def noted(farm: EngineFarm) -> object:
    async with farm.database.reading() as db:
        return (await db.execute(sa.select(jobs.c.due_at).where(jobs.c.name == ROUNDS))).scalar_one()


async def give_up(farm: EngineFarm, rig: RigState) -> RigsGivenUp:
    """Stores the event of a rig whose watchdog has given up."""
    async with farm.database.transaction() as db:
        row = {"id": rig.id, "name": rig.name, "name_key": rig.name, "token_hash": b"", "created_at": START}
        await db.execute(sa.insert(cpu_gpu_rigs).values(row))
        event = LadderEvent(id="e1", act=LadderAct.GAVE_UP, reason="2 reboots in 24 h")
        await watchdog.add_event(db, rig.id, event, farm.now)
    return RigsGivenUp(farm.database, farm.lives[CPU_GPU])


async def given_up_rigs(farm: EngineFarm) -> list[str]:
    return [each.name for each in await farm.conditions() if each.key.rule == "watchdog_gave_up"]


async def test_a_rig_stays_given_up_for_days_until_it_mines_again(farm: EngineFarm) -> None:
    rig = farm.add()
    given_up = await give_up(farm, rig)
    for _ in range(4):
        farm.pass_time(86_400)
        await given_up.read(farm.engine.evaluation)
        await farm.run(20, [rig], miners=[])
        assert await given_up_rigs(farm) == [rig.name]
    async with farm.database.transaction() as db:
        await watchdog.delete_events_before(db, farm.now)
    await farm.run(320, [rig])
    assert await given_up_rigs(farm) == []
    await farm.run(10, [rig])
    await given_up.read(farm.engine.evaluation)
    await farm.run(20, [rig], miners=[])
    await given_up.read(farm.engine.evaluation)
    await farm.run(20, [rig], miners=[])
    assert await given_up_rigs(farm) == [], "a rig that stops later was not given up again"


async def test_a_rig_that_is_given_up_again_in_the_meantime_stays_so(farm: EngineFarm) -> None:
    rig = farm.add()
    await give_up(farm, rig)
    async with farm.database.transaction() as db:
        earlier = await watchdog.rigs_given_up(db)
        farm.pass_time(60)
        again = LadderEvent(id="e2", act=LadderAct.GAVE_UP, reason="too hot")
        await watchdog.add_event(db, rig.id, again, farm.now)
        await watchdog.note_over(db, earlier)
        assert await watchdog.rigs_given_up(db) == {rig.id: GivenUp("too hot", farm.now)}
        await watchdog.note_over(db, await watchdog.rigs_given_up(db))
        assert await watchdog.rigs_given_up(db) == {}


async def test_a_log_from_before_it_gave_up_is_no_proof_that_a_rig_mines(farm: EngineFarm) -> None:
    rig = farm.add()
    farm.report(rig)
    given_up = await give_up(farm, rig)
    await given_up.read(farm.engine.evaluation)
    await farm.round()
    await given_up.read(farm.engine.evaluation)
    await farm.run(20, [rig], miners=[])
    assert await given_up_rigs(farm) == [rig.name]


async def test_a_command_of_a_person_ends_that_a_rig_is_given_up(farm: EngineFarm) -> None:
    rig = farm.add()
    given_up = await give_up(farm, rig)
    await given_up.read(farm.engine.evaluation)
    await farm.run(20, [rig], miners=[])
    await command(farm, rig, 1, "diagnose")
    await given_up.read(farm.engine.evaluation)
    assert list(farm.engine.evaluation.gave_up) == [rig.id]
    await command(farm, rig, 2, "reboot")
    await given_up.read(farm.engine.evaluation)
    await farm.run(320, [rig], miners=[])
    assert await given_up_rigs(farm) == []


async def command(farm: EngineFarm, rig: RigState, number: int, action: str) -> None:
    values = {"action": action, "arguments": b"{}", "reason": "", "made_at": farm.now, "made_by": "anna"}
    values |= {"state": "done", "size": 1, "max_failures": 1, "valid_s": 600, "run": 1, "note": "", "overlaps": b"[]"}
    target = {"command_id": number, "position": 0, "rig_id": rig.id, "name": rig.name, "state": "done"}
    async with farm.database.transaction() as db:
        await db.execute(sa.insert(commands).values(id=number, **values))
        await db.execute(sa.insert(command_targets).values(changed_at=farm.now, run=1, silent=False, **target))
