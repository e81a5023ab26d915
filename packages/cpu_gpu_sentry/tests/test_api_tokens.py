"""The access token of a miner's API, as a playbook's script sets it."""

import stat
from pathlib import Path

import pytest
from cpu_gpu_sentry.playbooks.api_tokens import api_token, load_secret
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.run_state import RunState
from cpu_gpu_sentry.playbooks.runs import RunNote, write_script
from protocol.playbook_messages import Archive, Platform, Playbook, SoftwarePackage


def playbook(script: str, software: str = "xmrig", name: str = "p1") -> Playbook:
    package = SoftwarePackage(
        software=software, version="1", url="https://a/b", archive=Archive.TAR_GZ, executable="x", sha256="0" * 64
    )
    return Playbook(id=name, name="n", revision=1, package=package, platform=Platform.LINUX, script=script)


def test_a_sentry_keeps_one_secret_for_its_owner_alone(tmp_path: Path) -> None:
    secret = load_secret(tmp_path)
    assert (len(secret), load_secret(tmp_path)) == (32, secret)
    (kept,) = tmp_path.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.write_bytes(b"too short")
    assert load_secret(tmp_path) not in (b"too short", secret)
    assert len(load_secret(tmp_path / "nowhere")) == 32


def test_each_playbook_has_a_token_of_its_own_that_stays() -> None:
    with_token = "xmrig --http-port={api_port} --http-access-token={api_token}"
    first = api_token(playbook(with_token), b"s" * 32)
    assert first is not None
    assert len(first) == 32
    assert api_token(playbook(with_token), b"s" * 32) == first
    assert api_token(playbook(with_token, name="p2"), b"s" * 32) != first
    assert api_token(playbook(with_token), b"t" * 32) != first


@pytest.mark.parametrize(
    ("software", "script", "token"),
    [
        ("xmrig", "exec ./xmrig --http-access-token=mine -o a:1", "mine"),
        ("xmrig", "exec ./xmrig --http-access-token 'mine'", "mine"),
        ("xmrig", "exec ./xmrig --http-enabled", None),
        ("phoenixminer", "./PhoenixMiner -cdmpass mine -cdm 1", "mine"),
        ("lolminer", "./lolMiner --http-access-token=mine", None),
    ],
)
def test_a_token_that_the_script_sets_itself_is_found(software: str, script: str, token: str | None) -> None:
    assert api_token(playbook(script, software), b"s" * 32) == token


def test_the_script_has_the_token_and_what_is_compared_has_not(tmp_path: Path) -> None:
    mined = playbook("xmrig --http-port={api_port} --http-access-token={api_token}")
    run = RunState(mined, 4000, secret=b"s" * 32)
    path = write_script(Folders(tmp_path), mined, 4000, run.api_token)
    assert path.read_text() == f"#!/bin/sh\nxmrig --http-port=4000 --http-access-token={run.api_token}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    another = RunState(mined, 4000, secret=b"t" * 32)
    assert another.running == run.running
    run.note = RunNote(playbook_id="p1", run="1-a", command=["x"], cwd="/", package="k", script="s", port=4000)
    assert run.watch is not None
    assert run.watch.access_token == run.api_token
    assert str(run.api_token) not in f"{run.watch!r}{run!r}{run.status()!r}"
