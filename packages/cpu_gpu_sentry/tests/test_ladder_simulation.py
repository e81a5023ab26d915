"""The watchdog's ladder over hours and days, in steps of 10 s."""

from dataclasses import dataclass, field, replace

from cpu_gpu_sentry.ladder.facts import CardFault, Facts
from cpu_gpu_sentry.ladder.history import (
    GaveUp,
    History,
    RestartNote,
    limits_changed,
    noted,
    restarted_by_person,
    started_by_person,
)
from cpu_gpu_sentry.ladder.next_step import next_step
from cpu_gpu_sentry.ladder.observe import observed
from cpu_gpu_sentry.ladder.steps import (
    RIG,
    MarkLost,
    Reboot,
    RestartPlaybook,
    ResumeCool,
    Step,
)
from ladder_rig import (
    CARD,
    DEFAULTS,
    FELL_OFF,
    GPU_HOT,
    HELD_FOR_GOOD,
    HOUR_S,
    OTHER_CARD,
    REBOOTS,
    ago,
    mining,
    rig,
)
from protocol.command_messages import LadderSettings


@dataclass
class Simulation:
    """A rig whose time goes on in steps of 10 s; a reboot begins another boot."""

    limits: LadderSettings
    history: History = field(default_factory=History)
    now_s: float = 0.0
    boot: int = 1
    booted_s: float = -HOUR_S
    started_s: float = -HOUR_S
    stopped: bool = False

    def go(self, facts: Facts, minutes: float) -> list[Step]:
        steps: list[Step] = []
        for _ in range(round(minutes * 6)):
            self.now_s += 10
            step = self._look(facts)
            if step is not None:
                steps.append(step)
        return steps

    def _look(self, facts: Facts) -> Step | None:
        running = tuple(
            replace(each, running_s=None if self.history.is_held(each.id) else self.now_s - self.started_s)
            for each in facts.playbooks
        )
        age_s = self.now_s - self.booted_s
        facts = replace(facts, boot_id=f"boot-{self.boot}", boot_age_s=age_s, playbooks=running)
        self.history = observed(facts, self.history, self.limits, self.now_s)
        step = next_step(facts, self.history, self.limits, self.now_s)
        if step is not None:
            self.history = noted(step, self.history, facts.boot_id, self.now_s)
            self._carry_out(step)
        return step

    def _carry_out(self, step: Step) -> None:
        if isinstance(step, Reboot):
            self.boot, self.booted_s = self.boot + 1, self.now_s
        if isinstance(step, Reboot | RestartPlaybook | ResumeCool):
            self.started_s = self.now_s


def kinds(steps: list[Step]) -> list[str]:
    return [type(step).__name__ for step in steps]


def test_a_playbook_that_nothing_cures_climbs_the_whole_ladder_once_a_day() -> None:
    rig_ = Simulation(REBOOTS)
    climb = ["RestartPlaybook", "RestartPlaybook", "Reboot"]
    assert kinds(rig_.go(rig(mining(10)), 6 * 60)) == [*climb, *climb, "RestartPlaybook", "RestartPlaybook", "GiveUp"]
    assert rig_.go(rig(mining(10)), 15 * 60) == []


def test_without_leave_to_reboot_a_slow_playbook_is_restarted_twice_and_given_up() -> None:
    assert kinds(Simulation(DEFAULTS).go(rig(mining(10)), 12 * 60)) == ["RestartPlaybook", "RestartPlaybook", "GiveUp"]


def test_a_long_grace_does_not_keep_the_ladder_from_climbing() -> None:
    steps = Simulation(LadderSettings(reboots=True, grace_s=3600)).go(rig(mining(10)), 4 * 60)
    assert kinds(steps)[:3] == ["RestartPlaybook", "RestartPlaybook", "Reboot"]


def test_a_playbook_that_a_restart_cures_begins_again_at_the_foot_of_the_ladder() -> None:
    rig_ = Simulation(REBOOTS)
    steps = [step for _ in range(4) for step in (*rig_.go(rig(mining(10)), 11), *rig_.go(rig(), 6))]
    assert kinds(steps) == ["RestartPlaybook"] * 4


