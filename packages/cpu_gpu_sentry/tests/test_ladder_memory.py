"""The ladder's memory: the rig's clock, usual hashrates, expected cards, and all of it in the store."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cpu_gpu_sentry.enrolment import KEPT, SCHEMA
from cpu_gpu_sentry.ladder import store as ladder_store
from cpu_gpu_sentry.ladder.expected_cards import ExpectedCards
from cpu_gpu_sentry.ladder.facts import Rate, Sensor, Temperature
from cpu_gpu_sentry.ladder.gather import changed_playbooks, playbook_facts, temperatures, usual_after
from cpu_gpu_sentry.ladder.history import GaveUp, History, Hold, HotStop, RebootNote
from cpu_gpu_sentry.ladder.reach import any_reachable, can_connect, pool_endpoint, url_endpoint
from cpu_gpu_sentry.ladder.rig_clock import RigClock, noted_now
from cpu_gpu_sentry.ladder.store import LadderState
from cpu_gpu_sentry.ladder.usual import PlaybookUsual, UsualRate, with_reading
from cpu_gpu_sentry.playbooks.run_facts import RunFacts
from protocol.command_messages import LadderAct, LadderEvent, LadderSettings, MinimumHashrate
from protocol.messages import (
    AlgorithmReading,
    CpuReading,
    GpuReading,
    MinerDevice,
    MinerReading,
    MinerState,
)
from sentry_kit import store
from sentry_kit.running import move_aside

CARD, OTHER_CARD = "0000:03:00.0", "0000:04:00.0"


# --- the rig's clock


def test_the_rigs_clock_goes_on_over_a_reboot() -> None:
    clock = noted_now(RigClock(), "boot-1", 5000.0)
    clock = noted_now(clock, "boot-1", 9000.0)
    clock = noted_now(clock, "boot-2", 60.0)
    assert clock.now_s == 9060.0


def test_a_boot_without_an_id_is_known_by_an_age_that_has_become_less() -> None:
    clock = noted_now(noted_now(RigClock(), None, 9000.0), None, 60.0)
    assert clock.now_s == 9060.0
    assert noted_now(clock, None, 61.0).now_s == 9061.0


def test_a_reboot_counts_for_24_hours_of_the_rigs_own_time_however_its_clock_is_set() -> None:
    history = History(reboots=(RebootNote(9000.0, "boot-1"),))
    assert history.reboots_in_a_day(9000.0 + 86_399) == 1
    assert history.reboots_in_a_day(9000.0 + 86_400) == 0


# --- the usual hashrate


def fed(usual: UsualRate, rate_hs: float | None, hours: float, *, from_s: float = 0.0) -> UsualRate:
    for second in range(0, round(hours * 3600), 10):
        usual = with_reading(usual, rate_hs, from_s + second)
    return usual


def test_the_usual_hashrate_is_being_learnt_for_an_hour() -> None:
    assert fed(UsualRate(), 100.0, 0.9).usual_hs is None
    assert fed(UsualRate(), 100.0, 1.1).usual_hs == 100.0


def test_a_slow_start_and_a_pause_do_not_lower_the_usual_hashrate() -> None:
    usual = fed(fed(UsualRate(), 0.1, 0.2), 100.0, 2, from_s=720)
    usual = fed(fed(usual, 0.0, 5, from_s=7920), None, 5, from_s=25_920)
    assert usual.usual_hs == 100.0


def test_the_usual_hashrate_is_that_of_the_last_24_hours() -> None:
    usual = fed(fed(UsualRate(), 100.0, 24), 40.0, 13, from_s=86_400)
    assert usual.usual_hs == 40.0
    assert len(usual.means_hs) == 144


# --- facts from readings


def reading(
    rate_hs: float | None = 100.0, *devices: MinerDevice, state: MinerState = MinerState.MINING
) -> MinerReading:
    algorithms = [AlgorithmReading(algorithm="kawpow", hashrate_hs=rate_hs)]
    return MinerReading(software="trex", state=state, algorithms=algorithms, devices=list(devices))


def device(name: str, rate_hs: float | None) -> MinerDevice:
    return MinerDevice(device=name, hashrates_hs=[rate_hs])


def run(
    of: MinerReading | None = None,
    *,
    revision: int = 3,
    running_s: float | None = 900.0,
    failures: int = 0,
    gave_up: str | None = None,
) -> RunFacts:
    return RunFacts("7", "Raven", revision, running_s, of, None, gave_up, failures)


KNOWN = PlaybookUsual(3, {"kawpow": UsualRate((90.0,) * 6)}, frozenset({CARD, OTHER_CARD}))


def test_a_playbook_is_compared_with_what_its_revision_usually_does() -> None:
    facts = playbook_facts(run(reading(40.0)), KNOWN)
    assert facts.rates == (Rate("kawpow", 40.0, 90.0),)
    assert playbook_facts(run(reading(40.0), revision=4), KNOWN).rates == (Rate("kawpow", 40.0, None),)


def test_a_device_at_0_counts_if_it_has_hashed_before() -> None:
    idle = reading(50.0, device(CARD, 50.0), device(OTHER_CARD, 0.0), device("0000:05:00.0", 0.0))
    facts = playbook_facts(run(idle), KNOWN)
    assert facts.idle_devices == {OTHER_CARD}
    assert facts.devices == frozenset({CARD, OTHER_CARD, "0000:05:00.0"})


def test_a_device_whose_hashrate_is_unknown_is_not_idle() -> None:
    assert playbook_facts(run(reading(50.0, device(CARD, None))), KNOWN).idle_devices == frozenset()


def test_a_miner_that_does_not_answer_has_no_hashrate_rather_than_none() -> None:
    silent = reading(0.0, device(CARD, 0.0), state=MinerState.API_SILENT)
    facts = playbook_facts(run(silent), KNOWN)
    assert (facts.rates, facts.idle_devices) == ((), frozenset())


def test_devices_that_are_named_by_number_are_unknown_ones() -> None:
    assert playbook_facts(run(reading(50.0, device("gpu0", 50.0))), KNOWN).devices is None


def test_a_miner_that_ends_again_and_again_is_exhausted_if_it_ever_mined() -> None:
    assert playbook_facts(run(failures=6, running_s=None), KNOWN).exhausted == (
        "has ended 6 times in a row, each time soon after its start"
    )
    assert playbook_facts(run(failures=5, running_s=None), KNOWN).exhausted is None
    assert playbook_facts(run(failures=99, running_s=None), None).exhausted is None
    assert playbook_facts(run(failures=99, running_s=None, revision=4), KNOWN).exhausted is None


def test_what_a_playbook_does_is_learnt_and_a_changed_one_is_learnt_anew() -> None:
    mining = run(reading(100.0, device(CARD, 100.0), device(OTHER_CARD, 0.0)))
    known = usual_after({}, [mining], frozenset({"7"}), 0.0)
    assert known["7"].devices == {CARD}
    assert known["7"].rates["kawpow"].readings_hs == (100.0,)
    changed = usual_after(known, [run(None, revision=4)], frozenset({"7"}), 10.0)
    assert changed == {"7": PlaybookUsual(4)}


def test_a_playbook_with_another_revision_is_a_changed_one() -> None:
    assert changed_playbooks({"7": KNOWN}, [run(None, revision=4)]) == ["7"]
    assert changed_playbooks({"7": KNOWN}, [run(None)]) == []
    assert changed_playbooks({}, [run(None)]) == []


def test_a_playbook_that_stands_still_keeps_its_usual_figures_until_it_is_not_wanted_any_longer() -> None:
    assert usual_after({"7": KNOWN}, [], frozenset({"7"}), 10.0) == {"7": KNOWN}
    assert usual_after({"7": KNOWN}, [], None, 10.0) == {"7": KNOWN}
    assert usual_after({"7": KNOWN}, [], frozenset({"8"}), 10.0) == {}


def test_temperatures_are_those_of_the_processor_and_of_each_card_and_its_memory() -> None:
    gpu = GpuReading(pci_address=CARD, temperature_c=61.0)
    assert temperatures(CpuReading(temperature_c=70.0), [gpu], []) == (
        Temperature("cpu", Sensor.CPU, 70.0),
        Temperature(CARD, Sensor.GPU, 61.0),
        Temperature(CARD, Sensor.MEMORY, None),
    )


def test_what_a_card_does_not_tell_its_miner_may_know() -> None:
    mined = MinerDevice(device=CARD, temperature_c=55.0, memory_temperature_c=96.0)
    gpu = GpuReading(pci_address=CARD, temperature_c=61.0)
    _, core, memory = temperatures(None, [gpu], [reading(1.0, mined)])
    assert (core.celsius, memory.celsius) == (61.0, 96.0)


# --- expected cards


def test_a_card_that_was_there_in_this_boot_is_expected() -> None:
    cards = ExpectedCards().seen(frozenset({CARD, OTHER_CARD}), "boot-1", keeps_list=False)
    assert cards.seen(frozenset({CARD}), "boot-1", keeps_list=False).addresses == {CARD, OTHER_CARD}


def test_a_boot_that_a_person_made_begins_a_new_list_and_one_of_the_ladder_does_not() -> None:
    cards = ExpectedCards("boot-1", frozenset({CARD, OTHER_CARD}))
    assert cards.seen(frozenset({CARD}), "boot-2", keeps_list=False).addresses == {CARD}
    assert cards.seen(frozenset({CARD}), "boot-2", keeps_list=True).addresses == {CARD, OTHER_CARD}


# --- reachability


@pytest.mark.parametrize(
    ("pool", "endpoint"),
    [
        ("pool.example:443", ("pool.example", 443)),
        ("stratum+ssl://eu.pool.example:4444", ("eu.pool.example", 4444)),
        ("stratum+tcp://wallet.rig@10.0.0.7:3333/path", ("10.0.0.7", 3333)),
        ("stratum+tcp://[2001:db8::1]:3333", ("2001:db8::1", 3333)),
        ("pool.example", None),
        ("pool.example:0", None),
        ("pool.example:99999", None),
        ("", None),
    ],
)
def test_a_pools_host_and_port_are_found_in_its_address(pool: str, endpoint: tuple[str, int] | None) -> None:
    assert pool_endpoint(pool) == endpoint


def test_the_commanders_host_and_port_are_found_in_its_address() -> None:
    assert url_endpoint("https://commander.lan:8443") == ("commander.lan", 8443)
    assert url_endpoint("https://commander.lan") == ("commander.lan", 443)
    assert url_endpoint("https://commander.lan:x") is None
    assert url_endpoint("") is None


async def test_a_host_can_be_reached_if_it_takes_a_connection() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    endpoint = ("127.0.0.1", int(server.sockets[0].getsockname()[1]))
    assert await can_connect(endpoint)
    assert await any_reachable(frozenset({endpoint, ("127.0.0.1", 1)})) is True
    server.close()
    await server.wait_closed()
    assert not await can_connect(endpoint)
    assert await any_reachable(frozenset({endpoint})) is False
    assert await any_reachable(frozenset()) is None


# --- the store

STATE = LadderState(
    clock=RigClock("boot-1", 5000.0, 100.0),
    history=History(
        slow_since_s={"7": 4000.0},
        reboots=(RebootNote(3000.0, "boot-0", CARD),),
        hot_stops=(HotStop(f"{CARD} gpu", 3500.0),),
        holds=(Hold("7", CARD, f"{CARD} gpu", 77.0),),
        lost_cards=(CARD,),
        gave_up=(GaveUp("7", 4500.0, "gave up"),),
        maintenance_until_s=9000.0,
        stopped_by_person=True,
    ),
    usual={"7": KNOWN},
    cards=ExpectedCards("boot-1", frozenset({CARD})),
)
SETTINGS = LadderSettings(
    reboots=True, minimum_hashrates=[MinimumHashrate(algorithm="kawpow", hashrate_hs=1e6)], maintenance_s=60.0
)


def event(number: int) -> LadderEvent:
    return LadderEvent(id=f"e{number}", act=LadderAct.REBOOTED, reason=f"rebooted: reason {number}")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = store.open_store(tmp_path / "sentry.db", SCHEMA)
    yield connection
    connection.close()


def test_everything_that_the_ladder_knows_is_there_after_a_restart(tmp_path: Path, db: sqlite3.Connection) -> None:
    ladder_store.save_state(db, STATE)
    ladder_store.save_settings(db, SETTINGS)
    db.close()
    again = store.open_store(tmp_path / "sentry.db", SCHEMA)
    assert ladder_store.load_state(again) == STATE
    assert ladder_store.load_settings(again).reboots is True
    assert ladder_store.load_settings(again).maintenance_s is None
    again.close()


def test_a_state_that_another_version_wrote_begins_anew(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO ladder VALUES ('state', ?), ('settings', ?)", (b"\xff{", b'{"low_percent": "all"}'))
    assert ladder_store.load_state(db) == LadderState()
    assert ladder_store.load_settings(db) == LadderSettings()


def test_the_ladders_memory_outlives_a_damaged_store(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    with store.changing(path, SCHEMA, KEPT) as db:
        ladder_store.save_state(db, STATE)
        ladder_store.save_settings(db, SETTINGS)
    path.write_bytes(b"no database at all" * 500)
    move_aside(path, SCHEMA, KEPT)
    again = store.open_store(path, SCHEMA)
    assert ladder_store.load_state(again) == STATE
    assert ladder_store.load_settings(again).reboots is True
    again.close()


def test_events_wait_until_the_commander_has_confirmed_them(db: sqlite3.Connection) -> None:
    for number in range(3):
        ladder_store.add_event(db, number, event(number))
    ladder_store.add_event(db, 99, event(1))  # the same one again
    ladder_store.confirm_events(db, ["e0", "e2"])
    assert [each.event.id for each in ladder_store.unsent_events(db)] == ["e1"]
    assert [each.event.id for each in ladder_store.newest_events(db, 2)] == ["e2", "e1"]


def test_the_oldest_events_make_room(db: sqlite3.Connection) -> None:
    for number in range(205):
        ladder_store.add_event(db, number, event(number))
    assert len(ladder_store.unsent_events(db)) == 200


def test_another_commander_gets_no_events_and_no_limits_of_the_last_one(db: sqlite3.Connection) -> None:
    ladder_store.save_state(db, STATE)
    ladder_store.save_settings(db, SETTINGS)
    ladder_store.add_event(db, 1, event(1))
    ladder_store.forget_commander(db)
    after = ladder_store.load_state(db)
    assert after.history.reboots == STATE.history.reboots
    assert (after.history.holds, after.history.stopped_by_person, after.usual) == ((), False, {})
    assert ladder_store.load_settings(db) == LadderSettings()
    assert ladder_store.unsent_events(db) == []
