"""Notes of the ladder: since when something is slow, good, hot or gone. Pure."""

from collections.abc import Iterable

from msgspec.structs import replace
from protocol.command_messages import LadderSettings

from cpu_gpu_sentry.ladder.facts import Facts, PlaybookFacts
from cpu_gpu_sentry.ladder.heat import critical_c
from cpu_gpu_sentry.ladder.history import DAY_S, History
from cpu_gpu_sentry.ladder.slow import is_good, slowness

CURED_S = 300.0  # so long a playbook has to be good before its restarts are forgotten


def observed(facts: Facts, history: History, limits: LadderSettings, now_s: float) -> History:
    """Returns the history after a look at the rig. Unknown figures change nothing."""
    history = _aged(history, now_s)
    history = replace(
        history,
        slow_since_s=_slow_since(facts, history, limits, now_s),
        good_since_s=_good_since(facts, history, limits, now_s),
        hot_since_s=_hot_since(facts, history, limits, now_s),
        gone_since_s={each: history.gone_since_s.get(each, now_s) for each in sorted(facts.missing_cards)},
        lost_cards=_still_lost(facts, history),
    )
    return _cured(history, now_s)


def is_left_alone(facts: Facts, history: History, now_s: float) -> bool:
    """Returns whether the rig is in maintenance, was stopped by a person, or has no network."""
    return history.in_maintenance(now_s) or history.stopped_by_person or facts.is_cut_off


def _aged(history: History, now_s: float) -> History:
    """Forgets what is older than a day, and a maintenance that is over."""
    return replace(
        history,
        restarts=tuple(each for each in history.restarts if now_s - each.at_s < DAY_S),
        reboots=tuple(each for each in history.reboots if now_s - each.at_s < DAY_S),
        hot_stops=tuple(each for each in history.hot_stops if now_s - each.at_s < DAY_S),
        gave_up=tuple(each for each in history.gave_up if now_s - each.at_s < DAY_S),
        maintenance_until_s=history.maintenance_until_s if history.in_maintenance(now_s) else None,
    )


def _slow_since(facts: Facts, history: History, limits: LadderSettings, now_s: float) -> dict[str, float]:
    """Counts from the start of the run at the earliest, and not while a restart could not have helped."""
    since: dict[str, float] = {}
    if is_left_alone(facts, history, now_s):
        return since
    for each in _running(facts):
        if each.excuse:
            continue
        before_s = history.slow_since_s.get(each.id)
        if slowness(each, limits) is not None:
            before_s = now_s if before_s is None else before_s
        elif is_good(each, limits):
            before_s = None
        if before_s is not None:
            since[each.id] = max(before_s, now_s - (each.running_s or 0.0))
    return since


def _good_since(facts: Facts, history: History, limits: LadderSettings, now_s: float) -> dict[str, float]:
    good = [each.id for each in _running(facts) if slowness(each, limits) is None and is_good(each, limits)]
    return {name: history.good_since_s.get(name, now_s) for name in good}


def _running(facts: Facts) -> Iterable[PlaybookFacts]:
    return (each for each in facts.playbooks if each.running_s is not None)


def _hot_since(facts: Facts, history: History, limits: LadderSettings, now_s: float) -> dict[str, float]:
    since = dict(history.hot_since_s)
    for each in facts.temperatures:
        if each.celsius is not None and each.celsius >= critical_c(each.sensor, limits):
            since.setdefault(each.key, now_s)
        elif each.celsius is not None:
            since.pop(each.key, None)
    return since


def _still_lost(facts: Facts, history: History) -> tuple[str, ...]:
    """A card that is on the bus again without a fault is not lost any longer."""
    faulty = {each.device for each in facts.card_faults} | facts.missing_cards
    return tuple(each for each in history.lost_cards if each in faulty)


def _cured(history: History, now_s: float) -> History:
    """Forgets the restarts of playbooks that have been good for long enough."""
    cured = {name for name, since_s in history.good_since_s.items() if now_s - since_s >= CURED_S}
    return replace(
        history,
        restarts=tuple(each for each in history.restarts if each.playbook_id not in cured),
        gave_up=tuple(each for each in history.gave_up if each.subject not in cured),
    )
