"""Makes one predicate over a rig's state from a selection.

Texts are compared without regard to case. A comparison with an unknown metric is false.
"""

import operator
from collections.abc import Callable

from commander.live.rig_state import RigState
from commander.registry.kinds import RigKind
from commander.selections.domain import Key, Operator, Selection, Term
from commander.selections.facts import FIGURES, TEXTS, fan_percent, search_text
from commander.selections.matching import folded, line_finder_of, matcher_of
from commander.selections.quantities import quantity_of

Predicate = Callable[[RigState], bool]
_COMPARE: dict[Operator, Callable[[float, float], bool]] = {
    Operator.MORE: operator.gt,
    Operator.LESS: operator.lt,
    Operator.AT_LEAST: operator.ge,
    Operator.AT_MOST: operator.le,
}
_CHEAP_FIRST = {Key.TAG: 0, Key.KIND: 0, Key.HEALTH: 0, Key.ANYTHING: 2}


def compiled(selection: Selection, kind: RigKind) -> Predicate:
    """Returns whether a rig of this kind matches, as a function. Raises `BadSelection`."""
    terms = sorted(selection.terms, key=lambda term: _CHEAP_FIRST.get(term.key, 1))
    predicates = [_negated(_of_term(term, kind)) if term.negated else _of_term(term, kind) for term in terms]
    if len(predicates) == 1:
        return predicates[0]

    def matches(state: RigState) -> bool:
        for predicate in predicates:  # noqa: SIM110 - a generator costs more than the predicates
            if not predicate(state):
                return False
        return True

    return matches


def _negated(predicate: Predicate) -> Predicate:
    return lambda state: not predicate(state)


def _of_term(term: Term, kind: RigKind) -> Predicate:
    if term.operator is not Operator.IS:
        return _comparison(term)
    if term.key is Key.ANYTHING:
        finds = line_finder_of(term)
        return lambda state: finds(search_text(state))
    matches = matcher_of(term)
    if term.key is Key.KIND:
        return _always(matches(kind))
    return _any_text(TEXTS[term.key], matches)


def _always(answer: bool) -> Predicate:
    return lambda state: answer


def _any_text(texts: Callable[[RigState], tuple[str, ...]], matches: Callable[[str], bool]) -> Predicate:
    def matches_one(state: RigState) -> bool:
        for text in texts(state):  # noqa: SIM110 - as above
            if matches(folded(text)):
                return True
        return False

    return matches_one


def _comparison(term: Term) -> Predicate:
    quantity, compare = quantity_of(term), _COMPARE[term.operator]
    is_percent = term.key is Key.FAN and not quantity.turns
    figure, bound = fan_percent if is_percent else FIGURES[term.key], quantity.number

    def matches(state: RigState) -> bool:
        value = figure(state)
        return value is not None and compare(value, bound)

    return matches
