"""A rig's playbooks, with a miner that runs since before the sentry's start."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from cpu_gpu_sentry.enrolment import SCHEMA, STORE
from cpu_gpu_sentry.playbooks import runs
from cpu_gpu_sentry.playbooks.api_tokens import api_token, load_secret
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.packages import package_key
from cpu_gpu_sentry.playbooks.supervisor import Supervisor
from cpu_gpu_sentry.playbooks.watchdog import Patience
from protocol.playbook_messages import Archive, Platform, Playbook, Playbooks, PlaybookState, SoftwarePackage
from protocol.tokens import TokenKind, new_token
from sentry_kit import store
from sentry_kit.store import Enrolment, State

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the script is a shell's")
TOKEN = new_token(TokenKind.RIG, pin=None)
PACKAGE = SoftwarePackage(
    software="xmrig", version="1", url="https://a/b", archive=Archive.NONE, executable="x", sha256="0" * 64
)
PLAYBOOK = Playbook(
    id="p1", name="n", revision=1, package=PACKAGE, platform=Platform.LINUX, script="exec sleep 600 # {api_token}"
)

T = TypeVar("T")


async def at_once(function: Callable[[], T], /) -> T:
    return function()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing rings for all of it
            await asyncio.sleep(0.01)


async def want(supervisor: Supervisor, playbook: Playbook) -> None:
    assert await supervisor.take_wanted(TOKEN, None, msgspec.json.encode(Playbooks(playbooks=[playbook])))


async def test_a_disk_in_trouble_at_the_start_costs_no_miner_the_token_of_its_api(tmp_path: Path) -> None:
    folders, db = Folders(tmp_path), store.open_store(tmp_path / STORE, SCHEMA)
    store.save_enrolment(db, Enrolment("https://a.lan", TOKEN, None, 1, "rig", State.ONLINE))
    (folders.software / package_key(PACKAGE)).mkdir(parents=True)
    in_the_way = folders.downloads / "a folder where files alone should be"
    in_the_way.mkdir(parents=True)
    token = api_token(PLAYBOOK, load_secret(tmp_path))
    runs.start(folders, runs.StartRequest(PLAYBOOK, 4001, 0, token), runs.write_script(folders, PLAYBOOK, 4001, token))
    supervisor = Supervisor(
        tmp_path / STORE, db, at_once, patience=Patience(), changed=lambda: None, mines=lambda: None
    )
    await want(supervisor, PLAYBOOK)
    running = asyncio.create_task(supervisor.run())
    try:
        await until(lambda: "p1" in supervisor.run_states and supervisor.run_states["p1"].state is PlaybookState.FAILED)
        in_the_way.rmdir()
        await want(supervisor, msgspec.structs.replace(PLAYBOOK, name="another name"))
        await until(lambda: supervisor.run_states["p1"].note is not None)
        watch = supervisor.run_states["p1"].watch
        assert watch is not None
        assert (watch.port, watch.access_token) == (4001, token)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        runs.end_all(folders)
        db.close()


@asynccontextmanager
async def supervised(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """A supervisor whose only playbook runs."""
    folders, db = Folders(tmp_path), store.open_store(tmp_path / STORE, SCHEMA)
    store.save_enrolment(db, Enrolment("https://a.lan", TOKEN, None, 1, "rig", State.ONLINE))
    (folders.software / package_key(PACKAGE)).mkdir(parents=True)
    supervisor = Supervisor(
        tmp_path / STORE, db, at_once, patience=Patience(), changed=lambda: None, mines=lambda: None
    )
    await want(supervisor, PLAYBOOK)
    running = asyncio.create_task(supervisor.run())
    try:
        await until(lambda: run_of(supervisor) is not None)
        yield supervisor
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        runs.end_all(folders)
        db.close()


def run_of(supervisor: Supervisor) -> str | None:
    state = supervisor.run_states.get("p1")
    return state.note.run if state is not None and state.note is not None else None


@pytest.mark.parametrize("held", ["p1", "*"])
async def test_a_playbook_that_is_held_stands_still_with_the_reason_and_goes_on_afterwards(
    tmp_path: Path, held: str
) -> None:
    async with supervised(tmp_path) as supervisor:
        first = run_of(supervisor)
        supervisor.hold({held: "too hot; it resumes at 77 °C"})
        await until(lambda: supervisor.run_states["p1"].state is PlaybookState.PAUSED)
        assert supervisor.run_states["p1"].reason == "too hot; it resumes at 77 °C"
        assert run_of(supervisor) is None
        assert not runs.find_running(supervisor.folders)
        assert supervisor.run_facts() == []
        supervisor.hold({})
        await until(lambda: run_of(supervisor) not in (None, first))


async def test_news_of_the_commander_start_nothing_that_is_held(tmp_path: Path) -> None:
    async with supervised(tmp_path) as supervisor:
        supervisor.hold({"*": "stopped by a person"})
        await until(lambda: supervisor.run_states["p1"].state is PlaybookState.PAUSED)
        await want(supervisor, msgspec.structs.replace(PLAYBOOK, revision=2, script="exec sleep 601"))
        await until(lambda: supervisor.run_states["p1"].playbook.revision == 2)
        await until(lambda: supervisor.run_states["p1"].state is PlaybookState.PAUSED)
        assert not runs.find_running(supervisor.folders)


async def test_a_restart_is_another_run_with_the_reason_and_counts_as_no_failure(tmp_path: Path) -> None:
    async with supervised(tmp_path) as supervisor:
        first = run_of(supervisor)
        assert supervisor.restart("p1", "Restarted by a command.")
        await until(lambda: run_of(supervisor) not in (None, first))
        state = supervisor.run_states["p1"]
        assert state.restarts == 1
        assert state.failures == 1
        assert state.restart_reason is None
        assert "restarted by a command." in (state.reason or "")
        (facts,) = supervisor.run_facts()
        assert (facts.id, facts.watchdog_gave_up, facts.excuse) == ("p1", None, None)
        assert facts.running_s is not None


async def test_what_does_not_run_is_not_restarted(tmp_path: Path) -> None:
    async with supervised(tmp_path) as supervisor:
        assert not supervisor.restart("another", "Restarted by a command.")
