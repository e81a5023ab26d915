"""Restarts of a miner, with time as a number."""

import pytest
from cpu_gpu_sentry.playbooks.pool_lines import pool_trouble
from cpu_gpu_sentry.playbooks.watchdog import (
    Patience,
    ended_text,
    fault_of,
    is_overdue,
    may_restart,
    restart_mends,
    wait_s,
)
from protocol.messages import AlgorithmReading, MinerReading, MinerState, MinerTrouble

PATIENCE = Patience(silent_s=600, grace_s=900)


def reading(state: MinerState, *rates: float | None) -> MinerReading:
    algorithms = [AlgorithmReading(algorithm="rx/0", hashrate_hs=rate) for rate in rates]
    return MinerReading(software="xmrig", state=state, algorithms=algorithms)


@pytest.mark.parametrize(
    ("trouble", "mends"),
    [
        (None, True),
        (MinerTrouble.REFUSED, True),
        (MinerTrouble.NO_ANSWER, True),
        (MinerTrouble.ACCESS_DENIED, False),
        (MinerTrouble.UNREADABLE, False),
        (MinerTrouble.NO_JOB, False),
    ],
)
def test_a_restart_mends_silence_but_neither_a_pool_nor_a_token_nor_an_answer(
    trouble: MinerTrouble | None, mends: bool
) -> None:
    miner = MinerReading(software="xmrig", state=MinerState.API_SILENT, trouble=trouble)
    assert restart_mends(miner) is mends
    assert fault_of(miner)


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (
            ['[2026-11-20 12:00:00.417]  net      a:443 connect error: "refused"'],
            'net a:443 connect error: "refused"',
        ),
        (["12:00:01 net  no active pools, stop mining"], "net no active pools, stop mining"),
        (
            ["ERROR: Can't connect to a:3333: refused"],
            "ERROR: Can't connect to a:3333: refused",
        ),
        (["Pool pool.example failed to resolve host", "GPU0 0.00 Mh/s"], "Pool pool.example failed to resolve host"),
        (["DNS error: temporary failure", "new job from pool.example"], None),
        (["connection lost", "Connected to pool.example"], None),
        (["not connected to any pool"], "not connected to any pool"),
        (['net a:443 read error: "end of file"'], 'net a:443 read error: "end of file"'),
        (["new job", "GPU0 NVML read error"], None),  # that is a card's, and a restart may mend it
        (["Connected to a:3333", "Unauthorized worker"], "Unauthorized worker"),
        (["Worker is not authorized"], "Worker is not authorized"),
        (["speed 10s/60s/15m n/a", "GPU0 temperature 61"], None),
        ([], None),
    ],
)
def test_a_line_about_the_pool_counts_until_a_better_one(printed: list[str], line: str | None) -> None:
    assert pool_trouble(printed) == line


@pytest.mark.parametrize(
    ("miner", "fault"),
    [
        (reading(MinerState.MINING, 17_000), None),
        (reading(MinerState.MINING, 0, 5), None),
        (reading(MinerState.STARTING, None), None),
        (reading(MinerState.STALLED, None), None),
        (reading(MinerState.STALLED, 0), "it hashes at 0 H/s"),
        (reading(MinerState.STARTING, 0, None), "it hashes at 0 H/s"),
        (reading(MinerState.API_SILENT), "its API does not answer"),
    ],
)
def test_silence_and_zero_are_faults_and_unknown_is_not(miner: MinerReading, fault: str | None) -> None:
    assert fault_of(miner) == fault


@pytest.mark.parametrize(
    ("now_s", "good_s", "is_due"),
    [
        (899, None, False),  # its grace
        (900, None, True),
        (1499, 900, False),
        (1500, 900, True),
        (1000, 100, True),
        (1000, -5000, True),  # before this start nothing counts
        (899, -5000, False),
    ],
)
def test_it_is_overdue_after_its_grace_and_a_long_silence(now_s: float, good_s: float | None, is_due: bool) -> None:
    assert is_overdue(now_s, 0, good_s, PATIENCE) is is_due


def test_it_is_restarted_three_times_an_hour_at_most() -> None:
    assert may_restart(4000, [], PATIENCE)
    assert may_restart(4000, [100, 3000, 3500], PATIENCE)  # the first is more than an hour ago
    assert not may_restart(4000, [500, 3000, 3500], PATIENCE)


def test_the_wait_doubles_to_five_minutes() -> None:
    assert [wait_s(failures) for failures in (1, 2, 3, 8, 9, 500)] == [2, 4, 8, 256, 300, 300]


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (7, "exit code 7"), (127, "not found"), (-9, "signal 9"), (None, "sentry did not run")],
)
def test_an_end_is_told_in_words(code: int | None, words: str) -> None:
    assert words in ended_text(code)
