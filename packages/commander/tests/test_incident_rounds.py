"""The engine over time: silent rigs, one message for one cause, restarts, maintenance, clocks."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from commander.commands.tables import command_targets, commands
from commander.db import Database
from commander.incidents import extent_store, store
from commander.incidents.actions import IncidentActions
from commander.incidents.changes_before import NOTHING
from commander.incidents.domain import Condition, InCommon, Phase
from commander.live.rig_state import Health
from commander.maintenance import store as maintenance
from commander_farm import on_sqlite
from engine_farm import CPU_GPU, EngineFarm
from sqlalchemy.ext.asyncio import AsyncConnection


@pytest.fixture
async def farm(database: Database) -> EngineFarm:
    farm = EngineFarm(database)
    await farm.begin()
    return farm


def hot(core_c: float) -> list[dict[str, object]]:
    return [{"pci_address": "0000:03:00.0", "temperature_c": core_c, "fan_percent": 70.0, "power_w": 200.0}]


async def test_forty_rigs_on_a_dead_switch_are_one_message(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(200)]
    for state in rigs[:40]:
        state.tags = ("switch:sw-3",)
    await farm.run(60, rigs)
    assert await farm.open() == []
    await farm.run(230, rigs[40:])
    assert farm.events() == ["opened"]
    (news,) = farm.outbox.news
    assert news.title == "40 rigs stopped reporting within 1 s"
    assert news.lines[0] == "In common: tag switch:sw-3 (40 of its 40 rigs; 0 of 160 others)."
    assert "rig-001" in news.lines[1]
    assert "and 20 more" in news.lines[1]
    assert news.lines[2] == NOTHING
    assert len(news.rigs) == 40
    await farm.run(90, rigs)
    assert farm.events() == ["opened", "closed"]
    assert await farm.open() == []
    (incident,) = await farm.closed()
    assert incident.in_common == InCommon(group="tag switch:sw-3", failing=40, members=40, others_failing=0, others=160)


async def test_the_opening_is_sent_ten_seconds_after_the_group_wait_at_the_latest(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.run(60, rigs)
    await farm.run(180 + 30 + 10, rigs[1:])
    assert farm.events() == ["opened"]


async def test_a_shorter_silence_may_be_a_rule_for_some_rigs(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(4)]
    rigs[0].tags = ("hall:2",)
    await farm.add_rule("offline", select="tag:hall:2", critical=30.0, clear_for_s=60.0)
    await farm.run(60, rigs)
    await farm.run(45, rigs[2:])
    assert [each.name for each in await farm.conditions()] == [rigs[0].name]


async def test_later_rigs_join_and_growth_is_sent_every_five_minutes_at_most(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(30)]
    await farm.run(60, rigs)
    await farm.run(240, rigs[5:])
    await farm.run(240, rigs[7:])
    assert farm.events() == ["opened"]
    await farm.run(120, rigs[7:])
    assert farm.events() == ["opened", "grown"]
    assert farm.outbox.news[1].title.startswith("7 rigs stopped reporting")
    assert [news.step for news in farm.outbox.news] == [1, 2]
    assert len(await farm.open()) == 1


def of_switch(failing: int) -> InCommon:
    return InCommon(group="tag switch:sw-3", failing=failing, members=8, others_failing=0, others=22)


async def test_what_rigs_have_in_common_is_counted_again_when_more_join(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(30)]
    for state in rigs[:8]:
        state.tags = ("switch:sw-3",)
    await farm.run(60, rigs)
    await farm.run(240, rigs[5:])
    assert [each.in_common for each in await farm.open()] == [of_switch(5)]
    await farm.run(200, rigs[8:])
    assert farm.events() == ["opened"]
    assert [each.in_common for each in await farm.open()] == [of_switch(8)]


async def test_reminders_come_until_somebody_acknowledges(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.run(60, rigs)
    await farm.run(240, rigs[1:])
    await farm.skip(4 * 3600, rigs[1:])
    await farm.run(20, rigs[1:])
    assert farm.events() == ["opened", "reminder"]
    (incident,) = await farm.open()
    async with farm.database.transaction() as db:
        await store.acknowledge(db, incident.id, "anna", now=farm.now)
    await farm.skip(9 * 3600, rigs[1:])
    await farm.run(20, rigs[1:])
    assert farm.events() == ["opened", "reminder"]
    (incident,) = await farm.open()
    assert incident.acknowledged_by == "anna"


async def test_an_acknowledgement_in_the_middle_of_a_round_is_kept(
    farm: EngineFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.run(60, rigs)
    await farm.run(240, rigs[1:])
    actions, clicks = IncidentActions(farm.database, farm.source), list[asyncio.Task[None]]()

    read = extent_store.conditions_of

    async def with_a_click(db: AsyncConnection, incident_id: int) -> list[Condition]:
        clicks.append(asyncio.create_task(actions.acknowledge(incident_id, by="anna")))
        await asyncio.wait(clicks, timeout=0.5)  # it has to wait for the round; where it need not, it is done by then
        return await read(db, incident_id)

    monkeypatch.setattr(extent_store, "conditions_of", with_a_click)
    await farm.skip(4 * 3600, rigs[1:])
    await farm.run(5, rigs[1:])
    await asyncio.gather(*clicks)
    (incident,) = await farm.open()
    assert (len(clicks), incident.acknowledged_by, incident.remind_at) == (1, "anna", None)


async def test_a_muted_incident_sends_nothing_but_its_end(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.run(60, rigs)
    await farm.run(240, rigs[1:])
    (incident,) = await farm.open()
    async with farm.database.transaction() as db:
        await store.set_muted(db, incident.id, farm.now + timedelta(hours=2))
    await farm.run(400, rigs[2:])
    assert farm.events() == ["opened"]
    await farm.run(70, rigs)
    assert farm.events() == ["opened", "closed"]


async def test_a_restart_keeps_the_clock_of_a_pending_condition(farm: EngineFarm) -> None:
    (rig,) = rigs = [farm.add()]
    await farm.run(90, rigs, gpus=hot(97))
    (pending,) = await farm.conditions()
    assert pending.phase is Phase.PENDING
    farm.restart()
    await farm.run(35, rigs, gpus=hot(97))
    (condition,) = await farm.conditions()
    assert (condition.id, condition.phase, condition.value) == (pending.id, Phase.FIRING, "97 °C")
    assert [each.rule for each in rig.conditions] == ["temperature"]
    assert rig.conditions[0].text == "Too hot: GPU 03:00 97 °C"


async def test_a_restart_neither_closes_nor_repeats_an_open_incident(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(4)]
    await farm.run(60, rigs)
    await farm.run(240, rigs[1:])
    for _ in range(20):
        farm.restart()
        await farm.run(10, rigs[1:])
    assert farm.events() == ["opened"]


async def test_silence_counts_through_short_restarts(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(4)]
    await farm.run(60, rigs)
    for _ in range(24):
        farm.restart()
        await farm.run(10, rigs[1:])
    assert farm.events() == ["opened"]


async def test_after_a_long_outage_of_the_commander_rigs_have_time_to_come_back(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(4)]
    await farm.run(60, rigs)
    farm.pass_time(3600)
    farm.restart()
    await farm.run(120)
    assert await farm.conditions() == []
    await farm.run(300, rigs)
    assert farm.events() == []


async def test_a_commander_that_receives_nothing_accuses_no_rig(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(20)]
    await farm.run(60, rigs)
    farm.pass_time(3600)
    farm.restart()
    await farm.run(400)
    assert [news.title for news in farm.outbox.news] == ["The commander receives no reports"]
    assert farm.outbox.news[0].rigs == ()
    assert {condition.key.rule for condition in await farm.conditions()} == {"commander"}
    await farm.run(400, rigs[1:])
    titles = [news.title for news in farm.outbox.news]
    assert titles[1:] == ["rig-001 stopped reporting", "The commander receives no reports"]


async def test_maintenance_records_and_sends_nothing_until_it_is_over(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(10)]
    rigs[0].tags = ("hall:2",)
    await farm.run(60, rigs)
    until = farm.now + timedelta(minutes=20)
    async with farm.database.transaction() as db:
        await maintenance.insert_maintenance(
            db, select="tag:hall:2", since=farm.now, until=until, reason="fans", made_by="anna"
        )
    await farm.run(600, rigs[1:])
    (condition,) = await farm.conditions()
    assert (condition.phase, condition.incident_id) == (Phase.FIRING, None)
    assert await farm.open() == []
    await farm.run(660, rigs[1:])
    assert farm.events() == ["opened"]


async def test_a_reboot_that_a_person_ordered_makes_ten_minutes_for_that_rig(farm: EngineFarm) -> None:
    rebooted, other, *rest = rigs = [farm.add() for _ in range(6)]
    await farm.run(60, rigs)
    command = {"action": "reboot", "arguments": b"{}", "reason": "", "made_at": farm.now, "made_by": "anna"}
    command |= {
        "state": "running",
        "size": 1,
        "max_failures": 1,
        "valid_s": 600,
        "run": 1,
        "note": "",
        "overlaps": b"[]",
    }
    target = {"command_id": 1, "position": 0, "rig_id": rebooted.id, "name": rebooted.name, "state": "begun"}
    async with farm.database.transaction() as db:
        await db.execute(sa.insert(commands).values(id=1, **command))
        await db.execute(sa.insert(command_targets).values(changed_at=farm.now, run=1, silent=False, **target))
    await farm.run(590, rest)
    assert [news.title for news in farm.outbox.news] == [f"{other.name} stopped reporting"]
    await farm.run(400, rest)
    assert farm.events() == ["opened", "grown"]


async def test_what_ends_within_maintenance_is_never_sent(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.run(60, rigs)
    async with farm.database.transaction() as db:
        await maintenance.insert_maintenance(
            db, select="", since=farm.now, until=farm.now + timedelta(hours=1), reason="", made_by="anna"
        )
    await farm.run(400, rigs[1:])
    await farm.run(3600, rigs)
    assert (farm.events(), await farm.closed()) == ([], [])


@pytest.mark.parametrize("jump_h", [-3, 5])
async def test_a_clock_that_is_set_changes_no_wait(farm: EngineFarm, jump_h: float) -> None:
    (rig,) = rigs = [farm.add()]
    await farm.run(60, rigs, gpus=hot(97))
    farm.now += timedelta(hours=jump_h)
    farm.report(rig, gpus=hot(97))
    await farm.run(50, rigs, gpus=hot(97))
    (condition,) = await farm.conditions()
    assert condition.phase is Phase.PENDING
    await farm.run(30, rigs, gpus=hot(97))
    (condition,) = await farm.conditions()
    assert condition.phase is Phase.FIRING


@on_sqlite
async def test_a_clock_that_is_put_back_while_the_commander_is_down_holds_no_message_back(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.run(60, rigs)
    await farm.run(200, rigs[1:])
    assert (len(await farm.open()), farm.events()) == (1, [])
    farm.now -= timedelta(days=365)
    farm.restart()
    await farm.run(40, rigs[1:])
    assert farm.events() == ["opened"]


async def test_a_spool_that_arrives_late_never_alarms_about_the_past(farm: EngineFarm) -> None:
    (rig,) = rigs = [farm.add()]
    await farm.run(60, rigs)
    for minutes in range(60, 0, -1):
        for _ in range(4):
            farm.pass_time(5)
            farm.report(rig, late_s=minutes * 60, gpus=hot(97))
            await farm.round()
    await farm.run(60, rigs)
    assert rig.health is Health.ONLINE
    assert {news.incident_id for news in farm.outbox.news if "hot" in news.title} == set()


async def test_unknown_neither_fires_nor_clears(farm: EngineFarm) -> None:
    (rig,) = rigs = [farm.add()]
    other = [farm.add() for _ in range(5)]
    await farm.run(200, [*rigs, *other], gpus=hot(97))
    assert farm.events() == ["opened"]
    nothing_known = [{"pci_address": "0000:03:00.0"}]
    await farm.run(900, rigs, gpus=nothing_known)
    hot_ones = [each for each in await farm.conditions() if each.key.rule == "temperature"]
    assert len(hot_ones) == 6
    assert {each.phase for each in hot_ones} == {Phase.FIRING}
    assert rig.conditions


async def test_a_pending_condition_waits_again_after_a_silence(farm: EngineFarm) -> None:
    rigs = [farm.add()]
    await farm.run(50, rigs, gpus=hot(97))
    await farm.run(280)
    await farm.run(60, rigs, gpus=hot(97))
    (condition,) = [each for each in await farm.conditions() if each.key.rule == "temperature"]
    assert condition.phase is Phase.PENDING


@pytest.mark.parametrize("address", ["0" * 64, "0000:03:00.0\0"])
async def test_any_text_that_a_sentry_reports_leaves_the_alerts_of_others_alone(farm: EngineFarm, address: str) -> None:
    odd, other = farm.add(), farm.add()
    for _ in range(40):
        farm.pass_time(5)
        farm.report(odd, gpus=[{"pci_address": address, "temperature_c": 97.0, "memory_temperature_c": 120.0}])
        farm.report(other, gpus=hot(97))
        await farm.round()
    found = [(each.name, each.phase) for each in await farm.conditions()]
    assert found == [(odd.name, Phase.FIRING)] * 2 + [(other.name, Phase.FIRING)]
    assert farm.events() == ["opened"]


async def test_a_rule_that_is_switched_off_ends_its_conditions(farm: EngineFarm) -> None:
    rigs = [farm.add()]
    await farm.run(200, rigs, gpus=hot(97))
    await farm.add_rule("temperature", sensor="gpu", critical=99.0, for_s=120.0, select="name:rig-001")
    await farm.run(320, rigs, gpus=hot(90))
    assert farm.events() == ["opened", "closed"]


async def test_a_removed_rig_is_in_trouble_no_more(farm: EngineFarm) -> None:
    rigs = [farm.add() for _ in range(3)]
    await farm.run(60, rigs)
    await farm.run(240, rigs[1:])
    farm.lives[CPU_GPU].index.remove(rigs[0].id)
    await farm.run(20, rigs[1:])
    assert farm.events() == ["opened", "closed"]


async def test_a_condition_that_gets_worse_is_told_again(farm: EngineFarm) -> None:
    rigs = [farm.add()]
    await farm.run(200, rigs, gpus=hot(82))
    assert [news.severity.value for news in farm.outbox.news] == ["warning"]
    await farm.run(400, rigs, gpus=hot(95))
    assert [(news.event.value, news.severity.value) for news in farm.outbox.news] == [
        ("opened", "warning"),
        ("grown", "critical"),
    ]


@on_sqlite
async def test_a_rig_that_flaps_every_90_seconds_for_an_hour_is_one_incident(farm: EngineFarm) -> None:
    rigs = [farm.add()]
    await farm.add_rule("offline", critical=70.0, clear_for_s=60.0)
    await farm.run(60, rigs)
    for _ in range(20):
        await farm.run(90)
        await farm.run(90, rigs)
    await farm.run(1_200, rigs)
    assert len(await farm.closed()) == 1
    assert await farm.open() == []
    assert farm.events().count("opened") == 1
    assert farm.events().count("closed") <= 2
