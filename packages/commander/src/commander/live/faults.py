"""Faults of a rig now: in its newest log, of its cards and of its playbooks."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from commander.live.playbooks import PlaybookNow
from commander.live.wallets import wallet_alarms
from commander.readings.faults import Fault
from commander.readings.summary import RigSummary
from commander.readings.traits import RigHardware

Since = dict[str, datetime | None]  # by the fault's words; None: from before this program started
Playbooks = Sequence[PlaybookNow]


def faults_now(
    newest: RigSummary | None,
    hardware: RigHardware,
    playbooks: Playbooks,
    taken_at: datetime | None,
    *,
    refused: bool = False,
) -> tuple[Fault, ...]:
    """Returns all faults of a rig, worst first. `newest` is its newest log, if it has sent one, of `taken_at`.

    `refused`: its sentry does not take its playbooks."""
    refusal = (Fault("playbook_failed", "Playbooks refused"),) if refused else ()
    failed = (*refusal, *_of_playbooks(playbooks))
    if newest is None:
        return failed
    wallets = tuple(_of_wallets(newest, playbooks, taken_at)) if newest.mining.of_playbooks else ()
    faults = (*wallets, *failed, *_without_miner(newest, playbooks), *newest.faults, *_of_cards(newest, hardware))
    if not faults:
        return ()  # most logs show none
    return tuple(fault for fault in faults if not _is_meant(fault, playbooks))


def _of_playbooks(playbooks: Playbooks) -> Iterator[Fault]:
    for playbook in playbooks:
        if playbook.failed:
            yield Fault("playbook_failed", f"Playbook failed: {playbook.wire.name}")


def _of_wallets(newest: RigSummary, playbooks: Playbooks, taken_at: datetime | None) -> Iterator[Fault]:
    """Yields the faults of the wallet guard. They are the worst: somebody else may get what the rig earns."""
    for playbook, differences in wallet_alarms(newest.mining, playbooks, taken_at):
        what = "Wallet" if any(each.what == "wallet" for each in differences) else "Pool"
        yield Fault("wallet", f"{what} differs: {playbook.wire.name}" if len(playbooks) > 1 else f"{what} differs")


def _without_miner(newest: RigSummary, playbooks: Playbooks) -> Sequence[Fault]:
    """A rig that reports no mining software and has no playbook, whose software might still be starting."""
    return [Fault("no_hashrate", "No miner")] if newest.miners == 0 and not playbooks else ()


def _of_cards(newest: RigSummary, hardware: RigHardware) -> Sequence[Fault]:
    if newest.gpus is None or newest.gpus >= hardware.gpu_count:
        return ()
    return [Fault("device_lost", "GPU lost: {}", f"{newest.gpus} of {hardware.gpu_count}")]


def _is_meant(fault: Fault, playbooks: Playbooks) -> bool:
    """Returns whether the rig stands because somebody paused all its playbooks."""
    return fault.rule == "no_hashrate" and bool(playbooks) and all(each.wire.paused for each in playbooks)


def since(before: Since, faults: Sequence[Fault], at: datetime | None, *, older: Collection[str] = ()) -> Since:
    """Returns when each fault began: `at`, unless it was there before. Faults of the rules `older` began earlier."""
    return {fault.words: before.get(fault.words, None if fault.rule in older else at) for fault in faults}
