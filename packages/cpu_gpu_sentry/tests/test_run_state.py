"""The state of a playbook's miner, in the log and in the status."""

import pytest
from cpu_gpu_sentry.playbooks.run_state import RunState, not_known_yet
from cpu_gpu_sentry.playbooks.runs import RunNote
from protocol.messages import AlgorithmReading, MinerReading, MinerState, MinerTrouble
from protocol.playbook_messages import Archive, Platform, Playbook, PlaybookState, PlaybookWork, SoftwarePackage


def run(software: str = "xmrig", *, has_api: bool = True) -> RunState:
    package = SoftwarePackage(
        software=software, version="1", url="https://a/b", archive=Archive.TAR_GZ, executable="x", sha256="0" * 64
    )
    works = [PlaybookWork(coin="Zephyr"), PlaybookWork(coin=None)]
    return RunState(
        Playbook(
            id="p1", name="n", revision=4, package=package, platform=Platform.LINUX, script="x {api_port}",
            has_api=has_api, works=works,
        ),
        4000,
    )  # fmt: skip


def begun(made: RunState, port: int = 4001) -> RunState:
    note = RunNote(playbook_id="p1", run="1-a", command=["x"], cwd="/", package="k", script="s", port=port, restarts=2)
    made.began(note, 1000.0)
    return made


def reading(*rates: float | None, state: MinerState = MinerState.MINING) -> MinerReading:
    algorithms = [AlgorithmReading(algorithm="rx/0", coin="Monero", hashrate_hs=rate) for rate in rates]
    return MinerReading(software="xmrig", state=state, algorithms=algorithms)


SILENT = MinerReading(software="xmrig", state=MinerState.API_SILENT)


def test_before_anything_was_started_there_is_no_miner_to_report() -> None:
    made = run()
    assert (made.miner(), made.watch, made.status().api_port) == (None, None, None)


def test_a_reading_carries_the_playbook_s_id_and_the_coin_that_the_operator_named() -> None:
    made = begun(run())
    made.take(reading(17_000, 5), 1010)
    miner = made.miner()
    assert miner is not None
    assert miner.playbook_id == "p1"
    assert [each.coin for each in miner.algorithms] == ["Zephyr", "Monero"]
    assert made.watch is not None
    assert made.watch.port == made.status().api_port == 4001
    assert made.restarts == 2


@pytest.mark.parametrize(
    ("told", "now_s", "mines"),
    [
        (reading(17_000), 1001, True),
        (reading(0), 1500, False),
        (reading(None), 1010, False),
        (reading(None), 1200, True),  # software that never tells a hashrate
        (SILENT, 5000, False),
    ],
)
def test_it_is_known_to_mine_by_its_hashrate(told: MinerReading, now_s: float, mines: bool) -> None:
    made = begun(run())
    made.take(told, now_s)
    assert made.is_known_to_mine(now_s) is mines
    assert (made.good_s == now_s) is mines


@pytest.mark.parametrize(("software", "has_api"), [("my-own", True), ("xmrig", False)])
def test_without_an_api_a_process_that_lives_is_taken_for_mining(software: str, has_api: bool) -> None:
    made = begun(run(software, has_api=has_api))
    assert made.watch is None
    assert [made.is_known_to_mine(now_s) for now_s in (1002.0, 1006.0)] == [False, True]


def test_an_api_that_is_not_there_yet_is_a_start_and_later_a_silence() -> None:
    made = begun(run())
    made.take(SILENT, 1001)
    states = []
    for state in (PlaybookState.STARTING, PlaybookState.MINING):
        made.show(state)
        miner = made.miner()
        states.append(miner.state if miner else None)
    assert states == [MinerState.STARTING, MinerState.API_SILENT]


