"""The real sentry carries out playbooks: real processes and real HTTPS, with a commander that a test commands."""

import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from protocol.messages import CpuGpuLog, MinerReading, MinerState, MinerTrouble
from protocol.playbook_messages import Archive, Playbook, PlaybookState, PlaybookWork

from tests.farm import eventually
from tests.playbook_rig import PlaybookRig, playbook_rig
from tests.playbook_software import EXECUTABLE, archive, package_of, playbook_of, sha256, stand_in, tar
from tests.sentry import SentryProcess

pytestmark = pytest.mark.system
BODY = stand_in()
STARTED_WITHIN_S = 10  # a miner, on a busy machine


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PlaybookRig]:
    with playbook_rig(tmp_path) as ready:
        yield ready


def offered(rig: PlaybookRig, options: str = "", body: bytes = BODY, **other: Any) -> Playbook:
    package = package_of(rig.shop.offer(f"{sha256(body)[:8]}.tar.gz", body), body)
    return playbook_of(package, options, **other)


def test_a_playbook_mines_within_three_seconds_of_the_news_and_is_reported_with_its_coin(rig: PlaybookRig) -> None:
    eventually(lambda: bool(rig.commander.questions), within_s=60, what="the first question")
    began = time.monotonic()
    rig.commander.want(offered(rig, works=[PlaybookWork(algorithm="rx/0", coin="Monero")]))
    eventually(lambda: _mines(rig), within_s=60, what="a hashrate in a log")
    assert time.monotonic() - began < 20  # 3 s on a machine that has nothing else to do
    miner = rig.reported()
    assert miner is not None
    assert (miner.software, miner.algorithms[0].coin) == ("xmrig", "Monero")
    assert (miner.algorithms[0].hashrate_hs or 0) > 4000
    status = rig.becomes(PlaybookState.MINING)
    assert (status.revision, status.restarts, status.reason) == (1, 0, None)
    assert [command[-3] for command in rig.miners()] == [str(status.api_port)]


def _mines(rig: PlaybookRig, name: str = "p1") -> bool:
    miner = rig.reported(name)
    return miner is not None and miner.state is MinerState.MINING and bool(miner.algorithms)


def test_two_run_side_by_side_and_editing_one_swaps_that_one_only(rig: PlaybookRig) -> None:
    cpu = offered(rig)
    gpu_package = msgspec.structs.replace(cpu.package, software="lolminer")
    gpu = playbook_of(gpu_package, "--devices 2", id="p2", name="Ergo")
    rig.commander.want(cpu, gpu)
    for name in ("p1", "p2"):
        rig.becomes(PlaybookState.MINING, name)
    before = {each.pid for each in rig.processes()}
    of_cpu = rig.commander.status_of("p1")
    changed = msgspec.structs.replace(gpu, revision=2, script=gpu.script.replace("--devices 2", "--devices 3"))
    rig.commander.want(msgspec.structs.replace(cpu, name="renamed", revision=5), changed)
    eventually(lambda: _devices(rig, "p2") == 3, within_s=60, what="three cards")
    eventually(lambda: (now := rig.commander.status_of("p1")) is not None and now.revision == 5, within_s=60, what="it")
    kept = rig.commander.status_of("p1")
    assert of_cpu is not None
    assert kept is not None
    assert (kept.api_port, kept.since, kept.revision, kept.restarts) == (of_cpu.api_port, of_cpu.since, 5, 0)
    assert len(rig.miners()) == 2
    assert len(before & {each.pid for each in rig.processes()}) == 2, "the keeper and the miner of the first go on"


def _devices(rig: PlaybookRig, name: str) -> int:
    miner = rig.reported(name)
    return len(miner.devices) if miner else 0


def test_a_paused_one_stays_installed_and_comes_back_without_a_download(rig: PlaybookRig) -> None:
    playbook = offered(rig)
    rig.commander.want(playbook)
    rig.becomes(PlaybookState.MINING)
    rig.commander.want(msgspec.structs.replace(playbook, paused=True, revision=2))
    rig.becomes(PlaybookState.PAUSED)
    assert rig.processes() == []
    rig.commander.want(msgspec.structs.replace(playbook, revision=3))
    rig.becomes(PlaybookState.MINING)
    assert len(rig.shop.asked) == 1
    rig.commander.want()
    eventually(lambda: not rig.processes() and not _software(rig), within_s=60, what="an end")


