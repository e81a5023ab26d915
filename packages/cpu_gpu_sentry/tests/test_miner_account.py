"""Miners of a sentry that runs as root have an account that can read nothing of the sentry. Needs root."""

import dataclasses
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from cpu_gpu_sentry import enrolment
from cpu_gpu_sentry.playbooks import miner_account, runs
from cpu_gpu_sentry.playbooks.api_tokens import load_secret
from cpu_gpu_sentry.playbooks.decide import Running, is_same
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.miner_account import MinerAccount, RunsAs, find_account, runs_as
from cpu_gpu_sentry.playbooks.miner_files import discard_if_not_own, open_the_way
from cpu_gpu_sentry.playbooks.output import last_lines
from cpu_gpu_sentry.playbooks.packages import package_fingerprint, package_key, software_key
from cpu_gpu_sentry.playbooks.processes import end, mark_of
from cpu_gpu_sentry.playbooks.runs import RunNote, StartRequest
from cpu_gpu_sentry.playbooks.scripts import fingerprint, script_body
from cpu_gpu_sentry.service_unit import SERVICE
from msgspec.structs import replace
from protocol.playbook_messages import Archive, Platform, Playbook, SoftwarePackage
from protocol.service_setup import Place, install_service
from protocol.tokens import TokenKind, new_token
from sentry_kit import store
from sentry_kit.copies import Copies
from sentry_kit.store import Enrolment, State
from waiting import eventually

IS_ROOT = sys.platform != "win32" and os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="only root may give a process to another user")
PACKAGE = SoftwarePackage(
    software="x", version="1", url="https://a/b", archive=Archive.TAR_GZ, executable="x", sha256="0" * 64
)
TOKEN = new_token(TokenKind.RIG, pin=None)
STRANGE = 0o666


def playbook(script: str = "exec sleep 600", *, root: bool = False) -> Playbook:
    return Playbook(id="p1", name="n", revision=1, package=PACKAGE, platform=Platform.LINUX, script=script, root=root)


@pytest.fixture
def folders() -> Iterator[Folders]:
    """A sentry's data, with a token, in a folder that others can reach: pytest's own are closed."""
    place = Path(tempfile.mkdtemp(prefix="minewarden-test-"))
    place.chmod(0o755)
    made = Folders(place / "data")
    made.data_dir.mkdir(mode=0o700)
    path = made.data_dir / enrolment.STORE
    with closing(store.open_store(path, enrolment.SCHEMA)) as db:
        store.save_enrolment(db, Enrolment("https://c.lan", TOKEN, None, 7, "rig-07", State.ONLINE))
        Copies(path, enrolment.KEPT).save(db)
    load_secret(made.data_dir)
    for open_to_all in (path, made.data_dir / "notes.txt"):
        open_to_all.touch()
        open_to_all.chmod(STRANGE)
    (made.data_dir / "versions").mkdir(mode=0o755)
    software = made.software / package_key(PACKAGE)
    (software / "sub").mkdir(parents=True)
    (software / "sub" / "miner").write_text("#!/bin/sh\n")
    yield made
    assert end([f"{mark_of(made.data_dir)}:"], {}, term_s=0) == 0
    shutil.rmtree(place)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> MinerAccount:
    """An account that every machine has."""
    monkeypatch.setattr(miner_account, "NAME", "nobody")
    found = find_account()
    assert found is not None
    return found


def started(folders: Folders, script: str) -> RunNote:
    wanted = playbook(script)
    request = StartRequest(wanted, 4000, 0, user=runs_as(folders.data_dir, wants_root=False))
    return runs.start(folders, request, runs.write_script(folders, wanted, 4000))


def printed(folders: Folders, note: RunNote) -> list[str]:
    return last_lines(folders.of(note.playbook_id) / "output", note.run, 50)


@as_root
def test_a_miner_can_read_nothing_of_the_sentry(folders: Folders, account: MinerAccount) -> None:
    secrets = sorted(str(each) for each in folders.data_dir.iterdir() if each.name not in ("playbooks", "software"))
    assert any(each.endswith("sentry.db") for each in secrets)
    assert any(each.endswith("sentry-enrolment.copy") for each in secrets)
    looks = "\n".join(
        f"ls {each}/ >/dev/null 2>&1 || cat {each} >/dev/null 2>&1 && echo read {each}" for each in secrets
    )
    note = started(folders, f"id -u; ls {folders.data_dir} 2>&1; {looks}\necho done")
    eventually(lambda: "done" in printed(folders, note))
    lines = printed(folders, note)
    assert lines[0] == str(account.uid)
    assert "Permission denied" in lines[1]
    assert [line for line in lines if line.startswith("read ")] == []
    assert note.runs_as == "nobody"


