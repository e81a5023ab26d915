"""Decisions without processes and without files, for both platforms."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from cpu_gpu_sentry.playbooks.decide import (
    Discard,
    Forget,
    Install,
    Keep,
    Refuse,
    Rest,
    Run,
    Running,
    Step,
    Stop,
    Write,
    decide,
)
from cpu_gpu_sentry.playbooks.packages import package_fingerprint, package_key
from cpu_gpu_sentry.playbooks.scripts import fingerprint, script_body
from hypothesis import given
from hypothesis import strategies as st
from protocol.playbook_messages import Archive, Platform, Playbook, SoftwarePackage

PACKAGE = SoftwarePackage(
    software="xmrig", version="6.26.0", url="https://vendor.example/xmrig.tar.gz", archive=Archive.TAR_GZ,
    executable="xmrig-6.26.0/xmrig", sha256="0" * 64,
)  # fmt: skip
OTHER = msgspec.structs.replace(PACKAGE, url="https://vendor.example/xmrig-6.27.tar.gz", version="6.27.0")
PLATFORMS = [Platform.LINUX, Platform.WINDOWS]


def playbook(name: str = "p1", platform: Platform = Platform.LINUX, **other: Any) -> Playbook:
    facts: dict[str, Any] = {"name": name, "revision": 1, "package": PACKAGE, "script": "xmrig --http-port={api_port}"}
    return Playbook(id=name, platform=platform, **(facts | other))


def running(playbook: Playbook, port: int = 4000) -> Running:
    return Running(package_fingerprint(playbook.package), fingerprint(script_body(playbook, port)), port)


def decided(
    *wanted: Playbook,
    runs: Mapping[str, Running] = {},
    installed: tuple[SoftwarePackage, ...] = (),
    known: tuple[str, ...] = (),
    here: Platform = Platform.LINUX,
) -> list[Step]:
    return decide(wanted, runs, [package_key(each) for each in installed], known, here)


@pytest.mark.parametrize("here", PLATFORMS)
def test_a_new_playbook_is_installed_written_and_run(here: Platform) -> None:
    assert decided(playbook(platform=here), here=here) == [Install("p1", PACKAGE), Write("p1"), Run("p1")]


@pytest.mark.parametrize("here", PLATFORMS)
def test_what_runs_byte_for_byte_is_left_alone_whatever_its_name_and_revision(here: Platform) -> None:
    old = playbook(platform=here)
    new = msgspec.structs.replace(old, name="renamed", revision=9)
    assert decided(new, runs={"p1": running(old)}, installed=(PACKAGE,), known=("p1",), here=here) == [Keep("p1")]


@pytest.mark.parametrize("here", PLATFORMS)
@pytest.mark.parametrize("change", [{"script": "xmrig -t 1 --http-port={api_port}"}, {"package": OTHER}])
def test_another_script_or_package_is_swapped_in_the_seeds_order(here: Platform, change: dict[str, Any]) -> None:
    new = playbook(platform=here, **change)
    steps = decided(new, runs={"p1": running(playbook(platform=here))}, installed=(PACKAGE,), known=("p1",), here=here)
    changed_software = [Discard(package_key(PACKAGE)), Install("p1", OTHER)] if "package" in change else []
    assert steps == [Stop("p1"), *changed_software, Write("p1"), Run("p1")]


def test_all_stop_and_all_that_is_unwanted_goes_before_anything_is_installed() -> None:
    wanted = [playbook("a", package=OTHER), playbook("b"), playbook("c", script="other")]
    runs = {name: running(playbook(name)) for name in ("b", "c", "gone")}
    steps = decided(*wanted, runs=runs, installed=(PACKAGE,), known=("b", "c", "gone"))
    assert steps == [
        Stop("c"), Stop("gone"), Forget("gone"), Keep("b"), Install("a", OTHER), Write("a"), Write("c"), Run("a"),
        Run("c"),
    ]  # fmt: skip


def test_nothing_wanted_removes_everything() -> None:
    steps = decided(runs={"p1": running(playbook())}, installed=(PACKAGE,), known=("p1", "old"))
    assert steps == [Stop("p1"), Forget("old"), Forget("p1"), Discard(package_key(PACKAGE))]


def test_a_paused_one_stays_installed_and_is_stopped() -> None:
    paused = playbook(paused=True)
    assert decided(paused, runs={"p1": running(playbook())}, installed=(PACKAGE,), known=("p1",)) == [
        Stop("p1"),
        Rest("p1"),
    ]
    assert decided(paused) == [Install("p1", PACKAGE), Rest("p1")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"package": msgspec.structs.replace(PACKAGE, archive=Archive.UNKNOWN)}, "update the sentry"),
        ({"package": msgspec.structs.replace(PACKAGE, url="ftp://a/b")}, "https://"),
        ({"package": msgspec.structs.replace(PACKAGE, url="http://a/b", sha256=None)}, "SHA-256"),
        ({"package": msgspec.structs.replace(PACKAGE, executable="../../bin/sh")}, "own folder"),
        ({"script": "a\0b"}, "NUL"),
        ({"id": "../p1"}, "id"),
    ],
)
def test_what_can_t_be_done_here_is_refused_with_its_reason(change: dict[str, Any], words: str) -> None:
    (step,) = decided(msgspec.structs.replace(playbook(), **change))
    assert isinstance(step, Refuse)
    assert words in step.reason


@pytest.mark.parametrize("here", PLATFORMS)
def test_a_playbook_for_the_other_platform_is_refused(here: Platform) -> None:
    other = Platform.WINDOWS if here is Platform.LINUX else Platform.LINUX
    (step,) = decided(playbook(platform=other), here=here)
    assert step == Refuse("p1", f"This playbook is for {other}, and this rig runs {here}; make one for it.")


SCRIPTS = st.sampled_from(["a {api_port}", "b {api_port}", "c"])
NAMES = st.sampled_from(["p1", "p2", "p3"])


@given(
    st.dictionaries(NAMES, st.tuples(SCRIPTS, st.booleans(), st.sampled_from([PACKAGE, OTHER]))),
    st.dictionaries(NAMES, st.tuples(SCRIPTS, st.sampled_from([PACKAGE, OTHER]))),
)
def test_after_the_steps_exactly_what_is_wanted_runs(
    wants: dict[str, tuple[str, bool, SoftwarePackage]], runs: dict[str, tuple[str, SoftwarePackage]]
) -> None:
    wanted = [playbook(n, script=s, paused=p, package=k) for n, (s, p, k) in wants.items()]
    now = {n: running(playbook(n, script=s, package=k)) for n, (s, k) in runs.items()}
    installed = {k for _, k in runs.values()}
    steps = decided(*wanted, runs=now, installed=tuple(installed), known=tuple(now))
    assert _after(steps, wanted, now) == {each.id: running(each) for each in wanted if not each.paused}


def _after(steps: list[Step], wanted: list[Playbook], now: dict[str, Running]) -> dict[str, Running]:
    left, by_id = dict(now), {each.id: each for each in wanted}
    for step in steps:
        if isinstance(step, Stop):
            del left[step.playbook_id]
        elif isinstance(step, Run):
            assert step.playbook_id not in left, "started twice"
            left[step.playbook_id] = running(by_id[step.playbook_id])
    return left
