"""The watchdog's ladder as a table: each line is one situation and the step that follows, or none."""

import pytest
from cpu_gpu_sentry.ladder.facts import CardFault, Facts, Sensor, Temperature
from cpu_gpu_sentry.ladder.history import (
    GaveUp,
    History,
    Hold,
    HotStop,
    RestartNote,
)
from cpu_gpu_sentry.ladder.next_step import next_step
from cpu_gpu_sentry.ladder.observe import observed
from cpu_gpu_sentry.ladder.steps import (
    RIG,
    GiveUp,
    MarkLost,
    Reboot,
    RestartPlaybook,
    ResumeCool,
    Step,
    StopForGood,
    StopHot,
)
from ladder_rig import (
    CARD,
    DEFAULTS,
    FELL_OFF,
    GPU_HOT,
    GPU_KEY,
    HELD,
    HELD_FOR_GOOD,
    MEMORY_HELD,
    NOW_S,
    OTHER_CARD,
    REBOOTS,
    ago,
    hot_for,
    mining,
    rebooted,
    rig,
    slow_for,
)
from protocol.command_messages import LadderSettings, MinimumHashrate

LOST = History(lost_cards=(CARD,))
GONE = History(gone_since_s={CARD: ago(2)})
SLOW = slow_for(10)
Situation = tuple[str, Facts, History, LadderSettings, type[Step] | None, str]