def test_a_killed_sentry_finds_its_miners_again_and_needs_no_commander_for_it(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig))
    rig.becomes(PlaybookState.MINING)
    before = {each.pid for each in rig.processes()}
    rig.sentry.kill()
    assert {each.pid for each in rig.processes()} == before, "mining goes on"
    told = len(rig.commander.statuses)
    rig.sentry.start()
    eventually(lambda: len(rig.commander.statuses) > told, within_s=60, what="a status")
    rig.becomes(PlaybookState.MINING)
    assert {each.pid for each in rig.processes()} == before
    assert rig.commander.questions[-1] == rig.commander.etag, "it remembers what it was told"
    assert rig.commander.sent_twice == 0


def test_the_first_log_after_a_restart_has_the_figures_of_miners_that_go_on(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig))
    rig.becomes(PlaybookState.MINING)
    rig.sentry.kill()
    started_at = datetime.now(UTC)
    rig.sentry.start()

    def since() -> list[CpuGpuLog]:
        return [log for log in rig.commander.logs if log.taken_at > started_at]

    eventually(lambda: bool(since()), within_s=60, what="a log")
    assert [each.hashrate_hs for miner in since()[0].miners for each in miner.algorithms] != []
    assert all(each.hashrate_hs for miner in since()[0].miners for each in miner.algorithms)


def test_without_its_commander_it_starts_again_what_it_was_told(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig))
    rig.becomes(PlaybookState.MINING)
    rig.sentry.kill()
    for each in rig.processes():
        each.kill()
    eventually(lambda: not rig.processes(), within_s=60, what="their end")
    rig.sentry.more["SSL_CERT_FILE"] = "/dev/null"  # from here on it believes nobody
    rig.sentry.start()
    eventually(lambda: len(rig.miners()) == 1, within_s=60, what="the miner")


def test_the_sentry_s_ordinary_end_is_no_end_of_mining(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig))
    rig.becomes(PlaybookState.MINING)
    assert rig.sentry.process is not None
    rig.sentry.process.send_signal(signal.SIGTERM)
    assert rig.sentry.process.wait(timeout=60) == 0
    assert len(rig.miners()) == 1


def test_what_crashes_is_started_again_with_the_reason_and_its_last_words(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig, "--crash-after 0.3"))
    eventually(lambda: _was(rig, PlaybookState.RESTARTING), within_s=60, what="a restart")
    restarting = next(each for each in rig.commander.told("p1") if each.state is PlaybookState.RESTARTING)
    assert "ended with exit code 7" in (restarting.reason or "")
    assert "fatal: the stand-in was told to crash" in restarting.last_lines
    failed = rig.fails("exit code 7", within_s=120)
    assert (failed.restarts or 0) >= 3
    rig.commander.want(offered(rig, revision=2))
    assert rig.becomes(PlaybookState.MINING).last_lines == []


def _was(rig: PlaybookRig, state: PlaybookState) -> bool:
    return any(each.state is state for each in rig.commander.told("p1"))


def test_a_miner_that_is_killed_comes_back_and_so_does_one_whose_keeper_is_killed(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig, "--children 1"))
    rig.becomes(PlaybookState.MINING)
    for victim in ("fake_miner", "keeper"):
        old = _pids(rig)
        _find(rig, victim).kill()
        eventually(partial(_are_new, rig, old), within_s=60, what="new ones")
        rig.becomes(PlaybookState.MINING)
    assert len(rig.miners()) == 1


def _find(rig: PlaybookRig, word: str) -> psutil.Process:
    return next(each for each in rig.processes() if any(word in part for part in each.cmdline()))


def _pids(rig: PlaybookRig) -> set[int]:
    return {each.pid for each in rig.processes()}


def _are_new(rig: PlaybookRig, old: set[int]) -> bool:
    """A keeper, the miner and its child."""
    now = _pids(rig)
    return len(now) == 3 and not old & now


def test_what_does_not_heed_sigterm_is_killed_with_all_that_it_started(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig, "--ignore-sigterm --children 3"))
    rig.becomes(PlaybookState.MINING)
    assert len(rig.processes()) == 5
    rig.commander.want()
    eventually(lambda: not rig.processes(), within_s=60, what="the end of all of them")


def test_a_miner_that_does_nothing_is_restarted_three_times_and_then_reported(tmp_path: Path) -> None:
    quick = {"CPU_GPU_SENTRY_MINER_SILENT_S": "1", "CPU_GPU_SENTRY_MINER_GRACE_S": "2"}
    with playbook_rig(tmp_path, **quick) as rig:
        rig.commander.want(offered(rig, "--fault silent"))
        failed = rig.fails("Restarted 3 times in an hour", within_s=180)
        assert "API does not answer" in (failed.reason or "")
        assert failed.restarts == 3
        assert len(rig.miners()) == 1


