"""The farm's totals, which each log changes by the difference to the rig's log before it."""

from itertools import product

from commander.live.totals import Totals
from commander.readings.summary import RigSummary, Work
from protocol.messages import UNKNOWN_ALGORITHM

MONERO, SPELLED_APART = Work("XMR", "rx/0"), Work("xmr", "randomx")
KAWPOW, UNKNOWN = Work(None, "kawpow"), Work(None, UNKNOWN_ALGORITHM)
WORKS = [MONERO, SPELLED_APART, KAWPOW, UNKNOWN]
ONE_WORK = [{work: value} for work in WORKS for value in (None, 0.0, 0.4567, 12.5)]
TWO_WORKS = [
    {MONERO: monero_hs, other: other_hs}
    for other in (SPELLED_APART, KAWPOW, UNKNOWN)
    for monero_hs in (None, 0.0, 1.5)
    for other_hs in (None, 3.25)
]
SUMMARIES = [
    RigSummary(hashrates_hs=hashrates_hs, power_w=power_w)
    for hashrates_hs in [{}, *ONE_WORK, *TWO_WORKS]
    for power_w in (None, 0.0, 2.5)
]


def totals_of(*summaries: RigSummary | None) -> Totals:
    totals = Totals()
    for summary in summaries:
        if summary is not None:
            totals.count(summary, +1)
    return totals


def test_a_change_gives_the_totals_of_the_newest_logs_alone() -> None:
    another = RigSummary(hashrates_hs={MONERO: 7.0}, power_w=3.0)
    for before, after in product([None, *SUMMARIES], repeat=2):
        totals = totals_of(another, before)
        totals.change(before, after)
        assert totals == totals_of(another, after), (before, after)