def test_a_dying_card_is_rebooted_for_once_and_then_lost() -> None:
    rig_ = Simulation(REBOOTS)
    steps = rig_.go(rig(faults=(FELL_OFF,)), 20 * 60)
    assert kinds(steps) == ["Reboot", "MarkLost"]
    assert rig_.history.lost_cards == (CARD,)


def test_a_card_that_comes_back_is_no_longer_lost() -> None:
    rig_ = Simulation(DEFAULTS)
    rig_.go(rig(missing=frozenset({CARD})), 5)
    assert list(rig_.history.lost_cards) == [CARD]
    rig_.go(rig(), 1)
    assert list(rig_.history.lost_cards) == []


def test_two_dying_cards_reboot_the_rig_twice_in_all() -> None:
    both = (FELL_OFF, CardFault(OTHER_CARD, "fell off the bus, Xid 79", 79))
    steps = Simulation(REBOOTS).go(rig(faults=both), 23 * 60)
    assert kinds(steps).count("Reboot") == 2
    assert {step.device for step in steps if isinstance(step, MarkLost)} == {CARD, OTHER_CARD}


def test_a_hot_card_stops_mining_three_times_and_then_for_good() -> None:
    rig_, hot, cool = Simulation(DEFAULTS), rig(temperatures=(GPU_HOT,)), rig(
        temperatures=(replace(GPU_HOT, celsius=60.0),)
    )  # fmt: skip
    steps = [step for _ in range(6) for step in (*rig_.go(hot, 2), *rig_.go(cool, 10))]
    assert kinds(steps) == [*["StopHot", "ResumeCool"] * 3, "StopForGood"]


def test_slowness_of_while_the_network_was_down_does_not_count_when_it_is_back() -> None:
    rig_ = Simulation(REBOOTS)
    assert rig_.go(rig(mining(0), pool=False, other=False), 120) == []
    assert rig_.go(rig(mining(0)), 9) == []
    assert kinds(rig_.go(rig(mining(0)), 2)) == ["RestartPlaybook"]


def test_slowness_of_while_the_pool_gave_no_work_does_not_count_either() -> None:
    rig_ = Simulation(REBOOTS)
    assert rig_.go(rig(mining(0, excuse="its pool gives it no work")), 120) == []
    assert rig_.go(rig(mining(0)), 9) == []


def test_a_person_who_starts_mining_begins_at_the_foot_of_the_ladder() -> None:
    rig_ = Simulation(DEFAULTS)
    rig_.go(rig(mining(10)), 120)
    assert rig_.history.has_given_up("7")
    rig_.history = started_by_person(rig_.history)
    assert kinds(rig_.go(rig(mining(10)), 12)) == ["RestartPlaybook"]


def test_a_person_who_restarts_one_playbook_takes_back_that_it_was_given_up() -> None:
    gave_up = tuple(GaveUp(name, ago(5), "gave up") for name in ("7", "8", RIG))
    after = restarted_by_person(History(gave_up=gave_up, restarts=(RestartNote("7", ago(9)),)), "7")
    assert [each.subject for each in after.gave_up] == ["8"]
    assert after.restarts == ()


def test_a_rig_that_is_newly_allowed_to_reboot_tries_again_what_it_had_given_up() -> None:
    rig_ = Simulation(DEFAULTS)
    assert kinds(rig_.go(rig(faults=(FELL_OFF,)), 5)) == ["MarkLost"]
    rig_.limits, rig_.history = REBOOTS, limits_changed(rig_.history)
    assert kinds(rig_.go(rig(faults=(FELL_OFF,)), 5)) == ["Reboot"]


def test_other_limits_do_not_start_what_heat_has_stopped_for_good() -> None:
    gave_up = (GaveUp("7", ago(5), "gave up: too hot"), GaveUp("8", ago(5), "gave up: slow"))
    after = limits_changed(History(gave_up=gave_up, holds=HELD_FOR_GOOD.holds))
    assert [each.subject for each in after.gave_up] == ["7"]
    assert after.holds == HELD_FOR_GOOD.holds


def test_reboots_of_a_person_do_not_count() -> None:
    rig_ = Simulation(REBOOTS)
    for _ in range(5):
        rig_.boot, rig_.booted_s = rig_.boot + 1, rig_.now_s
        assert rig_.go(rig(), 15) == []
    assert rig_.history.reboots == ()