def test_a_miner_without_work_is_not_restarted_and_says_its_own_line(tmp_path: Path) -> None:
    quick = {"CPU_GPU_SENTRY_MINER_SILENT_S": "1", "CPU_GPU_SENTRY_MINER_GRACE_S": str(STARTED_WITHIN_S)}
    with playbook_rig(tmp_path, **quick) as rig:
        rig.commander.want(offered(rig, "--fault no-job"))

        def says_why() -> bool:
            now = rig.commander.status_of("p1")
            return now is not None and "connect error" in (now.reason or "")

        eventually(says_why, within_s=60, what="the miner's own line as the reason")
        miners = {each.pid for each in rig.processes()}
        told = len(rig.commander.logs)
        eventually(lambda: len(rig.commander.logs) >= told + STARTED_WITHIN_S + 3, within_s=120, what="more logs")
        status, miner = rig.commander.status_of("p1"), rig.reported()
        assert status is not None
        assert (status.state, status.restarts) == (PlaybookState.STARTING, 0)
        assert all(each.state is not PlaybookState.FAILED for each in rig.commander.told("p1"))
        assert {each.pid for each in rig.processes()} == miners
        assert miner is not None
        assert (miner.state, miner.trouble) == (MinerState.STARTING, MinerTrouble.NO_JOB)
        assert "pool.example:443 connect error" in (miner.reason or "")


def test_a_miner_whose_api_wants_a_token_is_asked_with_it(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig, "--access-token {api_token}"))
    rig.becomes(PlaybookState.MINING)
    before = rig.miners()
    rig.sentry.kill()
    rig.sentry.start()
    told = len(rig.commander.logs)
    eventually(lambda: len(rig.commander.logs) > told and _mines(rig), within_s=60, what="a hashrate after a restart")
    assert rig.miners() == before


def test_a_miner_whose_api_can_not_be_read_goes_on(tmp_path: Path) -> None:
    quick = {"CPU_GPU_SENTRY_MINER_SILENT_S": "1", "CPU_GPU_SENTRY_MINER_GRACE_S": str(STARTED_WITHIN_S)}
    with playbook_rig(tmp_path, **quick) as rig:
        rig.commander.want(offered(rig, "--fault garbage"))
        eventually(
            lambda: rig.reported() is not None and rig.commander.status_of("p1") is not None,
            within_s=60,
            what="a report with the miner's state",
        )
        logs_before = len(rig.commander.logs)
        eventually(lambda: len(rig.commander.logs) >= logs_before + STARTED_WITHIN_S + 3, within_s=120, what="logs")
        status, miner = rig.commander.status_of("p1"), rig.reported()
        assert status is not None
        assert miner is not None
        assert (status.restarts, miner.trouble) == (0, MinerTrouble.UNREADABLE)
        assert "can't be read" in (status.reason or "")


def test_software_that_nobody_can_read_is_run_and_its_state_told(rig: PlaybookRig) -> None:
    known = offered(rig)
    package = msgspec.structs.replace(known.package, software="my-own-miner")
    rig.commander.want(msgspec.structs.replace(known, package=package, has_api=False))
    rig.becomes(PlaybookState.MINING)
    expected = MinerReading(software="my-own-miner", state=MinerState.MINING, playbook_id="p1")
    eventually(lambda: rig.reported() == expected, within_s=60, what="a log that says no more than that")


@pytest.mark.parametrize(
    ("body", "change", "words"),
    [
        (archive(Archive.TAR_GZ, {"../../../victim": b"evil"}), {}, "no path inside"),
        (BODY, {"sha256": "0" * 64}, "SHA-256"),
        (BODY, {"executable": "xmrig"}, "no file xmrig"),
        (b"<html>sign in</html>", {}, "no readable tar.gz"),
        (BODY, {"url": "http://127.0.0.1:1/a", "sha256": None}, "https://"),
    ],
    ids=["out of the folder", "wrong hash", "no executable", "no archive", "plain http"],
)
def test_a_bad_package_is_refused_with_its_reason_and_the_others_mine(
    rig: PlaybookRig, body: bytes, change: dict[str, Any], words: str
) -> None:
    package = package_of(rig.shop.offer("bad.tar.gz", body), body)
    rig.commander.want(
        playbook_of(msgspec.structs.replace(package, **change), id="bad"),
        offered(rig, id="good"),
    )
    rig.fails(words, "bad")
    rig.becomes(PlaybookState.MINING, "good")
    assert not list(rig.data_dir.parent.rglob("victim"))