@pytest.mark.parametrize(
    ("state", "reported"),
    [
        (PlaybookState.PAUSED, MinerState.STOPPED),
        (PlaybookState.FAILED, MinerState.FAILED),
        (PlaybookState.RESTARTING, MinerState.STARTING),
        (PlaybookState.DOWNLOADING, None),
        (PlaybookState.WAITING, None),
    ],
)
def test_what_does_not_run_is_reported_by_its_state_alone(state: PlaybookState, reported: MinerState | None) -> None:
    made = run()
    made.show(state, "because")
    miner = made.miner()
    assert (miner.state if miner else None) == reported
    assert made.status().reason == "because"


def test_since_is_when_the_state_began() -> None:
    made = run()
    made.show(PlaybookState.DOWNLOADING, percent=1)
    since = made.since
    made.show(PlaybookState.DOWNLOADING, percent=49.99)
    assert (made.since, made.status().percent) == (since, 50.0)
    made.show(PlaybookState.INSTALLING)
    assert made.since > since
    assert made.status().percent is None


NO_WORK = MinerReading(
    software="xmrig", state=MinerState.STARTING, uptime_s=500, algorithms=[AlgorithmReading(algorithm="unknown")],
    trouble=MinerTrouble.NO_JOB, reason="Its pool gives it no work.",
)  # fmt: skip
UNREADABLE = MinerReading(
    software="xmrig", state=MinerState.API_SILENT, trouble=MinerTrouble.UNREADABLE, reason="It can't be read."
)


def test_a_wait_for_the_pool_is_told_after_a_while_and_keeps_the_watchdog_away_at_once() -> None:
    made = begun(run())
    made.take(NO_WORK, 1003)
    assert (made.is_beyond_restart, made.patient_from_s, made.good_s) == (True, 1003, None)
    assert [made.may_report(now_s, 60) for now_s in (1003, 1059, 1061)] == [False, False, True]
    quiet = made.miner()
    made.shows_trouble = True
    told = made.miner()
    assert quiet is not None
    assert told is not None
    assert (quiet.trouble, told.trouble, told.reason) == (None, MinerTrouble.NO_JOB, "Its pool gives it no work.")
    assert made.state_in_trouble(5000) is PlaybookState.STARTING


def test_what_the_miner_printed_about_its_pool_is_its_reason() -> None:
    made = begun(run("gminer"))
    made.printed = [
        "12:00 Connected to pool.example",
        "12:01 Failed to connect to pool.example: refused",
        "12:02 GPU0 0 H/s",
    ]
    made.take(reading(0, state=MinerState.STALLED), 1003)
    assert made.reading is not None
    assert made.reading.trouble is MinerTrouble.NO_JOB
    assert made.reading.reason == "Its pool gives it no work: “Failed to connect to pool.example: refused”."
    made.take(reading(17_000), 1010)
    mining = made.reading
    assert (mining.trouble, made.good_s) == (None, 1010)


def test_an_api_that_can_not_be_read_is_no_reason_to_restart_a_miner_that_lives() -> None:
    made = begun(run())
    made.take(UNREADABLE, 1010)
    assert (made.is_beyond_restart, made.patient_from_s) == (True, 1010)
    assert [made.state_in_trouble(now_s) for now_s in (1010, 1130)] == [PlaybookState.STARTING, PlaybookState.MINING]
    made.show(PlaybookState.MINING)
    miner = made.miner()
    assert miner is not None
    assert (miner.state, miner.trouble) == (MinerState.API_SILENT, MinerTrouble.UNREADABLE)


def test_a_proxy_without_miners_runs_and_is_not_restarted() -> None:
    made = begun(run("xmrig-proxy"))
    idle = AlgorithmReading(algorithm="unknown", hashrate_hs=0)
    made.take(MinerReading(software="xmrig-proxy", state=MinerState.STARTING, algorithms=[idle]), 1001)
    assert (made.fault, made.is_known_to_mine(1001)) == (None, True)


def test_before_it_is_found_out_what_runs_the_figures_are_unknown_and_not_missing() -> None:
    told = not_known_yet(run().playbook)
    assert (told.playbook_id, told.state) == ("p1", MinerState.UNKNOWN)
    assert [(each.coin, each.hashrate_hs) for each in told.algorithms] == [("Zephyr", None), (None, None)]
