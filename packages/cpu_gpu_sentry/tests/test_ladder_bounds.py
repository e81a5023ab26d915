"""The ladder's bounds under any facts: whatever goes wrong, it neither reboots for ever nor acts when it must not."""

import pytest
from cpu_gpu_sentry.ladder.facts import CardFault, Facts, PlaybookFacts, Rate, Sensor, Temperature
from cpu_gpu_sentry.ladder.history import DAY_S, History, noted
from cpu_gpu_sentry.ladder.next_step import next_step
from cpu_gpu_sentry.ladder.observe import is_left_alone, observed
from cpu_gpu_sentry.ladder.steps import Reboot, ResumeCool, Step, StopForGood, StopHot
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from protocol.command_messages import LadderSettings

pytestmark = pytest.mark.thorough

CARDS = ("0000:03:00.0", "0000:04:00.0", "0000:05:00.0")
cards = st.frozensets(st.sampled_from(CARDS))
rates = st.sampled_from([None, 0.0, 10.0, 49.0, 51.0, 100.0])


@st.composite
def playbooks(draw: st.DrawFn) -> PlaybookFacts:
    return PlaybookFacts(
        id=draw(st.sampled_from(["7", "8"])),
        name="Kaspa",
        running_s=draw(st.sampled_from([None, 5.0, 700.0, 90_000.0])),
        rates=(Rate("kheavyhash", draw(rates), draw(st.sampled_from([None, 100.0]))),),
        devices=draw(st.none() | cards),
        idle_devices=draw(cards),
        excuse=draw(st.sampled_from([None, None, "its pool gives it no work"])),
        exhausted=draw(st.sampled_from([None, None, "was restarted 3 times in an hour"])),
    )


@st.composite
def looks(draw: st.DrawFn) -> tuple[Facts, float]:
    """Facts, and the time until the next look."""
    faults = tuple(CardFault(each, "fell off the bus, Xid 79", 79) for each in sorted(draw(cards)))
    heat = st.none() | st.floats(20, 120)
    facts = Facts(
        boot_id="boot",
        boot_age_s=draw(st.sampled_from([10.0, 700.0, 90_000.0])),
        pool_reachable=draw(st.sampled_from([None, True, False])),
        other_host_reachable=draw(st.sampled_from([None, True, False])),
        playbooks=tuple({each.id: each for each in draw(st.lists(playbooks(), max_size=2))}.values()),
        missing_cards=draw(cards),
        card_faults=faults,
        temperatures=tuple(Temperature(each, Sensor.GPU, draw(heat)) for each in CARDS),
    )
    return facts, draw(st.sampled_from([10.0, 10.0, 10.0, 60.0, 600.0, 3600.0]))


limits = st.builds(LadderSettings, restarts=st.booleans(), reboots=st.booleans())
histories = st.builds(History, stopped_by_person=st.booleans(), maintenance_until_s=st.none() | st.floats(0, 50_000))


@settings(max_examples=300, deadline=None)
@given(st.lists(looks(), max_size=60), limits, histories)
def test_no_row_of_events_makes_the_ladder_leave_its_bounds(
    row: list[tuple[Facts, float]], allowed: LadderSettings, history: History
) -> None:
    now_s, boot, reboots = 0.0, 1, list[float]()
    for look, pause_s in row:
        now_s += pause_s
        facts = Facts(**{name: getattr(look, name) for name in Facts.__slots__} | {"boot_id": f"boot-{boot}"})
        history = observed(facts, history, allowed, now_s)
        left_alone = is_left_alone(facts, history, now_s)
        step = next_step(facts, history, allowed, now_s)
        if step is None:
            continue
        assert step.reason
        check(step, facts, allowed, left_alone=left_alone)
        history = noted(step, history, facts.boot_id, now_s)
        if isinstance(step, Reboot):
            reboots.append(now_s)
            boot += 1
        assert sum(1 for each in reboots if now_s - each < DAY_S) <= 2


def check(step: Step, facts: Facts, allowed: LadderSettings, *, left_alone: bool) -> None:
    """Each step is allowed, and heat alone acts on a rig that is to be left alone."""
    if left_alone:
        assert isinstance(step, StopHot | StopForGood)
    if isinstance(step, Reboot):
        assert allowed.reboots
    if isinstance(step, StopHot | StopForGood | ResumeCool):
        assert step.playbook_ids


@settings(max_examples=100, deadline=None)
@given(looks(), limits, histories)
def test_a_look_that_changes_nothing_is_the_same_when_it_is_made_twice(
    look: tuple[Facts, float], allowed: LadderSettings, history: History
) -> None:
    facts, _ = look
    once = observed(facts, history, allowed, 1000.0)
    assert observed(facts, once, allowed, 1000.0) == once
    assert next_step(facts, once, allowed, 1000.0) == next_step(facts, replace(once), allowed, 1000.0)
