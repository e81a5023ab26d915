"""The commander's commands on a rig: which are begun, and that each is begun once at most."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from command_orders import ALL, command, status
from cpu_gpu_sentry.commands import store as command_store
from cpu_gpu_sentry.commands.result import Result, done, failed, waits
from cpu_gpu_sentry.commands.runner import CommandRunner
from cpu_gpu_sentry.enrolment import KEPT, SCHEMA
from cpu_gpu_sentry.ladder.sources import Boot
from cpu_gpu_sentry.machine.power import Place, Power
from cpu_gpu_sentry.updates.installation import Installation
from protocol.command_messages import Command, Commands, CommandState, FetchedLog
from protocol.inbox_messages import InboxItem
from protocol.tokens import TokenKind, new_token
from sentry_kit import launcher, store
from sentry_kit.errors import SentryError
from sentry_kit.running import move_aside
from sentry_kit.store import Enrolment, State

TOKEN, OTHER_TOKEN = new_token(TokenKind.RIG, pin=None), new_token(TokenKind.RIG, pin=None)
ROOT = Place(is_linux=True, is_root=True, is_container=False)
T = TypeVar("T")


async def at_once(function: Callable[[], T], /) -> T:
    return function()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing rings for all of it
            await asyncio.sleep(0.01)


def item(*commands: Command, version: str = "v1") -> InboxItem:
    body = msgspec.Raw(msgspec.json.encode(Commands(commands=list(commands))))
    return InboxItem(kind=Commands.INBOX_KIND, version=version, body=body)


class Rig:
    """A rig with a real store, whose sentry can be ended and started again at any moment."""

    def __init__(self, path: Path) -> None:
        self.path, self.carried = path, list[str]()
        self.db = store.open_store(path, SCHEMA)
        store.save_enrolment(self.db, Enrolment("https://a.lan", TOKEN, None, 1, "rig", State.ONLINE))
        self.boot, self.result = Boot("boot-1", 1000.0), done("Done.")
        self.allowed: frozenset[str] = ALL
        self.place = ROOT
        self.installation = Installation("0.1.0", None)
        self.waits: asyncio.Event | None = None
        self.error: Exception | None = None

    async def carry(self, order: Command) -> Result:
        self.carried.append(order.id)
        if self.waits is not None:
            await self.waits.wait()
        if self.error is not None:
            raise self.error
        return self.result

    @asynccontextmanager
    async def sentry(self) -> AsyncIterator[CommandRunner]:
        runner = CommandRunner(
            self.db, at_once, carry=self.carry, allowed=self.allowed, power=Power(place=self.place),
            installation=self.installation, boot=lambda: self.boot, changed=lambda: None,
        )  # fmt: skip
        running = asyncio.create_task(runner.run())
        try:
            yield runner
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    def states(self) -> dict[str, str]:
        return {each.id: each.state.value for each in command_store.newest(self.db, 100)}

    def unsent(self) -> list[str]:
        return [each.id for each in command_store.unsent(self.db)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "sentry.db")
    yield rig
    rig.db.close()


async def test_a_command_is_carried_out_and_its_result_waits_for_the_commander(rig: Rig) -> None:
    async with rig.sentry() as sentry:
        assert sentry.version is None
        assert await sentry.take(TOKEN, item(command("c1"), version="v7"))
        await until(lambda: rig.states() == {"c1": "done"})
        assert sentry.version == "v7"
    assert rig.carried == ["c1"]
    assert rig.unsent() == ["c1"]
    command_store.confirm(rig.db, command_store.unsent(rig.db))
    assert rig.unsent() == []


async def test_an_empty_list_is_news_too_or_the_inbox_would_not_be_asked_again_at_once(rig: Rig) -> None:
    async with rig.sentry() as sentry:
        assert await sentry.take(TOKEN, item(version="v1"))
        assert not await sentry.take(TOKEN, item(version="v1"))
        assert await sentry.take(TOKEN, item(version="v2"))


async def test_a_command_that_is_delivered_again_is_reported_again_and_not_begun_again(rig: Rig) -> None:
    async with rig.sentry() as sentry:
        for _ in range(3):
            await sentry.take(TOKEN, item(command("c1")))
            await until(lambda: rig.states() == {"c1": "done"})
        command_store.confirm(rig.db, command_store.unsent(rig.db))
        await sentry.take(TOKEN, item(command("c1"), command("c2")))
        await until(lambda: rig.states() == {"c1": "done", "c2": "done"})
        assert rig.unsent() == ["c1", "c2"]
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1"), command("c2")))
        await sentry.take(TOKEN, item(command("c3")))
        await until(lambda: "c3" in rig.states())
    assert rig.carried == ["c1", "c2", "c3"]


async def test_a_command_that_is_delivered_while_it_is_carried_out_is_not_queued_a_second_time(rig: Rig) -> None:
    rig.waits = asyncio.Event()
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1"), command("c2")))
        await until(lambda: rig.carried == ["c1"])
        await sentry.take(TOKEN, item(command("c1"), command("c2")))
        rig.waits.set()
        await until(lambda: rig.states() == {"c1": "done", "c2": "done"})
    assert rig.carried == ["c1", "c2"]


async def test_a_command_that_is_stopped_while_it_waits_for_another_one_never_begins(rig: Rig) -> None:
    rig.waits = asyncio.Event()
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1"), command("c2"), command("c3")))
        await until(lambda: rig.carried == ["c1"])
        await sentry.take(TOKEN, item(command("c1"), command("c3"), version="v2"))
        rig.waits.set()
        await until(lambda: rig.states() == {"c1": "done", "c3": "done"})
    assert rig.carried == ["c1", "c3"]


async def test_a_sentry_that_ends_in_the_middle_does_not_begin_again(rig: Rig) -> None:
    rig.waits = asyncio.Event()
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1", "stop_mining")))
        await until(lambda: rig.carried == ["c1"])
    assert rig.states() == {"c1": "begun"}
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1", "stop_mining")))
        await until(lambda: rig.states() == {"c1": "failed"})
    assert rig.carried == ["c1"]


async def test_a_reboot_is_done_when_the_next_boot_begins(rig: Rig) -> None:
    rig.result = waits("The rig was asked to reboot.")
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1", "reboot")))
        await until(lambda: rig.carried == ["c1"])
        await until(lambda: rig.states() == {"c1": "begun"})
    command_store.confirm(rig.db, command_store.unsent(rig.db))
    rig.boot = Boot("boot-2", 40.0)
    async with rig.sentry():
        await until(lambda: rig.states() == {"c1": "done"})
    (after,) = command_store.unsent(rig.db)
    assert after.boot_id == "boot-1"
    assert rig.carried == ["c1"]


async def test_a_reboot_that_has_begun_is_reported_again_after_a_start_in_the_same_boot(rig: Rig) -> None:
    rig.result = waits("The rig was asked to reboot.")
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1", "reboot")))
        await until(lambda: rig.states() == {"c1": "begun"})
    command_store.confirm(rig.db, command_store.unsent(rig.db))
    async with rig.sentry():
        await until(lambda: rig.unsent() == ["c1"])
    rig.boot = Boot("boot-1", 1600.0)
    async with rig.sentry():
        await until(lambda: rig.states() == {"c1": "failed"})


async def test_time_runs_from_the_delivery_by_the_age_of_the_boot(rig: Rig) -> None:
    rig.waits = asyncio.Event()
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1"), command("c2", valid_s=60.0), command("c3", valid_s=600.0)))
        await until(lambda: rig.carried == ["c1"])
        rig.boot = Boot("boot-1", 1060.0)
        rig.waits.set()
        await until(lambda: rig.states() == {"c1": "done", "c2": "expired", "c3": "done"})
    assert rig.carried == ["c1", "c3"]


async def test_what_the_rig_does_not_allow_is_refused_and_never_begun(rig: Rig) -> None:
    rig.allowed = ALL - {"shutdown"}
    rig.place = Place(is_linux=True, is_root=False, is_container=False)
    async with rig.sentry() as sentry:
        orders = command("c1", "shutdown"), command("c2", "reboot"), command("c3", "overclock")
        await sentry.take(TOKEN, item(*orders))
        await until(lambda: len(rig.states()) == 3)
    assert set(rig.states().values()) == {"refused"}
    assert rig.carried == []
    assert "CPU_GPU_SENTRY_ALLOW" in command_store.unsent(rig.db)[0].text
    assert "root" in command_store.unsent(rig.db)[1].text


async def test_a_command_that_fails_has_failed_with_its_sentence_and_the_next_one_is_carried_out(rig: Rig) -> None:
    rig.error = SentryError("The miner can't be ended.")
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1")))
        await until(lambda: rig.states() == {"c1": "failed"})
        assert command_store.unsent(rig.db)[0].text == "The miner can't be ended."
        rig.error, rig.result = None, failed("It does not run.")
        await sentry.take(TOKEN, item(command("c2")))
        await until(lambda: rig.states().get("c2") == "failed")


async def test_an_update_begins_only_where_a_launcher_can_go_back(rig: Rig) -> None:
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1", "update_sentry")))
        await until(lambda: rig.states() == {"c1": "refused"})
    assert rig.carried == []
    assert "was installed by hand" in command_store.unsent(rig.db)[0].text


@pytest.mark.parametrize(("is_done", "state"), [(True, "done"), (False, "failed")])
async def test_the_outcome_of_an_update_is_reported_once_by_the_sentry_that_the_launcher_starts(
    rig: Rig, tmp_path: Path, is_done: bool, state: str
) -> None:
    rig.installation, rig.result = Installation("0.1.0", tmp_path), waits("It is started now.")
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1", "update_sentry")))
        await until(lambda: rig.carried == ["c1"])
        rig.installation.ask_for("c1", "0.2.0")
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1", "update_sentry")))
        assert rig.states() == {"c1": "begun"}
        launcher.write(tmp_path / launcher.RESULT, launcher.Outcome("c1", is_done, "Version 0.2.0 was tried."))
        (tmp_path / launcher.WANTED).unlink()
        await until(lambda: rig.states() == {"c1": state})
        assert command_store.unsent(rig.db)[0].text == "Version 0.2.0 was tried."
    assert rig.carried == ["c1"]


async def test_an_update_that_never_reached_the_launcher_has_failed(rig: Rig, tmp_path: Path) -> None:
    rig.installation, rig.waits = Installation("0.1.0", tmp_path), asyncio.Event()
    async with rig.sentry() as sentry:
        await sentry.take(TOKEN, item(command("c1", "update_sentry")))
        await until(lambda: rig.carried == ["c1"])
    async with rig.sentry():
        await until(lambda: rig.states() == {"c1": "failed"})


async def test_a_command_for_another_rig_is_not_begun(rig: Rig) -> None:
    async with rig.sentry() as sentry:
        await sentry.take(OTHER_TOKEN, item(command("c1")))
        await sentry.take(TOKEN, item(command("c2")))
        await until(lambda: rig.states() == {"c2": "done"})
    assert rig.carried == ["c2"]


async def test_nothing_is_done_while_the_store_can_not_be_written(rig: Rig) -> None:
    rig.db.execute("CREATE TRIGGER full BEFORE INSERT ON command BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    full = SentryError("The disk is full; make room.")

    async def on_disk(function: Callable[[], T], /) -> T:
        try:
            return function()
        except sqlite3.Error as error:
            raise full from error

    runner = CommandRunner(
        rig.db, on_disk, carry=rig.carry, allowed=ALL, power=Power(), installation=rig.installation,
        boot=lambda: rig.boot, changed=lambda: None,
    )  # fmt: skip
    running = asyncio.create_task(runner.run())
    await runner.take(TOKEN, item(command("c1")))
    await until(lambda: not runner.waiting)
    rig.db.execute("DROP TRIGGER full")
    await runner.take(TOKEN, item(command("c1")))
    await until(lambda: rig.states() == {"c1": "done"})
    assert rig.carried == ["c1"]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_an_item_that_can_not_be_read_is_refused_as_a_whole(rig: Rig) -> None:
    bad = InboxItem(kind="commands", version="v1", body=msgspec.Raw(b'{"commands": [{"id": 7}]}'))
    async with rig.sentry() as sentry:
        with pytest.raises(msgspec.DecodeError):
            await sentry.take(TOKEN, bad)
        assert sentry.version is None


# --- the store


def test_a_known_command_outlives_a_damaged_store(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    with store.changing(path, SCHEMA, KEPT) as db:
        store.save_enrolment(db, Enrolment("https://a.lan", TOKEN, None, 1, "rig", State.ONLINE))
    with store.changing(path, SCHEMA, KEPT) as db:
        db.execute("COMMIT")
        assert command_store.add(db, TOKEN, status(), 5.0)
        db.execute("BEGIN")
    path.write_bytes(b"no database at all" * 500)
    move_aside(path, SCHEMA, KEPT)
    again = store.open_store(path, SCHEMA)
    assert not command_store.add(again, TOKEN, status(), 5.0)
    assert [each.status.id for each in command_store.begun(again)] == ["c"]
    again.close()


def test_a_result_changes_only_what_had_begun(rig: Rig) -> None:
    assert command_store.add(rig.db, TOKEN, status(), 5.0)
    command_store.finish(rig.db, msgspec.structs.replace(status(), state=CommandState.DONE, text="First."))
    command_store.finish(rig.db, msgspec.structs.replace(status(), state=CommandState.FAILED, text="Second."))
    assert [each.text for each in command_store.unsent(rig.db)] == ["First."]


def test_a_state_that_changes_while_it_is_sent_is_sent_again(rig: Rig) -> None:
    assert command_store.add(rig.db, TOKEN, status(), 5.0)
    sent = command_store.unsent(rig.db)
    command_store.finish(rig.db, msgspec.structs.replace(status(), state=CommandState.DONE, text="Done."))
    command_store.confirm(rig.db, sent)
    assert [each.state for each in command_store.unsent(rig.db)] == [CommandState.DONE]


def test_logs_that_the_commander_has_are_not_kept_on_the_rig(rig: Rig) -> None:
    assert command_store.add(rig.db, TOKEN, status("fetch_log"), 5.0)
    logs = [FetchedLog(source="sentry", lines=["a line"] * 2000)]
    command_store.finish(rig.db, msgspec.structs.replace(status("fetch_log"), state=CommandState.DONE, logs=logs))
    sent = command_store.unsent(rig.db)
    assert sent[0].logs == logs
    command_store.confirm(rig.db, sent)
    (kept,) = command_store.newest(rig.db, 1)
    assert (kept.state, kept.logs) == (CommandState.DONE, [])


def test_old_commands_make_room_and_those_without_a_result_stay(rig: Rig) -> None:
    assert command_store.add(rig.db, TOKEN, status(name="first"), 5.0)
    for number in range(600):
        assert command_store.add(rig.db, TOKEN, status(name=f"c{number}"), 5.0)
        ended = msgspec.structs.replace(status(name=f"c{number}"), state=CommandState.DONE)
        command_store.finish(rig.db, ended)
        command_store.confirm(rig.db, [ended])
    assert rig.db.execute("SELECT count(*) FROM command").fetchone()[0] <= 502
    assert command_store.is_known(rig.db, "first")


def test_another_commander_knows_nothing_of_the_last_ones_commands(rig: Rig) -> None:
    assert command_store.add(rig.db, TOKEN, status(), 5.0)
    command_store.forget_commander(rig.db)
    assert command_store.newest(rig.db, 10) == []
