"""The farm as of now for the overview: the verdict, the worst rigs, and the totals of each kind."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from protocol import units

from commander.live.rig_state import Health, RigState
from commander.live.rigs import Lives
from commander.live.trouble import TroubleNow, order_of, troubles_of
from commander.readings.severity import Severity
from commander.registry.kinds import PATHS, RigKind
from commander.rig_pages.asic import ASICS
from commander.rig_pages.cpu_gpu import CPU_GPU
from commander.rig_pages.cpu_gpu_rows import TotalView, with_sparks
from commander.rig_pages.faults_view import TONES
from commander.rig_pages.navigation import counted
from commander.rig_pages.troubles import Trouble, troubles

RIGS_SHOWN = 20
EACH_RULE = 5  # of each trouble so many are shown before more of another
TROUBLES_OF_RIG = 3
DISPLAYS = (CPU_GPU, ASICS)


class TroubleWord(NamedTuple):
    """One trouble of a rig in words, and since when."""

    text: str
    tone: str
    since: datetime | None


class RigWithTrouble(NamedTuple):
    """A rig with its worst troubles in words. `more` is the number of its other troubles."""

    name: str
    href: str
    words: list[TroubleWord]
    more: int
    is_asic: bool


class FarmView(NamedTuple):
    """`verdict` is one sentence about the whole farm; `more` are links to the rigs that are not listed."""

    verdict: str
    tone: str
    note: str
    rigs: list[RigWithTrouble]
    more: list[tuple[str, str]]
    is_empty: bool


class KindView(NamedTuple):
    """The totals of one kind of rig, and links to what is wrong among them."""

    title: str
    path: str
    key: str
    totals: list[TotalView]
    troubles: list[Trouble]


class _TroublesOfRig(NamedTuple):
    kind: RigKind
    state: RigState
    troubles: list[TroubleNow]


def farm_view(lives: Lives) -> FarmView:
    states = [(kind, state) for kind, live in lives.items() for state in live.index.rigs.values()]
    troubled = [_TroublesOfRig(kind, state, found) for kind, state in states if (found := _known(state))]
    shown = worst(troubled)
    left_out = Counter(each.kind for each in troubled)
    left_out.subtract(each.kind for each in shown)
    tone, verdict, note = _verdict([state for _, state in states], troubled)
    return FarmView(
        verdict=verdict,
        tone=tone,
        note=note,
        rigs=[_rig(each) for each in shown],
        more=[(f"{counted(count, kind)} more", PATHS[kind]) for kind, count in left_out.items() if count > 0],
        is_empty=not states,
    )


def _known(state: RigState) -> list[TroubleNow]:
    return troubles_of(state) if state.health is not Health.WAITING else []


def worst(troubled: Iterable[_TroublesOfRig]) -> list[_TroublesOfRig]:
    """Returns the rigs to show: the worst trouble first, and of every trouble some."""
    by_rule: Counter[str] = Counter()
    turns: list[tuple[int, int]] = []  # of each rig: its turn, and its place among all
    in_order = sorted(troubled, key=_how_bad)
    for place, each in enumerate(in_order):
        rule = _rule_of(each)
        turns.append((by_rule[rule] // EACH_RULE, place))
        by_rule[rule] += 1
    return [in_order[place] for place in sorted(place for _, place in sorted(turns)[:RIGS_SHOWN])]


def _rule_of(troubled: _TroublesOfRig) -> str:
    """Returns the worst rule that a rig breaks."""
    return min((each.rule for each in troubled.troubles), key=order_of)


def _how_bad(troubled: _TroublesOfRig) -> tuple[int, RigKind, str]:
    return order_of(_rule_of(troubled)), troubled.kind, troubled.state.name


def _rig(troubled: _TroublesOfRig) -> RigWithTrouble:
    words = [TroubleWord(each.text, TONES[each.severity], each.since) for each in troubled.troubles[:TROUBLES_OF_RIG]]
    href = f"{PATHS[troubled.kind]}/{troubled.state.id}"
    return RigWithTrouble(
        troubled.state.name, href, words, len(troubled.troubles) - len(words), troubled.kind is RigKind.ASIC
    )


def _verdict(states: Sequence[RigState], troubled: Sequence[_TroublesOfRig]) -> tuple[str, str, str]:
    """Returns tone, sentence and note."""
    waiting = sum(state.health is Health.WAITING for state in states)
    known = len(states) - waiting
    note = f"{_rigs(waiting)} {'waits' if waiting == 1 else 'wait'} for the first report." if waiting else ""
    if troubled:
        is_critical = any(each.severity is Severity.CRITICAL for rig in troubled for each in rig.troubles)
        verb = "needs" if len(troubled) == 1 else "need"
        tone = "bad" if is_critical else "warning"
        return tone, f"{units.count_text(len(troubled))} of {_rigs(known)} {verb} attention", note
    if not known:
        return "idle", note.removesuffix("."), ""
    mining = sum(is_mining(state) for state in states)
    if mining == known:
        return "good", "The rig is mining" if known == 1 else f"All {_rigs(known)} mining", note
    sentence = f"{units.count_text(mining)} of {_rigs(known)} mining, nothing known to be wrong"
    if unknown := sum(map(has_unknown_hashrate, states)):
        note = f"The hashrate of {_rigs(unknown)} is unknown. {note}".rstrip()
    return "good", sentence, note


def is_mining(state: RigState) -> bool:
    """Returns whether a rig is online and reports hashes."""
    return state.health is Health.ONLINE and any(state.summary.hashrates_hs.values())


def has_unknown_hashrate(state: RigState) -> bool:
    """Returns whether a rig is online and mines something, and its mining software gives no hashrate."""
    hashrates_hs = state.summary.hashrates_hs.values()
    return state.health is Health.ONLINE and not any(hashrates_hs) and None in hashrates_hs


def _rigs(count: int) -> str:
    return f"{units.count_text(count)} {'rig' if count == 1 else 'rigs'}"


def kind_views(lives: Lives) -> list[KindView]:
    """Returns the totals of the kinds that the farm has."""
    return [
        KindView(
            display.title,
            display.path,
            display.kind.value,
            with_sparks(display.totals(live.index), live.trends),
            [each for each in troubles(live.index.rigs.values(), display.kind) if each.href],
        )
        for display in DISPLAYS
        if (live := lives[display.kind]).index.rigs
    ]
