"""The wallet guard on a rig's newest log: pools and wallets that differ from those of its playbooks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from protocol.playbook_messages import PlaybookState

from commander.live.playbooks import PlaybookNow
from commander.readings.traits import Mining, PlaybookMiner
from commander.readings.wallet_guard import Difference, differences

TAKEN_OVER_WITHIN = timedelta(minutes=5)


class WalletAlarm(NamedTuple):
    """A miner has another pool or wallet than its playbook."""

    playbook: PlaybookNow
    differences: list[Difference]


def wallet_alarms(mining: Mining, playbooks: Sequence[PlaybookNow], taken_at: datetime | None) -> list[WalletAlarm]:
    """Returns the alarms of a log that was taken at `taken_at`."""
    by_id = {each.wire.id: each for each in playbooks} if mining.of_playbooks else {}
    found = []
    for miner in mining.of_playbooks:
        playbook = by_id.get(miner.playbook_id)
        if playbook and (wrong := _differences(playbook, miner, taken_at)):
            found.append(WalletAlarm(playbook, wrong))
    return found


def _differences(playbook: PlaybookNow, miner: PlaybookMiner, taken_at: datetime | None) -> list[Difference]:
    wrong = differences(playbook.wire.works, miner.accounts, playbook.wallet_evidence)
    return wrong if wrong and is_comparable(playbook, taken_at) else []


def is_comparable(playbook: PlaybookNow, taken_at: datetime | None) -> bool:
    """Returns whether a log is about the newest revision.

    After a change the miner goes on with what it had, until its sentry has restarted it. That is no alarm, but only
    for some minutes: a miner that never takes over its new wallet is one.
    """
    status = playbook.status
    if playbook.changed_at is None or taken_at is None or taken_at >= playbook.changed_at + TAKEN_OVER_WITHIN:
        return True
    if status is None or not playbook.is_current or status.state is not PlaybookState.MINING:
        return False
    return status.since is None or taken_at >= status.since
