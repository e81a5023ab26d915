"""The operational index, driven log by log with time as an argument."""

from datetime import UTC, datetime, timedelta

from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import Health, health_after
from commander.readings.algorithms import one_name
from commander.readings.summary import RigSummary, Work
from hypothesis import given
from hypothesis import strategies as some
from protocol.coins import ALGORITHMS

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONERO, KASPA = Work("Monero", "rx/0"), Work("Kaspa", "kHeavyHash")


def an_index() -> OperationalIndex:
    return OperationalIndex(stale_after_s=45, offline_after_s=60)


def report(index: OperationalIndex, rig_id: int, at_s: float, figures: RigSummary | None = None) -> bool:
    moment = NOON + timedelta(seconds=at_s)
    summary = figures or RigSummary(power_w=100.0)
    return index.report(rig_id, b"{}", summary, taken_at=moment, reported_at=moment, now_s=at_s)


def test_a_silent_rig_goes_stale_then_offline_and_leaves_the_totals() -> None:
    index = an_index()
    rig = index.add(1, "rig-01")
    assert rig.health is Health.WAITING
    report(index, 1, 0)
    assert (rig.health, index.totals.alive) == (Health.ONLINE, 1)
    assert index.check_health(44) == []
    assert index.check_health(45) == [rig]
    assert (rig.health, index.totals.alive) == (Health.STALE, 1)
    assert index.check_health(60) == [rig]
    assert (rig.health, index.totals.alive, index.totals.power_w) == (Health.OFFLINE, 0, None)
    report(index, 1, 100)
    assert (rig.health, index.totals.alive, index.totals.power_w) == (Health.ONLINE, 1, 100.0)
    assert index.check_health(145) == [rig]


def test_a_rig_that_reports_stays_online() -> None:
    index = an_index()
    rig = index.add(1, "rig-01")
    for at_s in range(0, 600, 10):
        report(index, 1, at_s)
        assert index.check_health(at_s + 9) == []
    assert rig.health is Health.ONLINE


def test_a_late_log_says_that_the_rig_lives_and_changes_no_figure() -> None:
    index = an_index()
    rig = index.add(1, "rig-01")
    report(index, 1, 100, RigSummary(power_w=100.0))
    late = NOON - timedelta(days=1)
    assert not index.report(1, b"late", RigSummary(power_w=7.0), taken_at=late, reported_at=NOON, now_s=110)
    assert (rig.latest, rig.summary.power_w, rig.reported_s) == (b"{}", 100.0, 110)


def test_the_last_share_is_that_of_the_newest_log_with_more_accepted_ones() -> None:
    index = an_index()
    rig = index.add(1, "rig-01")
    seen = []
    for at_s, accepted in enumerate([7, 7, 9, None, 9, 10, 0, 0, 2, 1]):
        report(index, 1, at_s, RigSummary(accepted=accepted))
        seen.append(None if rig.share_at is None else round((rig.share_at - NOON).total_seconds()))
    # The first log has none before it, and an unknown number is not compared. 0 after 10: the counter began again.
    assert seen == [None, None, 2, 2, 2, 5, 5, 5, 8, 9]


def test_what_is_read_back_at_the_start_counts_from_when_it_was_taken() -> None:
    index = an_index()
    fresh, old = index.add(1, "rig-01"), index.add(2, "rig-02")
    for rig, silence_s in ((fresh, 5), (old, 3600)):
        taken_at = NOON - timedelta(seconds=silence_s)
        index.restore(rig.id, b"{}", RigSummary(power_w=1.0), taken_at=taken_at, now=NOON, now_s=1000)
    index.check_health(1000)
    assert (fresh.health, old.health, index.totals.power_w) == (Health.ONLINE, Health.OFFLINE, 1.0)


def test_a_removed_rig_leaves_the_totals_and_its_logs_are_refused() -> None:
    index = an_index()
    index.add(1, "rig-01")
    report(index, 1, 0)
    index.remove(1)
    assert (index.totals.alive, index.totals.power_w, dict(index.rigs)) == (0, None, {})
    assert not report(index, 1, 10)
    assert index.check_health(1000) == []


