"""Commands in a real database: made, delivered, reported, replaced, expired, retried."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from command_farm import BY_TWO, CommandFarm
from commander.audit.store import EntryFilter, read_entries
from commander.commands import actions, sentries, store, target_store
from commander.commands.batches import Changed
from commander.commands.domain import Batch, BatchState, NothingToRetry
from commander.commands.target_store import Target
from commander.db import Database
from commander.registry import store as registry
from commander.registry.kinds import RigKind
from commander.selections.domain import NoTargets
from protocol.command_messages import (
    CommandAction,
    CommandArguments,
    CommandState,
    FetchedLog,
    Finding,
    Severity,
)
from sqlalchemy.ext.asyncio import AsyncConnection

REBOOT, DIAGNOSE, RESTART = CommandAction.REBOOT, CommandAction.DIAGNOSE, CommandAction.RESTART_PLAYBOOK
SHORT = timedelta(seconds=30)


@pytest.fixture
def farm(database: Database) -> CommandFarm:
    return CommandFarm(database)


async def test_a_command_is_delivered_begun_and_done(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(RESTART, [rig], reason="low hashrate", arguments=CommandArguments(playbook_id="7"))
    (command,) = await farm.commands(rig)
    assert (command.action, command.reason, command.made_by) == ("restart_playbook", "low hashrate", "a test")
    assert command.arguments == CommandArguments(playbook_id="7")
    assert 595 < command.valid_s <= 600
    await farm.report(rig, command.id, CommandState.BEGUN, "Begun.")
    assert await farm.states(made.id) == ["begun"]
    assert [each.valid_s for each in await farm.commands(rig)] == [0]
    await farm.report(rig, command.id, CommandState.DONE, "Restarted xmrig.")
    (target,) = await farm.targets(made.id)
    assert (target.state, target.result) == ("done", "Restarted xmrig.")
    assert await farm.commands(rig) == []
    assert await farm.state(made.id) is BatchState.DONE


async def test_pages_and_sentries_are_notified(farm: CommandFarm) -> None:
    rigs = await farm.add_rigs(2)
    made = await farm.order(DIAGNOSE, rigs)
    assert farm.notified[-1].command_ids == {made.id}
    assert farm.notified[-1].rig_ids == set(rigs)


async def test_a_status_that_comes_twice_changes_nothing(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(DIAGNOSE, [rig])
    (key,) = await farm.finish(rig)
    before, notified = await farm.targets(made.id), len(farm.notified)
    await farm.report(rig, key, CommandState.DONE)
    await farm.report(rig, key, CommandState.BEGUN)
    assert await farm.targets(made.id) == before
    assert len(farm.notified) == notified


async def test_a_rig_can_say_nothing_of_another_rigs_command(farm: CommandFarm) -> None:
    one, other = await farm.add_rigs(2)
    made = await farm.order(DIAGNOSE, [one])
    (command,) = await farm.commands(one)
    await farm.report(other, command.id, CommandState.DONE)
    assert await farm.states(made.id) == ["waiting"]


async def test_findings_and_logs_are_kept_with_their_command(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(DIAGNOSE, [rig])
    (command,) = await farm.commands(rig)
    findings = [Finding(check="disk", severity=Severity.CRITICAL, text="The disk is full.")]
    logs = [FetchedLog(source="sentry", lines=["started"])]
    await farm.report(rig, command.id, CommandState.DONE, findings=findings, logs=logs)
    async with farm.database.reading() as db:
        assert await store.get_result(db, made.id, rig) == (findings, logs)
        assert await store.rigs_with_results(db, made.id) == {rig}


async def test_no_rigs_and_unknown_rigs_are_errors_that_say_so(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    with pytest.raises(NoTargets, match="at least one rig"):
        await farm.order(DIAGNOSE, [])
    with pytest.raises(NoTargets, match="There is no CPU/GPU rig 999"):
        await farm.order(DIAGNOSE, [rig, 999])
    assert await farm.commands(rig) == []


async def test_a_reboot_is_done_when_another_boot_reports(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(REBOOT, [rig])
    (command,) = await farm.commands(rig)
    await farm.report(rig, command.id, CommandState.BEGUN, boot="boot-1")
    assert await farm.states(made.id) == ["begun"]
    await farm.report(rig, command.id, CommandState.BEGUN, boot="boot-1")
    assert await farm.states(made.id) == ["begun"]
    await farm.report(rig, command.id, CommandState.BEGUN, boot="boot-2", began_in="boot-1")
    assert await farm.states(made.id) == ["done"]


async def test_a_reboot_whose_begin_was_never_reported_is_done_by_one_status(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(REBOOT, [rig])
    (command,) = await farm.commands(rig)
    await farm.report(rig, command.id, CommandState.BEGUN, boot="boot-2", began_in="boot-1")
    assert await farm.states(made.id) == ["done"]


async def test_a_rig_that_does_not_come_back_has_failed_until_it_does(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(REBOOT, [rig])
    (command,) = await farm.commands(rig)
    await farm.report(rig, command.id, CommandState.BEGUN)
    now = await farm.database.now()
    await sentries.settle_overdue(farm.database, farm.notify, now + timedelta(minutes=9))
    assert await farm.states(made.id) == ["begun"]
    await sentries.settle_overdue(farm.database, farm.notify, now + timedelta(minutes=11))
    (target,) = await farm.targets(made.id)
    assert target.state == "failed"
    assert "not come back" in (target.result or "")
    assert await farm.state(made.id) is BatchState.DONE
    await farm.arrive(rig, boot="boot-2")
    assert await farm.states(made.id) == ["done"]


async def test_a_rig_that_comes_back_with_the_same_boot_id_has_not_rebooted(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(REBOOT, [rig])
    (command,) = await farm.commands(rig)
    await farm.report(rig, command.id, CommandState.BEGUN, boot="boot-1")
    await farm.arrive(rig, boot="boot-1")
    assert await farm.states(made.id) == ["begun"]
    await sentries.settle_overdue(farm.database, farm.notify, await farm.database.now() + timedelta(minutes=11))
    (target,) = await farm.targets(made.id)
    assert (target.state, "not come back" in (target.result or "")) == ("failed", True)
    await farm.arrive(rig, boot="boot-1")
    assert await farm.states(made.id) == ["failed"]


async def test_a_command_that_nobody_fetches_expires(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(REBOOT, [rig], valid_for=SHORT)
    await sentries.settle_overdue(farm.database, farm.notify, await farm.database.now() + SHORT)
    (target,) = await farm.targets(made.id)
    assert target.state == "expired"
    assert "offline" in (target.result or "")
    assert await farm.commands(rig) == []
    assert await farm.state(made.id) is BatchState.DONE


async def test_a_late_status_of_an_expired_command_is_taken(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(RESTART, [rig], valid_for=SHORT)
    (command,) = await farm.commands(rig)
    await sentries.settle_overdue(farm.database, farm.notify, await farm.database.now() + SHORT)
    assert await farm.states(made.id) == ["expired"]
    await farm.report(rig, command.id, CommandState.DONE, "Restarted.")
    assert await farm.states(made.id) == ["done"]


async def test_a_waiting_command_is_replaced_by_the_same_action(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    first = await farm.order(REBOOT, [rig])
    second = await farm.order(REBOOT, [rig])
    (target,) = await farm.targets(first.id)
    assert (target.state, target.result) == ("cancelled", f"Replaced by command {second.id}.")
    assert await farm.state(first.id) is BatchState.DONE
    assert len(await farm.commands(rig)) == 1
    assert [(each.id, each.rigs) for each in second.overlaps] == [(first.id, ["rig-001"])]


async def test_a_replaced_command_that_was_delivered_is_carried_out_once(farm: CommandFarm) -> None:
    """The sentry may be about to act on it: the newer command has the same id for it."""
    (rig,) = await farm.add_rigs(1)
    await farm.order(REBOOT, [rig])
    (delivered,) = await farm.commands(rig)
    second = await farm.order(REBOOT, [rig])
    assert [each.id for each in await farm.commands(rig)] == [delivered.id]
    await farm.report(rig, delivered.id, CommandState.BEGUN)
    assert await farm.states(second.id) == ["begun"]


async def test_a_command_that_is_replaced_while_it_is_delivered_is_carried_out_once(
    farm: CommandFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rig,) = await farm.add_rigs(1)
    await farm.order(REBOOT, [rig])
    after_reading(monkeypatch, lambda: farm.order(REBOOT, [rig]))
    first, second = await farm.commands(rig), await farm.commands(rig)
    assert len({command.id for command in (*first, *second)}) == 1


async def test_a_command_that_is_stopped_while_it_is_delivered_never_begins(
    farm: CommandFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(REBOOT, [rig])
    after_reading(monkeypatch, lambda: actions.cancel(farm.database, farm.notify, made.id, by="a test"))
    assert await farm.commands(rig) == []
    assert await farm.states(made.id) == ["cancelled"]


def after_reading(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[object]]) -> None:
    """Another node acts as soon as this one has read what the sentry is to get."""
    read = target_store.released_of_rig

    async def read_and_act(db: AsyncConnection, rig_id: int) -> list[Target]:
        targets = await read(db, rig_id)
        monkeypatch.setattr(target_store, "released_of_rig", read)
        await act()
        return targets

    monkeypatch.setattr(target_store, "released_of_rig", read_and_act)


async def test_what_has_begun_is_not_replaced(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    first = await farm.order(REBOOT, [rig])
    (command,) = await farm.commands(rig)
    await farm.report(rig, command.id, CommandState.BEGUN)
    second = await farm.order(REBOOT, [rig])
    assert await farm.states(first.id) == ["begun"]
    assert await farm.states(second.id) == ["waiting"]
    assert [each.id for each in second.overlaps] == [first.id]


async def test_restarts_of_two_playbooks_both_happen(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    await farm.order(RESTART, [rig], arguments=CommandArguments(playbook_id="1"))
    await farm.order(RESTART, [rig], arguments=CommandArguments(playbook_id="2"))
    fetched = await farm.commands(rig)
    assert [each.arguments and each.arguments.playbook_id for each in fetched] == ["1", "2"]


async def test_a_batch_goes_on_as_results_come(farm: CommandFarm) -> None:
    rigs = await farm.add_rigs(5)
    made = await farm.order(DIAGNOSE, rigs, batch=BY_TWO)
    assert [len(await farm.commands(rig)) for rig in rigs] == [1, 1, 0, 0, 0]
    await farm.finish(rigs[1])
    assert [len(await farm.commands(rig)) for rig in rigs] == [1, 0, 1, 0, 0]
    for rig in rigs:
        await farm.finish(rig)
    assert await farm.states(made.id) == ["done"] * 5
    assert await farm.state(made.id) is BatchState.DONE


async def test_a_batch_stops_after_too_many_failures_and_a_retry_finishes_it(farm: CommandFarm) -> None:
    rigs = await farm.add_rigs(6)
    made = await farm.order(RESTART, rigs, batch=BY_TWO)
    await farm.finish(rigs[0], CommandState.FAILED)
    await farm.finish(rigs[1])
    await farm.finish(rigs[2], CommandState.FAILED)
    assert await farm.state(made.id) is BatchState.STOPPED
    assert await farm.note(made.id) == "Stopped after 2 failures."
    assert await farm.states(made.id) == ["failed", "done", "failed", "waiting", "cancelled", "cancelled"]
    await farm.finish(rigs[3])  # its sentry had it already
    again = await actions.retry(farm.database, farm.notify, made.id)
    assert (again.id, again.targets) == (made.id, 4)
    for rig in rigs:
        await farm.finish(rig)
    assert await farm.states(made.id) == ["done"] * 6
    assert await farm.state(made.id) is BatchState.DONE


async def test_a_refusal_is_no_failure_of_the_batch(farm: CommandFarm) -> None:
    rigs = await farm.add_rigs(4)
    made = await farm.order(REBOOT, rigs, batch=Batch(size=1, max_failures=1))
    for rig in rigs:
        await farm.finish(rig, CommandState.REFUSED)
    assert await farm.states(made.id) == ["refused"] * 4
    assert await farm.state(made.id) is BatchState.DONE


async def test_a_batch_waits_for_rigs_that_it_took_offline(farm: CommandFarm) -> None:
    rigs = await farm.add_rigs(3)
    made = await farm.order(REBOOT, rigs, batch=Batch(size=1, max_failures=5))
    (command,) = await farm.commands(rigs[0])
    await farm.report(rigs[0], command.id, CommandState.BEGUN)
    await sentries.settle_overdue(farm.database, farm.notify, await farm.database.now() + timedelta(minutes=11))
    assert await farm.states(made.id) == ["failed", "cancelled", "cancelled"]
    assert "have not come back" in await farm.note(made.id)


async def test_stop_cancels_what_has_not_begun(farm: CommandFarm) -> None:
    rigs = await farm.add_rigs(3)
    made = await farm.order(DIAGNOSE, rigs, batch=BY_TWO)
    (command,) = await farm.commands(rigs[0])
    await farm.report(rigs[0], command.id, CommandState.BEGUN)
    await actions.cancel(farm.database, farm.notify, made.id, by="anna")
    assert await farm.states(made.id) == ["begun", "cancelled", "cancelled"]
    assert await farm.state(made.id) is BatchState.STOPPED
    assert await farm.commands(rigs[1]) == []
    await farm.report(rigs[0], command.id, CommandState.DONE)
    assert await farm.states(made.id) == ["done", "cancelled", "cancelled"]
    assert await farm.state(made.id) is BatchState.STOPPED


async def test_nothing_to_retry_is_said(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(DIAGNOSE, [rig])
    with pytest.raises(NothingToRetry):
        await actions.retry(farm.database, farm.notify, made.id)


async def test_a_removed_rig_ends_its_commands(farm: CommandFarm) -> None:
    rigs = await farm.add_rigs(3)
    made = await farm.order(DIAGNOSE, rigs, batch=BY_TWO)
    changed, now = Changed(), await farm.database.now()
    async with farm.database.transaction() as db:
        await registry.delete_rig(db, RigKind.CPU_GPU, rigs[0])
        await actions.remove_rig(db, rigs[0], changed, now=now)
    targets = await farm.targets(made.id)
    assert [(each.state, each.name) for each in targets][:1] == [("cancelled", "rig-001")]
    assert targets[0].result == "The rig was removed."
    assert changed.rig_ids == {rigs[2]}
    await actions.cancel(farm.database, farm.notify, made.id, by="anna")
    again = await actions.retry(farm.database, farm.notify, made.id)
    assert again.targets == 2


async def test_a_rig_that_vanished_otherwise_ends_its_commands_too(farm: CommandFarm) -> None:
    rigs = await farm.add_rigs(2)
    made = await farm.order(DIAGNOSE, rigs)
    async with farm.database.transaction() as db:
        await registry.delete_rig(db, RigKind.CPU_GPU, rigs[0])
    await sentries.settle_overdue(farm.database, farm.notify, await farm.database.now())
    assert await farm.states(made.id) == ["cancelled", "waiting"]


async def test_orders_and_outcomes_are_in_the_audit_log(farm: CommandFarm) -> None:
    rigs = await farm.add_rigs(2)
    made = await farm.order(DIAGNOSE, rigs, reason="fans")
    await actions.cancel(farm.database, farm.notify, made.id, by="anna")
    await actions.retry(farm.database, farm.notify, made.id)
    for rig in rigs:
        await farm.finish(rig)
    async with farm.database.reading() as db:
        entries = await read_entries(db, EntryFilter(), before_id=None, limit=10)
    about = f"Diagnose, command {made.id}, reason: fans"
    assert [(each.what, each.subject, each.detail) for each in reversed(entries)] == [
        ("command sent", "rig-001, rig-002", about),
        ("command stopped", "rig-001, rig-002", about),
        ("command retried", "rig-001, rig-002", about),
        ("command ended", f"command {made.id}", "Diagnose: 2 done"),
    ]


async def test_a_sentry_that_is_too_old_refuses(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    made = await farm.order(REBOOT, [rig])
    await sentries.refuse_for_old_sentry(farm.database, farm.notify, rig)
    (target,) = await farm.targets(made.id)
    assert (target.state, target.result) == ("refused", "The sentry of rig-001 is too old for commands; update it.")


async def test_old_commands_are_deleted_with_their_targets(farm: CommandFarm) -> None:
    (rig,) = await farm.add_rigs(1)
    ended, runs = await farm.order(DIAGNOSE, [rig]), await farm.order(REBOOT, [rig])
    await actions.cancel(farm.database, farm.notify, ended.id, by="anna")
    async with farm.database.transaction() as db:
        await store.delete_commands_before(db, await farm.database.now() + timedelta(days=1))
    assert await farm.targets(ended.id) == []
    assert await farm.states(runs.id) == ["waiting"]
