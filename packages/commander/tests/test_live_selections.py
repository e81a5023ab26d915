"""Selections against a plain evaluation, once and live."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import RigState
from commander.readings.decode import READERS
from commander.registry.kinds import RigKind
from commander.selections.compiled import compiled
from commander.selections.domain import Term
from commander.selections.live import KEPT_FOR_S, LiveSelections
from commander.selections.parser import parse
from hypothesis import given, settings
from hypothesis import strategies as some
from plain_selections import line_of, plain_rigs, plain_terms, plainly
from selection_rigs import GAMER, NOON, PlainRig, log_of, state_of


@pytest.mark.thorough
@settings(max_examples=500, deadline=None)
@given(some.lists(plain_rigs, min_size=1, max_size=4), some.lists(plain_terms(), max_size=4))
def test_a_selection_matches_the_rigs_of_which_each_term_is_true(rigs: list[PlainRig], wanted: list[Term]) -> None:
    selection = parse(line_of(wanted))
    assert [term._replace(at=1) for term in selection.terms] == wanted
    for rig in rigs:
        assert compiled(selection, rig.kind)(state_of(rig)) is all(plainly(term, rig) for term in wanted), (rig, wanted)


class Farm:
    """Rigs in an index with live selections over them, which follow each change."""

    def __init__(self) -> None:
        self.index = OperationalIndex(stale_after_s=45, offline_after_s=60)
        self.live = LiveSelections(RigKind.CPU_GPU, self.index)
        self.at_s = 1.0

    def report(self, rig_id: int, rig: PlainRig) -> None:
        self.at_s += 1
        at, body = NOON + timedelta(seconds=self.at_s), msgspec.json.encode(log_of(rig))
        summary = READERS[rig.kind](body).summary
        self.index.report(rig_id, body, summary, taken_at=at, reported_at=at, now_s=self.at_s)

    def ids(self, line: str) -> set[int]:
        return set(self.live.of(parse(line)).ids)


def test_a_live_selection_follows_each_rig_and_says_when_it_changed() -> None:
    farm = Farm()
    state_of(GAMER, 1, farm.index)
    hot = farm.live.of(parse("temperature>80"))
    numbers = [hot.changed_at]
    state_of(GAMER._replace(temperature_c=60.0), 2, farm.index)
    assert (hot.ids, hot.changed_at) == ({1}, numbers[-1])
    farm.report(2, GAMER)
    numbers.append(hot.changed_at)
    assert hot.ids == {1, 2}
    farm.report(2, GAMER._replace(temperature_c=82.0))
    assert hot.changed_at == numbers[-1]
    farm.index.remove(1)
    numbers.append(hot.changed_at)
    farm.index.remove(1)
    assert (hot.ids, hot.changed_at) == ({2}, numbers[-1])
    assert len(set(numbers)) == 3


def test_a_report_with_other_numbers_alone_evaluates_comparisons_alone() -> None:
    farm = Farm()
    state_of(GAMER, 1, farm.index)
    mined, hot = farm.live.of(parse("coin:kaspa")), farm.live.of(parse("temperature>80"))
    evaluated = list[str]()

    def noting(name: str) -> Callable[[RigState], bool]:
        def matches(state: RigState) -> bool:
            evaluated.append(name)
            return True

        return matches

    mined.matches, hot.matches = noting("mined"), noting("hot")
    farm.report(1, GAMER._replace(temperature_c=60.0, power_w=1.0))
    assert evaluated == ["hot"]
    for other in (GAMER._replace(pool="other.example:1"), GAMER._replace(coin="Monero"), GAMER._replace(ip="10.0.0.7")):
        evaluated.clear()
        farm.report(1, other)
        assert sorted(evaluated) == ["hot", "mined"]


def test_a_live_selection_is_forgotten_when_nobody_asks_for_it() -> None:
    farm = Farm()
    state_of(GAMER, 1, farm.index)
    used, unused = farm.live.of(parse("health:online")), farm.live.of(parse("rig"))
    farm.index.check_health(KEPT_FOR_S)
    farm.live.of(parse("health:online"))
    farm.index.check_health(KEPT_FOR_S + 1)
    farm.index.rename(1, "other")
    farm.index.check_health(2 * KEPT_FOR_S)
    assert (used.ids, unused.ids) == (set(), {1})
    assert farm.ids("rig") == set()


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(some.lists(some.tuples(some.integers(1, 5), plain_rigs), max_size=25), some.lists(plain_terms(), max_size=3))
def test_a_live_selection_holds_what_an_evaluation_of_all_rigs_finds(
    changes: list[tuple[int, PlainRig]], wanted: list[Term]
) -> None:
    farm, rigs = Farm(), dict[int, PlainRig]()
    selection = parse(line_of(wanted))
    live = farm.live.of(selection)
    for rig_id, rig in changes:
        rigs[rig_id] = rig = rig._replace(kind=RigKind.CPU_GPU)
        state_of(rig, rig_id, farm.index)
        assert live.ids == {each for each, rig in rigs.items() if all(plainly(term, rig) for term in wanted)}