def test_what_no_software_names_is_in_no_total() -> None:
    index = an_index()
    index.add(1, "rig-01")
    report(index, 1, 0, RigSummary(hashrates_hs={Work(None, "unknown"): 5.0, Work("Ergo", "unknown"): 7.0}))
    assert dict(index.totals.rigs) == {Work("Ergo", "unknown"): 1}


def test_health_has_sharp_edges() -> None:
    ages = {0: Health.ONLINE, 44.9: Health.ONLINE, 45: Health.STALE, 59.9: Health.STALE, 60: Health.OFFLINE}
    for silence_s, health in ages.items():
        assert health_after(silence_s, stale_after_s=45, offline_after_s=60) is health


hashrates = some.one_of(some.none(), some.floats(0, 1e15))
figures = some.builds(
    RigSummary,
    hashrates_hs=some.dictionaries(some.sampled_from([MONERO, KASPA]), hashrates),
    power_w=some.one_of(some.none(), some.floats(0, 1e5)),
)
steps = some.lists(some.tuples(some.integers(1, 4), some.sampled_from(["log", "remove", "wait"]), figures), max_size=40)


@given(steps)
def test_totals_always_equal_a_plain_sum_over_the_living(story: list[tuple[int, str, RigSummary]]) -> None:
    index = an_index()
    now_s = 0.0
    for rig_id, what, reported in story:
        now_s += 25
        if what == "remove":
            index.remove(rig_id)
        elif what == "log":
            if rig_id not in index.rigs:
                index.add(rig_id, f"rig-{rig_id}")
            report(index, rig_id, now_s, reported)
        index.check_health(now_s)
        living = [rig.summary for rig in index.rigs.values() if rig.health in (Health.ONLINE, Health.STALE)]
        powers = [rig.power_w for rig in living if rig.power_w is not None]
        assert index.totals.alive == len(living)
        assert index.totals.power_mw == sum(round(power * 1000) for power in powers)
        assert (index.totals.power_w is None) == (not powers)
        for work in (MONERO, KASPA):
            known = [rate for rig in living if (rate := rig.hashrates_hs.get(work)) is not None]
            assert index.totals.rigs[work] == len(known)
            assert index.totals.hashrates_mhs[work] == sum(round(rate * 1000) for rate in known)


def test_one_algorithm_under_two_names_is_totalled_as_one() -> None:
    index = an_index()
    for rig_id, algorithm in ((1, "rx/0"), (2, "randomx"), (3, "RandomX")):
        index.add(rig_id, f"rig-{rig_id}")
        report(index, rig_id, 0, RigSummary(hashrates_hs={Work("Monero", algorithm): 1000.0}))
    both = RigSummary(hashrates_hs={Work("Monero", "rx/0"): 1.0, Work("Monero", "randomx"): 2.0})
    index.add(4, "rig-4")
    report(index, 4, 0, both)
    assert dict(index.totals.rigs) == {MONERO: 4}
    assert index.totals.hashrates_mhs[MONERO] == 3_003_000
    for rig_id in range(1, 5):
        index.remove(rig_id)
    assert not index.totals.rigs
    assert not index.totals.hashrates_mhs


def test_a_rig_that_spells_its_one_work_in_two_ways_has_an_efficiency() -> None:
    index = an_index()
    index.add(1, "rig-01")
    report(index, 1, 0, RigSummary(power_w=100.0, hashrates_hs={MONERO: 15.0, Work("XMR", "randomx"): 5.0}))
    assert (index.totals.rigs[MONERO], index.totals.measured[MONERO]) == (1, 1)
    assert index.totals.energy_j(MONERO) == 5.0
    index.remove(1)
    assert not index.totals.measured


def test_spellings_are_one_table_without_contradictions() -> None:
    assert [one_name(name) for name in ("KAWPOW", "kawpow", "Autolykos V2", "kHeavyHash", "KASPA", "mine-own")] == [
        *("kawpow", "kawpow", "autolykos2", "kHeavyHash", "kHeavyHash", "mine-own"),
    ]
    words = [word for each in ALGORITHMS for word in each.spellings.split()]
    assert len(words) == len(set(words))
    assert all(one_name(each.name) == each.name for each in ALGORITHMS)