def test_what_it_prints_arrives_once_in_order_and_without_colours(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig))
    eventually(lambda: _lines(rig) >= 10, within_s=60, what="ten lines")
    rig.sentry.kill()
    rig.sentry.start()
    before = _lines(rig)
    eventually(lambda: _lines(rig) > before + 5, within_s=60, what="more lines")
    ((key, arriving),) = rig.commander.lines.items()
    assert key[0] == "p1"
    lines = dict(arriving)
    assert sorted(lines) == list(range(len(lines)))
    assert "accepted (1/0) stand-in" in lines[1]
    assert not any("\x1b" in line for line in lines.values())


def _lines(rig: PlaybookRig) -> int:
    return sum(map(len, rig.commander.lines.values()))


def test_a_commander_that_can_t_wait_is_asked_at_the_interval(tmp_path: Path) -> None:
    with playbook_rig(tmp_path, CPU_GPU_SENTRY_PLAYBOOKS_EVERY_S="2") as rig:
        rig.commander.can_wait = False
        eventually(lambda: len(rig.commander.questions) >= 2, within_s=60, what="two questions")
        began, asked = time.monotonic(), len(rig.commander.questions)
        eventually(lambda: len(rig.commander.questions) >= asked + 2, within_s=60, what="two more")
        assert time.monotonic() - began > 1.5
        rig.commander.want(offered(rig))
        rig.becomes(PlaybookState.MINING)


def test_a_removed_rig_keeps_no_process_and_no_file_and_asks_for_a_token(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig, "--ignore-sigterm --children 1"))
    rig.becomes(PlaybookState.MINING)
    rig.commander.remove()
    rig.sentry.becomes("removed")
    eventually(rig.is_clean, within_s=60, what="a clean rig")
    told = len(rig.commander.statuses), len(rig.commander.logs)
    with rig.sentry.browser() as browser:
        page = browser.get("/").text
    assert "Removed" in page
    assert "<details open>" in page
    assert rig.sentry.status()["playbooks"] == []
    assert told == (len(rig.commander.statuses), len(rig.commander.logs))


@pytest.mark.parametrize("is_running", [True, False], ids=["beside the agent", "without an agent"])
def test_leave_stops_and_deletes_everything(rig: PlaybookRig, is_running: bool) -> None:
    rig.commander.want(offered(rig))
    rig.becomes(PlaybookState.MINING)
    if not is_running:
        rig.sentry.kill()
    done = rig.sentry.run("leave")
    assert done.returncode == 0, done.stderr
    assert rig.processes() == []
    eventually(rig.is_clean, within_s=60, what="a clean rig")
    status = rig.sentry.status()
    assert (status["state"], status["playbooks"]) == ("not_enrolled", [])


def test_leaving_in_the_middle_of_a_download_leaves_nothing(rig: PlaybookRig) -> None:
    import threading

    rig.shop.hold = threading.Event()
    rig.commander.want(offered(rig))
    rig.becomes(PlaybookState.DOWNLOADING)
    assert rig.sentry.run("leave", "--yes").returncode == 0
    eventually(rig.is_clean, within_s=60, what="a clean rig")


def test_the_page_and_status_show_what_playbooks_do(rig: PlaybookRig) -> None:
    rig.commander.want(offered(rig), offered(rig, "--crash-after 0.2", id="p2", name="<b>Crashes</b>"))
    rig.becomes(PlaybookState.MINING)
    rig.fails("exit code 7", "p2", within_s=120)
    eventually(lambda: _shown(rig.sentry)["p2"]["state"] == "failed", within_s=60, what="the state")
    one, two = (_shown(rig.sentry)[name] for name in ("p1", "p2"))
    assert (one["state"], one["name"], one["reason"]) == ("mining", "Monero on the CPU", None)
    assert "stand-in" in one["last_lines"][-1]
    assert "exit code 7" in two["reason"]
    assert "Playbook “Monero on the CPU”: mining" in rig.sentry.run("status").stdout
    with rig.sentry.browser() as browser:
        page = browser.get("/").text
    for words in ("Monero on the CPU", "&lt;b&gt;Crashes", "exit code 7", "told to crash", "accepted ("):
        assert words in page, words


def _software(rig: PlaybookRig) -> list[Path]:
    return list((rig.data_dir / "software").iterdir())


def _shown(sentry: SentryProcess) -> dict[str, dict[str, Any]]:
    done = sentry.run("status", "--json")
    return {each["id"]: each for each in json.loads(done.stdout)["playbooks"]}


def test_links_and_devices_are_refused_on_a_real_rig(rig: PlaybookRig) -> None:
    import gzip
    import tarfile

    link = tarfile.TarInfo("fake-miner-1.0/out")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    body = gzip.compress(tar({EXECUTABLE: b"#!/bin/sh\n"}, link))
    rig.commander.want(offered(rig, body=body))
    rig.fails("a link; only plain files")
    assert not _software(rig)