TABLE: list[Situation] = [
    # --- a slow playbook
    ("a playbook at its usual hashrate is left alone", rig(), History(), REBOOTS, None, ""),
    ("49 % of the usual hashrate for 10 min restarts the playbook",
     rig(mining(49)), SLOW, DEFAULTS, RestartPlaybook,
     "restarted: “Kaspa 7” has done 49 % of its usual hashrate (kheavyhash) for 10 min"),
    ("49 % for 9 min does not yet", rig(mining(49)), slow_for(9), DEFAULTS, None, ""),
    ("exactly 50 % is no reason", rig(mining(50)), SLOW, DEFAULTS, None, ""),
    ("a hashrate of 0 for 10 min restarts the playbook",
     rig(mining(0)), SLOW, DEFAULTS, RestartPlaybook,
     "restarted: “Kaspa 7” has done 0 % of its usual hashrate (kheavyhash) for 10 min"),
    ("an unknown hashrate is no slow one", rig(mining(None)), SLOW, DEFAULTS, None, ""),
    ("nothing is slow while the usual hashrate is being learnt",
     rig(mining(1, usual_hs=None)), SLOW, DEFAULTS, None, ""),
    ("an entered minimum counts in place of the usual hashrate",
     rig(mining(80)), SLOW, LadderSettings(minimum_hashrates=[MinimumHashrate(algorithm="kheavyhash", hashrate_hs=90)]),
     RestartPlaybook, "restarted: “Kaspa 7” has done less than the entered minimum of kheavyhash for 10 min"),
    ("an entered minimum that is met is enough, however slow that is",
     rig(mining(20)), SLOW, LadderSettings(minimum_hashrates=[MinimumHashrate(algorithm="kheavyhash", hashrate_hs=10)]),
     None, ""),
    ("an entered minimum counts even while the usual hashrate is being learnt",
     rig(mining(5, usual_hs=None)), SLOW,
     LadderSettings(minimum_hashrates=[MinimumHashrate(algorithm="kheavyhash", hashrate_hs=10)]), RestartPlaybook,
     "restarted: “Kaspa 7” has done less than the entered minimum of kheavyhash for 10 min"),
    ("a card at 0 that mined before restarts the playbook, though the sum is fine",
     rig(mining(75, idle=frozenset({CARD}))), SLOW, DEFAULTS, RestartPlaybook,
     "restarted: “Kaspa 7” has had GPU 03:00.0 at 0 H/s for 10 min"),
    ("another limit and another time may be set",
     rig(mining(69)), slow_for(5), LadderSettings(low_percent=70, low_for_s=300, grace_s=300), RestartPlaybook,
     "restarted: “Kaspa 7” has done 69 % of its usual hashrate (kheavyhash) for 5 min"),
    ("a miner without work from its pool is not restarted",
     rig(mining(0, excuse="its pool gives it no work")), SLOW, REBOOTS, None, ""),
    ("a second restart follows when the first did not help", rig(mining(10)), slow_for(10, 11), REBOOTS,
     RestartPlaybook, "restarted: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min"),
    ("two restarts in 30 min that did not help: the rig reboots",
     rig(mining(10)), slow_for(10, 22, 11), REBOOTS, Reboot,
     "rebooted: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min, and 2 restarts did not help"),
    ("restarts of more than 30 min ago do not count", rig(mining(10)), slow_for(10, 50, 11), REBOOTS,
     RestartPlaybook, "restarted: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min"),
    ("restarts of another playbook do not count", rig(mining(10)),
     History(slow_since_s={"7": ago(10)}, restarts=(RestartNote("8", ago(20)), RestartNote("8", ago(10)))), REBOOTS,
     RestartPlaybook, "restarted: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min"),
    ("without leave to reboot the ladder gives up after two restarts",
     rig(mining(10)), slow_for(10, 22, 11), DEFAULTS, GiveUp,
     "gave up: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min, and 2 restarts did not help; "
     "rebooting is not allowed in this rig's settings"),
    ("where boots can't be told apart nothing is rebooted",
     rig(mining(10), boot_id=None), slow_for(10, 22, 11), REBOOTS, GiveUp,
     "gave up: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min, and 2 restarts did not help; "
     "this system does not tell its boots apart, so reboots could not be counted"),
    ("a second reboot within 24 h is the last",
     rig(mining(10)), slow_for(10, 22, 11, reboots=rebooted(300)), REBOOTS, Reboot,
     "rebooted: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min, and 2 restarts did not help"),
    ("after two reboots in 24 h the ladder gives up",
     rig(mining(10)), slow_for(10, 22, 11, reboots=rebooted(600, 300)), REBOOTS, GiveUp,
     "gave up: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min, and 2 restarts did not help, "
     "after 2 reboots in 24 h"),
    ("a reboot of more than 24 h ago does not count",
     rig(mining(10)), slow_for(10, 22, 11, reboots=rebooted(25 * 60, 300)), REBOOTS, Reboot,
     "rebooted: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min, and 2 restarts did not help"),
    ("a ladder that has given up the rig restarts nothing either", rig(mining(10)),
     History(slow_since_s={"7": ago(30)}, gave_up=(GaveUp(RIG, ago(60), "gave up"),)), REBOOTS, None, ""),
    ("a playbook that was given up is left alone", rig(mining(10)),
     History(slow_since_s={"7": ago(30)}, gave_up=(GaveUp("7", ago(60), "gave up"),)), REBOOTS, None, ""),
    ("another playbook is still looked after", rig(mining(10), mining(10, name="8")),
     History(slow_since_s={"7": ago(30), "8": ago(10)}, gave_up=(GaveUp("7", ago(60), "gave up"),)), REBOOTS,
     RestartPlaybook, "restarted: “Kaspa 8” has done 10 % of its usual hashrate (kheavyhash) for 10 min"),
    ("what was given up a day ago is tried again", rig(mining(10)),
     History(slow_since_s={"7": ago(30)}, gave_up=(GaveUp("7", ago(24 * 60 + 1), "gave up"),)), REBOOTS,
     RestartPlaybook, "restarted: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 30 min"),
    ("switched off, nothing is restarted and nothing rebooted",
     rig(mining(0)), slow_for(60, 22, 11), LadderSettings(restarts=False, reboots=True), None, ""),
    ("a miner that its own watchdog restarted in vain makes the rig reboot",
     rig(mining(None, exhausted="was restarted 3 times in an hour, and its API does not answer")), History(), REBOOTS,
     Reboot, "rebooted: “Kaspa 7” was restarted 3 times in an hour, and its API does not answer"),
    ("and is given up where rebooting is not allowed",
     rig(mining(None, exhausted="was restarted 3 times in an hour, and its API does not answer")), History(), DEFAULTS,
     GiveUp, "gave up: “Kaspa 7” was restarted 3 times in an hour, and its API does not answer; "
     "rebooting is not allowed in this rig's settings"),
    # --- when nothing is done
    ("nothing is done in the grace after a start", rig(mining(10, minutes=9)), slow_for(20), REBOOTS, None, ""),
    ("slowness of before a restart does not count", rig(mining(10, minutes=10.1)), slow_for(300), REBOOTS,
     RestartPlaybook, "restarted: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min"),
    ("a playbook that does not run is not restarted", rig(mining(None, minutes=None)), slow_for(60), REBOOTS, None, ""),
    ("nothing is done while the pool and a second host are unreachable",
     rig(mining(0), pool=False, other=False, faults=(FELL_OFF,)), slow_for(60), REBOOTS, None, ""),
    ("a pool alone that is unreachable is no excuse for a card",
     rig(pool=False, faults=(FELL_OFF,)), History(), REBOOTS, Reboot, "rebooted: GPU 03:00.0 fell off the bus, Xid 79"),
    ("an unknown network is not a dead one", rig(mining(0), pool=None, other=None), SLOW, DEFAULTS, RestartPlaybook,
     "restarted: “Kaspa 7” has done 0 % of its usual hashrate (kheavyhash) for 10 min"),
    ("nothing is done in maintenance", rig(mining(0), faults=(FELL_OFF,)),
     History(slow_since_s={"7": ago(60)}, maintenance_until_s=NOW_S + 1), REBOOTS, None, ""),
    ("a maintenance that is over holds nothing up", rig(faults=(FELL_OFF,)),
     History(maintenance_until_s=ago(1)), REBOOTS, Reboot, "rebooted: GPU 03:00.0 fell off the bus, Xid 79"),
    ("nothing is done after a person has stopped mining", rig(mining(0), faults=(FELL_OFF,)),
     History(slow_since_s={"7": ago(60)}, stopped_by_person=True), REBOOTS, None, ""),
    ("nothing is done while the rig reboots", rig(mining(0), faults=(FELL_OFF,)),
     History(slow_since_s={"7": ago(60)}, reboots=rebooted(5, boot_id="boot-2")), REBOOTS, None, ""),
    # --- cards
    ("a card that fell off the bus makes the rig reboot",
     rig(faults=(FELL_OFF,)), History(), REBOOTS, Reboot, "rebooted: GPU 03:00.0 fell off the bus, Xid 79"),
    ("a card that is gone from the bus for 2 min makes the rig reboot",
     rig(missing=frozenset({CARD})), GONE, REBOOTS, Reboot, "rebooted: GPU 03:00.0 is gone from the bus"),
    ("a card that has just gone is waited for", rig(missing=frozenset({CARD})), History(), REBOOTS, None, ""),
    ("the same card again within 24 h is marked lost", rig(faults=(FELL_OFF,)),
     History(reboots=rebooted(300, device=CARD)), REBOOTS, MarkLost,
     "lost: GPU 03:00.0 fell off the bus, Xid 79, again within 24 h of a reboot; the others go on"),
    ("another card is worth a reboot of its own", rig(faults=(FELL_OFF,)),
     History(reboots=rebooted(300, device=OTHER_CARD)), REBOOTS, Reboot,
     "rebooted: GPU 03:00.0 fell off the bus, Xid 79"),
    ("after two reboots in 24 h no card is worth another", rig(faults=(FELL_OFF,)),
     History(reboots=rebooted(600, 300, device=OTHER_CARD)), REBOOTS, GiveUp,
     "gave up: GPU 03:00.0 fell off the bus, Xid 79, after 2 reboots in 24 h"),
    ("a card that is marked lost is left alone", rig(faults=(FELL_OFF,)), LOST, REBOOTS, None, ""),
    ("beside a lost card the next one is looked after",
     rig(missing=frozenset({CARD}), faults=(CardFault(OTHER_CARD, "reported Xid 119 (GSP RPC timeout)", 119),)), LOST,
     REBOOTS, Reboot, "rebooted: GPU 04:00.0 reported Xid 119 (GSP RPC timeout)"),
    ("a lost card does not end the care for playbooks", rig(mining(10), faults=(FELL_OFF,)),
     History(lost_cards=(CARD,), slow_since_s={"7": ago(10)}), REBOOTS, RestartPlaybook,
     "restarted: “Kaspa 7” has done 10 % of its usual hashrate (kheavyhash) for 10 min"),
    ("without leave to reboot a card is marked lost at once",
     rig(faults=(FELL_OFF,)), History(), DEFAULTS, MarkLost,
     "lost: GPU 03:00.0 fell off the bus, Xid 79; rebooting is not allowed in this rig's settings"),
    ("a reboot that did not happen is not ordered again", rig(faults=(FELL_OFF,)),
     History(reboots=rebooted(11, device=CARD, boot_id="boot-2")), REBOOTS, MarkLost,
     "lost: GPU 03:00.0 fell off the bus, Xid 79; the rig could not be rebooted"),
    ("a rig that has just started is given time to find its cards",
     rig(missing=frozenset({CARD}), boot_minutes=5), GONE, REBOOTS, None, ""),
    # --- heat
    ("30 s at the critical temperature stop the playbook", rig(temperatures=(GPU_HOT,)), hot_for(30), DEFAULTS, StopHot,
     "stopped: GPU 03:00.0 was at 92 °C or more for 30 s; it resumes at 77 °C"),
    ("29 s do not", rig(temperatures=(GPU_HOT,)), hot_for(29), DEFAULTS, None, ""),
    ("hot memory has a limit of its own", rig(temperatures=(Temperature(CARD, Sensor.MEMORY, 112.0),)),
     hot_for(40, key=f"{CARD} memory"), DEFAULTS, StopHot,
     "stopped: the memory of GPU 03:00.0 was at 112 °C or more for 30 s; it resumes at 97 °C"),
    ("so has the processor", rig(temperatures=(Temperature("cpu", Sensor.CPU, 99.0),)), hot_for(40, key="cpu cpu"),
     DEFAULTS, StopHot, "stopped: the CPU was at 98 °C or more for 30 s; it resumes at 83 °C"),
    ("memory at 93 °C is not hot", rig(temperatures=(Temperature(CARD, Sensor.MEMORY, 93.0),)),
     hot_for(40, key=f"{CARD} memory"), DEFAULTS, None, ""),
    ("an unknown temperature stops nothing", rig(temperatures=(Temperature(CARD, Sensor.GPU, None),)), hot_for(90),
     DEFAULTS, None, ""),
    ("heat stops mining although everything else is switched off", rig(temperatures=(GPU_HOT,)), hot_for(30),
     LadderSettings(restarts=False, reboots=False), StopHot,
     "stopped: GPU 03:00.0 was at 92 °C or more for 30 s; it resumes at 77 °C"),
    ("heat stops mining in maintenance too", rig(temperatures=(GPU_HOT,)),
     History(hot_since_s={GPU_KEY: NOW_S - 30}, maintenance_until_s=NOW_S + 900), DEFAULTS, StopHot,
     "stopped: GPU 03:00.0 was at 92 °C or more for 30 s; it resumes at 77 °C"),
    ("heat stops mining without a network and in the grace after a start",
     rig(mining(minutes=1), temperatures=(GPU_HOT,), pool=False, other=False, boot_minutes=2), hot_for(30), DEFAULTS,
     StopHot, "stopped: GPU 03:00.0 was at 92 °C or more for 30 s; it resumes at 77 °C"),
    ("heat comes before a reboot", rig(temperatures=(GPU_HOT,), faults=(FELL_OFF,)), hot_for(30), REBOOTS, StopHot,
     "stopped: GPU 03:00.0 was at 92 °C or more for 30 s; it resumes at 77 °C"),
    ("where nothing runs, heat stops nothing", rig(mining(minutes=None), temperatures=(GPU_HOT,)), hot_for(90),
     DEFAULTS, None, ""),
    ("a third stop in 24 h still resumes", rig(temperatures=(GPU_HOT,)), hot_for(30, 300, 200), DEFAULTS, StopHot,
     "stopped: GPU 03:00.0 was at 92 °C or more for 30 s; it resumes at 77 °C"),
    ("the fourth stop in 24 h is for good", rig(temperatures=(GPU_HOT,)), hot_for(30, 300, 200, 100), DEFAULTS,
     StopForGood, "gave up: GPU 03:00.0 was at 92 °C or more for 30 s, 4 times in 24 h; "
     "mining is stopped until somebody starts it"),
    ("stops of another sensor do not count", rig(temperatures=(GPU_HOT,)),
     History(hot_since_s={GPU_KEY: NOW_S - 30}, hot_stops=tuple(HotStop("cpu cpu", ago(9)) for _ in range(3))),
     DEFAULTS, StopHot, "stopped: GPU 03:00.0 was at 92 °C or more for 30 s; it resumes at 77 °C"),
    ("15 K lower the playbook resumes", rig(mining(minutes=None), temperatures=(Temperature(CARD, Sensor.GPU, 77.0),)),
     HELD, DEFAULTS, ResumeCool, "resumed: GPU 03:00.0 has cooled down to 77 °C"),
    ("14 K lower it does not", rig(mining(minutes=None), temperatures=(Temperature(CARD, Sensor.GPU, 78.0),)), HELD,
     DEFAULTS, None, ""),
    ("an unknown temperature resumes nothing", rig(mining(minutes=None)), HELD, DEFAULTS, None, ""),
    ("a card whose memory only its miner can see waits for its core to be 35 K cooler",
     rig(mining(minutes=None), temperatures=(Temperature(CARD, Sensor.GPU, 57.0),)), MEMORY_HELD, DEFAULTS, ResumeCool,
     "resumed: GPU 03:00.0 has cooled down to 57 °C, and its memory with it"),
    ("34 K are not enough for that",
     rig(mining(minutes=None), temperatures=(Temperature(CARD, Sensor.GPU, 58.0),)), MEMORY_HELD, DEFAULTS, None, ""),
    ("nor are 4 min",
     rig(mining(minutes=None), temperatures=(Temperature(CARD, Sensor.GPU, 40.0),)),
     History(holds=(Hold("7", CARD, f"{CARD} memory", 97.0, ago(4)),)), DEFAULTS, None, ""),
    ("what was stopped for good does not resume when it is cool",
     rig(mining(minutes=None), temperatures=(Temperature(CARD, Sensor.GPU, 30.0),)), HELD_FOR_GOOD, DEFAULTS, None, ""),
    ("what a person has stopped does not resume when it is cool",
     rig(mining(minutes=None), temperatures=(Temperature(CARD, Sensor.GPU, 30.0),)),
     History(holds=HELD.holds, stopped_by_person=True), DEFAULTS, None, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "history", "limits", "kind", "reason"),
    [pytest.param(*line[1:], id=line[0]) for line in TABLE],
)
def test_in_each_situation_the_ladder_takes_the_step_of_the_table(
    facts: Facts, history: History, limits: LadderSettings, kind: type[Step] | None, reason: str
) -> None:
    step = next_step(facts, observed(facts, history, limits, NOW_S), limits, NOW_S)
    assert (None if step is None else type(step), "" if step is None else step.reason) == (kind, reason)


def test_the_table_has_at_least_forty_situations_and_none_twice() -> None:
    names = [line[0] for line in TABLE]
    assert len(set(names)) == len(names) >= 40


def test_only_the_playbook_on_the_hot_card_is_stopped() -> None:
    on_card, on_other = mining(devices=frozenset({CARD})), mining(name="8", devices=frozenset({OTHER_CARD}))
    facts = rig(on_card, on_other, temperatures=(GPU_HOT,))
    step = next_step(facts, observed(facts, hot_for(30), DEFAULTS, NOW_S), DEFAULTS, NOW_S)
    assert isinstance(step, StopHot)
    assert step.playbook_ids == ("7",)


def test_where_no_playbook_is_known_to_use_the_hot_device_all_are_stopped() -> None:
    facts = rig(mining(devices=None), mining(name="8", devices=None), temperatures=(GPU_HOT,))
    step = next_step(facts, observed(facts, hot_for(30), DEFAULTS, NOW_S), DEFAULTS, NOW_S)
    assert isinstance(step, StopHot)
    assert step.playbook_ids == ("7", "8")