@as_root
def test_a_miner_works_in_its_own_folder_and_can_not_become_root(folders: Folders, account: MinerAccount) -> None:
    script = "\n".join(
        (
            "pwd && touch log.txt sub/cache && echo written",
            "cd && touch kernels && echo home",
            "echo x 2>/dev/null >>$0 || echo script safe",
            "grep -E '^(NoNewPrivs|CapEff|Groups)' /proc/self/status",
            "echo said >/dev/stdout",
            "echo done",
        )
    )
    note = started(folders, script)
    eventually(lambda: "done" in printed(folders, note))
    lines = printed(folders, note)
    assert lines[0] == str(folders.software / package_key(PACKAGE))
    assert {"written", "home", "script safe", "said"} <= set(lines)
    facts = {name: words for name, *words in (line.split() for line in lines) if name.endswith(":")}
    assert facts["NoNewPrivs:"] == ["1"]
    assert int(facts["CapEff:"][0], 16) == 0
    assert "0" not in facts["Groups:"]
    assert sorted(map(int, facts["Groups:"])) == account.groups


@as_root
def test_a_miner_s_whole_tree_is_ended(folders: Folders, account: MinerAccount) -> None:
    note = started(folders, "sleep 601 & setsid sleep 602 & echo ready; exec sleep 603")
    eventually(lambda: "ready" in printed(folders, note))
    assert runs.find_running(folders) == {"p1": note}
    runs.end_runs(folders, ["p1"])
    assert runs.find_running(folders) == {}


@as_root
def test_what_runs_as_root_is_not_what_a_miner_could_change(folders: Folders, account: MinerAccount) -> None:
    note = started(folders, "echo evil >sub/miner; echo done")
    eventually(lambda: "done" in printed(folders, note))
    shared, own = package_key(PACKAGE), software_key(playbook(root=True))
    assert software_key(playbook()) == shared
    assert own != shared
    discard_if_not_own(folders.software / shared)
    assert not (folders.software / shared).exists(), "without the account it is installed again before root runs it"
    (folders.software / own).mkdir()
    discard_if_not_own(folders.software / own)
    assert (folders.software / own).exists()


@as_root
def test_without_an_account_it_runs_as_today_and_says_why(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    (folder / "useradd").write_text(f'#!/bin/sh\necho "$@" >>{calls}\necho "no room" >&2; exit 1\n')
    (folder / "useradd").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(miner_account, "NAME", "minewarden-nobody")
    miner_account._make_account.cache_clear()
    for _ in range(2):
        found = runs_as(folders.data_dir, wants_root=False)
        assert found == RunsAs(words="root, because there is no account minewarden-nobody")
    (call,) = calls.read_text().splitlines()
    monkeypatch.setattr(miner_account, "NAME", "minewarden-other")
    place = Place(tmp_path / "units", runs=False)
    place.units.mkdir()
    install_service(dataclasses.replace(SERVICE, children="minewarden-other"), print, start=False, place=place)
    assert call.replace("nobody", "other") == calls.read_text().splitlines()[-1], "the installation makes the same one"
    miner_account._make_account.cache_clear()


@as_root
def test_an_account_that_was_there_is_not_called_made(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(miner_account, "NAME", "root")
    miner_account._make_account.cache_clear()
    assert runs_as(folders.data_dir, wants_root=False).account is None
    miner_account._make_account.cache_clear()
    assert [each for each in caplog.messages if "miner_account" in each] == [
        "miner_account_not_made root is there, and is root's"
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="accounts are made on Linux")
def test_an_account_that_appears_between_two_look_ups_is_used_and_not_called_root_s(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(miner_account, "NAME", "nobody")
    look_up, answers = miner_account._look_up, [None]
    monkeypatch.setattr(miner_account, "_look_up", lambda: answers.pop() if answers else look_up())
    miner_account._make_account.cache_clear()
    found = find_account()
    miner_account._make_account.cache_clear()
    assert found is not None
    assert found.name == "nobody"
    assert [each for each in caplog.messages if "miner_account" in each] == ["miner_account_not_made nobody is there"]


def test_a_file_that_goes_away_while_others_are_shut_out_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("sentry.db-wal", "notes.txt"):
        (data / name).touch()
        (data / name).chmod(STRANGE)
    with os.scandir(data) as entries:
        listed = sorted(entries, key=lambda each: each.name, reverse=True)
    (data / "sentry.db-wal").unlink()
    monkeypatch.setattr(os, "scandir", lambda _path: nullcontext(iter(listed)))
    open_the_way(Folders(data), "p1")
    assert (data / "notes.txt").stat().st_mode & 0o077 == 0


@as_root
def test_a_closed_folder_above_the_data_is_named(account: MinerAccount, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "data").mkdir()
    assert "can't enter" in runs_as(tmp_path / "data", wants_root=False).words
    assert runs_as(tmp_path / "data", wants_root=True).words == "root, because the playbook says so"


@pytest.mark.skipif(IS_ROOT, reason="root has an account for miners")
def test_a_sentry_that_is_not_root_runs_miners_as_itself(tmp_path: Path) -> None:
    assert runs_as(tmp_path, wants_root=True).account is None
    assert "not root" in runs_as(tmp_path, wants_root=False).words


def test_a_run_of_before_the_update_goes_on_and_a_wish_for_root_restarts_a_newer_one() -> None:
    wanted = playbook()
    before = Running(package_fingerprint(PACKAGE), fingerprint(script_body(wanted, 4000)), 4000)
    assert is_same(wanted, before)
    assert is_same(playbook(root=True), before)
    newer = Running(before.package, before.script, before.port, root=False)
    assert is_same(wanted, newer)
    assert not is_same(replace(wanted, root=True), newer)
